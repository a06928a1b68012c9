"""The samples of a conversion: what calibrates, what trains, what is judged, what the firmware runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesparse.data import Dataset
from edgesparse.graph import FloatArray
from edgesparse.missing import Missing
from edgesparse.progress import Progress, silent
from edgesparse.record import AnyArray
from edgesparse.settings import Settings
from edgesparse.shards import TEST_FOLDER, Shards, Stream

__all__ = ["NO_LABELS", "Samples", "choose_samples"]

NO_LABELS = "no labels; give --data FILE with x and y"

_CALIBRATION_SAMPLES = 100
_FIDELITY_SAMPLES = 200


@dataclass(frozen=True, eq=False)
class Samples:
    """Float inputs [n, ...], the user's or synthetic ones.

    training, training_labels: all that training may see, or where it reads a stream, some of that; None without data.
    judged: accuracy and agreement are measured
    on these, labels [n] stand beside them where there are any. vectors: what the firmware runs; phone_vectors: what
    the files for phones are checked with. unjudged: why no samples can judge a quantization, "" where they can.
    """

    calibration: FloatArray
    training: FloatArray | None
    training_labels: AnyArray | None
    stream: Stream | None
    judged: FloatArray
    labels: AnyArray | None
    vectors: FloatArray
    phone_vectors: FloatArray
    unjudged: str
    warnings: tuple[str, ...]

    @property
    def real(self) -> FloatArray | Missing:
        """The calibration samples, where they are the user's."""
        if self.training is None:
            return Missing("no data to measure on; give --data FILE")
        return self.calibration


def choose_samples(model: Any, data: Dataset | Shards | None, settings: Settings, say: Progress = silent) -> Samples:
    """Pick samples of a tf_keras model's data by the seed; synthetic ones without data. Shards are read.

    DataError where the data does not fit the model.
    """
    from edgesparse import keras_model, quantize
    from edgesparse.keras_model.check_data import check_data
    from edgesparse.training.survey import dataset_for

    seed = settings.seed
    data = dataset_for(model, data, seed=seed, say=say) if data is not None else None
    if data is None:
        shape = keras_model.input_shape(model)
        x = quantize.synthetic_inputs(shape, n=_CALIBRATION_SAMPLES, seed=seed)
        inputs, labels = x, None
    else:
        check_data(model, data.x, data.y)
        if data.x_test is not None:
            check_data(model, data.x_test, data.y_test)
        x, (inputs, labels) = data.x, data.evaluation
    return Samples(
        calibration=_pick(x, _CALIBRATION_SAMPLES, seed),
        training=None if data is None else data.x,
        training_labels=None if data is None else data.y,
        stream=None if data is None else data.stream,
        judged=inputs if labels is not None else _pick(inputs, _FIDELITY_SAMPLES, seed),
        labels=labels,
        vectors=_pick(inputs, settings.vectors, seed),
        phone_vectors=_pick(x, settings.vectors, seed),
        unjudged="no samples; give --data FILE" if data is None else "",
        warnings=_warnings(data),
    )


def _warnings(data: Dataset | None) -> tuple[str, ...]:
    if data is None:
        return ("calibrated on synthetic inputs: int8 ranges may be wrong for real ones; give --data FILE",)
    if not data.held_out and data.y is not None:
        apart = "add x_test and y_test" if data.stream is None else f"put shards into the folder {TEST_FOLDER} in it"
        return (f"accuracy is measured on the samples used for calibration; {apart} to hold some apart", *data.notes)
    return data.notes


def _pick(samples: FloatArray, count: int, seed: int) -> FloatArray:
    """`count` samples in their order, chosen by seed; all where there are fewer."""
    if len(samples) <= count:
        return samples
    chosen = np.random.default_rng(seed).choice(len(samples), size=count, replace=False)
    return samples[np.sort(chosen)]
