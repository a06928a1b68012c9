"""Files for phones: encoded, checked on the runtimes that phones use, and measured on them."""

from edgesparse.mobile.bench import bench
from edgesparse.mobile.convert import PhoneModel, phone_model

__all__ = ["PhoneModel", "bench", "phone_model"]
