"""Ops that the graph of a SavedModel of Keras layers may have: what computes, and what saves and restores variables."""

from __future__ import annotations

__all__ = ["KNOWN_OPS"]

_COMPUTE = (
    "Abs Acos Acosh Add AddN AddV2 AdjustContrastv2 AdjustHue AdjustSaturation All Any ArgMax ArgMin Asin Asinh Atan"
    " Atan2 Atanh AvgPool AvgPool3D AvgPoolGrad BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd"
    " BiasAddGrad Bincount Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Bucketize Cast Ceil CheckNumerics"
    " ClipByValue ConcatOffset ConcatV2 Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropInputV2"
    " Cos Cosh CropAndResize Cumprod Cumsum CumulativeLogsumexp DenseBincount DepthToSpace DepthwiseConv2dNative"
    " DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag DiagPart Digamma Dilation2D Div"
    " DivNoNan Einsum Elu EluGrad Equal Erf Erfc Erfinv EuclideanNorm Exp ExpandDims Expm1 FakeQuantWithMinMaxArgs"
    " FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNormV3"
    " FusedBatchNormGradV3 Gather GatherNd GatherV2 Greater GreaterEqual HSVToRGB ImageProjectiveTransformV2"
    " ImageProjectiveTransformV3 Inv InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeakyReluGrad Less"
    " LessEqual Lgamma LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart MatrixDiag"
    " MatrixDiagV3 Max MaxPool MaxPool3D MaxPoolGrad MaxPoolV2 Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg"
    " NotEqual OneHot OnesLike Pack Pad PadV2 Pow Prod RGBToHSV Range Rank RealDiv Reciprocal Relu Relu6 Relu6Grad"
    " ReluGrad Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseSequence ReverseV2 Rint"
    " Roll Round Rsqrt RsqrtGrad ScatterNd Select SelectV2 Selu Shape ShapeN Sigmoid SigmoidGrad Sign Sin Sinh Size"
    " Slice Softmax Softplus Softsign SpaceToBatchND SpaceToDepth SparseMatMul SparseTensorDenseMatMul Split SplitV"
    " Sqrt Square SquaredDifference Squeeze StridedSlice StridedSliceGrad Sub Sum Tan Tanh TanhGrad"
    " TensorScatterUpdate Tile TopKV2 Transpose TruncateDiv TruncateMod UnsortedSegmentSum Unpack Where Xdivy Xlog1py"
    " Xlogy ZerosLike"
)
_RECURRENT = (
    "CudnnRNNBackpropV3 CudnnRNNV3 EmptyTensorList OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone"
    " TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGetItem TensorListLength"
    " TensorListPopBack TensorListPushBack TensorListReserve TensorListResize TensorListSetItem TensorListStack"
)
_RANDOM = (
    "Multinomial RandomGamma RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip"
    " StatefulStandardNormalV2 StatefulUniform StatelessRandomGetKeyCounter StatelessRandomNormalV2"
    " StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormalV2"
    " TruncatedNormal"
)
_FLOW = (
    "Assert Const EnsureShape Enter Exit Identity IdentityN If LoopCond Merge NextIteration NoOp PartitionedCall"
    " Placeholder PlaceholderWithDefault PreventGradient StatefulPartitionedCall StatelessIf StatelessWhile"
    " StopGradient Switch While"
)
_VARIABLES = (
    "AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp ResourceApplyAdam"
    " ResourceApplyGradientDescent ResourceGather ResourceGatherNd ResourceScatterAdd VarHandleOp VarIsInitializedOp"
    " VariableShape"
)
_CHECKPOINT = "MergeV2Checkpoints RestoreV2 SaveV2 ShardedFilename StaticRegexFullMatch StringJoin"
"""Of the functions that save and restore variables. They take file names: no function of the graph is ever run."""

KNOWN_OPS = frozenset(" ".join((_COMPUTE, _RECURRENT, _RANDOM, _FLOW, _VARIABLES, _CHECKPOINT)).split())
