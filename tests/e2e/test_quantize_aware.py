"""convert --quantize qat, all the way: a firmware that is bit for bit exact, beside the same dense twin as with ptq."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgesparse
from edgesparse.errors import SettingsError
from tests.keras.test_quantize_aware import network, task
from tests.support.small_networks import conv_network


@pytest.mark.slow
def test_qat_ends_with_exact_firmware_and_the_same_dense_twin(tmp_path: Path) -> None:
    x, y = task()
    np.savez(tmp_path / "samples.npz", x=x, y=y)
    reports, models = {}, {}
    for way in ("ptq", "qat"):
        lines: list[str] = []
        out = tmp_path / way
        reports[way] = edgesparse.convert(
            network(),
            out=out,
            data=str(tmp_path / "samples.npz"),
            sparsity=0.8,
            pattern="unstructured",
            quantize=way,
            epochs=2,
            vectors=3,
            progress=lines.append,
        )
        models[way] = [(folder / "model.int8.tflite").read_bytes() for folder in (out, out / "dense")]
        assert ("training under fake quantization" in lines) == (way == "qat")
        assert any(line.startswith("epoch 2/2: ") for line in lines) == (way == "qat")
    report = reports["qat"]
    assert report.bit_exact.ok
    assert report.settings.quantize == "qat"
    assert report.model.sparsity >= 0.8
    assert models["qat"][0] != models["ptq"][0]
    assert models["qat"][1] == models["ptq"][1]
    assert [layer.op for layer in report.layers] == [layer.op for layer in reports["ptq"].layers]
    assert not list(tmp_path.glob("*checkpoints"))


def test_a_tflite_cannot_be_trained(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(conv_network())
    with pytest.raises(SettingsError, match="--quantize: needs a Keras model"):
        edgesparse.convert(tmp_path / "net.tflite", out=tmp_path / "out", quantize="qat")
