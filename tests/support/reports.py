"""A report in which every part is filled, without a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgesparse import result
from edgesparse.missing import Missing
from edgesparse.report.report import SCHEMA, Report
from edgesparse.settings import Settings

__all__ = ["SAMPLE", "changed"]

_REFERENCE = "tflite-micro 1"
_EXACT = result.BitExact(ok=True, vectors=8, reference=_REFERENCE)
_DISTANCE = result.OutputDistance(top1_agreement=0.95, correlation=0.9, mean_abs_error=0.01, max_abs_error=0.2)
_SIZES = result.Sizes(
    flash_bytes=10000,
    code_bytes=4000,
    weight_bytes=5000,
    ram_weight_bytes=0,
    table_bytes=1000,
    arena_bytes=1000,
    arena_live_bytes=900,
    arena_scratch_bytes=100,
    arena_bound_bytes=1000,
    static_bytes=500,
)
_MEMORY = result.Memory(
    profile="stm32l4r5",
    description="two banks",
    clock_hz=120_000_000,
    cycles=220_000,
    latency_ms=1.8333,
    core_only_latency_ms=1.6667,
    flash_loads=3000,
    fetch_wait_cycles=12_000,
    data_wait_cycles=8_000,
    error="-6.5 to +3.0 %",
)
_SPARSE = result.BuildFigures(
    **vars(_SIZES),
    ram_bytes=2000,
    stack_bytes=500,
    arena_high_water_bytes=1000,
    instructions=100_000,
    instructions_min=99_000,
    cycles=200_000,
    cycle_model="core only",
    latency_ms=20.0,
    latency_max_clock_ms=1.6667,
    memory=_MEMORY,
)
_DENSE = replace(
    _SPARSE, flash_bytes=17_000, weight_bytes=12_000, instructions=180_000, cycles=360_000, latency_ms=36.0
)
_LAYER = result.LayerFigures(
    name="first",
    op="CONV_2D",
    input_shape=(1, 8, 8, 1),
    output_shape=(1, 8, 8, 4),
    macs=2304,
    weights=36,
    sparsity=0.75,
    weight_values=9,
    activation_sparsity=0.4522,
    prunable=True,
    format="block1x4",
    weight_bytes=5000,
    dense_weight_bytes=12_000,
    scratch_bytes=100,
    output_offset=64,
    reason="fewest instructions",
    tflm_decode=result.DecodeEncoding("pruning", 20, 36, 40, 700),
    instructions=90_000,
    cycles=180_000,
    dense_instructions=170_000,
    dense_cycles=340_000,
)
_LAST = replace(
    _LAYER,
    name="last",
    op="SOFTMAX",
    weights=0,
    sparsity=Missing("no weights"),
    weight_values=Missing("no weights"),
    format="none",
    weight_bytes=0,
    dense_weight_bytes=0,
    tflm_decode=Missing("no weights"),
)
_CORRECTION = result.Correction(
    equalized=True, bias_corrected=False, samples=50, output_error_plain=0.05, output_error=0.01
)
_PART = result.ProfilePart(
    name="total",
    instructions=100_000,
    cycles=200_000,
    memory_cycles=220_000,
    flash_loads=3000,
    fetch_wait=12_000,
    data_wait=8_000,
    share=1.0,
)
_PROFILE = result.CodeProfile(
    vector=0,
    memory_profile="stm32l4r5",
    total=_PART,
    layers=(
        result.LayerProfile(**vars(_PART), macs=2304, instructions_per_mac=43.4028),
        result.LayerProfile(**vars(_PART), macs=0),
    ),
    functions=(_PART,),
    blocks=(result.HotBlock(**vars(_PART), executed=900, disassembly=("0x08000afc ldr fp, [lr], #4",)),),
)
_RUN = result.DeviceRun(
    probe="pyocd 1",
    board="nucleo-l4r5zi",
    counter="dwt",
    ticks=230_000,
    cycles=230_000,
    cycles_min=229_000,
    latency_ms=57.5,
    latency_max_clock_ms=Missing("measured at 4 MHz"),
    instructions=Missing("a board counts cycles"),
    stack_bytes=500,
    arena_high_water_bytes=1000,
    bit_exact=_EXACT,
)
_SPREAD = result.Spread(1, 2, 3)

SAMPLE = Report(
    schema=SCHEMA,
    edgesparse="1",
    source=result.Source("models/a.h5", "a" * 64, "h5", "2.21.0"),
    settings=Settings(sparsity=0.8, board="nucleo-l4r5zi", budget="flash=1M,instructions=1"),
    environment=result.Environment("gcc 12", "unicorn 2", {"numpy": "1.26", "python": "3.11"}),
    accuracy=result.Accuracy("top1", 360, 0.92, 0.91, 0.9),
    fidelity=result.Fidelity(360, _DISTANCE, _DISTANCE),
    model=result.ModelFacts(
        macs=2304,
        parameters=40,
        prunable=36,
        sparsity=0.75,
        activation_sparsity=0.5,
        channels=result.Channels(0.2, 0.3, 100, 80, 50, 40, 40, 28, (result.ChannelCount("first", 8, 4),)),
    ),
    files={"model.int8.tflite": 14_000, "model.sparse.tflite": 8_000},
    board=result.BoardFacts(
        name="nucleo-l4r5zi",
        core="cortex-m4",
        clock_hz=4_000_000,
        max_clock_hz=120_000_000,
        flash_wait_states=5,
        memory_profile="stm32l4r5",
        emulated=False,
        verified=True,
        flash_available_bytes=2_097_152,
        ram_available_bytes=655_360,
        stack_reserved_bytes=16_384,
    ),
    sparse=_SPARSE,
    dense=_DENSE,
    baseline=result.Baseline(
        **{name: value for name, value in vars(_DENSE).items() if name != "memory"},
        runtime="TFLite Micro 1.2, gcc 12",
        library_sha256="b" * 64,
        bit_exact=_EXACT,
    ),
    ratio=result.Ratio(flash=1.7, weights=2.4, instructions=1.8, cycles=Missing("no cycles")),
    bit_exact=_EXACT,
    layers=(_LAYER, _LAST),
    arena_plan=(
        result.ArenaBuffer("input", "activation", 0, 64, 0, 0),
        result.ArenaBuffer("first", "scratch", 64, 100, 0, 0),
        result.ArenaBuffer("first", "activation", 164, 256, 0, 1),
    ),
    tflm_decode=result.DecodeFigures(1, 2000, 1500, 700, _EXACT),
    mobile=result.Mobile(
        optimize="size",
        bytes=8_000,
        dense_bytes=14_000,
        checks={"tflite-runtime": result.MobileCheck("2.14", "reference", 8, True, True), "litert": Missing("none")},
        tensors=(result.MobileTensor("first", 0, "CONV_2D", "unstructured", "DENSIFY", 0.75, 36, 20, ""),),
    ),
    quantization=result.Quantization("ptq", True, False, 50, 0.05, Missing("not judged"), _CORRECTION),
    budgets=(
        result.BudgetRow("flash", 1_048_576, 10_000, "bytes", True),
        result.BudgetRow("instructions", 1, 100_000, "", False),
    ),
    warnings=("the first warning",),
    profile={"sparse": _PROFILE, "dense": Missing("not profiled")},
    dataset=result.Dataset(
        source="digits.npz",
        sha256="c" * 64,
        samples=50,
        emulator="unicorn 2",
        accuracy=result.DatasetAccuracy("top1", 50, 1.0, 1.0, Missing("no float model")),
        agreement=result.DatasetAgreement(result.HostAgreement(50, 50, _REFERENCE), _DISTANCE),
        instructions=result.DatasetInstructions(1, 2, 3, 0, 24, 49),
        cycles=_SPREAD,
        latency_ms=result.Spread(0.1, 0.2, 0.3),
        cycle_model="core only",
        memory=result.DatasetMemory("stm32l4r5", 120_000_000, "three samples", _SPREAD, _SPREAD, "-6.5 to +3.0 %"),
    ),
    device=result.Device(sparse=_RUN, dense=Missing("edgesparse flash --dense measures it")),
)


def changed(part: str, report: Report = SAMPLE, **values: Any) -> Report:
    """The report with some values of a part replaced."""
    return replace(report, **{part: replace(getattr(report, part), **values)})
