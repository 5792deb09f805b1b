"""CSV text cut at the ends of its records: a newline inside quotes does not end one (RFC 4180)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_NEWLINE, _QUOTE = 10, 34


def record_ends(text: bytes) -> npt.NDArray[np.int64]:
    """Return the offset just after each record of `text`; the last record needs no newline.

    A quote inside quotes is doubled, so a newline ends a record exactly where the quotes before it are even.
    """
    if not text:
        return np.zeros(0, np.int64)
    letters = np.frombuffer(text, np.uint8)
    newlines = np.flatnonzero(letters == _NEWLINE)
    if b'"' in text:
        quotes = np.flatnonzero(letters == _QUOTE)
        newlines = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    ends = newlines + 1
    if not len(ends) or ends[-1] != len(text):
        ends = np.append(ends, len(text))
    return ends.astype(np.int64)


def records(text: bytes) -> list[bytes]:
    """Return the records of `text` without their line ends; empty ones are left out."""
    ends = record_ends(text)
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    lines = (text[start:end].rstrip(b"\r\n") for start, end in zip(starts, ends, strict=True))
    return [line for line in lines if line.strip()]
