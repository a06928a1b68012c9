"""Fit the cost model to exact instruction counts; `make calibrate` runs it after a kernel changed.

    python -m benchmarks.calibrate [--core cortex-m4 ...] [--check]

Runs a grid of one-layer networks per core in unicorn, fits instructions = sum of coefficient * amount of work per
kernel, by least squares of the relative error with no negative coefficient, writes edgesparse/lowering/costs.json
and prints the error per kernel. --check writes nothing: it prints how far the stored coefficients are off on the
layers of benchmarks.kernels, most of which the fit has not seen.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.grid import Measured, Shape, measure
from benchmarks.kernels import SHAPES, variants
from edgesparse import toolchain
from edgesparse.boards import Board, board_names, load_board
from edgesparse.lowering.costs import COSTS_PATH, core_column, estimate
from edgesparse.lowering.formats import FORMATS, FORMATS_OF

Fit = dict[str, Any]
Fits = dict[str, dict[str, Fit]]


def main() -> int:
    """Measure, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", action="append", help="only this one; may be repeated")
    parser.add_argument("--check", action="store_true", help="measure and compare, write nothing")
    parser.add_argument("--jobs", type=int, default=2, help="cores at a time")
    arguments = parser.parse_args()
    cores = arguments.core or sorted({core_column(load_board(name).core) for name in board_names()})
    stored: dict[str, Any] = json.loads(COSTS_PATH.read_text()) if COSTS_PATH.is_file() else {"kernels": {}}
    fits: Fits = stored["kernels"] if arguments.core or arguments.check else {}  # kernels that are gone drop out
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
        for core, found in zip(cores, pool.map(check_core if arguments.check else fit_core, cores), strict=True):
            for kernel, fit in found.items():
                print(line(kernel, core, fit), flush=True)
                fits.setdefault(kernel, {})[core] = fit
    if not arguments.check:
        stored["compiler"] = toolchain.find("gcc").version()
        stored["kernels"] = {kernel: dict(sorted(cores.items())) for kernel, cores in sorted(fits.items())}
        COSTS_PATH.write_text(json.dumps(stored, indent=1) + "\n")
    return 0


def fit_core(core: str) -> dict[str, Fit]:
    """By kernel, from the layers of grid(): in the fastest variants, then in those that stand in for them."""
    board = board_of(core)
    rows: dict[str, list[Measured]] = {}
    for fastest in range(len(board.core.kernels)):
        rows = measured_by_kernel(grid(), board, board.core.kernels[fastest:]) | rows
    return {kernel: fit_kernel(found) for kernel, found in sorted(rows.items())}


def check_core(core: str) -> dict[str, Fit]:
    """The errors of the stored coefficients by kernel."""
    board = board_of(core)
    shapes = [shape for layer in SHAPES for shape in variants(layer)]
    return {
        kernel: errors_of(rows, [estimate(board.core, kernel, row.call.work) for row in rows])
        for kernel, rows in measured_by_kernel(shapes, board).items()
    }


def board_of(core: str) -> Board:
    """The first emulated board with this core: it has memory for all shapes."""
    return next(board for board in map(load_board, board_names()) if board.emulated and board.core.name == core)


def measured_by_kernel(
    shapes: Sequence[Shape], board: Board, kernels: tuple[str, ...] = ()
) -> dict[str, list[Measured]]:
    """Layers run on one core, by kernel; without kernels that the lowering gives no work for. kernels: see measure."""
    rows: dict[str, list[Measured]] = defaultdict(list)
    for row in measure(shapes, board, toolchain.find("gcc"), kernels=kernels):
        if row.call.work and core_column(board.core) == board.core.name:
            rows[row.call.function].append(row)
    return {kernel: rows[kernel] for kernel in sorted(rows)}


def grid() -> list[Shape]:
    """Shapes, zeros and formats: small and large, odd and even, as networks have them."""
    dense: list[Shape] = []
    for kernel, stride, height, width, in_c, out_c in (
        (1, 1, 1, 1, 64, 12),
        (1, 1, 3, 3, 128, 128),
        (1, 1, 6, 6, 64, 32),
        (1, 1, 9, 5, 18, 23),
        (1, 1, 12, 12, 16, 32),
        (1, 1, 25, 5, 64, 64),
        (1, 2, 16, 16, 16, 32),
        (3, 1, 2, 2, 32, 16),
        (3, 1, 8, 8, 64, 48),
        (3, 1, 7, 9, 10, 15),
        (3, 1, 16, 16, 16, 16),
        (3, 2, 16, 16, 32, 32),
        (3, 2, 32, 32, 3, 8),
        (5, 1, 10, 10, 8, 12),
        (4, 2, 25, 8, 1, 32),
        (3, 1, 12, 12, 1, 8),
        (1, 1, 2, 1, 40, 24),
        (1, 1, 24, 24, 8, 16),
        (1, 1, 6, 6, 100, 20),
        (3, 1, 4, 4, 128, 24),
        (3, 2, 9, 9, 12, 20),
        (2, 2, 8, 8, 24, 24),
        (5, 2, 15, 15, 3, 16),
        (3, 1, 1, 20, 16, 40),
        (1, 1, 5, 5, 7, 64),
    ):
        dense.append(Shape("CONV_2D", height, width, in_c, out_c, kernel, stride))
    dense += [replace(shape, clamped=True) for shape in dense[::4]]
    for in_c, out_c in (
        (8, 128),
        (64, 12),
        (100, 33),
        (128, 8),
        (128, 128),
        (256, 64),
        (512, 10),
        (640, 128),
        (77, 5),
        (30, 200),
        (1000, 7),
    ):
        shape = Shape("FULLY_CONNECTED", 1, 1, in_c, out_c)
        dense += [shape, replace(shape, wide=True)]
        if out_c < 64:
            dense += [
                replace(shape, clamped=clamped, per_channel=not clamped, wide=wide)
                for clamped in (False, True)
                for wide in (False, True)
            ]
    for kernel, stride, height, width, channels, multiplier in (
        (3, 1, 3, 3, 256, 1),
        (3, 1, 6, 6, 128, 1),
        (3, 1, 12, 12, 32, 1),
        (3, 1, 25, 5, 64, 1),
        (3, 1, 24, 24, 16, 1),
        (3, 2, 24, 24, 16, 1),
        (3, 2, 12, 12, 64, 1),
        (5, 1, 8, 8, 24, 1),
        (3, 1, 9, 7, 13, 1),
        (3, 2, 9, 7, 13, 1),
        (3, 1, 8, 8, 4, 2),
        (5, 2, 9, 9, 3, 2),
        (4, 1, 10, 6, 7, 1),
        (3, 1, 40, 38, 4, 1),
        (3, 2, 48, 46, 4, 1),
        (3, 1, 5, 6, 3, 3),
        (3, 1, 6, 40, 8, 1),
        (3, 1, 40, 6, 8, 1),
        (3, 1, 10, 1, 16, 1),
        (3, 2, 10, 60, 8, 1),
        (3, 2, 60, 10, 8, 1),
        (3, 2, 6, 6, 48, 1),
        (3, 2, 20, 2, 20, 1),
        (5, 2, 16, 20, 8, 1),
        (7, 1, 6, 9, 12, 1),
        (2, 1, 12, 8, 32, 1),
        (4, 2, 10, 10, 64, 1),
        (1, 1, 5, 7, 16, 1),
    ):
        shape = Shape("DEPTHWISE_CONV_2D", height, width, channels, channels * multiplier, kernel, stride)
        dense += [shape, replace(shape, relu=False), replace(shape, clamped=True)]
    shapes = list(dense)
    for shape in (shape for shape in dense if not shape.wide):
        for name in FORMATS_OF.get(shape.kind, ()):
            if FORMATS[name].skips_inputs:
                shapes += [replace(shape, zero_inputs=zeros, forced=name) for zeros in (0.3, 0.75, 0.95)]
            elif name != "dense":
                block = FORMATS[name].block
                shapes += [replace(shape, zeros=zeros, block=block, forced=name) for zeros in (0.5, 0.75, 0.9)]
    return shapes


def fit_kernel(rows: Sequence[Measured]) -> Fit:
    """Coefficients and errors of one kernel."""
    names = sorted({name for row in rows for name in row.call.work})
    amounts = np.array([[row.call.work.get(name, 0.0) for name in names] for row in rows], np.float64)
    counts = np.array([row.instructions for row in rows], np.float64)
    solution = non_negative(amounts / counts[:, None], np.ones(len(rows)))
    coefficients = {name: round(float(value), 3) for name, value in zip(names, solution, strict=True)}
    return {"instructions": coefficients, **errors_of(rows, list(amounts @ solution))}


def non_negative(matrix: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares without negative coefficients: the most negative one goes until there is none."""
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    kept = list(range(matrix.shape[1]))
    solution = np.zeros(matrix.shape[1])
    while kept:
        found = np.linalg.lstsq((matrix / scale)[:, kept], target, rcond=1e-9)[0]
        if found.min() >= 0:
            solution[kept] = found / scale[kept]
            break
        del kept[int(np.argmin(found))]
    return solution


def errors_of(rows: Sequence[Measured], estimates: Sequence[float]) -> Fit:
    """Of (estimate - measured) / measured."""
    counts = np.array([row.instructions for row in rows], np.float64)
    errors = np.abs(np.array(estimates, np.float64) - counts) / counts
    mean, largest = round(float(errors.mean()), 4), round(float(errors.max()), 4)
    return {"cases": len(rows), "mean_error": mean, "max_error": largest}


def line(kernel: str, core: str, fit: Fit) -> str:
    """One line of the report."""
    return (
        f"{kernel:40} {core:14} {fit['cases']:3} layers  mean error {fit['mean_error']:6.1%}"
        f"  largest {fit['max_error']:6.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
