"""Keras models that cannot be deployed: one line, exit 2, nothing written. All in this process: TensorFlow is slow."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.cli import main
from edgesparse.keras_model.backend import tf_keras
from edgesparse.report.stored import read_report


def save(path: Path, layers: list[Any]) -> None:
    keras = tf_keras()
    model = keras.Sequential([keras.Input((8, 8, 4)), *layers])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tf_keras calls .h5 a legacy format
        model.save(path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["edgesparse", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.fixture(scope="module")
def bad_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = tf_keras()
    layers = keras.layers
    folder = tmp_path_factory.mktemp("bad")

    class Tripled(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return 3 * x

    tail = [layers.Flatten(), layers.Dense(3)]
    save(folder / "good.h5", [layers.Conv2D(4, 3), *tail])
    save(folder / "lambda.h5", [layers.Lambda(lambda x: 2 * x, name="doubler"), layers.Flatten(), layers.Dense(3)])
    save(folder / "custom.h5", [Tripled(name="tripler"), layers.Flatten(), layers.Dense(3)])
    save(folder / "op.h5", [layers.Conv2DTranspose(4, 3, name="up"), layers.Flatten(), layers.Dense(3)])
    broken = layers.Dense(3, name="broken")
    model = keras.Sequential([keras.Input((8, 8, 4)), layers.Flatten(), broken])
    kernel, bias = broken.get_weights()
    kernel[0, 0] = np.nan
    broken.set_weights([kernel, bias])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.save(folder / "nan.h5")
    (folder / "text.h5").write_text("not a model\n")
    (folder / "short.h5").write_bytes((folder / "good.h5").read_bytes()[:3000])
    np.savez(folder / "shape.npz", x=np.zeros((4, 8, 8, 3), np.float32))
    np.savez(folder / "nan.npz", x=np.full((4, 8, 8, 4), np.nan, np.float32))
    np.savez(folder / "few.npz", x=np.zeros((4, 8, 8, 4), np.float32))
    np.savez(folder / "labels.npz", x=np.zeros((4, 8, 8, 4), np.float32), y=np.array([0, 1, 2, 3]))
    return folder


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lambda.h5"], "'doubler'"),
        (["custom.h5"], "'tripler'"),
        (["op.h5"], "TRANSPOSE_CONV"),
        (["nan.h5"], "'broken'"),
        (["text.h5"], "text.h5"),
        (["short.h5"], "short.h5"),
        (["good.h5", "--data", "shape.npz"], "(n, 8, 8, 4)"),
        (["good.h5", "--data", "nan.npz"], "NaN"),
        (["good.h5", "--data", "labels.npz"], "0 to 2"),
        (["good.h5", "--sparsity", "1.5"], "1.5"),
        (["good.h5", "--quantize", "fp8"], "quantize: expected one of ptq, qat, got 'fp8'"),
        (["good.h5", "--quantize", "qat"], "quantize 'qat' trains, and needs --data FILE with x"),
        (["good.h5", "--quantize", "qat", "--data", "few.npz", "--method", "magnitude"], "use --quantize ptq"),
        (["good.h5", "--sparsity", "0.99", "--pattern", "block1x4"], "cannot be reached"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused_in_one_line(
    bad_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in bad_models.iterdir():
        (tmp_path / path.name).symlink_to(path)
    before = sorted(tmp_path.iterdir())
    assert run(monkeypatch, "convert", *arguments) == 2
    captured = capfd.readouterr()
    errors = [line for line in captured.err.splitlines() if not line.startswith("edgesparse: ") or "error:" in line]
    assert len(errors) == 1, captured.err
    assert errors[0].startswith("edgesparse: error: ")
    assert expected in errors[0]
    assert captured.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_lambda_layer_is_converted_when_asked_for(
    bad_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run(monkeypatch, "convert", str(bad_models / "lambda.h5"), "--unsafe", "--sparsity", "0.5")
    assert code == 0, capfd.readouterr().err
    # 2 * x stays a MUL: the layer was loaded and run.
    report = read_report(tmp_path / "lambda.edgesparse")
    assert report.layers[0].op == "MUL"
    assert report.source.unsafe
