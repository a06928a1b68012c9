"""Nothing from a model file runs without --unsafe, and nothing in it opens another file.

The files of MAKERS write a canary when Keras loads them.
"""

from __future__ import annotations

import contextlib
import copy
import json
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgesparse.cli import main
from edgesparse.errors import ModelError
from edgesparse.keras_model import load, rebuild
from edgesparse.keras_model.nodes import check_nodes
from edgesparse.keras_model.scan import plain_config
from tests.keras.hostile_files import MAKERS, edit_config, edit_h5_config, save, small_network


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_that_runs_code_is_refused_before_it_does(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"
    path = MAKERS[name](tmp_path, canary)
    canary.unlink(missing_ok=True)
    monkeypatch.setattr(sys, "argv", ["edgesparse", "inspect", str(path)])
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        main()
    assert not canary.exists()
    assert caught.value.code == 2
    message = [line for line in capfd.readouterr().err.splitlines() if "error" in line or "Traceback" in line]
    assert len(message) == 1
    assert str(path) in message[0]


@pytest.mark.parametrize("name", ["residual cell", "Lambda in a SavedModel"])
def test_unsafe_is_the_way_past(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    path = MAKERS[name](tmp_path, canary)
    canary.unlink(missing_ok=True)
    with pytest.raises(ModelError, match="--unsafe"):
        load(path)
    load(path, unsafe=True)
    assert canary.exists()


# ------------------------------------------------------------------------------------------ configurations


def container(**layer: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}


@pytest.mark.parametrize(
    ("layer", "finding"),
    [
        ({"class_name": "StringLookup", "config": {"name": "d", "vocabulary": "/etc/passwd"}}, "StringLookup"),
        ({"class_name": "TextVectorization", "config": {"name": "d"}}, "TextVectorization"),
        ({"class_name": "QuantizeWrapperV2", "config": {"name": "d"}}, "QuantizeWrapperV2"),
        ({"class_name": ["Dense"], "config": {"name": "d"}}, "Dense"),
        ({"class_name": "Dense", "config": ["units", 3], "name": "d"}, "no object"),
        ({"class_name": "Lambda", "config": {"name": "d"}}, "executes code"),
        ({"class_name": "Dense", "registered_name": "get_file", "config": {"name": "d"}}, "get_file"),
        ({"class_name": "Dense", "config": {"name": "d", "activation": "get"}}, "activation 'get'"),
        ({"class_name": "Dense", "config": {"name": "d", "bias_initializer": "deserialize"}}, "'deserialize'"),
        ({"class_name": "Dense", "config": {"name": "d", "kernel_constraint": {"class_name": "Mine"}}}, "Mine"),
        ({"class_name": "Dense", "config": {"name": "d", "units": {"class_name": "Popen"}}}, "Popen"),
        ({"class_name": "DropConnect", "config": {"name": "d", "layer": {"config": {}}}}, "around no layer"),
        (
            {"class_name": "RNN", "config": {"name": "r", "cell": {"class_name": "Mine", "config": {"name": "d"}}}},
            "Mine",
        ),
        (
            {"class_name": "Bidirectional", "config": {"backward_layer": {"class_name": "Lambda", "name": "d"}}},
            "executes code",
        ),
        (
            {
                "class_name": "Dense",
                "config": {"name": "d"},
                "inbound_nodes": [[["_CONSTANT_VALUE", -1, ["_COMPOSITE_TYPE", "{}"], {}]]],
            },
            "executes code",
        ),
        ({"class_name": "TFOpLambda", "config": {"name": "d", "function": "keras.backend.set_session"}}, "executes"),
        ({"class_name": "TFOpLambda", "config": {"name": "d", "function": "keras.activations.get"}}, "executes"),
        ({"class_name": "TFOpLambda", "config": {"name": "d", "function": "nn.RNNCellResidualWrapper"}}, "executes"),
        ({"class_name": "ClassMethod", "config": {"name": "d", "cls_symbol": "io.TFRecordWriter"}}, "executes code"),
        ({"class_name": "TensorFlowOpLayer", "config": {"name": "d", "node_def": "op: 'WriteFile'"}}, "executes"),
    ],
)
def test_what_is_not_known_is_refused_by_layer(layer: dict[str, Any], finding: str) -> None:
    with pytest.raises(ModelError, match=r"^m\.h5: .*'d'") as caught:
        plain_config("m.h5", container(**layer))
    assert finding in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_a_layer_does_not_have_is_refused(tmp_path: Path) -> None:
    def add_a_key(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["callback"] = "os.system"

    path = edit_h5_config(save(small_network(), tmp_path / "key.h5"), add_a_key)
    with pytest.raises(ModelError, match=r"cannot be rebuilt in tf_keras: .*callback"):
        load(path)


def test_modules_and_what_a_model_was_compiled_with_are_left_out() -> None:
    config = container(class_name="Dense", config={"name": "d"}, module="keras.layers", build_config={})
    config["compile_config"] = {"loss": {"class_name": "function", "module": "os", "config": "system"}}
    text = str(plain_config("m.h5", config))
    assert "module" not in text
    assert "compile_config" not in text


@pytest.mark.parametrize("levels", [200, 25_000])
@pytest.mark.parametrize("name", ["deep.h5", "deep.keras"])
def test_a_deep_configuration_is_refused(tmp_path: Path, name: str, levels: int) -> None:
    text = '{"class_name": "Functional", "config": ' + "[" * levels + "]" * levels + "}"
    path = save(small_network(), tmp_path / name)
    if name == "deep.h5":
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = text
    else:
        path = rewritten(path, tmp_path / "other.keras", {"config.json": text.encode()})
    with pytest.raises(ModelError, match="nested"):
        load(path)


@pytest.mark.parametrize("version", ["", "two", "99" * 400, "2" * 30])
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: str) -> None:
    path = save(small_network(), tmp_path / "version.h5")
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = version
    with pytest.raises(ModelError):
        load(path)


def damaged(config: Any, generator: random.Random) -> Any:
    """A copy with one value, at any depth, replaced by one of another type."""
    config = copy.deepcopy(config)
    places: list[tuple[Any, Any]] = []
    pending = [config]
    while pending:
        item = pending.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        places += [(item, key) for key in keys]
        pending += [item[key] for key in keys if isinstance(item[key], dict | list)]
    item, key = generator.choice(places)
    item[key] = generator.choice([None, 7, -1, "text", [], {}, [[]], {"class_name": "Dense"}, {"class_name": 3}])
    return config


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_configuration_gives_one_kind_of_error(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_REBUILD_SECONDS", 3.0)
    generator = random.Random(seed)

    def change(config: dict[str, Any]) -> None:
        replacement = damaged(config, generator)
        config.clear()
        config.update(replacement)

    path = edit_h5_config(save(small_network(), tmp_path / "damaged.h5"), change)
    with contextlib.suppress(ModelError):  # what was replaced may not matter
        load(path)


# ------------------------------------------------------------------------------------------ files


def rewritten(source: Path, target: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, members.pop(name, old.read(name)))
        for name, content in members.items():
            new.writestr(name, content)
    return target


@pytest.mark.parametrize("name", ["../outside", "/tmp/absolute", "assets/../../outside", "C:\\outside", "..\\outside"])
def test_a_member_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = rewritten(save(small_network(), tmp_path / "a.keras"), tmp_path / "b.keras", {name: b"x"})
    with pytest.raises(ModelError, match="leads out of it"):
        load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = save(small_network(), tmp_path / "a.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"{}")
    with pytest.raises(ModelError, match="there twice"):
        load(path)


def test_a_config_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    bomb = json.dumps({"class_name": " " * 10_000_000}).encode()
    path = rewritten(save(small_network(), tmp_path / "a.keras"), tmp_path / "b.keras", {"config.json": bomb})
    with pytest.raises(ModelError, match=r"'config\.json' in it unpacks to 10,000,018 bytes"):
        load(path)


def test_weights_that_take_too_much_are_refused_before_they_are_made(tmp_path: Path) -> None:
    def enlarge(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["units"] = 70_000_000

    path = edit_h5_config(save(small_network(), tmp_path / "large.h5"), enlarge)
    with pytest.raises(ModelError, match=r"weights of more than 2,147,483,648 bytes, with .*\(8, 70000000\)"):
        load(path)


def read_by_all(*references: list[Any]) -> list[dict[str, Any]]:
    """An Input, layers that read the references, one node for each list of them."""
    layers = [{"class_name": "InputLayer", "name": "x", "inbound_nodes": []}]
    return layers + [
        {"class_name": "Dense", "name": name, "inbound_nodes": [[node] for node in nodes]}
        for name, nodes in zip("abc", references, strict=False)
    ]


@pytest.mark.parametrize(
    ("references", "stuck"),
    [
        ([[["x", 0, 0, {}]], [["a", 0, 0, {}]]], None),
        ([[["b", 0, 0, {}]], [["x", 0, 0, {}]]], None),
        ([[["x", 0, 0, {}], ["b", 0, 0, {}]], [["a", 0, 0, {}]], [["a", 1, 0, {}]]], None),
        ([[["x", 7, 0, {}]]], None),
        ([[["x", 0, 0, {"training": ["a", 0, 0]}]]], "a"),
        ([[["a", 0, 0, {}]]], "a"),
        ([[["b", 0, 0, {}]], [["a", 0, 0, {}]]], "a"),
        ([[["x", 0, 0, {}]], [["a", 1, 0, {}]]], "b"),
        ([[["b", 0, 0, {}], ["x", 0, 0, {}]], [["a", 1, 0, {}]]], "a"),
    ],
)
def test_layers_that_read_each_other_are_refused(references: list[list[Any]], stuck: str | None) -> None:
    """Keras would look for ever for one to begin with."""
    inner = {"class_name": "Functional", "name": "inner", "config": {"layers": read_by_all(*references)}}
    outer = {"class_name": "Sequential", "config": {"layers": [inner]}}
    if stuck is None:
        check_nodes("m.h5", inner)
        check_nodes("m.h5", outer)
    else:
        for config in (inner, outer):
            with pytest.raises(ModelError, match=f"m.h5: layer '{stuck}' reads itself"):
                check_nodes("m.h5", config)


def test_a_name_that_contradicts_the_content_is_refused(tmp_path: Path) -> None:
    h5, keras = save(small_network(), tmp_path / "a.h5"), save(small_network(), tmp_path / "b.keras")
    h5, keras = h5.rename(tmp_path / "a.keras"), keras.rename(tmp_path / "b.hdf5")
    with pytest.raises(
        ModelError, match=r"a\.keras: its name says zip, its content is HDF5; rename it to end with \.h5"
    ):
        load(h5)
    with pytest.raises(ModelError, match=r"b\.hdf5: its name says HDF5, its content is zip"):
        load(keras)
    assert load(h5.rename(tmp_path / "model")).format == "h5"


def test_an_hdf5_file_with_a_zip_behind_it_is_refused(tmp_path: Path) -> None:
    path = save(small_network(), tmp_path / "a.h5")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"{}")
    with pytest.raises(ModelError, match="at once"):
        load(path)


def test_weights_that_happen_to_lie_where_hdf5_looks_are_no_second_file(tmp_path: Path) -> None:
    source = save(small_network(), tmp_path / "a.keras")
    with zipfile.ZipFile(source) as old:
        content = {name: old.read(name) for name in ("metadata.json", "config.json", "model.weights.h5")}
    config = json.dumps(json.loads(content["config.json"]), separators=(",", ":"))
    head = sum(30 + len(name) for name in content) + len(content["metadata.json"])
    path = tmp_path / "b.keras"
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("metadata.json", content["metadata.json"])
        new.writestr("config.json", config.ljust(4096 - head))
        new.writestr("model.weights.h5", content["model.weights.h5"])
    assert path.read_bytes()[4096:4100] == b"\x89HDF"
    assert load(path).format == "keras"


def external_link(group: Any, other: Path) -> None:
    group["kernel:0"] = h5py.ExternalLink(str(other), "/secret")


def soft_link(group: Any, other: Path) -> None:
    group["kernel:0"] = h5py.SoftLink("/somewhere")


def external_storage(group: Any, other: Path) -> None:
    group.create_dataset("kernel:0", (8, 4), "f4", external=[(str(other), 0, 128)])


def virtual_dataset(group: Any, other: Path) -> None:
    layout = h5py.VirtualLayout((8, 4), "f4")
    layout[...] = h5py.VirtualSource(str(other), "secret", (8, 4))
    group.create_virtual_dataset("kernel:0", layout)


@pytest.mark.parametrize("replace", [external_link, soft_link, external_storage, virtual_dataset])
@pytest.mark.parametrize("name", ["a.h5", "a.keras"])
def test_hdf5_that_reads_another_file_is_refused(
    tmp_path: Path, name: str, replace: Callable[[Any, Path], None]
) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((8, 4), np.float32)
    path = save(small_network(), tmp_path / name)
    weights = path
    if name == "a.keras":
        weights = tmp_path / "model.weights.h5"
        with zipfile.ZipFile(path) as archive:
            weights.write_bytes(archive.read(weights.name))
    with h5py.File(weights, "a") as file:
        replace(file.create_group("added"), other)
    if name == "a.keras":
        path = rewritten(path, tmp_path / "b.keras", {weights.name: weights.read_bytes()})
    with pytest.raises(ModelError, match=r"/added/kernel:0 .*(link|another file)"):
        load(path)


def test_groups_of_hdf5_in_a_ring_end(tmp_path: Path) -> None:
    path = save(small_network(), tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/ring"] = file["model_weights"]
    assert load(path).format == "h5"


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = save(small_network(), tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        group = file["model_weights/first"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group.create_dataset(name, (8, 4), h5py.string_dtype())
    with pytest.raises(ModelError, match="layer 'first': expected numbers as weights"):
        load(path)


def test_a_keras3_file_is_judged_before_keras3_sees_it(tmp_path: Path) -> None:
    """Its version says Keras 3; the named attribute would be looked up there."""
    metadata = json.dumps({"keras_version": "3.9.0"}).encode()
    item = {
        "module": "keras.src.utils.file_utils",
        "class_name": "Dense",
        "registered_name": "urlretrieve",
        "config": {"name": "fetch"},
        "name": "fetch",
    }
    path = edit_config(
        save(small_network(), tmp_path / "a.keras"),
        tmp_path / "b.keras",
        lambda config: config["config"]["layers"].append(item),
    )
    with pytest.raises(ModelError, match=r"'fetch' \(keras\.src\.utils\.file_utils\.urlretrieve\)"):
        load(rewritten(path, tmp_path / "c.keras", {"metadata.json": metadata}))


# ------------------------------------------------------------------------------------------ SavedModels


def op_in_a_function(saved: Any) -> None:
    saved.meta_graphs[0].graph_def.library.function[0].node_def.add(name="hidden", op="WriteFile")


def op_in_another_graph(saved: Any) -> None:
    saved.meta_graphs.add().graph_def.node.add(name="hidden", op="EagerPyFunc")


def table_from_a_file(saved: Any) -> None:
    saved.meta_graphs[0].graph_def.node.add(name="hidden", op="InitializeTableFromTextFileV2")


def asset(saved: Any) -> None:
    saved.meta_graphs[0].asset_file_def.add(filename="../../hidden")


def resource(saved: Any) -> None:
    saved.meta_graphs[0].object_graph_def.nodes.add().resource.device = "hidden"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (op_in_a_function, r"op WriteFile \(hidden\)"),
        (op_in_another_graph, r"op EagerPyFunc \(hidden\)"),
        (table_from_a_file, r"op InitializeTableFromTextFileV2 \(hidden\)"),
        (asset, r"asset '\.\./\.\./hidden'"),
        (resource, "object of kind resource"),
    ],
)
def test_a_graph_that_does_more_than_layers_is_refused(
    tmp_path: Path, change: Callable[[Any], None], finding: str
) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = save(small_network(), tmp_path / "net", save_format="tf")
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    change(saved)
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ModelError, match=rf"net: its graph does more .*{finding}.*--unsafe"):
        load(path)


def test_variables_come_from_the_folder_itself(tmp_path: Path) -> None:
    """TensorFlow takes a folder in the place of a checkpoint, and goes where its file `checkpoint` points to."""
    other = save(small_network(), tmp_path / "other", save_format="tf") / "variables" / "variables"
    path = save(small_network(), tmp_path / "net", save_format="tf")
    for file in (path / "variables").iterdir():
        file.unlink()
    (path / "variables" / "variables").mkdir()
    (path / "variables" / "variables" / "checkpoint").write_text(f'model_checkpoint_path: "{other}"\n')
    with pytest.raises(ModelError, match="the variables cannot be read"):
        load(path)
