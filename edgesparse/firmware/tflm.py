"""The TFLite Micro part of a firmware project: what RUNTIME=tflm builds in place of the AOT code."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board, templates_folder
from edgesparse.firmware.ctext import call_text
from edgesparse.firmware.render import environment
from edgesparse.firmware.weights_crc import weights_crc
from edgesparse.tflm import Registration, TflmModel, library_arch
from edgesparse.tflm.custom_ops import CONV_2D, FULLY_CONNECTED, Kernel

__all__ = ["render_tflm", "set_arena"]

_ALWAYS = (
    *("README.md", "tflm.mk", "tflm_model.cc", "tflm_model.h", "tflm_model_data.S", "es_tflm.h"),
    *("tflm_arena.c", "tflm_arena.h", "tflm_libc.c"),
)
_SOURCES_OF = {CONV_2D: "es_tflm_conv_2d.cc", FULLY_CONNECTED: "es_tflm_fully_connected.cc"}
_TYPES_OF = {CONV_2D: "Conv2DKernel", FULLY_CONNECTED: "FullyConnectedKernel"}
_ARENA = "TFLM_ARENA_BYTES ?= "
_ESTIMATED = "Estimated, to be on the safe side: `make RUNTIME=tflm run` prints what the model needs."
_MEASURED = "Measured: what TFLite Micro needs for this model; 16 bytes less are too few."


@dataclass(frozen=True)
class _KernelList:
    """Rows of a table of linked kernels, as C++ text."""

    type: str
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class _TflmView:
    """All that the templates may see."""

    tool: str
    source_sha256: str
    arch: str
    registrations: tuple[str, ...]  # statements
    kernel_lists: tuple[_KernelList, ...]
    kernels: tuple[str, ...]
    weights_crc: int
    arena_bytes: int
    arena_comment: str


def render_tflm(
    model: TflmModel, board: Board, folder: Path, *, arena_bytes: int, tool: str, source_sha256: str
) -> None:
    """Write `folder`/tflm, which must not exist yet, into a rendered project. arena_bytes: an estimate."""
    custom = model.custom.values()
    kernels = sorted({op.kernel for op in custom})
    ops = sorted({kernel.op for kernel in kernels})
    view = _TflmView(
        tool=tool,
        source_sha256=source_sha256,
        arch=library_arch(board.core),
        registrations=tuple(map(_registration, model.registrations)),
        kernel_lists=tuple(_KernelList(_TYPES_OF[op], tuple(_rows(op, kernels))) for op in ops),
        kernels=tuple(sorted({source for op in custom for source in op.sources})),
        weights_crc=weights_crc([("tflm_model_data", model.data)]),
        arena_bytes=arena_bytes,
        arena_comment=_ESTIMATED,
    )
    target, source = folder / "tflm", templates_folder() / "runtime" / "tflm"
    target.mkdir()
    options = ("es_tflm_options.cc", "es_tflm_options.h") if ops else ()
    for name in (*_ALWAYS, *options, *(_SOURCES_OF[op] for op in ops)):
        shutil.copyfile(source / name, target / name)
    (target / "model.tflite").write_bytes(model.data)
    for template, name in (("tflm_ops.cc.j2", "tflm_ops.cc"), ("tflm_config.mk.j2", "config.mk")):
        text = environment().get_template(template).render(tflm=view)
        (target / name).write_text(text, encoding="utf-8")


def set_arena(project: Path, arena_bytes: int) -> None:
    """Give a rendered project the arena that was measured."""
    path = project / "tflm" / "config.mk"
    head, _, _ = path.read_text(encoding="utf-8").partition(_ARENA)
    path.write_text(f"{head.replace(_ESTIMATED, _MEASURED)}{_ARENA}{arena_bytes}\n", encoding="utf-8")


def _registration(op: Registration) -> str:
    return call_text("TF_LITE_ENSURE_STATUS", [f"resolver.{op.add}({op.argument})"])


def _rows(op: str, kernels: Iterable[Kernel]) -> Iterable[str]:
    for kernel in kernels:
        if kernel.op == op:
            format, variant, gather = kernel.key
            if op == CONV_2D:
                yield (f"KernelKey({format}, {variant}, {gather}), {kernel.function}, {kernel.gather or 'nullptr'}")
            elif kernel.takes_scratch:
                yield f"KernelKey({format}, {variant}), {kernel.function}, nullptr"
            else:
                yield f"KernelKey({format}, {variant}), nullptr, {kernel.function}"
