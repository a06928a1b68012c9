"""Random kernel cases against TFLite Micro's reference kernels: `python -m tests.fuzz.kernels --cases 100000`.

A case is a network of its own (shapes, parameters, weights), its input, a variant and a weight format, all of them
random; what it computes must be TFLite Micro's bytes, and neither ASan nor UBSan may say anything. A case depends on
the seed and its number only: `--first N --cases 1` runs it alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from edgesparse.lowering import lower
from edgesparse.lowering.formats import CONV_2D_FORMATS, FULLY_CONNECTED_FORMATS
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.lowering.model import PackedModel
from edgesparse.tflite import read_graph
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import CORES_UNDER_TEST
from tests.support.kernel_driver import Driver, DriverCase, kernel_functions
from tests.support.reference import tflm_output

__all__ = ["Counts", "KernelMismatchError", "KindOfCase", "kinds_of_cases", "run_kernel_cases"]

BATCH = 1000
_SLOW_TO_LOWER = ("chain_of_constants", "maximum_constant", "minimum_constant", "normalization", "prelu")
"""Networks whose tables take most of the time: a quarter as often as the others."""
_STRIP_BYTES = 400
"""So little scratch that an image of a depthwise convolution takes several strips."""


class KernelMismatchError(Exception):
    """A kernel's output is not the reference's."""


@dataclass(frozen=True)
class KindOfCase:
    """A generator of networks (tests/kernels/networks.py), and how they are lowered."""

    network: str
    forced: str = ""
    wide: bool = False
    strips: bool = False

    def lowered(self, model: bytes, core_name: str, *, dense_only: bool) -> PackedModel:
        """The network's kernel calls."""
        with ExitStack() as stack:
            if self.wide:
                stack.enter_context(patch.object(FcLayer, "right_shifts_only", False))
            if self.strips:
                stack.enter_context(patch("edgesparse.lowering.depthwise_conv_2d._STRIP_BYTES", _STRIP_BYTES))
            return lower(
                read_graph(model),
                CORES_UNDER_TEST[core_name],
                dense_only=dense_only,
                forced=self.forced,
                zero_inputs={0: 0.5} if self.forced else None,
            )


@dataclass
class Counts:
    """Cases so far, and calls by kernel."""

    cases: int
    kernels: Counter[str]

    @property
    def without_cases(self) -> list[str]:
        """Kernels that no case called."""
        return [name for name in kernel_functions() if not self.kernels[name]]


def kinds_of_cases() -> list[KindOfCase]:
    """All of them, as often as they are drawn."""
    kinds = [KindOfCase(name) for name in NETWORKS for _ in range(1 if name in _SLOW_TO_LOWER else 4)]
    kinds += [KindOfCase("conv_2d", format) for format in CONV_2D_FORMATS for _ in range(6)]
    kinds += [KindOfCase("fully_connected", format) for format in FULLY_CONNECTED_FORMATS for _ in range(6)]
    kinds += [KindOfCase("fully_connected", "dense", wide=True)] * 6
    return kinds + [KindOfCase("depthwise_conv_2d", strips=True)] * 6 + [KindOfCase("depthwise_conv_2d")] * 8


def run_kernel_cases(driver: Driver, first: int, count: int, seed: int) -> Iterator[Counts]:
    """Run cases in batches. KernelMismatchError or AssertionError where one is wrong; both name its number."""
    kinds = kinds_of_cases()
    counts = Counts(0, Counter())
    for start in range(first, first + count, BATCH):
        cases, expected = [], []
        for number in range(start, min(start + BATCH, first + count)):
            rng = np.random.default_rng([seed, number])
            kind = kinds[int(rng.integers(0, len(kinds)))]
            model, inputs = NETWORKS[kind.network](rng)
            core = str(rng.choice(list(CORES_UNDER_TEST)))
            packed = kind.lowered(model, core, dense_only=rng.integers(0, 8) == 0)
            raw = b"".join(x.tobytes() for x in inputs)
            cases.append(DriverCase(number, read_graph(model), packed, raw, in_arena=bool(rng.integers(0, 4) == 0)))
            expected.append(tflm_output(model, inputs).tobytes())
            for call in packed.calls:
                counts.kernels.update([call.function, *call.sources])
        for case, output, wanted in zip(cases, driver.run(cases), expected, strict=True):
            if output != wanted:
                called = ", ".join(call.function for call in case.packed.calls)
                raise KernelMismatchError(f"case {case.number} of seed {seed}: {called} differs from TFLite Micro")
        counts.cases += len(cases)
        yield counts


def main() -> None:
    """Run the cases and print how often each kernel was called; exit code 1 for a kernel without a case."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kernels", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts, started = Counts(0, Counter()), time.process_time()
    with tempfile.TemporaryDirectory(prefix="edgesparse-fuzz-") as folder:
        for counts in run_kernel_cases(Driver(Path(folder)), options.first, options.cases, options.seed):
            print(f"{counts.cases:,} cases, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    for name in kernel_functions():
        print(f"{counts.kernels[name]:9,}  {name}")
    missing = counts.without_cases
    print(f"{counts.cases:,} cases of seed {options.seed}, no mismatch, no report of ASan or UBSan")
    if missing and options.cases >= BATCH:
        sys.exit(f"without a case: {', '.join(missing)}")


if __name__ == "__main__":
    main()
