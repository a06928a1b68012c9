"""An int8 model as bytes, as a graph, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.analysis import ModelStats, analyse
from edgesparse.errors import ModelError
from edgesparse.files import read_file
from edgesparse.graph import FloatArray, Graph, Int8Array, Tensor
from edgesparse.limits import MAX_MODEL_BYTES
from edgesparse.oracle import reference_outputs
from edgesparse.tflite import read_graph, slim

__all__ = ["Network"]


def _file(path: Path) -> bytes:
    try:
        return read_file(path, MAX_MODEL_BYTES)
    except ValueError as error:
        raise ModelError(f"{error}; no board has as much") from error


@dataclass(frozen=True, eq=False)
class Network:
    """An int8 .tflite. `data` is the file."""

    data: bytes
    graph: Graph
    stats: ModelStats

    @staticmethod
    def read(data: bytes) -> Network:
        """Parse and count; ModelError as read_graph raises it."""
        graph = read_graph(data)
        return Network(data, graph, analyse(graph))

    @staticmethod
    def load(path: Path, *, slimmed: bool = False, keep_metadata: bool = False) -> Network:
        """Read a file, and slim it if asked to; ModelError names it."""
        try:
            network = Network.read(_file(path))
            return network.slimmed(keep_metadata=keep_metadata) if slimmed else network
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file") from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error

    def named(self, names: Mapping[int, str]) -> Network:
        """The same model with some ops renamed, by index."""
        graph = self.graph.renamed(names)
        return Network(self.data, graph, analyse(graph))

    def slimmed(self, *, keep_metadata: bool) -> Network:
        """The same model, names of ops included, with a file that holds only what interpreters read."""
        return replace(self, data=slim(self.data, keep_metadata=keep_metadata))

    @property
    def input(self) -> Tensor:
        """The input tensor, [1, ...]."""
        return self.graph.tensors[self.graph.inputs[0]]

    @property
    def output(self) -> Tensor:
        """The output tensor, [1, ...]."""
        return self.graph.tensors[self.graph.outputs[0]]

    def quantized(self, x: FloatArray | Int8Array) -> npt.NDArray[Any]:
        """Float inputs [n, ...] in the model's input dtype; int8 ones as they are."""
        if self.input.dtype != np.int8 or x.dtype == np.int8:
            return x
        quant = self.input.quant
        values = np.round(x / np.float32(quant.scale)) + quant.zero_point
        quantized: npt.NDArray[np.int8] = np.clip(values, -128, 127).astype(np.int8)
        return quantized

    def predict(self, x: FloatArray) -> FloatArray:
        """Float outputs [n, ...] of the reference interpreter for float inputs [n, ...]."""
        return self.dequantized(reference_outputs(self.data, self.quantized(x)).outputs)

    def dequantized(self, outputs: npt.NDArray[Any]) -> FloatArray:
        """Outputs [n, ...] as the model gives them, as float32."""
        if outputs.dtype != np.int8:
            return outputs.astype(np.float32)
        quant = self.output.quant
        return ((outputs.astype(np.float32) - quant.zero_point) * np.float32(quant.scale)).astype(np.float32)
