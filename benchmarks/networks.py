"""Dense against sparse on the real models of EDGESPARSE_TEST_MODELS: flash, RAM, instructions, accuracy.

    python -m benchmarks.networks [--sparsity 0.75] [--pattern auto] [--out build/networks.json]

Prints a Markdown table and writes the same figures as JSON. Instruction counts are exact; nothing here is a time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import edgesparse

MODELS = (
    "ad01.h5",
    "pretrainedResnet.h5",
    "kws_ref_model.h5",
    "magic_wand.h5",
    "nested_autoencoder.h5",
    "keras3_functional.keras",
)
DATA = {"kws_ref_model.h5": "kws400.npz"}

COLUMNS = (
    "model",
    "zeros",
    "flash dense",
    "flash sparse",
    "RAM dense",
    "RAM sparse",
    "instructions dense",
    "sparse",
    "x",
)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sparsity", type=float, default=0.75)
    parser.add_argument("--pattern", default="auto")
    parser.add_argument("--out", type=Path, default=Path("build/networks.json"))
    arguments = parser.parse_args()
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        print("EDGESPARSE_TEST_MODELS is not set: no real models to measure", file=sys.stderr)
        return 0
    results: dict[str, dict[str, Any]] = {}
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- |" + " ---: |" * (len(COLUMNS) - 1))
    for name in MODELS:
        report = measure(Path(folder), name, arguments.sparsity, arguments.pattern)
        results[name] = {key: report[key] for key in ("model", "sparse", "dense", "ratio", "accuracy", "fidelity")}
        print(row(name, report), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def measure(folder: Path, name: str, sparsity: float, pattern: str) -> dict[str, Any]:
    """The report of one conversion."""
    settings: dict[str, Any] = {"data": str(folder / DATA[name])} if name in DATA else {}
    with tempfile.TemporaryDirectory() as work:
        return edgesparse.convert(
            folder / name, out=Path(work) / "out", sparsity=sparsity, pattern=pattern, vectors=2, **settings
        )


def row(name: str, report: dict[str, Any]) -> str:
    """One line of the table."""
    sparse, dense = report["sparse"], report["dense"]
    cells = [
        f"`{name}`",
        f"{report['model']['sparsity']:.1%}",
        f"{dense['flash_bytes']:,}",
        f"{sparse['flash_bytes']:,}",
        f"{dense['ram_bytes']:,}",
        f"{sparse['ram_bytes']:,}",
        f"{dense['instructions']:,}",
        f"{sparse['instructions']:,}",
        f"{report['ratio']['instructions']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
