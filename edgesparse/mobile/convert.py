"""model.sparse.tflite: a dense file in TFLite's sparsity encoding, kept where the runtimes agree that it is equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.missing import Missing
from edgesparse.mobile.encode import PhoneFile, encode_for_phones
from edgesparse.mobile.xnnpack import sparse_plan
from edgesparse.oracle import PHONE_RUNTIMES, run_on_phone_runtime, runtime_remedy, runtime_version
from edgesparse.result import Mobile, MobileCheck, MobileTensor
from edgesparse.tflite import read_graph

__all__ = ["PhoneModel", "phone_model"]

_NAME = "model.sparse.tflite"

Outcome = npt.NDArray[Any] | str


@dataclass(frozen=True, eq=False)
class PhoneModel:
    """The file, what a report says of it, and what the user should know."""

    data: bytes
    figures: Mobile
    warnings: tuple[str, ...]


def phone_model(dense: bytes, inputs: npt.NDArray[Any], *, optimize: str, names: Sequence[str]) -> PhoneModel:
    """Encode a dense .tflite for phones and prove it equal on the installed runtimes.

    inputs: [n, ...] in the model's input dtype. optimize: size or latency, as encode_for_phones takes it. names: of
    the dense file's ops.
    Outputs must equal the dense file's, byte for byte, with the same kernels of the same runtime, and the file must
    load with default settings. A tensor that fails alone stays dense; so does the file where nothing is left, where it
    is not smaller, or where no runtime is installed. Where nothing gets smaller no runtime is asked.
    """
    everything = encode_for_phones(dense, optimize=optimize)
    checks = [_Check(runtime, dense, inputs) for runtime, found in _installed().items() if found is not None]
    usable = [check for check in checks if everything.encoded and check.takes_dense]
    why_dense = _why_not_tried(dense, everything, checks, usable)
    file: PhoneFile | None = None
    refused: dict[int, str] = {}
    if not why_dense:
        file, refused, why_dense = _passing(dense, everything, usable, optimize)
    warnings = [
        *(
            f"{_NAME}: the weights of {names[operator]!r} have dense storage: {why}"
            for operator, why in refused.items()
        ),
        *([f"{_NAME} has dense storage: {why_dense}"] if why_dense else []),
    ]
    encoded = () if file is None else file.encoded
    tensors = [
        tensor if tensor.operator in encoded else tensor.left_dense(refused.get(tensor.operator, why_dense))
        for tensor in everything.tensors
    ]
    data = dense if file is None else file.data
    figures = Mobile(
        optimize=optimize,
        bytes=len(data),
        dense_bytes=len(dense),
        checks=_checks(checks, file),
        tensors=tuple(MobileTensor(names[tensor.operator], **vars(tensor)) for tensor in tensors),
    )
    return PhoneModel(data, figures, tuple(warnings))


def _why_not_tried(dense: bytes, everything: PhoneFile, checks: list[_Check], usable: list[_Check]) -> str:
    """Why the dense file is the answer before any encoded one has run, empty where it is not."""
    if not everything.encoded:
        return "no tensor gets smaller"
    if len(everything.data) >= len(dense):
        return f"the encoded file is larger ({len(everything.data):,} against {len(dense):,} bytes)"
    hazard = sparse_plan(read_graph(dense), everything.encoded).hazard
    if not hazard and not usable:
        refusals = "; ".join(f"{check.runtime}: {check.expected(reference=False)}" for check in checks)
        return f"no runtime to check it on ({refusals or 'pip install edgesparse[mobile]'})"
    return hazard


def _passing(
    dense: bytes, everything: PhoneFile, checks: list[_Check], optimize: str
) -> tuple[PhoneFile | None, dict[int, str], str]:
    """The file with as many encoded tensors as pass; why others do not, by operator; why there is none, or nothing."""
    failure = _failure(everything, checks)
    if failure is None:
        return everything, {}, ""
    refused = {}
    for operator in everything.encoded:
        alone = _failure(encode_for_phones(dense, optimize=optimize, only=[operator]), checks)
        if alone is not None:
            refused[operator] = alone
    kept = [operator for operator in everything.encoded if operator not in refused]
    if not kept or not refused:
        return None, {}, failure
    fewer = encode_for_phones(dense, optimize=optimize, only=kept)
    failure = _failure(fewer, checks)
    if failure is None and len(fewer.data) >= len(dense):
        failure = "without these weights the encoded file is no smaller"
    return (fewer, refused, "") if failure is None else (None, refused, failure)


def _failure(file: PhoneFile, checks: list[_Check]) -> str | None:
    """Why a runtime does not take the file, or takes it for another; None where all agree."""
    return next((failure for check in checks if (failure := check.failure(file)) is not None), None)


class _Check:
    """One runtime, and what it makes of the dense file."""

    def __init__(self, runtime: str, dense: bytes, inputs: npt.NDArray[Any]) -> None:
        self.runtime, self.inputs, self._dense = runtime, inputs, dense
        self._expected: dict[bool, Outcome] = {}

    @property
    def takes_dense(self) -> bool:
        """Whether the runtime takes the dense file."""
        return not isinstance(self.expected(reference=False), str)

    @property
    def asked(self) -> bool:
        """Whether anything has run on it."""
        return bool(self._expected)

    def expected(self, *, reference: bool) -> Outcome:
        """Outputs of the dense file, or why there are none."""
        if reference not in self._expected:
            self._expected[reference] = run_on_phone_runtime(
                self.runtime, self._dense, self.inputs, reference=reference
            )
        return self._expected[reference]

    def compares_reference(self, file: PhoneFile) -> bool:
        """Whether outputs are compared with the reference kernels, else with the default ones.

        LiteRT's reference FULLY_CONNECTED rounds once, its CONV_2D twice, so that a FULLY_CONNECTED that became a
        CONV_2D differs by rounding there, but not in XNNPACK's kernels.
        """
        converted = any(tensor.route == "DENSIFY -> CONV_2D" for tensor in file.tensors)
        return self.runtime != "litert" or not converted

    def failure(self, file: PhoneFile) -> str | None:
        """Why this runtime's answer is not the dense file's; None where it is."""
        reference = self.compares_reference(file)
        kernels = "reference" if reference else "default"
        default = run_on_phone_runtime(self.runtime, file.data, self.inputs, reference=False)
        got = run_on_phone_runtime(self.runtime, file.data, self.inputs, reference=True) if reference else default
        expected = self.expected(reference=reference)
        for outcome in (default, got, expected):
            if isinstance(outcome, str):
                return f"{self.runtime} says: {outcome}"
        if not np.array_equal(np.asarray(expected), np.asarray(got)):
            return f"{self.runtime} gives other outputs than for the dense file ({kernels} kernels)"
        return None


def _installed() -> dict[str, str | None]:
    return {runtime: runtime_version(distribution) for runtime, distribution in PHONE_RUNTIMES.items()}


def _checks(checks: list[_Check], file: PhoneFile | None) -> dict[str, MobileCheck | Missing]:
    """What each runtime was asked, by its name."""
    result: dict[str, MobileCheck | Missing] = {}
    versions = _installed()
    asked = {check.runtime: check for check in checks}
    for runtime, version in versions.items():
        if version is None:
            result[runtime] = Missing(f"not installed; {runtime_remedy(runtime)}")
            continue
        check = asked[runtime]
        outcome = check.expected(reference=False) if check.asked else ""
        if isinstance(outcome, str) and outcome:
            result[runtime] = Missing(f"refuses the dense file: {outcome}")
        elif file is None:
            result[runtime] = Missing("the file has dense storage")
        else:
            result[runtime] = MobileCheck(
                version=version,
                kernels="reference" if check.compares_reference(file) else "default",
                inputs=len(check.inputs),
                equal=True,
                loads_with_default_settings=True,
            )
    return result
