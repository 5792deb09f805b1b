"""Answers in pieces: whole, block by block, or through a pipe, whichever the statement and its format allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from cityops.data.warehouse.engine import EngineConnection, Tally
from cityops.data.warehouse.pipes import PIECE, PipeAnswer
from cityops.data.warehouse.statement import Kind, Statement

# Every block of these formats is complete in itself, so that blocks one after another are the answer.
_BLOCKWISE = {"native", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "csv", "jsoneachrow", "ndjson", "jsonlines",
              "jsoncompacteachrow", "rowbinary", "linesasstring"}  # fmt: skip
_ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Answer(Protocol):
    """A statement's answer; `read` and `close` run on worker threads, one at a time."""

    @property
    def tally(self) -> Tally:
        """What was read and written so far."""
        ...

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


def answer(
    connection: EngineConnection, statement: Statement, fmt: str, tag: str, parameters: Mapping[str, str]
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
            return PipeAnswer(connection, text, f"FORMAT {fmt} {tail}", parameters)
    return WholeAnswer(*connection.run(f"{text}\n{tail}", fmt, parameters))
