"""From a packed model to a firmware project: describe it as C text, render the files."""

from edgesparse.firmware.describe import describe, tensor_view
from edgesparse.firmware.model import FirmwareModel, TensorView
from edgesparse.firmware.names import model_name
from edgesparse.firmware.render import LICENCES, render
from edgesparse.firmware.tflm import render_tflm, set_arena

__all__ = [
    "LICENCES",
    "FirmwareModel",
    "TensorView",
    "describe",
    "model_name",
    "render",
    "render_tflm",
    "set_arena",
    "tensor_view",
]
