"""Log files of the children: every line JSON, a file a role, rotated by size."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import BinaryIO

ROTATE_BYTES = 10_000_000
KEEP_FILES = 3
_NATS_LINE = re.compile(rb"^\[\d+\] \S+ \S+ \[(INF|WRN|ERR|FTL|DBG|TRC)\] (.*)$")
_POSTGRES_LINE = re.compile(rb"^\S+ \S+ \S+ \[\d+\] ([A-Z0-9]+): +(.*)$")
_LEVELS = {
    b"INF": "info", b"WRN": "warning", b"ERR": "error", b"FTL": "error", b"DBG": "debug", b"TRC": "debug",
    b"LOG": "info", b"WARNING": "warning", b"ERROR": "error", b"FATAL": "error", b"PANIC": "error",
}  # fmt: skip


class RotatingLog:
    """`<folder>/<role>.jsonl`; when it passes `rotate_bytes` it becomes .1, .1 becomes .2, and so on."""

    def __init__(self, folder: Path, role: str, *, rotate_bytes: int = ROTATE_BYTES, keep: int = KEEP_FILES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{role}.jsonl"
        self._role = role
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, line: bytes) -> None:
        """Append one line; text that is not JSON is wrapped. A disk without room loses log lines, never the child."""
        text = as_json(line, self._role)
        if not text:
            return
        try:
            file = self._open()
            file.write(text + b"\n")
            self._size += len(text) + 1
            if self._size > self._rotate_bytes:
                self._rotate()
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
            self._size = self._file.tell()
        return self._file

    def _rotate(self) -> None:
        self.close()
        names = [self.path, *(self.path.with_suffix(f".jsonl.{n}") for n in range(1, self._keep + 1))]
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            if newer.exists():
                newer.replace(older)


def as_json(line: bytes, role: str) -> bytes:
    """Return `line` as one JSON object: unchanged when it is one, else {t, level, role, event}; empty for nothing."""
    line = line.rstrip()
    if not line or line.startswith(b'{"'):
        return line
    level = "info"
    if match := _NATS_LINE.match(line) or _POSTGRES_LINE.match(line):
        level = _LEVELS.get(match[1], "info")
        line = match[2]
    event = line.decode("utf-8", "replace")
    wrapped = {"t": time.time_ns() // 1_000_000, "level": level, "role": role, "event": event}
    return json.dumps(wrapped, ensure_ascii=False).encode()


def tail(path: Path, lines: int = 8) -> list[str]:
    """Return the last `lines` lines of a log file, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            return [text.decode("utf-8", "replace") for text in file.read().splitlines()[-lines:]]
    except OSError:
        return []
