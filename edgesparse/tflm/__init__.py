"""Models for TFLite Micro firmware: sparse layers as custom ops, the resolver's ops, the user's library."""

from edgesparse.tflm.arena import ARENA_ALIGNMENT, estimate_arena_bytes
from edgesparse.tflm.custom_ops import CustomOp, encode_call
from edgesparse.tflm.library import GET_TFLM, TFLM_DIR, TflmLibrary, find_library, library_arch
from edgesparse.tflm.model import TflmModel, tflm_model
from edgesparse.tflm.resolver import Registration, registrations

__all__ = [
    "ARENA_ALIGNMENT",
    "GET_TFLM",
    "TFLM_DIR",
    "CustomOp",
    "Registration",
    "TflmLibrary",
    "TflmModel",
    "encode_call",
    "estimate_arena_bytes",
    "find_library",
    "library_arch",
    "registrations",
    "tflm_model",
]
