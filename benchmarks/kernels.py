"""Instructions per MAC and bytes per weight, by layer shape, weight format and share of zeros.

    python -m benchmarks.kernels [--core cortex-m4] [--toolchain gcc] [--out build/kernels.json]

Each row is a one-layer network run in unicorn; a MAC is one of the dense layer, whatever the format skips. Prints a
Markdown table, writes the same figures as JSON, and a plot beside it where matplotlib is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.grid import Measured, Shape, measure
from benchmarks.plot import Points, lines
from edgesparse import toolchain
from edgesparse.boards import board_names, load_board
from edgesparse.lowering.formats import FORMATS, FORMATS_OF

SPARSITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)

SHAPES = (
    Shape("CONV_2D", 32, 32, 16, 16, 3),
    Shape("CONV_2D", 8, 8, 64, 64, 3),
    Shape("CONV_2D", 25, 5, 64, 64, 1),
    Shape("CONV_2D", 3, 3, 256, 256, 1),
    Shape("CONV_2D", 32, 32, 3, 16, 3),
    Shape("CONV_2D", 96, 96, 3, 8, 3, 2),
    Shape("FULLY_CONNECTED", 1, 1, 640, 128),
    Shape("FULLY_CONNECTED", 1, 1, 128, 128),
    Shape("DEPTHWISE_CONV_2D", 25, 5, 64, 64, 3),
    Shape("DEPTHWISE_CONV_2D", 48, 48, 8, 8, 3),
    Shape("DEPTHWISE_CONV_2D", 24, 24, 32, 32, 3, 2),
    Shape("DEPTHWISE_CONV_2D", 3, 3, 256, 256, 3),
)

COLUMNS = ("layer", "format", "zeros", "instructions", "per MAC", "x dense", "bytes / weight", "x dense")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", default="cortex-m4")
    parser.add_argument("--toolchain", default="auto")
    parser.add_argument("--out", type=Path, default=Path("build/kernels.json"))
    arguments = parser.parse_args()
    board = next(
        board for board in map(load_board, board_names()) if board.emulated and board.core.name == arguments.core
    )
    tools = toolchain.find(arguments.toolchain)
    rows: list[dict[str, Any]] = []
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- | --- |" + " ---: |" * (len(COLUMNS) - 2))
    for shape in SHAPES:
        for row in rows_of(shape, measure(variants(shape), board, tools)):
            rows.append(row)
            print(text_of(row), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"core": arguments.core, "compiler": tools.version(), "layers": rows}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    panels: dict[str, dict[str, Points]] = {}
    for shape in SHAPES:
        points: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for row in (row for row in rows if row["layer"] == shape.text):
            points[row["format"]].append((100 * row["zeros"], row["per_mac"]))
        if len(points) > 1:
            points["dense"].append((100 * SPARSITIES[-1], points["dense"][0][1]))  # zeros change nothing there
            panels[shape.text] = dict(points)
    title = f"instructions per dense MAC, {arguments.core}, {tools.version()}"
    lines(panels, x="zeros, %", y="instructions / MAC", title=title, path=arguments.out.with_suffix(".png"))
    return 0


def variants(shape: Shape) -> list[Shape]:
    """Dense, then every format at every sparsity."""
    found = [shape]
    for name in FORMATS_OF.get(shape.kind, {}):
        if name != "dense":
            block = FORMATS[name].block
            found += [replace(shape, zeros=zeros, block=block, forced=name) for zeros in SPARSITIES]
    return found


def rows_of(shape: Shape, measured: list[Measured]) -> list[dict[str, Any]]:
    """Figures of one shape; the first of `measured` is the dense layer. What fell back to dense is left out."""
    dense = measured[0]
    weights = shape.macs if shape.kind == "FULLY_CONNECTED" else shape.kernel**2 * shape.out_c * shape.in_c
    if shape.kind == "DEPTHWISE_CONV_2D":
        weights = shape.kernel**2 * shape.out_c
    return [
        {
            **asdict(row.shape),
            "layer": shape.text,
            "kernel": row.call.function,
            "format": row.call.weight_format,
            "instructions": row.instructions,
            "per_mac": round(row.instructions / shape.macs, 4),
            "speedup": round(dense.instructions / row.instructions, 3),
            "bytes_per_weight": round(row.call.weight_bytes / weights, 4),
            "size_ratio": round(dense.call.weight_bytes / row.call.weight_bytes, 3),
        }
        for row in measured
        if row.call.weight_format == row.shape.forced
    ]


def text_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    cells = [
        row["layer"],
        row["format"],
        f"{row['zeros']:.0%}",
        f"{row['instructions']:,}",
        f"{row['per_mac']:.3f}",
        f"{row['speedup']:.2f}",
        f"{row['bytes_per_weight']:.3f}",
        f"{row['size_ratio']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
