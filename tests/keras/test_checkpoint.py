"""Training that was interrupted goes on, and ends as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError
from edgesparse.keras_model.backend import tf_keras
from edgesparse.sparsify import METHODS, SparsifyResult, plan, prune, sparsify
from edgesparse.training.checkpoints import Checkpoints, State
from edgesparse.training.request import Training
from tests.support.interrupt import Stop

TRAINS = [name for name in METHODS if name not in ("oneshot", "magnitude")]  # finetune is the first
EPOCHS = 4


def small_model() -> Any:
    keras = tf_keras()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(8, name="out"),
        ]
    )


def samples() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(2).standard_normal((40, 6, 6, 4)).astype(np.float32)


def train(method: str, pattern: str, checkpoints: Checkpoints | None, progress: Stop, seed: int = 0) -> SparsifyResult:
    from edgesparse.keras_model import from_object

    loaded = from_object(small_model())
    planned = plan(loaded.model, sparsity=0.5, pattern=pattern)
    training = Training(x=samples(), epochs=EPOCHS, seed=seed, checkpoints=checkpoints, progress=progress)
    return sparsify(loaded, planned, method=method, training=training)


@pytest.mark.parametrize(
    ("method", "pattern"),
    [
        ("finetune", "unstructured"),
        *(
            pytest.param(method, pattern, marks=pytest.mark.slow)
            for method, pattern in [*((method, "unstructured") for method in TRAINS[1:]), ("group-lasso", "channel")]
        ),
    ],
)
def test_a_run_that_goes_on_ends_with_the_same_weights(method: str, pattern: str, tmp_path: Path) -> None:
    whole = train(method, pattern, None, Stop())
    checkpoints = Checkpoints(tmp_path / "state", every_s=0)
    last = 2 if pattern == "channel" else 3  # of the first of two trainings, or of the only one
    with pytest.raises(KeyboardInterrupt):
        train(method, pattern, checkpoints, Stop(at=f"epoch {last}/"))
    again = Stop()
    resumed = train(method, pattern, checkpoints, again)
    assert any("going on after epoch" in line for line in again.lines)
    first_epochs = sum(line.startswith("epoch 1/") for line in again.lines)
    assert first_epochs == (1 if pattern == "channel" else 0)
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name, mask in whole.masks.items():
        np.testing.assert_array_equal(resumed.masks[name], mask)


def test_a_checkpoint_of_another_run_is_left_alone(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state", every_s=0)
    with pytest.raises(KeyboardInterrupt):
        train("finetune", "unstructured", checkpoints, Stop(at="epoch 3/"))
    other = Stop()
    train("finetune", "unstructured", checkpoints, other, seed=1)
    assert not any("going on" in line for line in other.lines)


def test_a_damaged_checkpoint_counts_as_none(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state", every_s=0)
    checkpoints.save("key", State(1, [np.zeros(3)], {"mask a": np.ones(2)}, "{}"), last=True)
    state = checkpoints.load("key")
    assert state is not None
    assert (state.epochs, list(state.shaping)) == (1, ["mask a"])
    (path,) = (tmp_path / "state").iterdir()
    path.write_bytes(path.read_bytes()[:50])
    assert checkpoints.load("key") is None


def test_states_are_not_written_more_often_than_asked(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state", every_s=3600)
    checkpoints.save("key", State(1, [], {}, "{}"), last=False)
    assert not (tmp_path / "state").exists()
    checkpoints.save("key", State(4, [], {}, "{}"), last=True)
    assert checkpoints.load("key") is not None


def test_files_that_are_no_checkpoints_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, every_s=0)
    checkpoints.save("a" * 64, State(1, [], {}, "{}"), last=True)
    (tmp_path / "mine.npz").write_bytes(b"mine")
    checkpoints.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


def test_prune_keeps_its_state_after_an_interrupt_only(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    arguments: dict[str, Any] = {"method": "finetune", "epochs": EPOCHS, "sparsity": 0.5, "checkpoint": folder}
    with pytest.raises(DataError):
        prune(small_model(), samples()[:3], **arguments)
    assert not folder.exists()
    result = prune(small_model(), samples(), **arguments)
    assert not folder.exists()
    assert result.plan.sparsity >= 0.5
    zeros = sum(int(np.count_nonzero(~mask)) for mask in result.masks.values())
    assert zeros == round(result.plan.sparsity * result.plan.prunable_weights)
