"""TFLite flatbuffers: a validating reader, and writers."""

from edgesparse.tflite.names import identifier
from edgesparse.tflite.read import read_graph
from edgesparse.tflite.slim import slim

__all__ = ["identifier", "read_graph", "slim"]
