"""Nothing from a model file runs without --unsafe: each file here writes a canary when Keras loads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesparse.errors import ModelError
from edgesparse.keras_model import load
from tests.keras.hostile_files import MAKERS


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_that_runs_code_is_refused_before_it_does(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    path = MAKERS[name](tmp_path, canary)
    canary.unlink(missing_ok=True)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert not canary.exists()
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
