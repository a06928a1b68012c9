"""What is measured: the data sets, the ways to make a network sparse, and what each must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DATASETS", "GOALS", "WAYS", "DatasetSpec", "Goal", "Way"]


@dataclass(frozen=True)
class DatasetSpec:
    """A folder of examples/. epochs: of the methods that train. metric: top1 or auc. argument: of its data.py."""

    name: str
    epochs: int
    metric: str = "top1"
    needs_folder: bool = False


@dataclass(frozen=True)
class Way:
    """A way to make a network sparse, as settings of edgesparse.convert; when, labels: words for the table."""

    name: str
    when: str
    labels: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> str:
        """What goes: zeros in a pattern, whole channels, both, and other values than a few."""
        parts = []
        if self.settings.get("channels"):
            parts.append(f"channels, {self.settings['channels']:.0%} of the MACs")
        if self.settings.get("sparsity"):
            parts.append(f"{self.settings['pattern']}, {self.settings['sparsity']:.0%}")
        if self.settings.get("cluster"):
            parts.append(f"at most {self.settings['cluster']} values per layer")
        return " + ".join(parts)


@dataclass(frozen=True)
class Goal:
    """The int8 model of a way may lose `points` of accuracy, against the dense int8 model, as a mean over the seeds."""

    dataset: str
    settings: Mapping[str, Any]
    points: float


def _zeros(method: str, pattern: str, sparsity: float, **more: Any) -> dict[str, Any]:
    return {"method": method, "pattern": pattern, "sparsity": sparsity, **more}


_HALF = {"method": "finetune", "channels": 0.5, "sparsity": 0.0}

DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DatasetSpec("digits", epochs=60),
        DatasetSpec("mnist", epochs=10),
        DatasetSpec("imu", epochs=10),
        DatasetSpec("anomaly", epochs=30, metric="auc", needs_folder=True),
    )
}

GOALS: tuple[Goal, ...] = (
    *(
        Goal(name, settings, points)
        for name in ("digits", "mnist")
        for settings, points in (
            (_zeros("finetune", "unstructured", 0.9), 1.0),
            (_zeros("finetune", "unstructured", 0.95), 2.5),
            (_HALF, 1.0),
        )
    ),
    Goal("imu", _zeros("finetune", "unstructured", 0.8), 1.0),
    Goal("imu", _zeros("finetune", "auto", 0.8), 1.0),
)

_TRAIN = "more zeros than one-shot keeps up with"
WAYS: tuple[Way, ...] = (
    Way("magnitude", "the baseline", "no", _zeros("magnitude", "unstructured", 0.75)),
    Way("oneshot", "first choice; no labels, no training", "no", _zeros("oneshot", "unstructured", 0.75)),
    Way("oneshot", "the same, faster firmware", "no", _zeros("oneshot", "auto", 0.75)),
    Way("finetune", _TRAIN, "helps", _zeros("finetune", "unstructured", 0.75)),
    Way("finetune", "smallest model.tflm.tflite", "helps", _zeros("finetune", "unstructured", 0.75, cluster=16)),
    Way("finetune", _TRAIN, "helps", _zeros("finetune", "unstructured", 0.8)),
    Way("finetune", _TRAIN, "helps", _zeros("finetune", "unstructured", 0.9)),
    Way("finetune", _TRAIN, "helps", _zeros("finetune", "unstructured", 0.95)),
    Way("finetune", "faster firmware than unstructured", "helps", _zeros("finetune", "auto", 0.8)),
    Way("finetune", "faster firmware than unstructured", "helps", _zeros("finetune", "auto", 0.9)),
    Way(
        "oneshot --quantize qat",
        "compare with finetune",
        "helps",
        _zeros("oneshot", "unstructured", 0.75, quantize="qat"),
    ),
    Way(
        "finetune --quantize qat",
        "compare with finetune",
        "helps",
        _zeros("finetune", "unstructured", 0.9, quantize="qat"),
    ),
    Way("finetune --no-labels", "samples without labels", "no", _zeros("finetune", "unstructured", 0.9, labels=False)),
    Way(
        "finetune --no-distill",
        "labels better than the network",
        "yes",
        _zeros("finetune", "unstructured", 0.9, distill=False),
    ),
    *(
        Way(method, "compare with finetune", "helps", _zeros(method, pattern, 0.9))
        for method in ("gradual", "l1", "group-lasso", "targeted-dropout")
        for pattern in ("unstructured", "auto")
        if (method, pattern) != ("group-lasso", "unstructured")  # groups of one: the same as l1
    ),
    Way("group-lasso", "any runtime gains; RAM too", "helps", _zeros("group-lasso", "channel", 0.6)),
    Way("finetune", "any runtime gains; RAM too", "helps", _HALF),
    Way(
        "finetune",
        "smallest",
        "helps",
        {"method": "finetune", "channels": 0.5, "pattern": "unstructured", "sparsity": 0.75},
    ),
)
