"""Files cut into messages of the log: whole records, in order, from wherever a reader left off."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cityops.data.edge.csvtext import record_ends, records
from cityops.data.edge.mapping import SourceMapping
from cityops.technology.bus import ARROW, CSV, NDJSON

CHUNK_BYTES = 512 * 1024
_LONGEST_RECORD = 4 * 1024 * 1024
_BLANK = b" \t\r\n"


class FileError(ValueError):
    """A file that cannot be loaded; says which, why, and what would do."""


@dataclass(frozen=True)
class Chunk:
    """One message: `rows` records; `position` is where the next chunk begins."""

    payload: bytes
    rows: int
    content_type: str
    position: int


class SourceFile(Protocol):
    """A file of rows. Positions are bytes of text files, rows of Parquet files; `end` is the last."""

    path: Path
    end: int

    def columns(self) -> list[str] | None:
        """Return the names of the columns, None when each row has its own."""
        ...

    def chunks(self, position: int) -> Iterator[Chunk]:
        """Yield the chunks from `position` on. Raises FileError."""
        ...


def open_source(path: Path, mapping: SourceMapping | None) -> SourceFile:
    """Return the reader of `path`, by the end of its name. Raises FileError, also for a column the mapping misses."""
    kinds: dict[str, type[CsvFile | NdjsonFile | ParquetFile]] = {
        ".csv": CsvFile,
        ".txt": CsvFile,
        ".ndjson": NdjsonFile,
        ".jsonl": NdjsonFile,
        ".parquet": ParquetFile,
    }
    if path.suffix.lower() not in kinds:
        raise FileError(f"{path}: {path.suffix or 'no suffix'} is none of {', '.join(kinds)}")
    source: SourceFile = kinds[path.suffix.lower()](path, mapping)
    there = source.columns()
    if mapping and there is not None:
        heads = {name.split(".")[0] for name in there}
        missing = [name for name in mapping.sources if name not in there and name.split(".")[0] not in heads]
        if missing:
            raise FileError(f"{path}: no column {', '.join(missing)}, which mapping {mapping.id} reads; has {there}")
    return source


class _TextFile:
    def __init__(self, path: Path, mapping: SourceMapping | None) -> None:
        self.path = path
        self.end = path.stat().st_size
        self._mapping = mapping

    def _pieces(self, position: int) -> Iterator[tuple[bytes, int]]:
        """Yield text that ends where a record does, and the position after it; a piece follows from its position."""
        size = CHUNK_BYTES
        with self.path.open("rb") as file:
            while position < self.end:
                file.seek(position)
                text = file.read(size)
                cut = len(text) if position + len(text) >= self.end else self._cut(text)
                if cut == 0:
                    size *= 2
                    if size > _LONGEST_RECORD:
                        raise FileError(f"{self.path}: a record of more than {size // 2} bytes at byte {position}")
                    continue
                position, size = position + cut, CHUNK_BYTES
                yield text[:cut], position

    def _cut(self, text: bytes) -> int:
        return text.rfind(b"\n") + 1


class CsvFile(_TextFile):
    """A CSV file with a header line, which every chunk carries."""

    def __init__(self, path: Path, mapping: SourceMapping | None) -> None:
        super().__init__(path, mapping)
        with path.open("rb") as file:
            head = file.read(CHUNK_BYTES)
        ends = record_ends(head)
        if not len(ends) or not head[: ends[0]].strip():
            raise FileError(f"{path}: a header line is wanted")
        self._start = int(ends[0])
        self._header = head[: self._start].rstrip(b"\r\n")

    def columns(self) -> list[str]:
        """Return the names in the header line. Raises FileError when they are not in the mapping's encoding."""
        encoding = self._mapping.encoding if self._mapping else "utf-8"
        try:
            text = self._header.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        except UnicodeDecodeError as error:
            raise FileError(f"{self.path}: the header is not {encoding}: say `encoding` in the mapping") from error
        delimiter = self._mapping.delimiter if self._mapping else ","
        return [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), [])]

    def chunks(self, position: int) -> Iterator[Chunk]:
        """Yield the records after byte `position`, or after the header."""
        for text, after in self._pieces(max(position, self._start)):
            lines = records(text)
            yield Chunk(b"\n".join((self._header, *lines)), len(lines), CSV, after)

    def _cut(self, text: bytes) -> int:
        ends = record_ends(text)
        whole = ends if text.endswith(b"\n") and ends[-1] == len(text) and text.count(b'"') % 2 == 0 else ends[:-1]
        return int(whole[-1]) if len(whole) else 0


class NdjsonFile(_TextFile):
    """A file of JSON objects, one a line."""

    def columns(self) -> None:
        """Return None: every object has fields of its own."""

    def chunks(self, position: int) -> Iterator[Chunk]:
        """Yield the lines after byte `position`."""
        for text, after in self._pieces(position):
            lines = [line for raw in text.split(b"\n") if (line := raw.strip(_BLANK))]
            yield Chunk(b"\n".join(lines), len(lines), NDJSON, after)


class ParquetFile:
    """A Parquet file, sent as Arrow."""

    _ROWS = 10_000

    def __init__(self, path: Path, mapping: SourceMapping | None) -> None:
        self.path = path
        self._mapping = mapping
        try:
            with pq.ParquetFile(path) as file:
                self.end = file.metadata.num_rows
                self._schema = file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{path}: cannot be read as Parquet: {error}") from error

    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return list(self._schema.names)

    def chunks(self, position: int) -> Iterator[Chunk]:
        """Yield the rows after row `position`."""
        at = 0
        with pq.ParquetFile(self.path) as file:
            for rows in file.iter_batches(self._ROWS):
                step = max(1, len(rows) * CHUNK_BYTES // max(1, rows.nbytes))
                for start in range(0, len(rows), step):
                    part = rows.slice(start, step)
                    at += len(part)
                    if at > position:
                        yield Chunk(_arrow(part), len(part), ARROW, at)


def _arrow(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue().to_pybytes())
