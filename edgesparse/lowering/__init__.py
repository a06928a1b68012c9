"""From graph ops to kernel calls: which kernel, which weight format, which constants."""

from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.lower import lower, supported_kinds
from edgesparse.lowering.model import PackedModel

__all__ = ["Array", "KernelCall", "PackedModel", "lower", "supported_kinds"]
