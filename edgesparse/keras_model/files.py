"""Say what a model file is, and take out what is needed to judge it; runs nothing of it.

What a file is, this module alone decides, by its content; a name that says otherwise, or content that another reader
could take for another format, is refused. Everybody else goes by ModelFile.format.
"""

from __future__ import annotations

import io
import json
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import h5py

from edgesparse.errors import ModelError, shown
from edgesparse.files import open_file
from edgesparse.keras_model.hdf5 import DAMAGED, SIGNATURE, check_self_contained, user_block_bytes
from edgesparse.limits import MAX_ARCHIVE_MEMBERS, MAX_RATIO, MAX_WEIGHT_BYTES, RATIO_FREE_BYTES

__all__ = ["WEIGHTS_MEMBER", "ModelFile", "read_model_file"]

WEIGHTS_MEMBER = "model.weights.h5"

_SUFFIXES = {".h5": "h5", ".hdf5": "h5", ".keras": "keras"}
_WORDS = {"h5": "HDF5", "keras": "zip"}
_SAVE_ADVICE = "save the whole model with model.save('model.h5') or model.save('model.keras')"

_LOCAL_HEADER = struct.Struct("<26sHH")
"""Of a zip file's member: at its end, the lengths of the name and of what follows that, before the content."""

_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9A-Za-z.+-]{0,36})?")
_LONGEST_TEXT_BYTES = 32 << 20
_TEXT_BYTES_FREE = 1 << 18
"""JSON of layers that are all alike may be compressed more than other members."""


@dataclass(frozen=True)
class ModelFile:
    """What a model file says about itself. `config`: the outermost model's, as it is in the file."""

    path: Path
    format: str  # h5, keras or saved_model
    keras_version: str
    config: dict[str, Any]

    @property
    def keras_major(self) -> int:
        """2 for Keras 1 and 2, 3 for Keras 3."""
        return 3 if int(self.keras_version[:4].split(".")[0]) >= 3 else 2


def read_model_file(path: Path) -> ModelFile:
    """Read version and config of a Keras model file or SavedModel folder; ModelError when it is none."""
    if not path.exists():
        raise ModelError(f"{path}: no such file; give a Keras model (.h5, .keras or a SavedModel folder)")
    if path.is_dir():
        return _read_saved_model(path)
    return _read_h5(path) if _file_format(path) == "h5" else _read_keras(path)


def _file_format(path: Path) -> str:
    try:
        with open_file(path) as file:
            magic = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; give a .h5, a .keras or a SavedModel folder") from error
    named = _SUFFIXES.get(path.suffix.lower())
    found = "h5" if magic == SIGNATURE else "keras" if magic[:4] == b"PK\x03\x04" else None
    if found is None and named is not None:
        raise ModelError(
            f"{path}: not a Keras model: expected an HDF5 or zip file, got {_describe(magic)}; save it again"
        )
    if found is None:
        raise ModelError(
            f"{path}: expected a Keras model (.h5, .keras or a SavedModel folder), got a file of another format"
            f" ({_describe(magic)})"
        )
    inner = user_block_bytes(path)
    if (inner is not None and inner != _start_of_weights(path)) or (found == "h5" and _is_zip(path)):
        raise ModelError(f"{path}: is an HDF5 and a zip file, or two HDF5 files, at once; save the model again")
    if named not in (None, found):
        raise ModelError(
            f"{path}: its name says {_WORDS[str(named)]}, its content is {_WORDS[found]}; rename it to end with"
            f" {'.h5' if found == 'h5' else '.keras'}"
        )
    return found


def _is_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path):
            return True
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return False


def _start_of_weights(path: Path) -> int | None:
    """Where in an archive its own HDF5 file begins: by chance that is where HDF5 looks for one."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            item = archive.getinfo(WEIGHTS_MEMBER)
            file.seek(item.header_offset)
            header = file.read(_LOCAL_HEADER.size)
    except (zipfile.BadZipFile, NotImplementedError, KeyError, ValueError, OSError):
        return None
    if len(header) < _LOCAL_HEADER.size or item.compress_type != zipfile.ZIP_STORED:
        return None
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    return int(item.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes)


def _describe(magic: bytes) -> str:
    return f"a file that begins with {magic!r}" if magic else "an empty file"


def _read_h5(path: Path) -> ModelFile:
    try:
        with h5py.File(path, "r") as file:
            check_self_contained(path, file)
            attributes = {key: file.attrs[key] for key in ("model_config", "keras_version") if key in file.attrs}
            if "keras_version" not in attributes and "model_weights" in file:
                attributes.update({k: v for k, v in file["model_weights"].attrs.items() if k == "keras_version"})
    except DAMAGED as error:
        raise ModelError(
            f"{path}: the HDF5 file is truncated or damaged ({_first_line(error)}); save it again"
        ) from error
    if "model_config" not in attributes:
        raise ModelError(f"{path}: holds weights only, no model configuration; {_SAVE_ADVICE}")
    config = _parse(path, _text(attributes["model_config"]))
    return ModelFile(path, "h5", _version(path, _text(attributes.get("keras_version", "1"))), config)


def _read_keras(path: Path) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelError(f"{path}: {damaged} in it is damaged; save it again")
            metadata = _parse(path, archive.read("metadata.json").decode())
            config = _parse(path, archive.read("config.json").decode())
            weights = io.BytesIO(archive.read(WEIGHTS_MEMBER))
        with h5py.File(weights, "r") as file:
            check_self_contained(path, file)
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError, NotImplementedError, EOFError) as error:
        raise ModelError(
            f"{path}: the zip file is truncated or damaged ({_first_line(error)}); save it again"
        ) from error
    except DAMAGED as error:
        raise ModelError(
            f"{path}: {WEIGHTS_MEMBER} in it is truncated, damaged or locked ({_first_line(error)}); save it again"
        ) from error
    return ModelFile(path, "keras", _version(path, str(metadata.get("keras_version", "2"))), config)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    """ModelError unless the archive has what Keras writes, each name once and below the archive, of sane sizes."""
    names = archive.namelist()
    missing = {"metadata.json", "config.json", WEIGHTS_MEMBER} - set(names)
    if missing:
        raise ModelError(f"{path}: not a Keras model: the zip file has no {', '.join(sorted(missing))}; {_SAVE_ADVICE}")
    if len(names) > MAX_ARCHIVE_MEMBERS:
        raise ModelError(f"{path}: the zip file has {len(names):,} members; at most {MAX_ARCHIVE_MEMBERS:,}")
    seen: set[str] = set()
    for item in archive.infolist():
        name = item.filename
        parts = PurePosixPath(name.replace("\\", "/"))
        if name in seen or parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise ModelError(
                f"{path}: {shown(name)} in it is a name that is there twice or leads out of it; save it again"
            )
        seen.add(name)
        if stat.S_ISLNK(item.external_attr >> 16):
            raise ModelError(f"{path}: {shown(name)} in it is a symbolic link; save it again")
        is_text = name.endswith(".json")
        free = _TEXT_BYTES_FREE if is_text else RATIO_FREE_BYTES
        too_large = item.file_size > max(free, MAX_RATIO * item.compress_size)
        if too_large or (is_text and item.file_size > _LONGEST_TEXT_BYTES):
            raise ModelError(
                f"{path}: {shown(name)} in it unpacks to {item.file_size:,} bytes from {item.compress_size:,};"
                " save it again"
            )
    total = sum(item.file_size for item in archive.infolist())
    if total > MAX_WEIGHT_BYTES:
        raise ModelError(f"{path}: unpacks to {total:,} bytes, expected at most {MAX_WEIGHT_BYTES:,}")


def _read_saved_model(path: Path) -> ModelFile:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(
            f"{path}: a folder without saved_model.pb is no SavedModel; give a .h5, a .keras or a SavedModel folder"
        )
    other = next((part for part in sorted(path.rglob("*")) if not (part.is_file() or part.is_dir())), None)
    if other is not None and not other.is_symlink():
        raise ModelError(f"{path}: {other.relative_to(path)} in it is no file; save the model again")
    _check_links(path)
    from edgesparse.keras_model.saved_model import root_metadata  # imports TensorFlow

    text = root_metadata(path)
    if text is None:
        raise ModelError(f"{path}: this SavedModel holds no Keras layers (model.export writes such); {_SAVE_ADVICE}")
    metadata = _parse(path, text)
    config: dict[str, Any] = {key: metadata[key] for key in ("class_name", "config", "build_config") if key in metadata}
    return ModelFile(path, "saved_model", _version(path, str(metadata.get("keras_version") or "2")), config)


def _check_links(path: Path) -> None:
    """ModelError where a part of a SavedModel that is read lies elsewhere."""
    variables = path / "variables"
    named = (path / "saved_model.pb", path / "keras_metadata.pb", variables)
    for part in chain(named, variables.glob("*")):  # in this order: a link is not followed to list what is behind it
        if part.is_symlink() and not part.resolve().is_relative_to(path.resolve()):
            raise ModelError(
                f"{path}: {part.relative_to(path)} in it is a link to a file outside; copy the folder with its files"
                " (cp -rL)"
            )


def _version(path: Path, text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ModelError(f"{path}: expected a version such as 2.15.0 as keras_version, got {text[:40]!r}")
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:  # of JSON, or of a number with more digits than Python reads
        raise ModelError(f"{path}: the model configuration is no JSON ({_first_line(error)}); save it again") from error
    except RecursionError as error:
        raise ModelError(f"{path}: the model configuration is nested too deeply; save it again") from error
    if not isinstance(config, dict):
        raise ModelError(
            f"{path}: the model configuration is a {type(config).__name__}, expected an object; save it again"
        )
    return config


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
