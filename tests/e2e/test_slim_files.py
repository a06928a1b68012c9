"""The .tflite files of an output folder: slim, with the layers' names kept in the report and in the firmware."""

from __future__ import annotations

from pathlib import Path

from edgesparse.commands.build import build
from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware
from edgesparse.missing import Missing
from edgesparse.result import BitExact
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
    first = firmware(named_model(tmp_path), out=out, vectors=1)
    names = [layer.name for layer in first.layers]
    assert all(name.startswith("stage_") for name in names), names
    assert b"stage_" not in (out / "model.int8.tflite").read_bytes()
    assert "stage_" in (out / "firmware" / "model" / "named.c").read_text()
    build(out)
    assert emulate(out) == first


def test_encoded_weights_are_reported_by_layer_and_in_total(tmp_path: Path) -> None:
    report = firmware(named_model(tmp_path), out=tmp_path / "out", vectors=2)
    total, layers = report.tflm_decode, report.layers
    encoded = [layer for layer in layers if not isinstance(layer.tflm_decode, Missing)]
    assert total.layers == len(encoded) > 0
    for layer in encoded:
        part = layer.tflm_decode
        assert part.encoded_bytes < part.dense_bytes == layer.weights <= part.arena_bytes
        assert part.instructions == 17 * layer.weights
    assert total.instructions == sum(layer.tflm_decode.instructions for layer in encoded)
    assert total.bit_exact == BitExact(ok=True, vectors=2, reference=report.bit_exact.reference)
    assert layers[2].tflm_decode == Missing("no weights")
    assert report.files["model.tflm.tflite"] < report.files["model.int8.tflite"]

    limited = firmware(
        named_model(tmp_path), out=tmp_path / "limited", vectors=1, tflm_max_arena=total.dense_arena_bytes
    )
    assert limited.tflm_decode.arena_bytes == total.dense_arena_bytes
    assert limited.files["model.tflm.tflite"] > report.files["model.tflm.tflite"]


def test_metadata_stays_on_request_and_the_machine_code_is_the_same(tmp_path: Path) -> None:
    model = named_model(tmp_path)
    slim = firmware(model, out=tmp_path / "slim", vectors=1)
    kept = firmware(model, out=tmp_path / "kept", vectors=1, keep_metadata=True)
    assert b"stage_" in (tmp_path / "kept" / "model.int8.tflite").read_bytes()
    assert slim.files["model.int8.tflite"] < kept.files["model.int8.tflite"]
    assert slim.layers == kept.layers
    for name in ("named.c", "named_weights.c"):
        first, second = ((tmp_path / run / "firmware" / "model" / name).read_text() for run in ("slim", "kept"))
        assert first.splitlines()[4:] == second.splitlines()[4:], name
