"""How CONV_2D kernels gather patches (es_patch.h), and how much they have to do: the loops of the C code, counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgesparse.lowering.context import Window, round_up
from edgesparse.lowering.costs import Work

__all__ = ["BLOCKS", "BYTES", "GATHERS", "PAIRS", "ConvImage", "Gather", "Patches", "taps_inside"]


@dataclass(frozen=True)
class ConvImage:
    """Where the filters move. `clamped`: whether the fused activation is narrower than int8."""

    rows: Window
    columns: Window
    in_c: int
    clamped: bool = False

    def work(self, patches: Patches, rows: int, units: int, more: Mapping[str, float]) -> Work:
        """Of one call. A unit is what the inner loop takes: four dense weights, a 1x4 block, a
        single entry, or two of delta4. `more`: what else the loop over a group's filters counts.
        """
        size = patches.pixels
        count = -(-self._pixels // size) if self._pixels >= size else self._pixels
        work: dict[str, float] = {"calls": 1, "groups": count, "rows": count * rows, "units": count * units}
        work |= {name: count * amount for name, amount in more.items()}
        work |= patches.work(self, count)
        if self.clamped and patches.clamps_apart:
            work["clamped"] = self._pixels * rows
        return work

    def gathered_values(self, count: int) -> Work:
        """Of es_patch_s8.c, which takes four pixels."""
        return {"taps": 4 * count * self._taps, "values": 4 * count * self._taps * self.in_c}

    def gathered_pairs(self, count: int) -> Work:
        """Of es_patch_pair_s32_dsp.c, which takes eight."""
        inside = taps_inside(self.rows) * taps_inside(self.columns) / self._pixels
        return {
            "taps": count * self._taps,
            "values": count * self._taps * self.in_c,
            "taps inside": count * inside,
            "row ends": count * PAIRS.pixels / self.columns.out,
        }

    def gathered(self, count: int) -> Work:
        """Of es_patch_block_s16_dsp.c or es_patch_bytes_s16_dsp.c, which take six."""
        if self.in_c % 4:
            return self._gathered_bytes(count * BLOCKS.pixels)
        return {**self._gathered_blocks(count, BLOCKS.pixels), "outside": self.in_c}

    @property
    def _pixels(self) -> int:
        return self.rows.out * self.columns.out

    @property
    def _taps(self) -> int:
        return self.rows.kernel * self.columns.kernel

    def _gathered_blocks(self, count: int, size: int) -> Work:
        """Of es_patch_block_s16_dsp.c: within a row of pixels, taps behind a kernel row's first are shifted."""
        together = self._pixels >= size
        within = count
        if together:
            first = np.minimum(np.arange(count) * size, self._pixels - size)
            within = int(np.count_nonzero(first % self.columns.out <= self.columns.out - size))
        slides = together and self.columns.stride == self.columns.dilation == 1
        whole = within * self.rows.kernel * (1 if slides else self.columns.kernel)
        across = (count - within) * self._taps
        shifted = within * self._taps - whole
        return {
            "groups across": count - within if together else 0,
            "taps": whole if together else 0,
            "pointed taps": across if together else whole,
            "values": (whole + across) * self.in_c,
            "shifted values": shifted * self.in_c,
        }

    def _gathered_bytes(self, pixels: int) -> Work:
        """Of es_patch_bytes_s16_dsp.c: patches inside of the image go by words, others by bytes."""
        inside = _whole_patches(self.rows) * _whole_patches(self.columns) / self._pixels
        if self.columns.dilation > 1 and self.columns.kernel > 1:
            inside = 0
        values = self._taps * self.in_c
        run = "words" if self.columns.kernel * self.in_c % 4 == 0 else "bytes"
        return {
            "odd groups": pixels,
            f"runs of {run}": pixels * inside * self.rows.kernel,
            f"values of {run}": pixels * inside * values,
            "odd taps": pixels * (1 - inside) * self._taps,
            "odd values": pixels * (1 - inside) * values,
        }


def taps_inside(window: Window) -> int:
    """Taps on one axis that lie inside of the image, over all output places."""
    first = np.arange(window.out) * window.stride - window.pad
    at = first[:, None] + np.arange(window.kernel) * window.dilation
    return int(np.count_nonzero((at >= 0) & (at < window.size)))


def _whole_patches(window: Window) -> int:
    """Output places on one axis whose taps all lie inside of the image."""
    first = np.arange(window.out) * window.stride - window.pad
    return int(np.count_nonzero((first >= 0) & (first + (window.kernel - 1) * window.dilation < window.size)))


@dataclass(frozen=True)
class Gather:
    """A C function that a call's parameters name. `number`: byte 3 of the custom options (FORMAT.md)."""

    function: str
    number: int


@dataclass(frozen=True)
class Patches:
    """One layout of patches in scratch.

    `pixels`: how many are gathered and computed at once. `gather`: by input channels, the function that does it, None
    where the kernel calls it itself. `sources`: what else is linked. `scratch_bytes`: by patch and input channels, as
    es_patch.h has it. `work`: of gathering that many groups of pixels. `clamps_apart`: whether a fused activation
    takes another pass.
    """

    pixels: int
    gather: Callable[[int], Gather | None]
    sources: tuple[str, ...]
    scratch_bytes: Callable[[int, int], int]
    work: Callable[[ConvImage, int], Work]
    clamps_apart: bool = True


_BLOCK, _BYTES, _PAIR = (
    Gather("es_patch_block_s16_dsp", 1),
    Gather("es_patch_bytes_s16_dsp", 2),
    Gather("es_patch_pair_s32_dsp", 3),
)

GATHERS = (_BLOCK, _BYTES, _PAIR)

BYTES = Patches(
    pixels=4,
    gather=lambda _in_c: None,
    sources=("es_patch_s8",),
    scratch_bytes=lambda patch, _in_c: 4 * round_up(patch),
    work=ConvImage.gathered_values,
    clamps_apart=False,
)
"""int8, as they are: the portable kernels."""

BLOCKS = Patches(
    pixels=6,
    gather=lambda in_c: _BYTES if in_c % 4 else _BLOCK,
    sources=("es_conv_2d_groups_dsp",),
    scratch_bytes=lambda patch, in_c: 12 * round_up(patch) + round_up(in_c) + (round_up(patch) + 4 if in_c % 4 else 0),
    work=ConvImage.gathered,
)
"""int16, for SMLAD: formats whose weights come by four."""

PAIRS = Patches(
    pixels=8,
    gather=lambda _in_c: _PAIR,
    sources=("es_conv_2d_groups_dsp",),
    scratch_bytes=lambda patch, in_c: 16 * patch + round_up(in_c),
    work=ConvImage.gathered_pairs,
)
"""Two pixels in an int32, which one multiplication takes: formats whose weights come one by one."""
