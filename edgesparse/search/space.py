"""What is tried: how much of a network goes in which pattern, and how far what is left is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgesparse.settings import Settings

__all__ = ["PATTERNS", "RUNG_STEPS", "Rung", "Structure", "first_structures", "rungs_for", "settings_of"]

PATTERNS = ("auto", "unstructured", "block1x4")
"""That are tried by default."""
STEP = 0.05
MOST = 0.95
"""Of sparsity and of channels, as shares."""
RUNG_STEPS = (1_500, 6_000)
"""Steps of training in the short and in the long rung, as far as epochs allow."""
_FEWEST_EPOCHS, _MOST_EPOCHS = 4, 240
_BATCH = 32


@dataclass(frozen=True)
class Structure:
    """How many weights go, and which way: what a trial is about, however long it is trained."""

    pattern: str
    sparsity: float
    channels: float

    @property
    def name(self) -> str:
        """As block1x4-0.5-channels0.4."""
        removed = f"-channels{self.channels:g}" if self.channels else ""
        return f"{self.pattern}-{self.sparsity:g}{removed}"


@dataclass(frozen=True)
class Rung:
    """How a structure's weights are found: each rung costs more than the one before."""

    method: str
    epochs: int
    quantize: str = "ptq"

    @property
    def name(self) -> str:
        """As finetune-40."""
        return self.method if self.epochs == 0 else f"{self.method}-{self.epochs}-{self.quantize}"


def rungs_for(samples: int, *, longest: int | None = None) -> tuple[Rung, ...]:
    """Second-order pruning alone; then short training, long training, and long training under fake quantization.

    samples: how many there are to train on. longest: epochs, in place of our own bound.
    """
    per_epoch = -(-samples // _BATCH)
    most = _MOST_EPOCHS if longest is None else longest
    short, long = (min(max(-(-steps // per_epoch), _FEWEST_EPOCHS), most) for steps in RUNG_STEPS)
    rungs = [Rung("oneshot", 0), Rung("finetune", short)]
    if long > short:
        rungs.append(Rung("finetune", long))
    return (*rungs, Rung("finetune", long, "qat"))


def settings_of(structure: Structure, rung: Rung, base: Settings) -> Settings:
    """The settings of a conversion; the rest as in `base`."""
    return replace(
        base,
        pattern=structure.pattern,
        sparsity=structure.sparsity,
        channels=structure.channels,
        method=rung.method,
        epochs=rung.epochs or base.epochs,
        quantize=rung.quantize,
    )


def first_structures(patterns: Sequence[str]) -> list[Structure]:
    """What is tried first: from little to much, both ways to remove weights, and both together."""
    pattern = patterns[0]
    removed = ((0.5, 0.0), (0.75, 0.0), (0.9, 0.0), (0.5, 0.4), (0.5, 0.6), (0.75, 0.6), (0.8, 0.8))
    first = [Structure(pattern, sparsity, channels) for sparsity, channels in removed]
    return first + [Structure(other, 0.75, 0.0) for other in patterns[1:]]


def suggested(trial: Any, patterns: Sequence[str]) -> Structure:
    """The structure that an Optuna trial is about."""
    return Structure(
        pattern=trial.suggest_categorical("pattern", list(patterns)),
        sparsity=round(trial.suggest_float("sparsity", 0.0, MOST, step=STEP), 2),
        channels=round(trial.suggest_float("channels", 0.0, MOST, step=STEP), 2),
    )


def parameters_of(structure: Structure) -> dict[str, str | float]:
    """What `suggested` makes the structure of."""
    return {"pattern": structure.pattern, "sparsity": structure.sparsity, "channels": structure.channels}
