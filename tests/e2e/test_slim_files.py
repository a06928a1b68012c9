"""The .tflite files of an output folder: slim, with the layers' names kept in the report and in the firmware."""

from __future__ import annotations

from pathlib import Path

from edgesparse import pipeline
from edgesparse.tflite import objects
from tests.support.small_networks import conv_network


def named_model(folder: Path) -> Path:
    model = objects.parse(conv_network())
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"net/stage_{index}/BiasAdd"
    path = folder / "named.tflite"
    path.write_bytes(objects.pack(model))
    return path


def test_layer_names_outlive_the_slimmed_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = pipeline.firmware(named_model(tmp_path), out=out, vectors=1)
    names = [layer["name"] for layer in first["layers"]]
    assert all(name.startswith("stage_") for name in names), names
    assert b"stage_" not in (out / "model.int8.tflite").read_bytes()
    assert "stage_" in (out / "firmware" / "model" / "model.c").read_text()
    pipeline.build(out)
    assert pipeline.emulate(out) == first


def test_metadata_stays_on_request_and_the_machine_code_is_the_same(tmp_path: Path) -> None:
    model = named_model(tmp_path)
    slim = pipeline.firmware(model, out=tmp_path / "slim", vectors=1)
    kept = pipeline.firmware(model, out=tmp_path / "kept", vectors=1, keep_metadata=True)
    assert b"stage_" in (tmp_path / "kept" / "model.int8.tflite").read_bytes()
    assert slim["files"]["model.int8.tflite"] < kept["files"]["model.int8.tflite"]
    assert slim["layers"] == kept["layers"]
    for name in ("model.c", "weights.c"):
        first, second = ((tmp_path / run / "firmware" / "model" / name).read_text() for run in ("slim", "kept"))
        assert first.splitlines()[4:] == second.splitlines()[4:], name
