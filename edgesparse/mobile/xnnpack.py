"""Which layers of a float32 file XNNPACK runs on its sparse kernels, and why not the others.

Read in the sources of LiteRT's XNNPACK delegate and of XNNPACK (2026-08), and checked against LiteRT 2.3:

- The delegate asks for sparse inference where an op that it takes reads weights behind a DENSIFY.
- XNNPACK then looks for clusters of float ops that can run channel by channel (NCHW). A cluster begins with a 3x3
  CONV_2D of stride 2 over 3 channels, padded by 1 on each side; it goes on with 1x1 CONV_2D of stride 1, 3x3 or 5x5
  DEPTHWISE_CONV_2D of stride 1 or 2 padded by 1 or 2 on each side, element-wise ops of rank 4, RESIZE_BILINEAR; it
  ends in MEAN, SUM or DEPTH_TO_SPACE. SAME padding at stride 2 counts as none of these: it is not known when the
  cluster is made. A PAD in front of a VALID convolution counts as the convolution's own padding.
- Every value that an op of the cluster reads must be read by ops of the cluster only.
- More than 2/3 of the weights of its 1x1 convolutions must be zero.
- Not on x86 with AVX, where XNNPACK holds dense kernels for faster.
- Blocks: 4 (or 2) consecutive output channels at a time where at least 90 % of the weights in blocks of 4 (2) that are
  not all zero are not zero.
"""

from __future__ import annotations

import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Conv2DOptions, DepthwiseConv2DOptions, FullyConnectedOptions, Graph, Op

__all__ = ["LayerPath", "SparsePlan", "host_refusal", "sparse_plan"]

_UNARY = frozenset(
    "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LOGISTIC TANH HARD_SWISH ABS NEG SQRT RSQRT SQUARE FLOOR CEIL ROUND ELU "
    "LEAKY_RELU EXP GELU SIN COS LOG SIGN".split()
)
_REDUCTIONS = ("MEAN", "SUM")
_EXITS = (*_REDUCTIONS, "DEPTH_TO_SPACE")
_WEIGHT_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class LayerPath:
    """How XNNPACK runs one op with weights. `block`: output channels at a time, 0 where it is not on the sparse path.

    reason: why it is not, empty where it is.
    """

    operator: int
    name: str
    op: str
    sparsity: float
    sparse: bool
    block: int
    reason: str


@dataclass(frozen=True)
class SparsePlan:
    """What XNNPACK does with a file. `hazard`: why it would not load on machines with sparse kernels, mostly empty."""

    layers: tuple[LayerPath, ...]
    hazard: str


def sparse_plan(graph: Graph, encoded: Collection[int]) -> SparsePlan:
    """What XNNPACK does with the dense `graph` whose ops `encoded` (by index) have their weights behind a DENSIFY.

    Holds for machines that have sparse kernels, see host_refusal.
    """
    clusters = _clusters(_Nodes(graph)) if encoded else []
    taken = {index: cluster for cluster in clusters for index in cluster.members}
    layers = []
    for index, op in enumerate(graph.ops):
        if op.kind in _WEIGHT_OPS:
            reason = _why_dense(graph, index, taken.get(index), encoded)
            weights = _matrix(graph, op)
            block = 0 if reason else _block(weights)
            zeros = float(np.mean(weights == 0))
            layers.append(LayerPath(index, op.name, op.kind, zeros, not reason, block, reason))
    return SparsePlan(tuple(layers), next((cluster.hazard for cluster in clusters if cluster.hazard), ""))


def host_refusal(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Why XNNPACK has no sparse kernels on this machine, empty where it has."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686", "i386"):
        return ""
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return "an x86 machine, whose instruction sets are not known"
    flags = {flag for line in text.splitlines() if line.startswith("flags") for flag in line.split()}
    if "avx" not in flags:
        return ""
    return "this machine is an x86 with AVX, where XNNPACK holds dense kernels for faster; Arm takes it"


@dataclass(frozen=True)
class _Cluster:
    """Ops that XNNPACK would turn to NCHW together. `reason`: why it does not; `hazard`: why it should not."""

    members: tuple[int, ...]
    reason: str
    hazard: str


class _Nodes:
    """The ops as XNNPACK sees them: a PAD in front of a VALID convolution is part of that."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.consumers: dict[int, list[int]] = {}
        for index, op in enumerate(graph.ops):
            for tensor in self.variable_inputs(op):
                self.consumers.setdefault(tensor, []).append(index)
        self.producers = {op.outputs[0]: index for index, op in enumerate(graph.ops)}
        self.pads = {index: self._fused_pad(op) for index, op in enumerate(graph.ops)}
        self.fused = {pad for pad in self.pads.values() if pad is not None}

    def variable_inputs(self, op: Op) -> list[int]:
        return [tensor for tensor in op.inputs if tensor >= 0 and self.graph.tensors[tensor].data is None]

    def inputs(self, index: int) -> list[int]:
        """Tensors that the op reads, of its fused PAD where it has one."""
        pad = self.pads[index]
        return self.variable_inputs(self.graph.ops[index if pad is None else pad])

    def readers(self, tensor: int) -> list[int]:
        """Ops that read a tensor, -1 for the model's output."""
        readers = []
        for index in self.consumers.get(tensor, []):
            readers += self.consumers[self.graph.ops[index].outputs[0]] if index in self.fused else [index]
        return [*readers, -1] if tensor in self.graph.outputs else readers

    def padding(self, index: int) -> tuple[int, int, int, int] | None:
        """Rows and columns above, below, left and right; None where only the runtime knows (SAME, strided)."""
        op = self.graph.ops[index]
        options = op.options
        assert isinstance(options, Conv2DOptions | DepthwiseConv2DOptions)
        if options.padding == "SAME":
            if (options.stride_h, options.stride_w) != (1, 1):
                return None
            height, width = self.graph.input(op, 1).shape[1:3]
            rows, columns = (height - 1) * options.dilation_h, (width - 1) * options.dilation_w
            return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
        pad = self.pads[index]
        if pad is None:
            return 0, 0, 0, 0
        sizes = np.asarray(self.graph.input(self.graph.ops[pad], 1).data)
        return int(sizes[1, 0]), int(sizes[1, 1]), int(sizes[2, 0]), int(sizes[2, 1])

    def _fused_pad(self, op: Op) -> int | None:
        if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or getattr(op.options, "padding", "SAME") != "VALID":
            return None
        index = self.producers.get(op.inputs[0])
        if index is None or self.graph.ops[index].kind != "PAD":
            return None
        sizes = self.graph.input(self.graph.ops[index], 1).data
        alone = len(self.consumers[op.inputs[0]]) == 1 and op.inputs[0] not in self.graph.outputs
        spatial = sizes is not None and sizes.shape == (4, 2) and not np.any(sizes[[0, 3]])
        return index if alone and spatial else None


def _clusters(nodes: _Nodes) -> list[_Cluster]:
    """All groups of ops that follow one another and fit NCHW, in the order of their first op."""
    graph = nodes.graph
    refusals = {index: _refusal(nodes, index) for index in range(len(graph.ops)) if index not in nodes.fused}
    entries = {index for index, refusal in refusals.items() if refusal == "" and _is_entry(nodes, index)}
    leader = {index: index for index, refusal in refusals.items() if refusal == ""}

    def find(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    broken: dict[int, str] = {}
    for index in leader:
        for tensor in () if index in entries else nodes.inputs(index):
            producer = nodes.producers.get(tensor)
            if producer is None:
                broken.setdefault(index, f"op {graph.ops[index].name!r} reads the model's input; {_ENTRY}")
            elif producer not in leader or graph.ops[producer].kind == "DEPTH_TO_SPACE":
                why = refusals.get(producer) or "it turns the layout back"
                broken.setdefault(index, f"{_named(graph, producer)} in front of it: {why}")
            else:
                leader[find(index)] = find(producer)
    for index in leader:
        for tensor in () if index in entries else nodes.inputs(index):
            for reader in nodes.readers(tensor):
                if reader not in leader or reader in entries:
                    who = "the model's output" if reader == -1 else _named(graph, reader)
                    why = f": {refusals[reader]}" if refusals.get(reader) else ""
                    broken.setdefault(index, f"{who} reads the same values as {graph.ops[index].name!r}{why}")
    groups: dict[int, list[int]] = {}
    for index in leader:
        groups.setdefault(find(index), []).append(index)
    ended = any(graph.ops[index].kind in _EXITS and index not in broken for index in leader)
    why_none = "" if ended else "nothing ends a cluster; let the convolutions end in GlobalAveragePooling2D"
    return [_cluster(nodes, sorted(members), entries, broken, why_none) for members in groups.values()]


_ENTRY = "a cluster begins with a 3x3 convolution of stride 2 over 3 channels, padded by 1 on each side"


def _cluster(
    nodes: _Nodes, members: list[int], entries: Collection[int], broken: dict[int, str], why_none: str
) -> _Cluster:
    graph = nodes.graph
    reason = next((broken[index] for index in members if index in broken), why_none)
    if not reason:
        pointwise = [_matrix(graph, graph.ops[index]) for index in members if _is_pointwise(graph, index)]
        total, zeros = sum(w.size for w in pointwise), sum(int(np.count_nonzero(w == 0)) for w in pointwise)
        if 3 * zeros <= 2 * total:
            share = f"{zeros / total:.1%}" if total else "none"
            reason = f"{share} of the weights of the cluster's 1x1 convolutions are zero; it takes more than 2/3"
    if reason:
        return _Cluster(tuple(members), reason, "")
    turned = [index for index in members if index not in entries]
    fed = {tensor for index in turned for tensor in nodes.inputs(index)}
    loose = [
        index for index in turned if graph.ops[index].outputs[0] not in fed and graph.ops[index].kind not in _EXITS
    ]
    if not loose:
        return _Cluster(tuple(members), "", "")
    # Seen on LiteRT 2.3: "XNNPack delegate failed to reshape runtime". The output of such an op stays NHWC, its input
    # does not.
    hazard = (
        f"XNNPACK's sparse inference fails on {_named(graph, loose[0])}, which ends a cluster and is no MEAN, SUM or "
        "DEPTH_TO_SPACE; let the convolutions end in GlobalAveragePooling2D and a Dense layer"
    )
    return _Cluster(tuple(members), hazard, hazard)


def _why_dense(graph: Graph, index: int, cluster: _Cluster | None, encoded: Collection[int]) -> str:
    op = graph.ops[index]
    weights = graph.input(op, 1)
    if weights.dtype != np.float32:
        return f"{weights.dtype} weights: XNNPACK's sparse kernels are float; --mobile-dtype float32"
    if not encoded:
        return "no weights of the file are encoded, so that XNNPACK is not asked for it"
    if not _is_pointwise(graph, index):
        return "only 1x1 convolutions have sparse kernels"
    if cluster is None:
        return _pointwise_refusal(op)
    return cluster.reason


def _is_pointwise(graph: Graph, index: int) -> bool:
    op = graph.ops[index]
    if op.kind == "FULLY_CONNECTED":
        return True
    return op.kind == "CONV_2D" and max(graph.input(op, 1).shape[1:3]) == 1


def _is_entry(nodes: _Nodes, index: int) -> bool:
    op = nodes.graph.ops[index]
    return op.kind == "CONV_2D" and nodes.graph.input(op, 1).shape[1:3] == (3, 3)


def _refusal(nodes: _Nodes, index: int) -> str:
    """Why an op cannot run in NCHW, empty where it can."""
    graph, op = nodes.graph, nodes.graph.ops[index]
    rank = len(graph.tensors[op.inputs[0]].shape)
    if any(graph.tensors[tensor].dtype != np.float32 for tensor in (*nodes.variable_inputs(op), op.outputs[0])):
        return "not float32"
    if op.kind == "CONV_2D":
        return _convolution_refusal(nodes, index)
    if op.kind == "DEPTHWISE_CONV_2D":
        return _depthwise_refusal(nodes, index)
    if op.kind == "FULLY_CONNECTED":
        assert isinstance(op.options, FullyConnectedOptions)
        return "" if op.options.keep_num_dims else "it flattens its input"
    if op.kind in ("ADD", "MUL"):
        ranks = {len(graph.tensors[tensor].shape) for tensor in op.inputs}
        constants = [graph.tensors[t] for t in op.inputs if graph.tensors[t].data is not None]
        vectors = all(sum(size > 1 for size in tensor.shape) <= 1 for tensor in constants)
        return "" if ranks == {4} and vectors else "its inputs are not both of rank 4 (constants: vectors)"
    if op.kind == "RESIZE_BILINEAR":
        return "" if min(graph.tensors[op.inputs[0]].shape[1:3]) > 1 else "its input has one row or column"
    if op.kind in _UNARY or op.kind in _REDUCTIONS:
        return "" if rank == 4 else f"its input has rank {rank}, not 4"
    return "" if op.kind == "DEPTH_TO_SPACE" else "it has no NCHW form"


def _pointwise_refusal(op: Op) -> str:
    options = op.options
    if isinstance(options, FullyConnectedOptions):
        return "it flattens its input, which no cluster does"
    assert isinstance(options, Conv2DOptions)
    if (options.stride_h, options.stride_w) != (1, 1):
        return f"stride {options.stride_h}x{options.stride_w}; a 1x1 convolution needs stride 1"
    return "it is padded, dilated or grouped"


def _convolution_refusal(nodes: _Nodes, index: int) -> str:
    graph, op = nodes.graph, nodes.graph.ops[index]
    options, filters = op.options, graph.input(op, 1).shape
    assert isinstance(options, Conv2DOptions)
    groups = graph.tensors[op.inputs[0]].shape[3] // max(filters[3], 1)
    strides, padding = (options.stride_h, options.stride_w), nodes.padding(index)
    if groups != 1 or (options.dilation_h, options.dilation_w) != (1, 1):
        return "grouped or dilated"
    if filters[1:3] == (1, 1):
        return "" if strides == (1, 1) and padding == (0, 0, 0, 0) else _pointwise_refusal(op)
    if filters[1:3] != (3, 3):
        return f"its kernel is {filters[1]}x{filters[2]}; {_ENTRY}"
    if strides != (2, 2) or filters[3] != 3:
        return f"3x3, stride {strides[0]}x{strides[1]}, {filters[3]} input channels; {_ENTRY}"
    return "" if padding == (1, 1, 1, 1) else _padding_refusal(padding, 1)


def _depthwise_refusal(nodes: _Nodes, index: int) -> str:
    graph, op = nodes.graph, nodes.graph.ops[index]
    options, filters = op.options, graph.input(op, 1).shape
    assert isinstance(options, DepthwiseConv2DOptions)
    if options.depth_multiplier != 1 or (options.dilation_h, options.dilation_w) != (1, 1):
        return "it is dilated or multiplies channels"
    if options.stride_h != options.stride_w or options.stride_h not in (1, 2):
        return f"stride {options.stride_h}x{options.stride_w}, not 1 or 2"
    if filters[1:3] not in ((3, 3), (5, 5)):
        return f"its kernel is {filters[1]}x{filters[2]}, not 3x3 or 5x5"
    wanted = filters[1] // 2
    padding = nodes.padding(index)
    return "" if padding == (wanted,) * 4 else _padding_refusal(padding, wanted)


def _padding_refusal(padding: tuple[int, int, int, int] | None, wanted: int) -> str:
    got = "SAME at stride 2" if padding is None else f"{padding[0]}, {padding[1]}, {padding[2]}, {padding[3]}"
    return f"padding {got} instead of {wanted} on each side; use ZeroPadding2D({wanted}) and padding='valid'"


def _named(graph: Graph, index: int) -> str:
    return f"{graph.ops[index].kind} {graph.ops[index].name!r}"


def _matrix(graph: Graph, op: Op) -> npt.NDArray[np.float32]:
    """Weights [out, in]."""
    weights = np.asarray(graph.input(op, 1).data)
    return weights.reshape(len(weights), -1)


def _block(weights: npt.NDArray[np.float32]) -> int:
    """Output channels that XNNPACK's sparse kernel takes at a time: 4, 2 or 1."""
    for block in (4, 2):
        rows = len(weights) // block * block
        kept = weights[:rows].reshape(-1, block, weights.shape[1]) != 0
        if rows and 10 * int(kept.sum()) >= 9 * block * int(kept.any(axis=1).sum()) > 0:
            return block
    return 1
