"""How large files from outside may be. Checked on what a file declares, before anything of that size is made.

They are far above what runs on a microcontroller, and far below what stops a computer: whoever meets one has a damaged
file, or one that was made to do harm. docs/limits.md lists them.
"""

from __future__ import annotations

__all__ = ["MAX_CONFIG_BYTES"]

MAX_CONFIG_BYTES = 1 << 20
"""Of an edgesparse.toml."""
