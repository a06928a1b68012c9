"""How much a CONV_2D kernel has to do: the loops of the C code, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.boards import Core
from edgesparse.lowering.context import Window
from edgesparse.lowering.costs import Work

__all__ = ["GROUP_PIXELS", "ConvImage", "taps_inside"]

GROUP_PIXELS = {"dense": 6, "block1x4": 6, "delta8": 8, "delta4": 8, "bitmap": 6}
"""Output pixels that a kernel in dsp/ computes at once; portable ones take 4."""


@dataclass(frozen=True)
class ConvImage:
    """Where the filters move. `clamped`: whether the fused activation is narrower than int8."""

    core: Core
    rows: Window
    columns: Window
    in_c: int
    clamped: bool = False

    def work(self, format: str, rows: int, units: int, **more: float) -> Work:
        """Of one call. A unit is what the inner loop takes: four dense weights, a 1x4 block, a
        single entry, or two of delta4. `more`: what else the loop over a group's filters counts.
        """
        size = GROUP_PIXELS[format] if self.core.has_dsp else 4
        count = -(-self._pixels // size) if self._pixels >= size else self._pixels
        work: dict[str, float] = {"calls": 1, "groups": count, "rows": count * rows, "units": count * units}
        work |= {name: count * amount for name, amount in more.items()}
        if not self.core.has_dsp:
            work |= {"taps": size * count * self._taps, "values": size * count * self._taps * self.in_c}
            return work
        if format in ("delta8", "delta4"):
            inside = taps_inside(self.rows) * taps_inside(self.columns) / self._pixels
            work |= {"taps": count * self._taps, "values": count * self._taps * self.in_c}
            work |= {"taps inside": count * inside, "row ends": count * size / self.columns.out}
        elif self.in_c % 4 == 0:
            work |= self._gathered_blocks(count, size)
            work["outside"] = self.in_c
        else:
            work |= self._gathered_bytes(count * size)
        if self.clamped:
            work["clamped"] = self._pixels * rows
        return work

    @property
    def _pixels(self) -> int:
        return self.rows.out * self.columns.out

    @property
    def _taps(self) -> int:
        return self.rows.kernel * self.columns.kernel

    def _gathered_blocks(self, count: int, size: int) -> Work:
        """Of es_patch_block_s16.c: within a row of pixels, taps behind a kernel row's first are shifted."""
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
        """Of es_patch_bytes_s16.c: patches inside of the image go by words, others by bytes."""
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
