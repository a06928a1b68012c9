"""Build firmware, run it on a device, compare it with the reference, and note what it took."""
