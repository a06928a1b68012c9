"""Who says how good the networks of a conversion are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesparse.data import Dataset
from edgesparse.report.judge import Judge

if TYPE_CHECKING:
    from edgesparse.keras_model import LoadedModel

__all__ = ["make_judge"]


def make_judge(loaded: LoadedModel, data: Dataset, seed: int) -> Judge:
    """Of the evaluation samples, with the float model's outputs beside them. DataError where they do not fit."""
    from edgesparse import keras_model
    from edgesparse.keras_model.check_data import check_data

    x, y = data.evaluation
    check_data(loaded.model, x, y)
    return Judge(
        reference=keras_model.predict(loaded.model, x),
        labels=y,
        classes=keras_model.final_activation(loaded.model) == "softmax",
        seed=seed,
        anomaly=data.anomaly_test,
    )
