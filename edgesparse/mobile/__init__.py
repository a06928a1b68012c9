"""Files for phones: encoded, checked on the runtimes that phones use, and measured on them."""

from edgesparse.mobile.convert import PhoneModel, phone_model
from edgesparse.mobile.measure import bench

__all__ = ["PhoneModel", "bench", "phone_model"]
