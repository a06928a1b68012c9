"""One kernel's weights as few shared values, in such a way that quantization to int8 keeps them few.

Quantization gives each output channel of a convolution a scale of its own, and one to a whole dense layer: the largest
magnitude becomes 127. So a weight here is scale * level / 127, with one scale per channel (or layer) and levels that
all channels share: zero, and whole numbers up to 127. Each channel has a weight at 127; then the scale that
quantization finds is this one, and the levels are the int8 weights. Levels below zero have the magnitudes of those
above, since a batch normalization that is folded in may turn a channel's sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_VALUES", "Codebook", "first_codebook"]

LEAST_VALUES = 3
"""Zero, and one magnitude with both signs."""

_LARGEST = 127
_ROUNDS = 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Codebook:
    """levels: magnitudes beside zero, ascending whole numbers up to 127; scales: [groups, 1], what 127 stands for."""

    levels: Floats
    scales: Floats

    def codes(self, weights: Floats) -> Floats:
        """The level of each weight [groups, n], with its sign: the nearest, and for the largest of a group the last.

        Zero for zero.
        """
        magnitudes = np.abs(weights)
        levels = np.concatenate([[0.0], self.levels])
        relative = magnitudes / np.where(self.scales > 0, self.scales, 1.0) * _LARGEST
        codes: Floats = np.sign(weights) * levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, relative)]
        rows, largest = np.arange(len(weights)), np.argmax(magnitudes, axis=1)
        codes[rows, largest] = np.sign(weights[rows, largest]) * _LARGEST
        return codes

    def shared(self, weights: Floats) -> Floats:
        """The shared value next to each weight."""
        return self.codes(weights) / _LARGEST * self.scales

    def refined(self, weights: Floats) -> Codebook:
        """One step towards less error: scales that fit the codes best, then levels in the middle of their weights."""
        codes = self.codes(weights)
        energy = (codes * codes).sum(axis=1, keepdims=True)
        scales = _LARGEST * (weights * codes).sum(axis=1, keepdims=True) / np.where(energy > 0, energy, 1.0)
        places = np.searchsorted(self.levels, np.abs(codes))
        used = codes != 0
        relative = np.abs(weights) / np.where(scales > 0, scales, 1.0) * _LARGEST
        sums = np.bincount(places[used], relative[used], minlength=len(self.levels))
        counts = np.bincount(places[used], minlength=len(self.levels))
        middles = np.where(counts > 0, sums / np.maximum(counts, 1), self.levels)
        return Codebook(_whole(middles), scales)


def first_codebook(weights: Floats, values: int) -> Codebook:
    """A codebook for weights [groups, n] with at most `values` distinct levels, LEAST_VALUES to 256, zero among them.

    k-means (Lloyd, 1982) of magnitudes relative to their group's scale, from quantiles.
    """
    scales = np.abs(weights).max(axis=1, keepdims=True)
    relative = np.abs(weights[weights != 0]) / np.broadcast_to(scales, weights.shape)[weights != 0] * _LARGEST
    magnitudes = (values - 1) // 2
    places = (np.arange(magnitudes) + 0.5) / magnitudes
    book = Codebook(_whole(np.quantile(relative, places) if relative.size else np.zeros(1)), scales)
    for _ in range(_ROUNDS):
        book = book.refined(weights)
    return book


def _whole(levels: Floats) -> Floats:
    """Whole numbers from 1 to 127, ascending, no more than there were; the last is 127."""
    clipped = np.clip(np.rint(levels), 1, _LARGEST)
    clipped[-1] = _LARGEST
    result: Floats = np.unique(clipped)
    return result
