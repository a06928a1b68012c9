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
	@echo "make fuzz       fuzz what reads files, and the kernels: RUNS=1000000 files, KERNELS=100000 cases, SEED=1"
	@echo "make lint       ruff, mypy and clang-format"
	@echo "make analyze    gcc -fanalyzer, clang-tidy and cppcheck over all that becomes firmware"
	@echo "make lock       requirements/lock.txt once more, after a change of pyproject.toml; UPGRADE=--upgrade takes newer ones"
	@echo "make bounds     install the lowest and the newest versions that pyproject.toml allows, and try them"
	@echo "make dist       wheel and sdist in dist/"
	@echo "make sbom       what the package needs, as CycloneDX: dist/edgesparse.cdx.json"
	@echo "make coverage   the fast tests, and which lines and branches they reach: build/coverage/index.html"
	@echo "make mutation   which changes of the code the tests notice (docs/mutation.md); ONLY='group ...' takes some groups"
	@echo "make bench      measure the real models (EDGESPARSE_TEST_MODELS=folder) and the tool's own speed"
	@echo "make methods    measure every way to make a network sparse, and write the tables of docs/methods.md"
	@echo "make replay     build a corpus at commit BASE=ref and as it is now, and list what differs; EXPECT='glob ...' names"
	@echo "                what is meant to, ONLY='glob ...' takes some entries (EDGESPARSE_TEST_MODELS=folder adds models)"
	@echo "make sizes      code, tables, weights and RAM of that corpus"
	@echo "make calibrate  fit the cost model that chooses weight formats to the kernels as they are now"
	@echo "make clean      remove what the other targets made"

setup: $(READY)

# What is not in the lock file, or has another hash there, is not installed.
$(READY): pyproject.toml requirements/lock.txt
	@test -n "$(PYTHON)" || { echo "edgesparse needs Python 3.10 to 3.13; give PYTHON=path" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Newest versions within the bounds of pyproject.toml, for all Pythons; a version that is locked stays while it fits.
lock: $(READY)
	$(UV_COMPILE) --all-extras $(UPGRADE) --constraint requirements/choices.txt --output-file requirements/lock.txt

UV_COMPILE = UV_PYTHON_DOWNLOADS=never $(RUN)/uv pip compile --quiet --universal --python-version 3.10 \
    --generate-hashes --no-header --no-annotate pyproject.toml

bounds: $(READY)
	$(RUN)/python -m benchmarks.bounds

dist: $(READY)
	rm -rf dist
	$(RUN)/python -m build --no-isolation

# Of what a user installs: the requirements without extras, in the versions of the lock file.
sbom: $(READY)
	@mkdir -p build dist
	$(UV_COMPILE) --constraint requirements/lock.txt --output-file build/requirements.txt
	$(RUN)/cyclonedx-py requirements build/requirements.txt --pyproject pyproject.toml --output-reproducible \
	    --spec-version 1.6 --output-format JSON --output-file dist/edgesparse.cdx.json

demo: $(READY)
	@mkdir -p build
	$(RUN)/python examples/digits/data.py build/digits.npz
	$(RUN)/edgesparse convert examples/digits/digits.h5 --data build/digits.npz --method finetune --epochs 20 \
	    --sparsity 0.75 --out build/digits.edgesparse

test: lint
	$(RUN)/python -m pytest -m "not slow" -n $(TEST_WORKERS) --dist worksteal

test-slow: $(READY)
	$(RUN)/python -m pytest -m slow -n $(TEST_WORKERS) --dist worksteal

# Part of test-slow.
analyze: $(READY)
	$(RUN)/python -m pytest tests/kernels/test_analysis.py

RUNS ?= 100000
KERNELS ?= 10000
SEED ?= 1
fuzz: $(READY)
	$(RUN)/python -m tests.fuzz all --runs $(RUNS) --seed $(SEED)
	$(RUN)/python -m tests.fuzz.kernels --cases $(KERNELS) --seed $(SEED)

lint: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/clang-format --dry-run --Werror $(C_FILES)

C_FILES = $(shell find firmware_templates edgesparse tests \( -name "*.[ch]" -o -name "*.cc" \) -not -path '*/.*')

coverage: $(READY)
	$(RUN)/python -m pytest -m "not slow" -n $(TEST_WORKERS) --dist worksteal --cov --cov-report=term \
	    --cov-report=html:build/coverage

mutation: $(READY)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutation]'
	$(RUN)/python -m benchmarks.mutation $(if $(ONLY),--only $(ONLY),--write)

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

.PHONY: help setup lock bounds dist sbom demo test test-slow analyze fuzz coverage mutation lint bench methods replay
.PHONY: sizes calibrate clean
