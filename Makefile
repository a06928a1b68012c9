# edgesparse for people who work on it. `make help` lists the targets.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.10 python3; do \
    $$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin
TEST_WORKERS ?= 2

help:
	@echo "make setup      make .venv with everything the other targets need"
	@echo "make demo       convert the digits network and run it on an emulated Cortex-M4"
	@echo "make test       lint, types and the fast tests"
	@echo "make test-slow  the tests that take minutes"
	@echo "make lint       ruff, mypy and clang-format"
	@echo "make bench      measure the real models (EDGESPARSE_TEST_MODELS=folder) and the tool's own speed"
	@echo "make methods    measure every way to make a network sparse, and write the tables of docs/methods.md"
	@echo "make replay     build a corpus at commit BASE=ref and as it is now, and list what differs; EXPECT='glob ...' names"
	@echo "                what is meant to, ONLY='glob ...' takes some entries (EDGESPARSE_TEST_MODELS=folder adds models)"
	@echo "make sizes      code, tables, weights and RAM of that corpus"
	@echo "make calibrate  fit the cost model that chooses weight formats to the kernels as they are now"
	@echo "make clean      remove what the other targets made"

setup: $(READY)

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "edgesparse needs Python 3.10 to 3.13; give PYTHON=path" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[device,demo,examples,mobile,test]'
	@touch $@

demo: $(READY)
	@mkdir -p build
	$(RUN)/python examples/digits/data.py build/digits.npz
	$(RUN)/edgesparse convert examples/digits/digits.h5 --data build/digits.npz --method finetune --epochs 20 \
	    --sparsity 0.75 --out build/digits.edgesparse

test: lint
	$(RUN)/python -m pytest -m "not slow" -n $(TEST_WORKERS) --dist worksteal

test-slow: $(READY)
	$(RUN)/python -m pytest -m slow -n $(TEST_WORKERS) --dist worksteal

lint: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/clang-format --dry-run --Werror $(C_FILES)

C_FILES = $(shell find firmware_templates edgesparse tests \( -name "*.[ch]" -o -name "*.cc" \) -not -path '*/.*')

bench: $(READY)
	$(RUN)/python -m benchmarks.networks
	$(RUN)/python -m benchmarks.speed

methods: $(READY)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --upgrade \
	    --target build/aeon aeon==1.6.0
	$(RUN)/python -m benchmarks.methods --write
	$(RUN)/python -m benchmarks.methods --check

replay: $(READY)
	@test -n "$(BASE)" || { echo "make replay needs BASE=commit" >&2; exit 2; }
	$(RUN)/python -m benchmarks.replay '$(BASE)' $(foreach glob,$(ONLY),--only '$(glob)') \
	    $(foreach glob,$(EXPECT),--expect '$(glob)')

sizes: $(READY)
	$(RUN)/python -m benchmarks.sizes $(foreach glob,$(ONLY),--only '$(glob)')

calibrate: $(READY)
	$(RUN)/python -m benchmarks.calibrate

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test test-slow lint bench methods replay sizes calibrate clean
