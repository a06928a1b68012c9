"""What a run found out, as frozen dataclasses with the names of report.json (schema version 1).

Whoever measures a part makes it, whole; report.Report holds them all. A figure that was not measured is a Missing with
the reason. Units are in the names; shares run from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edgesparse import record
from edgesparse.missing import Missing
from edgesparse.record import Json, optional

Real: TypeAlias = float
"""In classes with a field `float`, which is the float model's figure."""

__all__ = [
    "Accuracy",
    "ArenaBuffer",
    "Baseline",
    "BitExact",
    "BoardFacts",
    "BudgetRow",
    "BuildFigures",
    "ChannelCount",
    "Channels",
    "CodeProfile",
    "Correction",
    "Dataset",
    "DatasetAccuracy",
    "DatasetAgreement",
    "DatasetInstructions",
    "DatasetMemory",
    "DecodeEncoding",
    "DecodeFigures",
    "Device",
    "DeviceRun",
    "Environment",
    "Fidelity",
    "HostAgreement",
    "HotBlock",
    "LayerFigures",
    "LayerProfile",
    "Memory",
    "Mobile",
    "MobileBench",
    "MobileCheck",
    "MobileFile",
    "MobileLayer",
    "MobileRun",
    "MobileRuntime",
    "MobileTensor",
    "ModelFacts",
    "OutputDistance",
    "ProfilePart",
    "Quantization",
    "Ratio",
    "Sizes",
    "Source",
    "Spread",
]


@dataclass(frozen=True)
class Source:
    """The model file. `format`: h5, keras, saved_model, tflite, or object. `unsafe`: loaded with --unsafe."""

    path: str
    sha256: str
    format: str
    keras_version: str
    unsafe: bool = False


@dataclass(frozen=True)
class Environment:
    """The tools, and the versions of the packages that decide the figures."""

    toolchain: str
    emulator: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Accuracy:
    """`metric`: top1 (higher is better) or mse (lower is better), on `samples` samples."""

    metric: Literal["top1", "mse"]
    samples: int
    float: Real
    int8: Real
    sparse_int8: Real


@dataclass(frozen=True, kw_only=True)
class OutputDistance:
    """Outputs beside the float model's. `top1_agreement`: only where the outputs are class scores."""

    top1_agreement: float | None = optional()
    correlation: float
    mean_abs_error: float
    max_abs_error: float


@dataclass(frozen=True)
class Fidelity:
    """Both int8 models beside the float one, on `samples` samples."""

    samples: int
    int8_vs_float: OutputDistance
    sparse_vs_float: OutputDistance


@dataclass(frozen=True)
class ChannelCount:
    """A layer's outputs before and after channels were removed."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Channels:
    """What removing channels took: shares that are gone, and numbers before and after."""

    removed_macs: float
    removed_prunable: float
    macs_before: int
    macs_after: int
    parameters_before: int
    parameters_after: int
    prunable_before: int
    prunable_after: int
    layers: tuple[ChannelCount, ...]


@dataclass(frozen=True)
class ModelFacts:
    """The sparse model. `sparsity`: zeros / prunable weights; `activation_sparsity`: zeros / values that ops read."""

    macs: int
    parameters: int
    prunable: int
    sparsity: float
    activation_sparsity: float | Missing
    channels: Channels | None = optional()


@dataclass(frozen=True)
class BoardFacts:
    """The board that the figures are of."""

    name: str
    core: str
    clock_hz: int
    max_clock_hz: int
    flash_wait_states: int
    memory_profile: str | Missing
    emulated: bool
    verified: bool
    flash_available_bytes: int
    ram_available_bytes: int
    stack_reserved_bytes: int


@dataclass(frozen=True)
class Memory:
    """Cycles of the slowest vector with the memories of a part, estimated. `error`: against published figures."""

    profile: str
    description: str
    clock_hz: int
    cycles: int
    latency_ms: float
    core_only_latency_ms: float
    flash_loads: int
    fetch_wait_cycles: int
    data_wait_cycles: int
    error: str


@dataclass(frozen=True)
class Sizes:
    """Bytes of one build: in flash, in RAM, and of its arena."""

    flash_bytes: int
    code_bytes: int
    weight_bytes: int
    ram_weight_bytes: int
    table_bytes: int
    arena_bytes: int
    arena_live_bytes: int | Missing
    arena_scratch_bytes: int | Missing
    arena_bound_bytes: int | Missing
    static_bytes: int


@dataclass(frozen=True)
class BuildFigures(Sizes):
    """One build: its sizes, and what its slowest vector takes."""

    ram_bytes: int | Missing
    stack_bytes: int | Missing
    arena_high_water_bytes: int | Missing
    instructions: int | Missing
    instructions_min: int | Missing
    cycles: int | Missing
    cycle_model: str | Missing
    latency_ms: float | Missing
    latency_max_clock_ms: float | Missing
    memory: Memory | Missing


@dataclass(frozen=True)
class BitExact:
    """Whether outputs equal those of the `reference` byte for byte, on so many vectors."""

    ok: bool
    vectors: int
    reference: str


@dataclass(frozen=True)
class Baseline(Sizes):
    """The dense network on another runtime."""

    runtime: str
    library_sha256: str
    ram_bytes: int
    stack_bytes: int
    arena_high_water_bytes: int
    instructions: int
    instructions_min: int
    cycles: int | Missing
    cycle_model: str | Missing
    latency_ms: float | Missing
    latency_max_clock_ms: float | Missing
    bit_exact: BitExact
    memory: Memory | Missing | None = optional()


@dataclass(frozen=True)
class Ratio:
    """dense / sparse."""

    flash: float | Missing
    weights: float | Missing
    instructions: float | Missing
    cycles: float | Missing


@dataclass(frozen=True)
class DecodeEncoding:
    """The encoded weights of one op of model.tflm.tflite. `kind`: lut, huffman or pruning."""

    kind: str
    encoded_bytes: int
    dense_bytes: int
    arena_bytes: int
    instructions: int


@dataclass(frozen=True)
class LayerFigures:
    """One op of the sparse model, with what its twin in the dense one takes. `reason`: why this format."""

    name: str
    op: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    weights: int
    sparsity: float | Missing
    weight_values: int | Missing
    activation_sparsity: float | Missing
    prunable: bool
    format: str
    weight_bytes: int
    dense_weight_bytes: int
    scratch_bytes: int | Missing
    output_offset: int | Missing
    reason: str
    tflm_decode: DecodeEncoding | Missing
    instructions: int | Missing
    cycles: int | Missing
    dense_instructions: int | Missing
    dense_cycles: int | Missing


@dataclass(frozen=True)
class ArenaBuffer:
    """Bytes of the arena, and between which layers (both included) they are in use."""

    tensor: str
    kind: Literal["activation", "scratch"]
    offset: int
    bytes: int
    first_layer: int
    last_layer: int


@dataclass(frozen=True)
class DecodeFigures:
    """model.tflm.tflite as a whole."""

    layers: int
    arena_bytes: int
    dense_arena_bytes: int
    instructions: int
    bit_exact: BitExact | Missing


@dataclass(frozen=True)
class MobileCheck:
    """What a runtime of phones said of model.sparse.tflite."""

    version: str
    kernels: str
    inputs: int
    equal: bool
    loads_with_default_settings: bool


@dataclass(frozen=True)
class MobileTensor:
    """A weight tensor of model.sparse.tflite. `reason`: why it is dense, empty otherwise."""

    name: str
    operator: int
    op: str
    storage: str
    route: str
    sparsity: float
    dense_bytes: int
    nbytes: int
    reason: str


@dataclass(frozen=True)
class Mobile:
    """model.sparse.tflite."""

    optimize: str
    bytes: int
    dense_bytes: int
    checks: Mapping[str, MobileCheck | Missing]
    tensors: tuple[MobileTensor, ...]


@dataclass(frozen=True)
class MobileFile:
    """A file that bench-mobile measures."""

    name: str
    bytes: int


@dataclass(frozen=True)
class MobileRun:
    """Medians of one file on one runtime; `latency_p90_ms`: nine of ten inferences take no longer."""

    load_ms: float
    first_ms: float
    latency_ms: float
    latency_p90_ms: float
    memory_bytes: int


@dataclass(frozen=True)
class MobileRuntime:
    """Both files on one runtime. `max_difference`: of their outputs."""

    version: str
    dense: MobileRun | Missing
    sparse: MobileRun | Missing
    max_difference: float | Missing


@dataclass(frozen=True)
class MobileLayer:
    """How a layer's weights are stored. `block`: output channels at a time; `reason`: why it is on no sparse path.

    `meets_conditions`: of XNNPACK's sparse kernels; `sparse_path`: and this machine has them.
    """

    name: str
    op: str
    storage: str
    sparsity: float
    meets_conditions: bool
    block: int
    sparse_path: bool
    reason: str


@dataclass(frozen=True)
class MobileBench:
    """What bench-mobile measured. `files` by role, dense or sparse; `runtimes` by name."""

    folder: str
    dtype: str
    threads: int
    rounds: int
    runs: int
    files: Mapping[str, MobileFile]
    machine: str
    sparse_kernels: str | Missing
    runtimes: Mapping[str, MobileRuntime | Missing]
    layers: tuple[MobileLayer, ...]

    def to_json(self) -> Json:
        """What `bench-mobile --json` prints."""
        return record.to_json(self)


@dataclass(frozen=True)
class Correction:
    """How one model was quantized, and the error of its outputs on the samples that judged."""

    equalized: bool
    bias_corrected: bool
    samples: int
    output_error_plain: float | Missing
    output_error: float | Missing


@dataclass(frozen=True)
class Quantization:
    """The sparse model's method and corrections; `dense`: the unpruned one's."""

    method: str
    equalized: bool
    bias_corrected: bool
    samples: int
    output_error_plain: float | Missing
    output_error: float | Missing
    dense: Correction


@dataclass(frozen=True)
class BudgetRow:
    """A limit and the figure that it is on."""

    name: str
    limit: int | float
    actual: int | float | Missing
    unit: str
    ok: bool


@dataclass(frozen=True, kw_only=True)
class ProfilePart:
    """What a layer, a function or a block takes, and its share of the whole; waits only with a memory profile."""

    name: str
    instructions: int
    cycles: int
    memory_cycles: int | None = optional()
    flash_loads: int
    fetch_wait: int | None = optional()
    data_wait: int | None = optional()
    share: float


@dataclass(frozen=True, kw_only=True)
class LayerProfile(ProfilePart):
    """A layer's part. `instructions_per_mac`: only where there are MACs."""

    macs: int | None = optional()
    instructions_per_mac: float | None = optional()


@dataclass(frozen=True, kw_only=True)
class HotBlock(ProfilePart):
    """A block of code, and how often it ran."""

    executed: int
    disassembly: tuple[str, ...]


@dataclass(frozen=True)
class CodeProfile:
    """Where one inference of one build spends its cycles. `memory_profile`: missing for the core alone."""

    vector: int
    memory_profile: str | Missing
    total: ProfilePart
    layers: tuple[LayerProfile, ...]
    functions: tuple[ProfilePart, ...]
    blocks: tuple[HotBlock, ...]


@dataclass(frozen=True)
class Spread:
    """Least, median (the lower one of two) and most."""

    min: int | float
    median: int | float
    max: int | float


@dataclass(frozen=True)
class DatasetInstructions(Spread):
    """Instructions of an inference, and which samples take so many."""

    min_sample: int
    median_sample: int
    max_sample: int


@dataclass(frozen=True)
class DatasetAccuracy:
    """Accuracy on the device, of the int8 model on the host, and of the float model."""

    metric: Literal["top1", "mse"]
    samples: int
    device: Real
    int8_host: Real
    float: Real | Missing


@dataclass(frozen=True)
class HostAgreement:
    """Outputs that equal the reference's byte for byte."""

    equal: int
    samples: int
    reference: str


@dataclass(frozen=True)
class DatasetAgreement:
    """The device beside the reference interpreter, and beside the float model."""

    int8_host: HostAgreement
    float: OutputDistance | Missing


@dataclass(frozen=True)
class DatasetMemory:
    """Cycles with the memories of a part, of three samples."""

    profile: str
    clock_hz: int
    of: str
    cycles: Spread
    latency_ms: Spread
    error: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A whole dataset on the device."""

    source: str
    sha256: str
    samples: int
    emulator: str
    accuracy: DatasetAccuracy | Missing
    agreement: DatasetAgreement
    instructions: DatasetInstructions
    cycles: Spread | Missing
    latency_ms: Spread | Missing
    cycle_model: str | None = optional()
    memory: DatasetMemory | Missing


@dataclass(frozen=True)
class DeviceRun:
    """One build on a real board."""

    probe: str
    board: str
    counter: str
    ticks: int
    cycles: int | Missing
    cycles_min: int | Missing
    latency_ms: float | Missing
    latency_max_clock_ms: float | Missing
    instructions: Missing
    stack_bytes: int
    arena_high_water_bytes: int
    bit_exact: BitExact


@dataclass(frozen=True)
class Device:
    """Both builds on a real board, as far as they were programmed."""

    sparse: DeviceRun | Missing
    dense: DeviceRun | Missing
