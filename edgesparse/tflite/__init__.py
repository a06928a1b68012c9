"""TFLite flatbuffers in: a validating reader."""

from edgesparse.tflite.names import identifier
from edgesparse.tflite.read import read_graph

__all__ = ["identifier", "read_graph"]
