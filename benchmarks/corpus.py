"""What `benchmarks.replay` and `benchmarks.sizes` build: examples, test networks, and the models of a folder.

Every entry is one call of the command line. The corpus holds every op, both variants of kernels, and the weight formats
that the choice by cost takes somewhere. Nothing is trained, and the same tree gives the same files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from tests.kernels.networks import NETWORKS
from tests.support.bundle import bundle
from tests.support.small_networks import conv_network, depthwise_network, float_network, unsupported_network

__all__ = ["BOARDS", "Entry", "RefusedError", "chosen_corpus", "corpus"]

BOARDS = ("mps2-an386", "mps2-an385", "mps2-m0plus", "mps2-an505")
"""Cortex-M4, -M3, -M0+ and -M33: kernels with and without DSP instructions, of all architectures that are timed."""

_FLOAT_ENDS = ("quantize_float", "dequantize")
"""Networks that a bundle cannot hold; float_network has their ops."""
_PER_BUNDLE = {"conv_2d": 6, "depthwise_conv_2d": 4, "fully_connected": 4, "add": 5}
"""Random networks of ops whose kernels have several variants, in each bundle."""
_BUNDLE_SEEDS = (0, 1)
_ALL_FORMATS = "mnist"
"""The example that is built with every pattern that matters for formats."""
_COMMON = ("--runtime", "aot", "--vectors", "2")


class RefusedError(Exception):
    """What was asked for cannot be built or compared; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One build: `edgesparse COMMAND MODEL OPTIONS`. `name` is its folder's name too."""

    name: str
    command: str
    model: Path
    options: tuple[str, ...] = ()

    def arguments(self, out: Path) -> list[str]:
        """What follows `edgesparse`."""
        return [self.command, str(self.model), *_COMMON, *self.options, "--out", str(out)]


def chosen_corpus(root: Path, made: Path, patterns: Sequence[str], *, say: Callable[[str], None]) -> list[Entry]:
    """The corpus with the models of EDGESPARSE_TEST_MODELS; of it what the glob patterns name, where there are any.

    RefusedError where that is nothing.
    """
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        say("EDGESPARSE_TEST_MODELS is not set: examples and test networks only")
    entries = corpus(root, made, Path(folder).resolve() if folder else None)
    chosen = [entry for entry in entries if not patterns or any(fnmatchcase(entry.name, p) for p in patterns)]
    if not chosen:
        raise RefusedError(f"--only names no entry; there are {', '.join(entry.name for entry in entries)}")
    return chosen


def corpus(root: Path, made: Path, models: Path | None) -> list[Entry]:
    """Every entry.

    root: the tree that the examples are from. made: a folder for the test networks, which are written there. models: a
    folder of more .h5 and .tflite files.
    """
    made.mkdir(parents=True, exist_ok=True)
    entries = [*_examples(root), *_networks(made)]
    if models is not None:
        entries += [Entry(f"models.{path.name}", "convert", path) for path in sorted(models.glob("*.h5"))]
        entries += [Entry(f"models.{path.name}", "firmware", path) for path in sorted(models.glob("*.tflite"))]
    return entries


def _examples(root: Path) -> list[Entry]:
    variants: dict[str, tuple[str, ...]] = {
        "": ("--sparsity", "0.75"),
        ".unstructured": ("--sparsity", "0.75", "--pattern", "unstructured"),
    }
    formats: dict[str, tuple[str, ...]] = {  # those that no layer takes otherwise
        ".delta8": ("--sparsity", "0.95", "--pattern", "unstructured"),
        ".block2x4": ("--sparsity", "0.75", "--pattern", "block2x4"),
    }
    return [
        Entry(f"{model.stem}{suffix}", "convert", model, options)
        for model in sorted(root.glob("examples/*/*.h5"))
        for suffix, options in (variants | formats if model.stem == _ALL_FORMATS else variants).items()
    ]


def _networks(made: Path) -> list[Entry]:
    files = {
        **{f"ops-{seed}": _every_op(seed) for seed in _BUNDLE_SEEDS},
        "conv": conv_network(),
        "depthwise": depthwise_network(),
        "float": float_network(),
        "unsupported": unsupported_network(),
    }
    for name, data in files.items():
        (made / f"{name}.tflite").write_bytes(data)

    def entry(name: str, board: str, variant: str = "", *options: str) -> Entry:
        return Entry(f"{name}.{board}{variant}", "firmware", made / f"{name}.tflite", ("--board", board, *options))

    first, *_ = BOARDS
    return [
        *(entry(name, board) for name in ("ops-0", "ops-1", "conv") for board in BOARDS),
        *(entry(name, board) for name in ("depthwise", "float") for board in (first, "mps2-m0plus")),
        entry("unsupported", first),
        entry("conv", first, ".flash", "--optimize", "flash"),
        entry("conv", first, ".sram", "--weights", "sram"),
        entry("ops-0", first, ".flash", "--optimize", "flash"),
    ]


def _every_op(seed: int) -> bytes:
    """A bundle of random networks of all ops, by seed."""
    return bundle(
        network(np.random.default_rng(1000 * seed + number))[0]
        for name, network in NETWORKS.items()
        if name not in _FLOAT_ENDS
        for number in range(_PER_BUNDLE.get(name, 1))
    )
