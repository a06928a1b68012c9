"""`edgesparse firmware`: an int8 .tflite to firmware, its weights as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgesparse.budgets import check_budgets
from edgesparse.commands.folder import Converted, output_target, plan_twin, sha256_of, write_folder
from edgesparse.errors import SettingsError
from edgesparse.firmware.room import check_inputs
from edgesparse.graph import Tensor
from edgesparse.measure.setup import choose_settings, set_up
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import interpreters
from edgesparse.output import claim
from edgesparse.progress import Progress
from edgesparse.record import AnyArray
from edgesparse.report.report import Report
from edgesparse.result import Source

__all__ = ["firmware", "refuse_for_tflite"]

_NO_FLOAT = "a .tflite comes without a float model and without data"
_SPARSE_SETTINGS = (
    *("sparsity", "pattern", "channels", "method", "epochs", "labels", "distill", "schedule", "activity_l1"),
    *("cluster", "data", "quantize", "dense_per_channel", "correct"),
)


def firmware(
    model: str | Path,
    *,
    out: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Make firmware from an int8 .tflite, its weights as they are. TensorFlow is not imported."""
    refuse_for_tflite(settings)
    chosen = choose_settings(settings)
    check_budgets(chosen.budget, accuracy=_NO_FLOAT, agreement=_NO_FLOAT)
    setup = set_up(chosen, progress)
    path = Path(model)
    target = output_target(path, out)
    # The reference starts while the file is read and lowered.
    with claim(target, force=force, say=setup.say) as place, interpreters("tflite-micro"):
        network = Network.load(path, slimmed=True, keep_metadata=chosen.keep_metadata)
        check_inputs(network.input, chosen.vectors, setup.board)
        dense_plan = plan_twin(network, path, setup)
        vectors = _random_inputs(network.input, chosen.vectors, chosen.seed)
        converted = Converted(
            source=Source(str(path), sha256_of(path), "tflite", "none"),
            sparse=network,
            dense=network,
            dense_plan=dense_plan,
            vectors=vectors,
            phone=network,
            phone_vectors=vectors,
            samples=Missing("no data to measure on; give --data FILE"),
            accuracy=Missing(_NO_FLOAT),
            fidelity=Missing(_NO_FLOAT),
            quantization=Missing("the file was quantized before"),
            warnings=("the firmware's inputs are random: a .tflite comes without data",),
        )
        return write_folder(place, converted, setup)


def refuse_for_tflite(settings: Mapping[str, Any]) -> None:
    """SettingsError where a setting is about how a Keras model is made sparse."""
    given = [name for name in _SPARSE_SETTINGS if settings.get(name) is not None]
    if settings.get("mobile_dtype", "int8") == "float32":
        given.append("mobile_dtype")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SettingsError(f"{options}: needs a Keras model; a .tflite keeps its weights as they are")


def _random_inputs(tensor: Tensor, count: int, seed: int) -> AnyArray:
    """Inputs [count, ...] of the tensor's dtype: any bytes, or normally distributed floats."""
    generator = np.random.default_rng(seed)
    shape = (count, *tensor.shape[1:])
    if tensor.dtype == np.int8:
        return generator.integers(-128, 128, shape, dtype=np.int8)
    return generator.standard_normal(shape).astype(np.float32)
