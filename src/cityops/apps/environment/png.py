"""Writes an RGBA array as a PNG file (ISO/IEC 15948): the few lines that need no imaging library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt


def png(rgba: npt.NDArray[np.uint8]) -> bytes:
    """Return the PNG file of an array of shape (height, width, 4), first row on top."""
    height, width, _ = rgba.shape
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # filter type 0 opens each row
    rows[:, 1:] = rgba.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
