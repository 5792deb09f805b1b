"""Room on the disk: how much may still be written before the reserve is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

RESERVE_VARIABLE = "CITYOPS_DISK_RESERVE_MB"
DEFAULT_RESERVE_MB = 512


def reserve_bytes() -> int:
    """Return the bytes kept free for the engines to finish their work: CITYOPS_DISK_RESERVE_MB or 512 MB."""
    return int(os.environ.get(RESERVE_VARIABLE, DEFAULT_RESERVE_MB)) * 1_000_000


def free_reserve(path: Path, reserve: int | None = None) -> int:
    """Return the bytes that may still be written at `path` before its reserve is touched; below 0 refuse new data."""
    return shutil.disk_usage(path).free - (reserve_bytes() if reserve is None else reserve)
