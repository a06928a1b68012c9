"""Processes that must not outlive this one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

__all__ = ["ends_with_parent"]


def ends_with_parent(command: Sequence[str]) -> list[str]:
    """The command, killed by Linux when the thread that starts it ends, however that happens.

    By setpriv of util-linux (prctl(2), PR_SET_PDEATHSIG): a function of ours between fork and exec could hang where
    other threads hold locks. Where there is no setpriv the command is as it was, and a killed parent leaves it running,
    as does one that is killed in the milliseconds before setpriv has started.
    """
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "KILL", "--"] if setpriv is not None else []), *command]
