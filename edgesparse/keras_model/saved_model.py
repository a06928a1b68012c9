"""SavedModels, read as protocol buffers: the layers' configuration, the ops of the graph, the variables' values.

A SavedModel is a program: TensorFlow runs parts of its graph while it loads it. So it is never loaded here. The model
is rebuilt from the configuration that Keras keeps beside the graph, the variables are read from the checkpoint, and a
graph that does more than Keras layers do is refused, since it is not what its configuration says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgesparse.errors import ModelError
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.keras_model.known_classes import CONTAINERS
from edgesparse.keras_model.rebuild import KERAS_ERRORS, one_line
from edgesparse.keras_model.saved_model_ops import KNOWN_OPS
from edgesparse.keras_model.scan import Config
from edgesparse.keras_model.weights import assign, is_wrapper, layers_as_stored

__all__ = ["check_graph", "copy_variables", "root_metadata"]

_MODELS = ("_tf_keras_model", "_tf_keras_network", "_tf_keras_sequential")
_READABLE = frozenset(
    {None, "user_object", "function", "variable", "bare_concrete_function", "constant", "captured_tensor"}
)
"""Kinds of objects that do nothing when they are loaded; a resource has an initializer, an asset is a file."""


def root_metadata(path: Path) -> str | None:
    """The JSON text that Keras wrote about the outermost model, None where there is none."""
    saved = _saved_model(path)
    if (path / "keras_metadata.pb").is_file():
        nodes = [(node.node_id, node.identifier, node.metadata) for node in _keras_metadata(path).nodes]
    else:
        nodes = [
            (index, node.user_object.identifier, node.user_object.metadata)
            for graph in saved.meta_graphs[:1]
            for index, node in enumerate(graph.object_graph_def.nodes)
        ]
    return next((str(text) for index, kind, text in nodes if index == 0 and kind in _MODELS and text), None)


def check_graph(path: Path) -> None:
    """ModelError unless all graphs of a SavedModel have known ops only, and load no files and no resources."""
    found: list[str] = []
    for graph in _saved_model(path).meta_graphs:
        nodes = [*graph.graph_def.node, *(node for f in graph.graph_def.library.function for node in f.node_def)]
        functions = {function.signature.name for function in graph.graph_def.library.function}
        found += [f"op {node.op} ({node.name})" for node in nodes if node.op not in KNOWN_OPS | functions]
        found += [f"asset {asset.filename!r}" for asset in graph.asset_file_def]
        kinds = [node.WhichOneof("kind") for node in graph.object_graph_def.nodes]
        found += [f"object of kind {kind}" for kind in kinds if kind not in _READABLE]
    if found:
        names = list(dict.fromkeys(" ".join(name.split())[:100] for name in found))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ModelError(
            f"{path}: its graph does more than Keras layers do when it is loaded: {', '.join(names[:3])}{more};"
            " save the model with model.save('model.keras'), or pass --unsafe if you trust the file"
        )


def copy_variables(path: Path, model: Any, stored: Config, plain: Config) -> None:
    """Copy the values of a SavedModel's variables into the model rebuilt from its config; see weights.py."""
    try:
        _copy_model(_Checkpoint(path), 0, model, stored, plain)
    except (*KERAS_ERRORS, tensorflow().errors.OpError) as error:
        raise ModelError(f"{path}: the variables cannot be read: {one_line(error)}") from error
    for layer in model._flatten_layers(include_self=False):
        layer.finalize_state()


class _Checkpoint:
    """variables/: a table of arrays, and a graph of objects, linked by attribute names, that says whose they are."""

    def __init__(self, path: Path) -> None:
        with quiet():
            from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

            self.path = path
            # Not train.load_checkpoint, which in a folder goes where a file there points to.
            self.reader = tensorflow().compat.v1.train.NewCheckpointReader(str(path / "variables" / "variables"))
            self.objects = TrackableObjectGraph()
            self.objects.ParseFromString(self.reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))

    def child(self, node: int, name: str) -> int | None:
        """The object under an attribute of another one."""
        children = self.objects.nodes[node].children
        return next((child.node_id for child in children if child.local_name == name), None)

    def array(self, node: int) -> Any:
        """The value of a variable."""
        attributes = self.objects.nodes[node].attributes
        return self.reader.get_tensor(attributes[0].checkpoint_key) if attributes else None


def _copy_model(checkpoint: _Checkpoint, node: int, model: Any, stored: Config, plain: Config) -> None:
    for index, (layer, outer, inner) in enumerate(_counted(model, stored, plain)):
        if layer is None or not layer.weights:
            continue
        place = checkpoint.child(node, f"layer-{index}")
        if place is not None and is_wrapper(outer):
            place = checkpoint.child(place, "layer")
        if place is None:
            raise _missing(checkpoint, layer)
        if inner["class_name"] in CONTAINERS:
            _copy_model(checkpoint, place, layer, outer["config"]["layer"] if is_wrapper(outer) else outer, inner)
        else:
            left = {id(weight) for weight in layer.weights}
            _copy_layer(checkpoint, place, layer, layer, left, set())
            if left:
                raise _missing(checkpoint, layer)


def _counted(model: Any, stored: Config, plain: Config) -> Iterator[tuple[Any, Config, Config]]:
    """The layers that a SavedModel numbers: the InputLayers of Functional models too, as None."""
    if stored["class_name"] != "Sequential":
        layers = {inner["config"]["name"]: layer for layer, _, inner in layers_as_stored(model, stored, plain)}
        for outer, inner in zip(stored["config"]["layers"], plain["config"]["layers"], strict=True):
            yield layers.get(inner["config"]["name"]), outer, inner
    else:
        yield from layers_as_stored(model, stored, plain)


def _copy_layer(checkpoint: _Checkpoint, node: int, owner: Any, layer: Any, left: set[int], seen: set[int]) -> None:
    """Follow the attributes of a layer, and of what it holds, as long as the checkpoint has them too."""
    if id(owner) in seen:
        return
    seen.add(id(owner))
    for name, item in owner._trackable_children().items():
        place = checkpoint.child(node, name)
        if place is None:
            continue
        if id(item) in left:
            assign(checkpoint.path, layer.name, [item], [checkpoint.array(place)])
            left.discard(id(item))
        elif hasattr(item, "_trackable_children"):
            _copy_layer(checkpoint, place, item, layer, left, seen)


def _missing(checkpoint: _Checkpoint, layer: Any) -> ModelError:
    return ModelError(f"{checkpoint.path}: layer {layer.name!r}: the file lacks weights of it; save the model again")


def _saved_model(path: Path) -> Any:
    with quiet():
        tf_keras()
        from tensorflow.core.protobuf import saved_model_pb2
    saved = saved_model_pb2.SavedModel()
    _parse(saved, path / "saved_model.pb")
    if not saved.meta_graphs:
        raise ModelError(f"{path}: saved_model.pb in it holds no graph; save the model again")
    return saved


def _keras_metadata(path: Path) -> Any:
    with quiet():
        tf_keras()
        from tf_keras.protobuf import saved_metadata_pb2
    metadata = saved_metadata_pb2.SavedMetadata()
    _parse(metadata, path / "keras_metadata.pb")
    return metadata


def _parse(message: Any, path: Path) -> None:
    from google.protobuf.message import DecodeError  # protocol buffers come with TensorFlow

    try:
        message.ParseFromString(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise ModelError(f"{path}: is damaged or cannot be read ({one_line(error)}); save it again") from error
