"""The settings of a run. One frozen dataclass: the same names in the command line, in edgesparse.toml and in Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgesparse.budgets import parse_budget
from edgesparse.errors import SettingsError, cut, shown
from edgesparse.files import read_file
from edgesparse.limits import MAX_CONFIG_BYTES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "EMULATOR_NAMES",
    "METHOD_NAMES",
    "MOBILE_DTYPE_NAMES",
    "MOBILE_OPTIMIZE_NAMES",
    "OPTIMIZE_NAMES",
    "PATTERN_NAMES",
    "QUANTIZE_NAMES",
    "RUNTIME_NAMES",
    "SCHEDULE_NAMES",
    "TOOLCHAIN_NAMES",
    "TRAINING_METHOD_NAMES",
    "WEIGHTS_NAMES",
    "Settings",
    "parse_n_of_m",
    "read_config",
]

PATTERN_NAMES = ("auto", "unstructured", "block", "block1x4", "block2x4", "block4x1", "channel", "nm=N:M")
TRAINING_METHOD_NAMES = ("finetune", "gradual", "l1", "group-lasso", "targeted-dropout")
METHOD_NAMES = ("oneshot", "magnitude", *TRAINING_METHOD_NAMES)
SCHEDULE_NAMES = ("polynomial", "constant")
QUANTIZE_NAMES = ("ptq", "qat")
RUNTIME_NAMES = ("aot", "tflm")
TOOLCHAIN_NAMES = ("auto", "gcc", "zig")
EMULATOR_NAMES = ("unicorn", "qemu")
WEIGHTS_NAMES = ("flash", "sram")
OPTIMIZE_NAMES = ("latency", "flash")
MOBILE_OPTIMIZE_NAMES = ("size", "latency")
MOBILE_DTYPE_NAMES = ("int8", "float32")


@dataclass(frozen=True)
class Settings:
    """How to convert, build and measure. SettingsError where a value is out of range."""

    sparsity: float = 0.75
    """Zeros / prunable weights, 0 to 0.99; with a pattern nm=N:M it is 1 - N / M, and follows from that by itself. With
    channel, what is removed counts as zero."""
    pattern: str = "auto"
    """One of PATTERN_NAMES; nm=2:4 keeps 2 of every 4 input channels, channel removes whole ones from the network."""
    channels: float = 0.0
    """Share of the MACs, 0 to 0.99, that whole channels take with them; sparsity and pattern apply to what is left."""
    method: str = "oneshot"
    """One of METHOD_NAMES: oneshot uses the samples of `data` where there are any, magnitude never does."""
    epochs: int = 10
    """Passes over the data for methods that train; with qat as many for that, after the method."""
    labels: bool = True
    """Whether training uses y, where there is one."""
    distill: bool = True
    """Whether training learns from the outputs of the unpruned model, which needs no labels."""
    schedule: str = "polynomial"
    """One of SCHEDULE_NAMES: how the zeros of gradual grow."""
    activity_l1: float = 0.0
    """Strength of the L1 penalty on the outputs of ReLUs in training, per mean output; 0 for none."""
    cluster: int = 0
    """The most distinct int8 values that the weights of a prunable layer may have, 3 to 256; 0 for any number."""
    data: str | None = None
    """.npz, .npy or package.module:function; None for synthetic calibration inputs."""
    quantize: str = "ptq"
    """One of QUANTIZE_NAMES: quantize the sparse model as it is, or train it under fake quantization before."""
    dense_per_channel: bool = False
    """One scale per output of a Dense layer instead of one per layer."""
    correct: bool = True
    """Whether channels are equalized and biases corrected before quantization, where samples say that it helps."""
    board: str = "mps2-an386"
    """A folder of firmware_templates/boards."""
    runtime: str = "aot"
    """One of RUNTIME_NAMES: generated code, or TFLite Micro with the sparse kernels as custom ops."""
    toolchain: str = "auto"
    """One of TOOLCHAIN_NAMES; auto prefers gcc."""
    emulator: str = "unicorn"
    """One of EMULATOR_NAMES; qemu by default for a board whose core only QEMU models."""
    memory_profile: str | None = None
    """Of arch/arm_m/timing/memories.toml: a part whose memory waits are estimated too; None for the board's own."""
    weights: str = "flash"
    """One of WEIGHTS_NAMES: where the kernels read them; sram has start-up copy them from flash to RAM."""
    optimize: str = "latency"
    """One of OPTIMIZE_NAMES: formats are chosen by instructions and never slower than dense, or by bytes and never
    larger (by estimate)."""
    mobile_optimize: str = "size"
    """One of MOBILE_OPTIMIZE_NAMES: model.sparse.tflite in its smallest encoding, or in one that stays on XNNPACK."""
    mobile_dtype: str = "int8"
    """One of MOBILE_DTYPE_NAMES, of model.sparse.tflite; float32 is what XNNPACK has sparse kernels for."""
    keep_metadata: bool = False
    """Leave names, metadata and signatures in the .tflite files."""
    tflm_max_arena: int | None = None
    """Bytes: the most that activations and decoded weights of model.tflm.tflite may take; None for no limit."""
    budget: str | None = None
    """Limits on figures of the report, as budgets.parse_budget takes them: flash=96K,latency=20ms."""
    vectors: int = 8
    """Inputs that run on the emulated device and are compared with the reference, 1 or more."""
    seed: int = 0
    """Of synthetic inputs, of the choice of vectors and of training."""

    def __post_init__(self) -> None:
        for field in fields(self):
            check_value(field.name, getattr(self, field.name))
        self._check_together()

    def _check_together(self) -> None:
        n_of_m = parse_n_of_m(self.pattern)
        if n_of_m is not None and abs(self.sparsity - (1 - n_of_m[0] / n_of_m[1])) > 1e-6:
            raise SettingsError(
                f"sparsity {self.sparsity:g} and pattern {self.pattern!r} disagree: it removes "
                f"{1 - n_of_m[0] / n_of_m[1]:g}; leave --sparsity out, or choose another pattern"
            )
        trains = f"method {self.method!r}" if self.method in TRAINING_METHOD_NAMES else f"quantize {self.quantize!r}"
        if self.trains and self.data is None:
            raise SettingsError(f"{trains} trains, and needs --data FILE with x")
        if self.trains and not (self.labels or self.distill):
            raise SettingsError(f"{trains} without labels and without distill has nothing to learn from")
        if self.cluster and self.quantize == "qat":
            raise SettingsError(
                f"cluster {self.cluster} and quantize 'qat' exclude each other: training moves weights off the values"
                " that they share; leave one out"
            )
        if self.activity_l1 and not self.trains:
            raise SettingsError(
                f"activity_l1 works in training, method {self.method!r} does none; choose one of: "
                f"{', '.join(TRAINING_METHOD_NAMES)}"
            )

    @property
    def trains(self) -> bool:
        """Whether the weights are trained, by the method or for int8."""
        return self.method in TRAINING_METHOD_NAMES or self.quantize == "qat"

    def updated(self, values: Mapping[str, Any]) -> Settings:
        """A copy with some values replaced; SettingsError for unknown names and wrong types.

        A pattern nm=N:M without a sparsity sets it.
        """
        checked = {name: _typed(name, value) for name, value in values.items()}
        n_of_m = parse_n_of_m(checked.get("pattern", ""))
        if n_of_m is not None and "sparsity" not in checked:
            checked["sparsity"] = 1 - n_of_m[0] / n_of_m[1]
        return replace(self, **checked)


def check_value(name: str, value: Any) -> None:
    """SettingsError where one setting is out of range, whatever the others are; unknown names have no range."""
    if name == "budget" and value is not None:
        parse_budget(value)
    allowed = _ALLOWED.get(name)
    if allowed is not None and not allowed.holds(value):
        raise SettingsError(f"{name}: expected {allowed.what}, got {shown(value)}")


@dataclass(frozen=True)
class _Allowed:
    holds: Callable[[Any], bool]
    what: str


def _one_of(*names: str) -> _Allowed:
    return _Allowed(lambda value: value in names, f"one of {', '.join(names)}")


_SHARE = _Allowed(lambda value: 0 <= value <= 0.99, "a number from 0 to 0.99")

_ALLOWED = {
    "sparsity": _SHARE,
    "channels": _SHARE,
    "pattern": _Allowed(
        lambda value: value in PATTERN_NAMES[:-1] or parse_n_of_m(value) is not None,
        f"one of {', '.join(PATTERN_NAMES)} (with 1 <= N < M <= 32)",
    ),
    "method": _one_of(*METHOD_NAMES),
    "schedule": _one_of(*SCHEDULE_NAMES),
    "quantize": _one_of(*QUANTIZE_NAMES),
    "activity_l1": _Allowed(lambda value: 0 <= value <= 1e6, "a number from 0 to 1000000"),
    "cluster": _Allowed(lambda value: value == 0 or 3 <= value <= 256, "0, or a whole number from 3 to 256"),
    "epochs": _Allowed(lambda value: 1 <= value <= 100_000, "a whole number from 1 to 100000"),
    "runtime": _one_of(*RUNTIME_NAMES),
    "toolchain": _one_of(*TOOLCHAIN_NAMES),
    "emulator": _one_of(*EMULATOR_NAMES),
    "weights": _one_of(*WEIGHTS_NAMES),
    "optimize": _one_of(*OPTIMIZE_NAMES),
    "mobile_optimize": _one_of(*MOBILE_OPTIMIZE_NAMES),
    "mobile_dtype": _one_of(*MOBILE_DTYPE_NAMES),
    "tflm_max_arena": _Allowed(lambda value: value is None or 1 <= value < 2**32, "a number of bytes, 1 to 4294967295"),
    "vectors": _Allowed(lambda value: 1 <= value <= 1000, "a whole number from 1 to 1000"),
    "seed": _Allowed(lambda value: 0 <= value < 2**32, "a whole number from 0 to 4294967295"),
}
"""What a setting may be, by name."""


def parse_n_of_m(pattern: str) -> tuple[int, int] | None:
    """N and M of a pattern "nm=N:M" with 1 <= N < M <= 32, else None."""
    match = re.fullmatch(r"nm=([1-9][0-9]?):([1-9][0-9]?)", pattern)
    if match is None:
        return None
    n, m = int(match[1]), int(match[2])
    return (n, m) if n < m <= 32 else None


def read_config(path: Path) -> dict[str, Any]:
    """The settings of an edgesparse.toml, as Settings.updated takes them. A relative `data` is relative to the file.

    Each value is checked by itself: what the command line adds may be what another one needs.
    """
    try:
        table = tomllib.loads(_text(path))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; --config takes an edgesparse.toml") from None
    except (OSError, ValueError) as error:  # of a number of thousands of digits, a bare ValueError
        raise SettingsError(f"{path}: not a readable TOML file: {cut(error)}") from error
    except RecursionError:
        raise SettingsError(f"{path}: not a readable TOML file: lists or tables are nested too deep") from None
    try:
        for name, value in table.items():
            check_value(name, _typed(name, value))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    data = table.get("data")
    if isinstance(data, str) and not _is_function(data):
        table["data"] = str(path.parent / data)
    return table


def _text(path: Path) -> str:
    return read_file(path, MAX_CONFIG_BYTES).decode("utf-8")


def _is_function(data: str) -> bool:
    module, colon, function = data.rpartition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _typed(name: str, value: Any) -> Any:
    """The value as the setting's type; SettingsError where there is no such setting, or another type is given."""
    known = {field.name: str(field.type) for field in fields(Settings)}
    if name not in known:
        raise SettingsError(f"{shown(name)} is not a setting; known: {', '.join(known)}")
    declared = known[name]
    if declared == "float" and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(name, value)
    if declared.endswith("| None") and value is None:
        return None
    wanted = {"float": float, "int": int, "bool": bool, "str": str}[declared.split(" ")[0]]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise SettingsError(f"{name}: expected {declared}, got {shown(value)}")
    return value


def _as_float(name: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise SettingsError(f"{name}: expected a number, got {shown(value)}") from None
