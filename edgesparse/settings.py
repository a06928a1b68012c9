"""The settings of a run. One frozen dataclass: the same names in the command line, in edgesparse.toml and in Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgesparse.budgets import parse_budget
from edgesparse.errors import SettingsError

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
        self._check("sparsity", 0 <= self.sparsity <= 0.99, "a number from 0 to 0.99")
        self._check("channels", 0 <= self.channels <= 0.99, "a number from 0 to 0.99")
        n_of_m = parse_n_of_m(self.pattern)
        known = self.pattern in PATTERN_NAMES[:-1] or n_of_m is not None
        self._check("pattern", known, f"one of {', '.join(PATTERN_NAMES)} (with 1 <= N < M <= 32)")
        if n_of_m is not None and abs(self.sparsity - (1 - n_of_m[0] / n_of_m[1])) > 1e-6:
            raise SettingsError(
                f"sparsity {self.sparsity:g} and pattern {self.pattern!r} disagree: it removes "
                f"{1 - n_of_m[0] / n_of_m[1]:g}; leave --sparsity out, or choose another pattern"
            )
        self._check("method", self.method in METHOD_NAMES, f"one of {', '.join(METHOD_NAMES)}")
        self._check("schedule", self.schedule in SCHEDULE_NAMES, f"one of {', '.join(SCHEDULE_NAMES)}")
        self._check("quantize", self.quantize in QUANTIZE_NAMES, f"one of {', '.join(QUANTIZE_NAMES)}")
        self._check("activity_l1", 0 <= self.activity_l1 <= 1e6, "a number from 0 to 1000000")
        self._check("cluster", self.cluster == 0 or 3 <= self.cluster <= 256, "0, or a whole number from 3 to 256")
        self._check("epochs", 1 <= self.epochs <= 100_000, "a whole number from 1 to 100000")
        self._check("runtime", self.runtime in RUNTIME_NAMES, f"one of {', '.join(RUNTIME_NAMES)}")
        self._check("toolchain", self.toolchain in TOOLCHAIN_NAMES, f"one of {', '.join(TOOLCHAIN_NAMES)}")
        self._check("emulator", self.emulator in EMULATOR_NAMES, f"one of {', '.join(EMULATOR_NAMES)}")
        self._check("weights", self.weights in WEIGHTS_NAMES, f"one of {', '.join(WEIGHTS_NAMES)}")
        self._check("optimize", self.optimize in OPTIMIZE_NAMES, f"one of {', '.join(OPTIMIZE_NAMES)}")
        for name, names in (("mobile_optimize", MOBILE_OPTIMIZE_NAMES), ("mobile_dtype", MOBILE_DTYPE_NAMES)):
            self._check(name, getattr(self, name) in names, f"one of {', '.join(names)}")
        limit = self.tflm_max_arena
        self._check("tflm_max_arena", limit is None or limit >= 1, "a number of bytes, 1 or more")
        self._check("vectors", 1 <= self.vectors <= 1000, "a whole number from 1 to 1000")
        self._check("seed", 0 <= self.seed < 2**32, "a whole number from 0 to 4294967295")
        if self.budget is not None:
            parse_budget(self.budget)
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

    def _check(self, name: str, ok: bool, expected: str) -> None:
        if not ok:
            raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)!r}")

    def updated(self, values: Mapping[str, Any]) -> Settings:
        """A copy with some values replaced; SettingsError for unknown names and wrong types.

        A pattern nm=N:M without a sparsity sets it.
        """
        known = {field.name: field.type for field in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise SettingsError(f"{name!r} is not a setting; known: {', '.join(known)}")
            checked[name] = _typed(name, str(known[name]), value)
        n_of_m = parse_n_of_m(checked.get("pattern", ""))
        if n_of_m is not None and "sparsity" not in checked:
            checked["sparsity"] = 1 - n_of_m[0] / n_of_m[1]
        return replace(self, **checked)


def parse_n_of_m(pattern: str) -> tuple[int, int] | None:
    """N and M of a pattern "nm=N:M" with 1 <= N < M <= 32, else None."""
    match = re.fullmatch(r"nm=([1-9][0-9]?):([1-9][0-9]?)", pattern)
    if match is None:
        return None
    n, m = int(match[1]), int(match[2])
    return (n, m) if n < m <= 32 else None


def read_config(path: Path) -> dict[str, Any]:
    """The settings of an edgesparse.toml, as Settings.updated takes them. A relative `data` is relative to the file."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; --config takes an edgesparse.toml") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: not a readable TOML file: {error}") from error
    try:
        Settings().updated({name: value for name, value in table.items() if name != "method"})
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    data = table.get("data")
    if isinstance(data, str) and not _is_function(data):
        table["data"] = str(path.parent / data)
    return table


def _is_function(data: str) -> bool:
    module, colon, function = data.rpartition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _typed(name: str, declared: str, value: Any) -> Any:
    if declared == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if declared.endswith("| None") and value is None:
        return None
    wanted = {"float": float, "int": int, "bool": bool, "str": str}[declared.split(" ")[0]]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise SettingsError(f"{name}: expected {declared}, got {value!r}")
    return value
