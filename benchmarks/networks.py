"""Whole networks against TFLite Micro with CMSIS-NN: instructions, flash and RAM of dense and sparse builds.

    EDGESPARSE_TEST_MODELS=folder python -m benchmarks.networks [--boards mps2-an386 ...] [--models ad01 ...]
        [--optimize latency] [--out build/networks.json]

Networks: ad01, ResNet8 and DS-CNN (kws) from the folder, and MobileNetV1-0.25 96x96x3 (vww) with random weights. Each
is converted dense, with 75 % unstructured and with 80 % and 90 % block zeros; the int8 files stay in build/networks, so
that a second run takes seconds. Prints a Markdown table, writes the same figures as JSON, and a plot beside it where
matplotlib is installed. Instruction counts are exact; nothing here is a time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import edgesparse
from benchmarks.plot import bars
from edgesparse.boards import load_board
from edgesparse.commands.firmware import firmware

BASELINE = json.loads((Path(__file__).parent / "baseline.json").read_text())

FILES = {"ad01": "ad01.h5", "resnet": "pretrainedResnet.h5", "kws": "kws_ref_model.h5", "vww": None}
"""Models, by name in baseline.json; None: MobileNetV1-0.25 with random weights."""

BUILDS: dict[str, tuple[str, float]] = {
    "unstructured 75 %": ("unstructured", 0.75),
    "block 80 %": ("block", 0.8),
    "block 90 %": ("block", 0.9),
}
SPARSE_FOR_DENSE = "block 80 %"
"""The conversion whose dense twin stands for the dense network."""

COLUMNS = ("network", "core", "build", "zeros", "instructions", "x fewer", "flash", "x less", "RAM", "goals")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=tuple(FILES), default=list(FILES))
    parser.add_argument("--boards", nargs="+", default=["mps2-an386"])
    parser.add_argument("--toolchain", default="auto")
    parser.add_argument("--optimize", default="latency")
    parser.add_argument("--cache", type=Path, default=Path("build/networks"))
    parser.add_argument("--out", type=Path, default=Path("build/networks.json"))
    arguments = parser.parse_args()
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    names = [name for name in arguments.models if folder or FILES[name] is None]
    if names != arguments.models:
        print("EDGESPARSE_TEST_MODELS is not set: only the random MobileNet is measured", file=sys.stderr)
    settings = {"toolchain": arguments.toolchain, "optimize": arguments.optimize}
    rows: list[dict[str, Any]] = []
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- | --- | --- |" + " ---: |" * (len(COLUMNS) - 4) + " --- |")
    for name in names:
        files = int8_files(name, folder, arguments.cache)
        for board in arguments.boards:
            for build, path in files.items():
                rows.append(measure(name, build, path, board, settings))
                print(text_of(rows[-1]), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"baseline": BASELINE["name"], "settings": settings, "networks": rows}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    for board in arguments.boards:
        core = load_board(board).core.name
        groups: dict[str, dict[str, float]] = defaultdict(lambda: {BASELINE["name"]: 1.0})
        for row in (row for row in rows if row["core"] == core):
            groups[row["network"]][row["build"]] = 1 / row["times_fewer"]
        path = arguments.out.with_suffix(f".{core}.png")
        bars(groups, y=f"instructions relative to {BASELINE['name']}", title=core, path=path)
    return 0


def int8_files(name: str, folder: str | None, cache: Path) -> dict[str, Path]:
    """The int8 .tflite of each build, converted where the cache has none. Dense comes first."""
    cache.mkdir(parents=True, exist_ok=True)
    files = {build: cache / f"{name}-{pattern}-{sparsity}.tflite" for build, (pattern, sparsity) in BUILDS.items()}
    dense = cache / f"{name}-dense.tflite"
    for build, (pattern, sparsity) in BUILDS.items():
        if files[build].is_file() and (build != SPARSE_FOR_DENSE or dense.is_file()):
            continue
        file = FILES[name]
        model = random_mobilenet() if file is None else Path(folder or "") / file
        with tempfile.TemporaryDirectory() as work:
            out = Path(work) / "out"
            edgesparse.convert(model, out=out, sparsity=sparsity, pattern=pattern, vectors=1)
            shutil.copyfile(out / "model.int8.tflite", files[build])
            if build == SPARSE_FOR_DENSE:
                shutil.copyfile(out / "dense" / "model.int8.tflite", dense)
    return {"dense": dense, **files}


def random_mobilenet() -> Any:
    """MobileNetV1-0.25, 96x96x3, two classes, random weights of a fixed seed."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    model = tf_keras.applications.MobileNet(input_shape=(96, 96, 3), alpha=0.25, classes=2, weights=None)
    # Keras' own initial weights fade through 27 layers, to logits that TFLite Micro's SOFTMAX refuses.
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.weights and "conv" in type(layer).__name__.lower():
            shape = layer.weights[0].shape
            fan_in = math.prod(shape[:2] if "Depthwise" in type(layer).__name__ else shape[:3])
            layer.set_weights([rng.normal(0, math.sqrt(2 / fan_in), shape), *layer.get_weights()[1:]])
    return model


def measure(name: str, build: str, path: Path, board: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Figures of one build on one board, beside the baseline's and the goals."""
    with tempfile.TemporaryDirectory() as work:
        report = firmware(path, out=Path(work) / "out", board=board, vectors=2, **settings).to_json()
    figures = report["dense" if build == "dense" else "sparse"]
    core = report["board"]["core"]
    baseline = BASELINE["models"][name]
    goals = BASELINE["goals"][name].get(build, {}) if core == "cortex-m4" else {}
    if core != "cortex-m4" and build == SPARSE_FOR_DENSE:
        goals = {"instructions": baseline["instructions"][core] - 1}
    return {
        "network": name,
        "core": core,
        "build": build,
        "zeros": 0.0 if build == "dense" else report["model"]["sparsity"],
        **{key: figures[key] for key in ("instructions", "cycles", "flash_bytes", "code_bytes", "weight_bytes")},
        **{key: figures[key] for key in ("table_bytes", "ram_bytes", "arena_bytes", "stack_bytes")},
        "times_fewer": baseline["instructions"][core] / figures["instructions"],
        "times_less_flash": baseline["flash_bytes"] / figures["flash_bytes"],
        "goals": {key: {"limit": limit, "ok": figures[key] <= limit} for key, limit in goals.items()},
        "layers": [
            {key: layer[key] for key in ("name", "op", "macs", "format", "instructions", "dense_instructions")}
            for layer in report["layers"]
        ],
    }


def text_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    goals = [f"{'met' if goal['ok'] else 'MISSED'} {key} {goal['limit']:,}" for key, goal in row["goals"].items()]
    cells = [
        row["network"],
        row["core"],
        row["build"],
        f"{row['zeros']:.1%}",
        f"{row['instructions']:,}",
        f"{row['times_fewer']:.2f}",
        f"{row['flash_bytes']:,}",
        f"{row['times_less_flash']:.2f}",
        f"{row['ram_bytes']:,}",
        "; ".join(goals),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
