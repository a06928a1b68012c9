"""From a packed model to a firmware project: describe it as C text, render the files."""

from edgesparse.firmware.describe import describe, tensor_view
from edgesparse.firmware.model import FirmwareModel, TensorView
from edgesparse.firmware.render import render

__all__ = ["FirmwareModel", "TensorView", "describe", "render", "tensor_view"]
