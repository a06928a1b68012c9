"""Open the file formats that Keras writes and take out what is needed to judge them; runs nothing of them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from edgesparse.errors import ModelError

__all__ = ["ModelFile", "read_model_file"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_SAVE_ADVICE = "save the whole model with model.save('model.h5') or model.save('model.keras')"


@dataclass(frozen=True)
class ModelFile:
    """What a model file says about itself. `configs`: the model's config, or one per object of a SavedModel."""

    path: Path
    format: str  # h5, keras or saved_model
    keras_version: str
    configs: tuple[dict[str, Any], ...]

    @property
    def keras_major(self) -> int:
        """2 for Keras 1 and 2, 3 for Keras 3."""
        return 3 if int(self.keras_version.split(".")[0]) >= 3 else 2


def read_model_file(path: Path) -> ModelFile:
    """Read version and config of a Keras model file or SavedModel folder; ModelError when it is none."""
    if not path.exists():
        raise ModelError(f"{path}: no such file; give a Keras model (.h5, .keras or a SavedModel folder)")
    if path.is_dir():
        return _read_saved_model(path)
    with path.open("rb") as file:
        magic = file.read(8)
    if magic == _HDF5_MAGIC:
        return _read_h5(path)
    if magic[:4] == b"PK\x03\x04":
        return _read_keras(path)
    if path.suffix in (".h5", ".hdf5", ".keras"):
        raise ModelError(
            f"{path}: not a Keras model: expected an HDF5 or zip file, got {_describe(magic)}; save it again"
        )
    raise ModelError(
        f"{path}: expected a Keras model (.h5, .keras or a SavedModel folder), got a file of another format"
        f" ({_describe(magic)})"
    )


def _describe(magic: bytes) -> str:
    return f"a file that begins with {magic!r}" if magic else "an empty file"


def _read_h5(path: Path) -> ModelFile:
    try:
        with h5py.File(path, "r") as file:
            attributes = {key: file.attrs[key] for key in ("model_config", "keras_version") if key in file.attrs}
            if "keras_version" not in attributes and "model_weights" in file:
                attributes.update({k: v for k, v in file["model_weights"].attrs.items() if k == "keras_version"})
    except (OSError, KeyError, RuntimeError) as error:  # h5py raises all three for damaged files
        raise ModelError(
            f"{path}: the HDF5 file is truncated or damaged ({_first_line(error)}); save it again"
        ) from error
    if "model_config" not in attributes:
        raise ModelError(f"{path}: holds weights only, no model configuration; {_SAVE_ADVICE}")
    config = _parse(path, _text(attributes["model_config"]))
    return ModelFile(path, "h5", _text(attributes.get("keras_version", "1")), (config,))


def _read_keras(path: Path) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = {"metadata.json", "config.json", "model.weights.h5"} - names
            if missing:
                raise ModelError(
                    f"{path}: not a Keras model: the zip file has no {', '.join(sorted(missing))}; {_SAVE_ADVICE}"
                )
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelError(f"{path}: {damaged} in it is damaged; save it again")
            metadata = _parse(path, archive.read("metadata.json").decode())
            config = _parse(path, archive.read("config.json").decode())
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: the zip file is truncated or damaged ({_first_line(error)}); save it again"
        ) from error
    return ModelFile(path, "keras", str(metadata.get("keras_version", "2")), (config,))


def _read_saved_model(path: Path) -> ModelFile:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(
            f"{path}: a folder without saved_model.pb is no SavedModel; give a .h5, a .keras or a SavedModel folder"
        )
    # Protobuf classes come with TensorFlow; parsing them runs nothing from the file.
    from google.protobuf.message import DecodeError

    from edgesparse.keras_model.backend import quiet, tf_keras

    tf_keras()
    with quiet():
        from tensorflow.core.protobuf import saved_model_pb2
        from tf_keras.protobuf import saved_metadata_pb2
    try:
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
        if (path / "keras_metadata.pb").is_file():
            metadata = saved_metadata_pb2.SavedMetadata()
            metadata.ParseFromString((path / "keras_metadata.pb").read_bytes())
            texts = [node.metadata for node in metadata.nodes if node.identifier.startswith("_tf_keras_")]
        else:
            texts = [
                node.user_object.metadata
                for graph in saved.meta_graphs
                for node in graph.object_graph_def.nodes
                if node.user_object.identifier.startswith("_tf_keras_") and node.user_object.metadata
            ]
    except DecodeError as error:
        raise ModelError(
            f"{path}: saved_model.pb or keras_metadata.pb is damaged ({_first_line(error)}); save it again"
        ) from error
    configs = [config for config in (_parse(path, text) for text in texts) if config.get("class_name")]
    if not configs:
        raise ModelError(f"{path}: this SavedModel holds no Keras layers (model.export writes such); {_SAVE_ADVICE}")
    named = [str(config["keras_version"]) for config in configs if config.get("keras_version")]
    return ModelFile(path, "saved_model", named[0] if named else "2", tuple(configs))


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: the model configuration is no JSON ({_first_line(error)}); save it again") from error
    if not isinstance(config, dict):
        raise ModelError(
            f"{path}: the model configuration is a {type(config).__name__}, expected an object; save it again"
        )
    return config


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
