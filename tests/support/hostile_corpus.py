"""Files that are made to do harm, by kind: all of them are refused with one line and exit code 2.

A maker gets an empty folder, files to start from, and a bait: a folder with a file `secret.h5`, a vocabulary and the
name of a canary. What runs code writes the canary; what reads other files opens a bait.
"""

from __future__ import annotations

import base64
import io
import json
import marshal
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import h5py
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.small_networks import conv_network, unsupported_network
from tests.support.tflite_builder import TfliteBuilder

__all__ = ["CANARY", "Hostile", "Sources", "hostile_files", "make_bait"]

CANARY = "canary"
Config = dict[str, Any]
Change = Callable[[Config], None]


@dataclass(frozen=True)
class Sources:
    """Sound files of a small model with the layers `first` and `last`, as bytes; a SavedModel folder of the same."""

    h5: bytes
    keras: bytes
    saved_model: Path


@dataclass(frozen=True)
class Hostile:
    """`make(folder, sources, bait)` writes the file or folder and returns its path."""

    kind: str
    name: str
    make: Callable[[Path, Sources, Path], Path]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def make_bait(folder: Path) -> Path:
    """The folder that hostile files point into."""
    folder.mkdir()
    with h5py.File(folder / "secret.h5", "w") as file:
        file["secret"] = np.ones((8, 4), np.float32)
    (folder / "vocabulary.txt").write_text("root\n")
    return folder


def hostile_files() -> list[Hostile]:
    """The whole corpus, in a fixed order."""
    return [*_code(), *_configs(), *_archives(), *_hdf5(), *_saved_models(), *_arrays(), *_tflite()]


# ------------------------------------------------------------------------------------------ code in Keras models


def _bytecode(bait: Path) -> Any:
    """Lambda's function as Keras 2 stores it: what writes the canary, marshalled."""
    code = compile(f"open({str(bait / CANARY)!r}, 'w').close()", "x", "eval")
    return [base64.b64encode(marshal.dumps(code)).decode(), None, None]


def _layer(kind: str, config: Config | None = None, **more: Any) -> Config:
    return {"class_name": kind, "name": "evil", "config": {"name": "evil", **(config or {})}, **more,
            "inbound_nodes": [[["first", 0, 0, {}]]]}  # fmt: skip


def _lambda(bait: Path) -> Config:
    return _layer("Lambda", {"function": _bytecode(bait), "function_type": "lambda", "module": "os"})


def _wrapped(kind: str, inner: Config) -> Config:
    return _layer(kind, {"layer": inner})


def _nested(inner: Config, levels: int) -> Config:
    for _ in range(levels):
        inner = _layer("Sequential", {"layers": [inner]})
    return inner


def _hostile_layers(bait: Path) -> dict[str, Config]:
    """By what is wrong with it."""
    secret, words = str(bait / "secret.h5"), str(bait / "vocabulary.txt")
    code = _lambda(bait)
    function = {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"}
    named = {"class_name": "__lambda__", "config": {"value": "\n".join(map(str, _bytecode(bait)))}}
    cells = _layer("StackedRNNCells", {"cells": [_layer("SimpleRNNCell", {"units": 3}), code]})
    residual = _layer("ResidualWrapper", {"cell": _layer("SimpleRNNCell", {"units": 3}), "wrapper_fn": named})
    return {
        "Lambda": code,
        "Lambda by name": _layer("Lambda", {"function": "system", "function_type": "function", "module": "os"}),
        "Lambda of a package": _layer("keras.layers>Lambda", {"function": _bytecode(bait)}),
        "Lambda in TimeDistributed": _wrapped("TimeDistributed", code),
        "Lambda as a backward layer": _layer("Bidirectional", {"layer": _layer("LSTM"), "backward_layer": code}),
        "Lambda among cells": _layer("RNN", {"cell": cells}),
        "Lambda in a pruning wrapper": _wrapped("PruneLowMagnitude", code),
        "Lambda in DropConnect": _wrapped("DropConnect", code),
        "Lambda in a Sequential": _nested(code, 1),
        "Lambda ten models deep": _nested(code, 10),
        "Lambda as an activation": _layer("Dense", {"units": 2, "activation": code}),
        "Lambda as an argument": {**_layer("Dense", {"units": 2}),
                                  "inbound_nodes": [[["first", 0, 0, {"training": code}]]]},
        "residual cell": _layer("RNN", {"cell": residual}),
        "custom class": _layer("Mine"),
        "custom class of a package": _layer("Evil>Dense", {"units": 2}, registered_name="Evil>Mine"),
        "module of a layer": _layer("Dense", {"units": 2}, module="subprocess", registered_name=None),
        "module next to Keras": _layer("Dense", {"units": 2}, module="keras_evil.layers"),
        "module builtins": _layer("eval", module="builtins", registered_name="eval"),
        "registered name": _layer("Dense", {"units": 2}, module="keras.src.utils.file_utils",
                                  registered_name="urlretrieve"),
        "registered name of a wrapper": {**_wrapped("PruneLowMagnitude", _layer("Dense", {"units": 2})),
                                         "module": "keras.src.utils.data_utils", "registered_name": "urlretrieve"},
        "class name that is a list": {"class_name": ["Dense"], "name": "evil", "config": {"name": "evil"}},
        "class name that is empty": _layer(""),
        "function as an activation": _layer("Dense", {"units": 2, "activation": function}),
        "marshalled activation": _layer("Dense", {"units": 2, "activation": named}),
        "activation that looks up": _layer("Dense", {"units": 2, "activation": "get"}),
        "activation of a module": _layer("Dense", {"units": 2, "activation": "os.system"}),
        "initializer that deserializes": _layer("Dense", {"units": 2, "kernel_initializer": "deserialize"}),
        "custom initializer": _layer("Dense", {"units": 2, "kernel_initializer": {"class_name": "Mine", "config": {}}}),
        "custom regularizer": _layer("Dense", {"units": 2, "kernel_regularizer": {"class_name": "Mine", "config": {}}}),
        "custom constraint": _layer("Dense", {"units": 2, "kernel_constraint": {"class_name": "Mine", "config": {}}}),
        "object in the place of a number": _layer("Dense", {"units": {"class_name": "Popen", "config": {}}}),
        "array of objects": _layer("Dense", {"units": {"class_name": "__numpy__",
                                                       "config": {"value": [None], "dtype": "object"}}}),
        "composite type": {**_layer("Dense", {"units": 2}),
                           "inbound_nodes": [[["_CONSTANT_VALUE", -1, ["_COMPOSITE_TYPE", "{}"], {}]]]},
        "TFOpLambda of a file": _layer("TFOpLambda", {"function": "io.read_file"}),
        "TFOpLambda of a session": _layer("TFOpLambda", {"function": "keras.backend.set_session"}),
        "TFOpLambda that looks up": _layer("TFOpLambda", {"function": "keras.activations.get"}),
        "TFOpLambda of Python": _layer("TFOpLambda", {"function": "py_function"}),
        "ClassMethod": _layer("ClassMethod", {"cls_symbol": "io.TFRecordWriter", "fn_name": "write"}),
        "InstanceProperty": _layer("InstanceProperty", {"attr_name": "__class__"}),
        "InstanceMethod": _layer("InstanceMethod", {"method_name": "__reduce__"}),
        "TensorFlowOpLayer": _layer("TensorFlowOpLayer", {"node_def": "op: 'WriteFile'", "constants": {}}),
        "StringLookup": _layer("StringLookup", {"vocabulary": words}),
        "IntegerLookup": _layer("IntegerLookup", {"vocabulary": words}),
        "TextVectorization": _layer("TextVectorization", {"vocabulary": words}),
        "TFSMLayer": _layer("TFSMLayer", {"filepath": secret}),
        "Hashing": _layer("Hashing", {"num_bins": 3}),
        "FeatureSpace": _layer("FeatureSpace", {"features": {}}),
        "QuantizeWrapperV2": _layer("QuantizeWrapperV2", {"layer": code}),
    }  # fmt: skip


def _code() -> Iterator[Hostile]:
    for name in _hostile_layers(Path()):
        for suffix in (".h5", ".keras"):

            def make(folder: Path, sources: Sources, bait: Path, name: str = name, suffix: str = suffix) -> Path:
                layer = _hostile_layers(bait)[name]
                return _with_config(folder, sources, suffix, lambda config: config["config"]["layers"].insert(1, layer))

            yield Hostile("code", f"{name}, {suffix}", make)


def _with_config(folder: Path, sources: Sources, suffix: str, change: Change) -> Path:
    def text(old: str) -> str:
        config = json.loads(old)
        change(config)
        return json.dumps(config)

    return _with_text(folder, sources, suffix, text)


def _with_text(folder: Path, sources: Sources, suffix: str, change: Callable[[str], str | bytes]) -> Path:
    """The model with another text as its configuration."""
    path = folder / f"model{suffix}"
    if suffix == ".h5":
        path.write_bytes(sources.h5)
        with h5py.File(path, "a") as file:
            text = change(file.attrs["model_config"])
            file.attrs["model_config"] = np.void(text.encode()) if "\0" in str(text) else text
        return path
    text = change(zipfile.ZipFile(io.BytesIO(sources.keras)).read("config.json").decode())
    return _rezipped(path, sources, {"config.json": text.encode() if isinstance(text, str) else text})


# ------------------------------------------------------------------------------------------ configurations


def _configs() -> Iterator[Hostile]:
    texts: dict[str, Callable[[str], str | bytes]] = {
        "no JSON": lambda old: old[:-1],
        "empty": lambda old: "",
        "a list": lambda old: "[]",
        "null": lambda old: "null",
        "a number": lambda old: "7",
        "a text": lambda old: '"Functional"',
        "an empty object": lambda old: "{}",
        "zeros": lambda old: "\0" * 40,
        "no Unicode": lambda old: b'{"class_name": "\xff\xfe"}',
        "lists 200 deep": lambda old: f'{{"class_name": "Functional", "config": {_deep("[", "]", 200)}}}',
        "lists 25,000 deep": lambda old: f'{{"class_name": "Functional", "config": {_deep("[", "]", 25_000)}}}',
        "objects 200 deep": lambda old: _deep('{"a":', "}", 200, "1"),
        "objects 25,000 deep": lambda old: _deep('{"a":', "}", 25_000, "1"),
        "models 60 deep": lambda old: json.dumps(_nested(_layer("Dense", {"units": 2}), 60)),
        "a number of 5,000 digits": lambda old: old.replace('"units": 4', f'"units": {"9" * 5000}'),
        "a real number of 5,000 digits": lambda old: old.replace('"units": 4', f'"units": 0.{"9" * 5000}'),
        "units that are infinite": lambda old: old.replace('"units": 4', '"units": Infinity'),
        "units that are no number": lambda old: old.replace('"units": 4', '"units": NaN'),
        "negative units": lambda old: old.replace('"units": 4', '"units": -4'),
        "units that are a text": lambda old: old.replace('"units": 4', '"units": "four"'),
        "terabytes of weights": lambda old: old.replace('"units": 4', '"units": 99999999999'),
        "gigabytes of weights": lambda old: old.replace('"units": 4', '"units": 99999999'),
        "terabytes of input": lambda old: old.replace("[null, 8]", "[null, 999999999999]"),
        "an open input": lambda old: old.replace("[null, 8]", "[null, null]"),
        "a negative input": lambda old: old.replace("[null, 8]", "[null, -8]"),
        "another class": lambda old: old.replace('"Functional"', '"Subclass"'),
        "two layers of one name": lambda old: old.replace('"first"', '"last"'),
        "a node of a layer that is not there": lambda old: old.replace('[["first", 0, 0', '[["third", 0, 0'),
        "a layer that reads itself": lambda old: old.replace('[["first", 0, 0', '[["last", 0, 0'),
        "the thousandth output of a layer": lambda old: old.replace('[["first", 0, 0', '[["first", 0, 1000'),
        "a key that the layer does not have": lambda old: old.replace('"units": 4', '"units": 4, "callback": "x"'),
        "two layers that read each other": lambda old: old.replace(
            f'[["{json.loads(old)["config"]["layers"][0]["config"]["name"]}", 0, 0', '[["last", 0, 0'
        ),
        "an unknown dtype": lambda old: old.replace('"dtype": "float32"', '"dtype": "string"'),
    }
    for name, change in texts.items():
        for suffix in (".h5", ".keras"):

            def make(folder: Path, sources: Sources, bait: Path, change: Any = change, suffix: str = suffix) -> Path:
                return _with_text(folder, sources, suffix, change)

            yield Hostile("configuration", f"{name}, {suffix}", make)
    for version in ("", "two", "9" * 400, "\0", "2.\n13", "-1", "\u0663.0", "1e9"):

        def make_version(folder: Path, sources: Sources, bait: Path, version: str = version) -> Path:
            metadata = json.dumps({"keras_version": version}).encode()
            return _rezipped(folder / "model.keras", sources, {"metadata.json": metadata})

        yield Hostile("configuration", f"version {version[:9]!r}", make_version)


def _deep(opening: str, closing: str, levels: int, inner: str = "") -> str:
    return opening * levels + inner + closing * levels


# ------------------------------------------------------------------------------------------ zip archives


def _rezipped(path: Path, sources: Sources, members: dict[str, bytes], **options: Any) -> Path:
    """The .keras archive with other members; None leaves one out."""
    with zipfile.ZipFile(io.BytesIO(sources.keras)) as old:
        content = {name: old.read(name) for name in old.namelist()}
    content |= members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)
    return path


def _archives() -> Iterator[Hostile]:
    for name in (
        "../outside",
        "/tmp/absolute",
        "assets/../../outside",
        "C:\\outside",
        "..\\outside",
        "\\\\host\\share",
    ):

        def make_name(folder: Path, sources: Sources, bait: Path, name: str = name) -> Path:
            return _rezipped(folder / "model.keras", sources, {name: b"x"})

        yield Hostile("archive", f"member {name}", make_name)

    def link(folder: Path, sources: Sources, bait: Path) -> Path:
        path = _rezipped(folder / "model.keras", sources, {})
        item = zipfile.ZipInfo("assets")
        item.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(item, str(bait))
        return path

    def twice(folder: Path, sources: Sources, bait: Path) -> Path:
        path = _rezipped(folder / "model.keras", sources, {})
        data = path.read_bytes()  # another member's name, in the directory and before its content
        path.write_bytes(data.replace(b"metadata.json", b"./config.json").replace(b"./config.json", b"metadata.jsoN"))
        return path

    def many(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {f"assets/{number}": b"" for number in range(1001)})

    def long_name(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"../" + "a" * 60_000: b""})

    def text_bomb(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"config.json": b"[" + b" " * 30_000_000 + b"]"})

    def metadata_bomb(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"metadata.json": b"[" + b" " * 30_000_000 + b"]"})

    def weights_bomb(folder: Path, sources: Sources, bait: Path) -> Path:
        weights = zipfile.ZipFile(io.BytesIO(sources.keras)).read("model.weights.h5")
        return _rezipped(folder / "model.keras", sources, {"model.weights.h5": weights + bytes(80_000_000)})

    def other_bomb(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"assets/zeros": bytes(80_000_000)})

    def declared(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(_rezipped(folder / "model.keras", sources, {}), b"config.json", 24, struct.pack("<I", 3 << 30))

    def encrypted(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(_rezipped(folder / "model.keras", sources, {}), b"config.json", 8, b"\1\0")

    def unknown_method(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(_rezipped(folder / "model.keras", sources, {}), b"config.json", 10, b"\x63\0")

    def checksum(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(_rezipped(folder / "model.keras", sources, {}), b"config.json", 16, b"\1\2\3\4")

    def elsewhere(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(_rezipped(folder / "model.keras", sources, {}), b"config.json", 42, struct.pack("<I", 1 << 31))

    def truncated(folder: Path, sources: Sources, bait: Path) -> Path:
        path = folder / "model.keras"
        path.write_bytes(sources.keras[:-30])
        return path

    def no_weights(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"model.weights.h5": None})

    def no_config(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"config.json": None})

    def no_hdf5(folder: Path, sources: Sources, bait: Path) -> Path:
        return _rezipped(folder / "model.keras", sources, {"model.weights.h5": b"weights"})

    def zip_in_hdf5(folder: Path, sources: Sources, bait: Path) -> Path:
        path = folder / "model.h5"
        path.write_bytes(sources.h5)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("config.json", b"{}")
        return path

    def hdf5_in_zip(folder: Path, sources: Sources, bait: Path) -> Path:
        path = folder / "model.keras"
        content = b"\0" * (512 - 30 - len("assets/x")) + sources.h5
        with zipfile.ZipFile(io.BytesIO(sources.keras)) as old, zipfile.ZipFile(path, "w") as new:
            new.writestr("assets/x", content)
            for name in old.namelist():
                new.writestr(name, old.read(name))
        return path

    def wrong_name(folder: Path, sources: Sources, bait: Path) -> Path:
        path = folder / "model.h5"
        path.write_bytes(sources.keras)
        return path

    for make in (link, twice, many, long_name, text_bomb, metadata_bomb, weights_bomb, other_bomb, declared, encrypted,
                 unknown_method, checksum, elsewhere, truncated, no_weights, no_config, no_hdf5, zip_in_hdf5,
                 hdf5_in_zip, wrong_name):  # fmt: skip
        yield Hostile("archive", make.__name__.replace("_", " "), make)


def _patched(path: Path, member: bytes, offset: int, data: bytes) -> Path:
    """Other bytes in a member's entry of the directory at the archive's end."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(member) - 46
    assert content[entry : entry + 4] == b"PK\1\2"
    content[entry + offset : entry + offset + len(data)] = data
    path.write_bytes(content)
    return path


# ------------------------------------------------------------------------------------------ HDF5


def _hdf5() -> Iterator[Hostile]:
    def external_link(file: Any, bait: Path) -> None:
        file["added"] = h5py.ExternalLink(str(bait / "secret.h5"), "/secret")

    def soft_link(file: Any, bait: Path) -> None:
        file["added"] = h5py.SoftLink("/somewhere")

    def external_storage(file: Any, bait: Path) -> None:
        file.create_dataset("added", (8, 4), "f4", external=[(str(bait / "secret.h5"), 0, 128)])

    def virtual_dataset(file: Any, bait: Path) -> None:
        layout = h5py.VirtualLayout((8, 4), "f4")
        layout[...] = h5py.VirtualSource(str(bait / "secret.h5"), "secret", (8, 4))
        file.create_virtual_dataset("added", layout)

    def link_far_below(file: Any, bait: Path) -> None:
        group = file
        for _ in range(50):
            group = group.create_group("deeper")
        group["added"] = h5py.ExternalLink(str(bait / "secret.h5"), "/secret")

    for change in (external_link, soft_link, external_storage, virtual_dataset, link_far_below):
        for suffix in (".h5", ".keras"):

            def make(folder: Path, sources: Sources, bait: Path, change: Any = change, suffix: str = suffix) -> Path:
                return _with_weights(folder, sources, suffix, lambda file: change(file, bait))

            yield Hostile("HDF5", f"{change.__name__.replace('_', ' ')}, {suffix}", make)

    def kernel(**options: Any) -> Callable[[Any], None]:
        def replace(file: Any) -> None:
            group = file["model_weights/first"]
            name = group.attrs["weight_names"][0]
            del group[name]
            group.create_dataset(name, **options)

        return replace

    def names(file: Any) -> None:
        file["model_weights/first"].attrs["weight_names"] = [b"nothing:0", b"nothing:1"]

    def no_names(file: Any) -> None:
        del file["model_weights/first"].attrs["weight_names"]

    def no_layers(file: Any) -> None:
        del file["model_weights"]

    def configuration(file: Any) -> None:
        del file.attrs["model_config"]

    def infinite(file: Any) -> None:
        group = file["model_weights/first"]
        group[group.attrs["weight_names"][0]][0, 0] = np.inf

    changes = {
        "weights of another shape": kernel(data=np.zeros((4, 8), np.float32)),
        "weights of terabytes": kernel(shape=(1 << 20, 1 << 20), dtype="f8", chunks=(1024, 1024)),
        "weights compressed to nothing": kernel(
            shape=(1 << 20, 1 << 20), dtype="f8", chunks=(1024, 1024), compression=9
        ),
        "weights that are text": kernel(shape=(8, 4), dtype=h5py.string_dtype()),
        "weights that are complex": kernel(data=np.zeros((8, 4), np.complex64)),
        "weights that are structs": kernel(data=np.zeros((8, 4), [("a", "f4")])),
        "weights that are references": kernel(shape=(8, 4), dtype=h5py.ref_dtype),
        "weights that are not finite": infinite,
        "weights of other names": names,
        "weights without names": no_names,
        "no weights": no_layers,
        "no configuration": configuration,
    }
    for name, edit in changes.items():

        def make_edit(folder: Path, sources: Sources, bait: Path, edit: Any = edit) -> Path:
            return _with_weights(folder, sources, ".h5", edit)

        yield Hostile("HDF5", name, make_edit)
    for share in (0.02, 0.3, 0.6, 0.97):

        def cut(folder: Path, sources: Sources, bait: Path, share: float = share) -> Path:
            path = folder / "model.h5"
            path.write_bytes(sources.h5[: int(share * len(sources.h5))])
            return path

        yield Hostile("HDF5", f"the first {share:.0%} of a file", cut)


def _with_weights(folder: Path, sources: Sources, suffix: str, change: Callable[[Any], None]) -> Path:
    path = folder / ("model.h5" if suffix == ".h5" else "model.weights.h5")
    with zipfile.ZipFile(io.BytesIO(sources.keras)) as archive:
        path.write_bytes(sources.h5 if suffix == ".h5" else archive.read(path.name))
    with h5py.File(path, "a") as file:
        change(file)
    if suffix == ".h5":
        return path
    return _rezipped(folder / "model.keras", sources, {path.name: path.read_bytes()})


# ------------------------------------------------------------------------------------------ SavedModels


_OPS = (
    "WriteFile", "ReadFile", "EagerPyFunc", "PyFunc", "PyFuncStateless", "InitializeTableFromTextFileV2",
    "RestoreSlice", "MatchingFiles", "CheckpointHasKey", "Print", "PrintV2", "LoadLibrary", "XlaLaunch",
    "TextLineDataset", "GenerateVocabRemapping", "Unknown",
)  # fmt: skip


def _saved_models() -> Iterator[Hostile]:
    def in_graph(saved: Any, op: str) -> None:
        saved.meta_graphs[0].graph_def.node.add(name="hidden", op=op)

    def in_function(saved: Any, op: str) -> None:
        saved.meta_graphs[0].graph_def.library.function[0].node_def.add(name="hidden", op=op)

    def in_another_graph(saved: Any, op: str) -> None:
        saved.meta_graphs.add().graph_def.node.add(name="hidden", op=op)

    def asset(saved: Any, bait: Path) -> None:
        saved.meta_graphs[0].asset_file_def.add(filename=f"../../{bait / 'vocabulary.txt'}")

    def resource(saved: Any, bait: Path) -> None:
        saved.meta_graphs[0].object_graph_def.nodes.add().resource.device = "hidden"

    def asset_object(saved: Any, bait: Path) -> None:
        saved.meta_graphs[0].object_graph_def.nodes.add().asset.asset_file_def_index = 0

    places = (in_graph, in_function, in_another_graph)
    for number, op in enumerate(_OPS):
        place = places[number % len(places)]

        def make(folder: Path, sources: Sources, bait: Path, op: str = op, place: Any = place) -> Path:
            return _with_graph(folder, sources, lambda saved: place(saved, op))

        yield Hostile("SavedModel", f"op {op} {place.__name__.replace('_', ' ')}", make)
    for change in (asset, resource, asset_object):

        def make_change(folder: Path, sources: Sources, bait: Path, change: Any = change) -> Path:
            return _with_graph(folder, sources, lambda saved: change(saved, bait))

        yield Hostile("SavedModel", change.__name__.replace("_", " "), make_change)

    def files(change: Callable[[Path, Path], None]) -> Callable[[Path, Sources, Path], Path]:
        def make(folder: Path, sources: Sources, bait: Path) -> Path:
            path = _copy(sources.saved_model, folder / "model")
            change(path, bait)
            return path

        return make

    def garbage(path: Path, bait: Path) -> None:
        (path / "saved_model.pb").write_bytes(b"\xff" * 99)

    def empty(path: Path, bait: Path) -> None:
        (path / "saved_model.pb").write_bytes(b"")

    def metadata(path: Path, bait: Path) -> None:
        (path / "keras_metadata.pb").write_bytes(b"\xff" * 99)

    def cut_graph(path: Path, bait: Path) -> None:
        data = (path / "saved_model.pb").read_bytes()
        (path / "saved_model.pb").write_bytes(data[: len(data) // 2])

    def no_graph(path: Path, bait: Path) -> None:
        (path / "saved_model.pb").unlink()

    def no_variables(path: Path, bait: Path) -> None:
        for file in (path / "variables").iterdir():
            file.unlink()

    def cut_variables(path: Path, bait: Path) -> None:
        for file in (path / "variables").iterdir():
            file.write_bytes(file.read_bytes()[:20])

    def other_checkpoint(path: Path, bait: Path) -> None:
        no_variables(path, bait)
        (path / "variables" / "variables").mkdir()
        (path / "variables" / "variables" / "checkpoint").write_text(f'model_checkpoint_path: "{bait / "secret.h5"}"\n')

    def linked_graph(path: Path, bait: Path) -> None:
        data = (path / "saved_model.pb").read_bytes()
        (path / "saved_model.pb").unlink()
        (bait / "saved_model.pb").write_bytes(data)
        (path / "saved_model.pb").symlink_to(bait / "saved_model.pb")

    def linked_variables(path: Path, bait: Path) -> None:
        for file in list((path / "variables").iterdir()):
            (bait / file.name).write_bytes(file.read_bytes())
            file.unlink()
            file.symlink_to(bait / file.name)

    def linked_folder(path: Path, bait: Path) -> None:
        _copy(path / "variables", bait / "variables")
        no_variables(path, bait)
        (path / "variables").rmdir()
        (path / "variables").symlink_to(bait / "variables")

    for edit in (garbage, empty, metadata, cut_graph, no_graph, no_variables, cut_variables, other_checkpoint,
                 linked_graph, linked_variables, linked_folder):  # fmt: skip
        yield Hostile("SavedModel", edit.__name__.replace("_", " "), files(edit))


def _copy(source: Path, target: Path) -> Path:
    for file in source.rglob("*"):
        if file.is_file():
            (target / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(source)).write_bytes(file.read_bytes())
    return target


def _with_graph(folder: Path, sources: Sources, change: Callable[[Any], None]) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    path = _copy(sources.saved_model, folder / "model")
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    change(saved)
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    return path


# ------------------------------------------------------------------------------------------ arrays


class _Writes:
    """Unpickling it writes the canary."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return open, (str(self._path), "w")


def _npy(text: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    header = text.encode() + b"\n"
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + data


def _declared(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def _arrays() -> Iterator[Hostile]:
    good = _npy(_declared("(2, 3)"), bytes(24))
    bodies: dict[str, Callable[[Path], bytes]] = {
        "a pickle": lambda bait: _npy(_declared("(1, 1)", "'|O'"), pickle.dumps(_Writes(bait / CANARY))),
        "a pickle alone": lambda bait: pickle.dumps(_Writes(bait / CANARY)),
        "a struct with a pickle": lambda bait: _npy(_declared("(1, 1)", "[('a', '|O')]"), pickle.dumps(_Writes(bait))),
        "a header that calls": lambda bait: _npy(f"__import__('os').mknod({str(bait / CANARY)!r})"),
        "terabytes": lambda bait: _npy(_declared("(1000000, 1000000)")),
        "more than 64 bits": lambda bait: _npy(_declared(f"({1 << 40}, {1 << 40})")),
        "a number of 5,000 digits": lambda bait: _npy(_declared(f"({'9' * 5000},)")),
        "a negative size": lambda bait: _npy(_declared("(-1, 4)")),
        "40 axes": lambda bait: _npy(_declared(f"({'1, ' * 40})"), bytes(4)),
        "sizes that are no numbers": lambda bait: _npy(_declared("('a', 2)")),
        "deep brackets": lambda bait: _npy("(" * 9000),
        "no values": lambda bait: _npy(_declared("(0, 4)")),
        "text": lambda bait: _npy(_declared("(1, 1)", "'<U4'"), bytes(16)),
        "dates": lambda bait: _npy(_declared("(1, 1)", "'<M8[s]'"), bytes(8)),
        "complex numbers": lambda bait: _npy(_declared("(1, 1)", "'<c8'"), bytes(8)),
        "version 9": lambda bait: _npy(_declared("(1, 1)"), bytes(4), b"\x09\0"),
        "infinities": lambda bait: _npy(_declared("(1, 1)"), struct.pack("<f", np.inf)),
        "no numbers": lambda bait: _npy(_declared("(1, 1)"), struct.pack("<f", np.nan)),
        "half of its values": lambda bait: good[:-12],
        "half of its header": lambda bait: good[:30],
        "nothing": lambda bait: b"",
    }
    for name, body in bodies.items():
        for suffix in (".npy", ".npz"):

            def make(folder: Path, sources: Sources, bait: Path, body: Any = body, suffix: str = suffix) -> Path:
                path = folder / f"data{suffix}"
                if suffix == ".npy":
                    path.write_bytes(body(bait))
                else:
                    with zipfile.ZipFile(path, "w") as archive:
                        archive.writestr("x.npy", body(bait))
                return path

            yield Hostile("array", f"{name}, {suffix}", make)

    def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path, Sources, Path], Path]:
        def make(folder: Path, sources: Sources, bait: Path) -> Path:
            with zipfile.ZipFile(folder / "data.npz", "w", method) as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
            return folder / "data.npz"

        return make

    def encrypted(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(npz({"x.npy": good})(folder, sources, bait), b"x.npy", 8, b"\1\0")

    def unknown_method(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(npz({"x.npy": good})(folder, sources, bait), b"x.npy", 10, b"\x63\0")

    def declared_size(folder: Path, sources: Sources, bait: Path) -> Path:
        return _patched(npz({"x.npy": good})(folder, sources, bait), b"x.npy", 24, struct.pack("<I", 3 << 30))

    bomb = _npy(_declared("(1000, 80000)", "'|i1'"), bytes(80_000_000))
    yield Hostile("array", "bomb", npz({"x.npy": bomb}))
    yield Hostile("array", "too many members", npz({f"{number}.npy": b"" for number in range(1001)}))
    yield Hostile("array", "absolute member", npz({"/tmp/x.npy": good}))
    yield Hostile("array", "member that leads out", npz({"../x.npy": good}))
    yield Hostile(
        "array", "labels of another length", npz({"x.npy": good, "y.npy": _npy(_declared("(9,)"), bytes(36))})
    )
    yield Hostile("array", "bzip2", npz({"x.npy": good}, zipfile.ZIP_BZIP2))
    yield Hostile("array", "encrypted", encrypted)
    yield Hostile("array", "unknown method", unknown_method)
    yield Hostile("array", "declared size", declared_size)


# ------------------------------------------------------------------------------------------ .tflite


def _tflite() -> Iterator[Hostile]:
    def file(name: str, data: Callable[[], bytes]) -> Hostile:
        def make(folder: Path, sources: Sources, bait: Path) -> Path:
            path = folder / "model.tflite"
            path.write_bytes(data())
            return path

        return Hostile(".tflite", name, make)

    whole = conv_network()
    for share in (0.0, 0.001, 0.2, 0.5, 0.9, 0.999):
        yield file(f"the first {share:.1%} of a file", lambda share=share: whole[: int(share * len(whole))])
    yield file("text", lambda: b"hello, this is a text file and not a model")
    yield file("identifier alone", lambda: b"\x08\0\0\0TFL3")
    yield file("ones", lambda: b"\xff\xff\xff\xffTFL3" + b"\xff" * 99)
    yield file("unsupported ops", unsupported_network)
    for name, change in _tree_changes().items():
        yield file(name, lambda change=change: _changed(whole, change))
    for name, build in _graphs().items():
        yield file(name, build)


def _changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    tree = schema.ModelT.InitFromPackedBuf(data, 0)
    change(tree)
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tree_changes() -> dict[str, Callable[[Any], None]]:
    """Changes of a network of two convolutions, a dense layer and a softmax."""

    def tensor(number: int, **values: Any) -> Callable[[Any], None]:
        return lambda tree: vars(tree.subgraphs[0].tensors[number]).update(values)

    def quantization(number: int, **values: Any) -> Callable[[Any], None]:
        return lambda tree: vars(tree.subgraphs[0].tensors[number].quantization).update(values)

    def operator(number: int, **values: Any) -> Callable[[Any], None]:
        return lambda tree: vars(tree.subgraphs[0].operators[number]).update(values)

    def options(number: int, **values: Any) -> Callable[[Any], None]:
        return lambda tree: vars(tree.subgraphs[0].operators[number].builtinOptions).update(values)

    def graph(**values: Any) -> Callable[[Any], None]:
        return lambda tree: vars(tree.subgraphs[0]).update(values)

    weights, bias = 6, 7  # of the first convolution, behind the six activations
    scales: dict[str, float] = {
        "NaN": np.nan, "infinite": np.inf, "minus infinite": -np.inf, "zero": 0.0, "negative": -0.1,
        "the largest number": 3.4e38, "1e30": 1e30,
    }  # fmt: skip
    changes: dict[str, Callable[[Any], None]] = {
        f"scale of an activation: {name}": quantization(1, scale=[value]) for name, value in scales.items()
    }
    changes |= {
        f"scale of a weight: {name}": quantization(weights, scale=[value, *[0.01] * 7])
        for name, value in scales.items()
        if name != "1e30"
    }
    changes |= {
        f"zero point {point}": quantization(1, zeroPoint=[point])
        for point in (-129, 128, 255, -(2**31), 2**31 - 1, 2**31, -(2**63), 2**63 - 1)
    }
    changes |= {
        f"type {name}": tensor(1, type=getattr(schema.TensorType, name))
        for name in ("FLOAT32", "INT32", "UINT8", "INT64", "STRING", "FLOAT16", "INT16", "BOOL", "COMPLEX64",
                     "RESOURCE", "VARIANT", "INT4")
    }  # fmt: skip
    changes |= {
        f"shape {shape}": tensor(1, shape=list(shape))
        for shape in ((), (1,), (1, 8, 8), (1, 8, 8, 9), (1, 8, 0, 8), (0, 8, 8, 8), (1, -1, 8, 8), (2, 8, 8, 8),
                      (1, 8, 2**31 - 1, 8), (1, 2**30, 2**30, 2**30), (1,) * 9, (1,) * 5000)
    }  # fmt: skip
    changes |= {
        "16 GiB of input": tensor(0, shape=[1, 1 << 17, 1 << 17, 1]),
        "an empty input": tensor(0, shape=[1, 0, 8, 4]),
        "weights of another shape": tensor(weights, shape=[8, 3, 4, 3]),
        "weights with zero points": quantization(weights, zeroPoint=[3] * 8),
        "too few scales": quantization(weights, scale=[0.1] * 7),
        "too many zero points": quantization(weights, zeroPoint=[0] * 9),
        "scales along axis 9": quantization(weights, quantizedDimension=9),
        "scales along axis -1": quantization(weights, quantizedDimension=-1),
        "two scales of an activation": quantization(1, scale=[0.1, 0.2]),
        "an activation without a scale": tensor(1, quantization=None),
        "a buffer that is not there": tensor(weights, buffer=999),
        "the buffer of another tensor": tensor(weights, buffer=2),
        "a bias of another length": tensor(bias, shape=[7]),
        "a variable": tensor(1, isVariable=True),
        "a name of a megabyte": tensor(1, name="a" * (1 << 20)),
        "an operator code that is not there": operator(0, opcodeIndex=99),
        "no options": operator(0, builtinOptions=None, builtinOptionsType=0),
        "options of another op": operator(0, builtinOptions=schema.SoftmaxOptionsT(), builtinOptionsType=9),
        "an input that is not there": operator(0, inputs=[99, weights, bias]),
        "an input before it is written": operator(0, inputs=[4, weights, bias]),
        "a negative input": operator(0, inputs=[-7, weights, bias]),
        "no inputs": operator(0, inputs=[]),
        "no weights": operator(0, inputs=[0, -1, bias]),
        "four inputs": operator(0, inputs=[0, weights, bias, bias]),
        "no outputs": operator(0, outputs=[]),
        "an output that is a constant": operator(0, outputs=[weights]),
        "an output that is not there": operator(0, outputs=[99]),
        "two outputs": operator(0, outputs=[1, 2]),
        "an op that writes its input": operator(1, outputs=[1]),
        "stride 0": options(0, strideH=0),
        "stride -1": options(0, strideW=-1),
        "stride 2^31 - 1": options(0, strideW=2**31 - 1),
        "dilation 0": options(0, dilationHFactor=0),
        "dilation 2^31 - 1": options(0, dilationHFactor=2**31 - 1),
        "padding 7": options(0, padding=7),
        "activation 9": options(0, fusedActivationFunction=9),
        "activation SIGN_BIT": options(0, fusedActivationFunction=5),
        "shuffled weights": options(3, weightsFormat=1),
        "beta NaN": options(4, beta=np.nan),
        "beta -1": options(4, beta=-1.0),
        "no ops": graph(operators=[]),
        "no graph inputs": graph(inputs=[]),
        "two graph inputs": graph(inputs=[0, 0]),
        "no graph outputs": graph(outputs=[]),
        "a graph output that is a constant": graph(outputs=[weights]),
        "a graph output that is not there": graph(outputs=[-1]),
        "a graph input that is a constant": graph(inputs=[weights]),
        "schema version 2": lambda tree: vars(tree).update(version=2),
        "no subgraphs": lambda tree: vars(tree).update(subgraphs=[]),
        "two subgraphs": lambda tree: tree.subgraphs.append(tree.subgraphs[0]),
        "no operator codes": lambda tree: vars(tree).update(operatorCodes=[]),
        "no buffers": lambda tree: vars(tree).update(buffers=[]),
        "a buffer behind the end": lambda tree: vars(tree.buffers[1]).update(data=None, offset=2**40, size=8),
        "a buffer of 2^63 bytes": lambda tree: vars(tree.buffers[1]).update(data=None, offset=16, size=2**63),
        "a custom op": lambda tree: vars(tree.operatorCodes[0]).update(
            builtinCode=32, deprecatedBuiltinCode=32, customCode="/lib/evil.so"
        ),
        "an op of number 9,999": lambda tree: vars(tree.operatorCodes[0]).update(builtinCode=9999),
        "control flow": lambda tree: vars(tree.operatorCodes[0]).update(builtinCode=schema.BuiltinOperator.WHILE),
        "CALL_ONCE": lambda tree: vars(tree.operatorCodes[0]).update(builtinCode=schema.BuiltinOperator.CALL_ONCE),
    }
    return changes


def _graphs() -> dict[str, Callable[[], bytes]]:
    """Networks of one op that contradict themselves."""

    def one(
        kind: str,
        shape: tuple[int, ...],
        out: tuple[int, ...],
        constant: Any = None,
        scale: float | None = None,
        **options: Any,
    ) -> Callable[[], bytes]:
        def build() -> bytes:
            b = TfliteBuilder()
            inputs = [b.input(shape, 0.1)]
            if constant is not None:
                inputs.append(b.constant(constant, scale))
            y = b.activation(out, 1 / 256 if kind == "SOFTMAX" else 0.1, -128 if kind == "SOFTMAX" else 0)
            b.op(kind, inputs * (2 if kind == "CONCATENATION" else 1), [y], **options)
            return b.build([y])

        return build

    def i32(*values: int) -> Any:
        return np.array(values, np.int32)

    ones = np.ones((1, 1, 1, 2), np.int8)
    window = {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
    depthwise = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "depthMultiplier": 1}

    return {
        "pool of fewer channels": one("MAX_POOL_2D", (1, 4, 4, 8), (1, 4, 4, 2), **window),
        "pool with a filter of 0": one("MAX_POOL_2D", (1, 4, 4, 8), (1, 4, 4, 8), **{**window, "filterHeight": 0}),
        "pool with a filter of 2^31 - 1": one(
            "AVERAGE_POOL_2D", (1, 4, 4, 8), (1, 4, 4, 8), **{**window, "filterHeight": 2**31 - 1}
        ),
        "pool with a stride of -2^31": one(
            "AVERAGE_POOL_2D", (1, 4, 4, 8), (1, 4, 4, 8), **{**window, "strideH": -(2**31)}
        ),
        "concatenation along axis 7": one("CONCATENATION", (1, 3), (1, 6), axis=7),
        "concatenation along axis -9": one("CONCATENATION", (1, 3), (1, 6), axis=-9),
        "concatenation to fewer values": one("CONCATENATION", (1, 3), (1, 5), axis=1),
        "softmax transposed": one("SOFTMAX", (1, 8, 3), (1, 3, 8), beta=1.0),
        "mean over axis 7": one("MEAN", (1, 2, 2, 3), (1, 2, 2, 1), i32(7)),
        "mean over axis -9": one("MEAN", (1, 2, 2, 3), (1, 2, 2, 1), i32(-9)),
        "mean over axes that are reals": one("MEAN", (1, 2, 2, 3), (1, 2, 2, 1), np.array([np.nan], np.float32)),
        "mean over no axes to fewer values": one("MEAN", (1, 2, 2, 3), (1, 2), np.zeros(0, np.int32)),
        "mean over the batch": one("MEAN", (1, 2, 2, 3), (1, 2, 3), i32(0)),
        "resize to another size": one("RESIZE_NEAREST_NEIGHBOR", (1, 2, 2, 3), (1, 4, 4, 3), i32(4, 6)),
        "resize to 2^31 - 1 rows": one("RESIZE_NEAREST_NEIGHBOR", (1, 2, 2, 3), (1, 4, 4, 3), i32(2**31 - 1, 4)),
        "resize to -1 rows": one("RESIZE_NEAREST_NEIGHBOR", (1, 2, 2, 3), (1, 4, 4, 3), i32(-1, 4)),
        "pad by -1": one("PAD", (1, 8), (1, 7), i32(0, 0, -1, 0).reshape(2, 2)),
        "pad by 2^31 - 1": one("PAD", (1, 8), (1, 7), i32(0, 0, 2**31 - 1, 2**31 - 1).reshape(2, 2)),
        "pad of another rank": one("PAD", (1, 8), (1, 8), i32(0, 0, 0, 0, 0, 0).reshape(3, 2)),
        "reshape to more values": one("RESHAPE", (1, 8), (1, 9), i32(1, 9)),
        "reshape to another constant": one("RESHAPE", (1, 8), (1, 8), i32(8, 8)),
        "depthwise of other channels": one("DEPTHWISE_CONV_2D", (1, 2, 2, 3), (1, 2, 2, 2), ones, 0.1, **depthwise),
        "depthwise with multiplier 0": one(
            "DEPTHWISE_CONV_2D", (1, 2, 2, 2), (1, 2, 2, 2), ones, 0.1, **{**depthwise, "depthMultiplier": 0}
        ),
        "depthwise with dilation 65535": one(
            "DEPTHWISE_CONV_2D", (1, 2, 2, 2), (1, 2, 2, 2), ones, 0.1, **{**depthwise, "dilationHFactor": 65535}
        ),
        "dense with weights of one axis": one("FULLY_CONNECTED", (1, 8), (1, 1), np.ones(8, np.int8), 0.1),
        "dense of other inputs": one("FULLY_CONNECTED", (1, 8), (1, 2), np.ones((2, 7), np.int8), 0.1),
        "leaky slope NaN": one("LEAKY_RELU", (1, 8), (1, 8), alpha=np.nan),
        "leaky slope infinite": one("LEAKY_RELU", (1, 8), (1, 8), alpha=np.inf),
        "addition of shapes that do not broadcast": one("ADD", (1, 8), (1, 8), np.ones((1, 3), np.int8), 0.1),
        "product with another scale count": one("MUL", (1, 2), (1, 2), np.ones((1, 2), np.int8), [0.1, 0.2]),
    }  # fmt: skip
