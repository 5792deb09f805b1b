"""Answers in pieces: the engine writes any output format in full, while memory holds only what is on its way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from cityops.data.warehouse.engine import EngineConnection, Tally, quote
from cityops.data.warehouse.errors import EngineError
from cityops.data.warehouse.statement import Kind, Statement

PIECE = 1 << 20
# Every block of these formats is complete in itself, so that blocks one after another are the answer.
_BLOCKWISE = {"native", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv", "jsoneachrow", "ndjson", "jsonlines",
              "jsoncompacteachrow", "rowbinary", "linesasstring"}  # fmt: skip
_ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Answer(Protocol):
    """A statement's answer; `read` and `close` run on worker threads, one at a time."""

    tally: Tally

    def read(self) -> bytes:
        """Return the next piece, b"" at the end. Raises EngineError."""
        ...

    def close(self) -> None:
        """Let go of everything, finished or not."""
        ...


class WholeAnswer:
    """An answer the engine gave at once."""

    def __init__(self, data: bytes, tally: Tally) -> None:
        self._data, self.tally = data, tally

    def read(self) -> bytes:
        """Return the answer, then b""."""
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        """Nothing is held."""


class BlockAnswer:
    """Blocks of a blockwise format or of Arrow streams, as the engine makes them."""

    def __init__(self, pieces: Iterator[tuple[bytes, int]], *, arrow: bool = False) -> None:
        self._source = pieces
        self._pieces = _joined(pieces) if arrow else _with_rows(pieces)
        self.tally = Tally()

    def read(self) -> bytes:
        """Return the next blocks, about PIECE bytes."""
        found: list[bytes] = []
        size = rows = 0
        for piece, count in self._pieces:
            found.append(piece)
            size, rows = size + len(piece), rows + count
            if size >= PIECE:
                break
        tally = self.tally
        self.tally = Tally(
            tally.read_rows + rows,
            tally.read_bytes + size,
            result_rows=tally.result_rows + rows,
            result_bytes=tally.result_bytes + size,
        )
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        """Stop the query when it still runs."""
        for generator in (self._pieces, self._source):
            close = getattr(generator, "close", None)
            if close is not None:
                close()


def _with_rows(pieces: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    return ((piece, rows) for piece, rows in pieces if rows)


def _joined(streams: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield Arrow streams of one schema as one: the first keeps its schema message, the last the mark of the end.

    A stream is messages (mark FFFFFFFF, length of the metadata, metadata, body) and ends with FFFFFFFF 00000000; the
    schema's message, the first, has no body (Arrow columnar format, IPC streaming).
    """
    first = True
    for piece, rows in streams:
        if first:
            yield piece[: -len(_ARROW_END)], rows
        elif rows:
            yield piece[8 + int.from_bytes(piece[4:8], "little") : -len(_ARROW_END)], rows
        first = False
    if not first:
        yield _ARROW_END, 0


class PipeAnswer:
    """The engine writes INTO OUTFILE a named pipe on a thread of its own; we read the other end."""

    def __init__(
        self, connection: EngineConnection, text: str, ending: str, parameters: Mapping[str, str], scratch: Path
    ) -> None:
        self._path = scratch / f"answer-{uuid.uuid4().hex}"
        os.mkfifo(self._path, 0o600)
        self._read_end: int | None = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        # While this end is open a read waits; closing it after the query makes the end of the file.
        self._keeper: int | None = os.open(self._path, os.O_WRONLY)
        os.set_blocking(self._read_end, True)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._read_end, fcntl.F_SETPIPE_SZ, PIECE)
        self._error: EngineError | None = None
        self.tally = Tally()
        sql = f"{text}\nINTO OUTFILE {quote(str(self._path))} TRUNCATE {ending}"
        self._writer = threading.Thread(
            target=self._write, args=(connection, sql, parameters), name="answer", daemon=True
        )
        self._writer.start()

    def _write(self, connection: EngineConnection, sql: str, parameters: Mapping[str, str]) -> None:
        try:
            _, self.tally = connection.run(sql, "Null", parameters)
        except EngineError as error:
            self._error = error
        finally:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                os.close(keeper)

    def read(self) -> bytes:
        """Return what the engine has written, at most PIECE bytes."""
        if self._read_end is None:
            return b""
        if data := os.read(self._read_end, PIECE):
            return data
        self._writer.join()
        if self._error is not None:
            raise self._error
        return b""

    def close(self) -> None:
        """Close our end, which stops a writer, and wait for it."""
        end, self._read_end = self._read_end, None
        if end is not None:
            os.close(end)
        self._writer.join()
        self._path.unlink(missing_ok=True)


def answer(
    connection: EngineConnection, statement: Statement, fmt: str, tag: str, parameters: Mapping[str, str], scratch: Path
) -> Answer:
    """Run `statement` (not Kind.DATA), marked by the comment `tag`, answered in `fmt`. Raises EngineError."""
    text = statement.text.decode("utf-8", "surrogateescape")
    tail = statement.settings.decode("utf-8", "surrogateescape") + f"\n{tag}"
    if statement.kind is Kind.ROWS:
        arrow = fmt.lower() == "arrowstream"
        if arrow or fmt.lower() in _BLOCKWISE:
            if (pieces := connection.stream(f"{text}\n{tail}", fmt, parameters)) is not None:
                return BlockAnswer(pieces, arrow=arrow)
        elif fmt.lower() != "null":
            return PipeAnswer(connection, text, f"FORMAT {fmt} {tail}", parameters, scratch)
    return WholeAnswer(*connection.run(f"{text}\n{tail}", fmt, parameters))
