"""Bodies of ingest requests: read within bounds, inflated within bounds, and made into rows of the log."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from cityops.data.edge.arrowbody import NotArrowError, read_stream
from cityops.data.edge.problem import ProblemError
from cityops.technology.bus import ARROW, NDJSON

MAX_BODY = 16 * 1024 * 1024
"""Most bytes of a body, as sent and when inflated; more is to be sent in parts."""

MAX_ROWS = 200_000
MAX_MESSAGE = 1024 * 1024
"""Largest message of the log made of a body: a larger body becomes several."""

JSON = "application/json"
ACCEPTED = (JSON, NDJSON, "application/jsonl", ARROW)
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)

Receive = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """One message for the log: `rows` observations of `content_type`."""

    payload: bytes
    rows: int
    content_type: str


async def read_body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    """Return the whole body, inflated. Raises ProblemError, 413 as soon as it is too long."""
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > MAX_BODY:
        raise _too_large(f"the body is {int(length)} bytes")
    message = await receive()
    if not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large("the body is longer than that")
    else:
        chunks, size = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ProblemError(400, "the client went away before the body was complete")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > MAX_BODY:
                raise _too_large("the body is longer than that")
        body = b"".join(chunks)
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding in {b"identity", b""}:
        return body
    if encoding in {b"gzip", b"x-gzip"}:
        return _inflated(body)
    raise ProblemError(415, f"Content-Encoding {encoding.decode('latin-1')!r} is not taken: send gzip or none")


def _inflated(body: bytes) -> bytes:
    pieces: list[bytes] = []
    left, data = MAX_BODY, body
    try:
        while data:
            inner = zlib.decompressobj(_GZIP_WINDOW)
            piece = inner.decompress(data, left + 1)
            left -= len(piece)
            if left < 0:
                raise _too_large("the gzip body inflates to more")
            if not inner.eof:
                raise ProblemError(400, "the gzip body is cut short")
            pieces.append(piece)
            data = inner.unused_data
    except zlib.error as error:
        raise ProblemError(400, f"the body is not gzip: {error}") from error
    return b"".join(pieces)


def parts_of(body: bytes, content_type: str) -> list[Part]:
    """Return `body` as messages of the log, each row a JSON object on one line. Raises ProblemError 400, 413, 415."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == ARROW:
        return _arrow_parts(body)
    if kind not in ACCEPTED:
        raise ProblemError(415, f"Content-Type {content_type[:100]!r} is not taken: send one of {', '.join(ACCEPTED)}")
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise ProblemError(400, f"the body is not UTF-8 at byte {error.start}", more={"at": error.start}) from error
    rows = _json_rows(body, lines=kind != JSON)
    if len(rows) > MAX_ROWS:
        raise ProblemError(413, f"{len(rows)} observations in one request; at most {MAX_ROWS} are taken")
    joined = b"\n".join(rows)
    # Arrow's reader needs one object a line and nothing else; most bodies are so already.
    if joined[:1] != b"{" or not joined.count(b"\n") == joined.count(b"\n{") == len(rows) - 1:
        rows = [_one_line(row, number) for number, row in enumerate(rows)]
        joined = b"\n".join(rows)
    if len(joined) <= MAX_MESSAGE:
        return [Part(joined, len(rows), NDJSON)]
    return [Part(b"\n".join(chunk), len(chunk), NDJSON) for chunk in _chunks(rows)]


def _json_rows(body: bytes, *, lines: bool) -> list[Any]:
    """Return the observations: an array's items, one object, or the lines of NDJSON."""
    try:
        start = body[:64].lstrip(b" \t\r\n")[:1] or body.lstrip(b" \t\r\n")[:1]
        if start == b"[":
            rows: list[Any] = _ROWS.decode(body)
        elif lines or b"\n" in body.strip():
            rows = _line_rows(body)
        else:
            rows = [_RAW.decode(body)] if start else []
    except msgspec.DecodeError as error:
        raise ProblemError(400, f"malformed JSON: {error}") from error
    except RecursionError as error:
        raise ProblemError(400, "malformed JSON: nested too deeply") from error
    if not rows:
        raise ProblemError(400, "the body holds no observation")
    return rows


def _line_rows(body: bytes) -> list[Any]:
    try:
        return [_RAW.decode(body)]  # one object, perhaps over several lines
    except msgspec.DecodeError:
        pass
    rows: list[Any] = []
    for number, line in enumerate(body.split(b"\n")):
        if text := line.strip(b" \t\r"):
            try:
                rows.append(_RAW.decode(text))
            except msgspec.DecodeError as error:
                raise ProblemError(
                    400, f"malformed JSON in line {number + 1}: {error}", more={"line": number + 1}
                ) from error
    return rows


def _one_line(row: Any, number: int) -> bytes:
    text = bytes(row).strip(b" \t\r\n")
    if text[:1] != b"{":
        raise ProblemError(400, f"observation {number + 1} is not a JSON object", more={"observation": number + 1})
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def _chunks(rows: list[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    size = 0
    for number, row in enumerate(rows):
        if len(row) > MAX_MESSAGE:
            raise ProblemError(
                413, f"observation {number + 1} alone is {len(row)} bytes; at most {MAX_MESSAGE} are taken"
            )
        if chunk and size + len(row) > MAX_MESSAGE:
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += len(row) + 1
    yield chunk


def _arrow_parts(body: bytes) -> list[Part]:
    try:
        table = read_stream(body)
    except NotArrowError as error:
        raise ProblemError(400, str(error)) from error
    if table.num_rows == 0:
        raise ProblemError(400, "the body holds no observation")
    if table.num_rows > MAX_ROWS:
        raise ProblemError(413, f"{table.num_rows} observations in one request; at most {MAX_ROWS} are taken")
    if len(body) <= MAX_MESSAGE:
        return [Part(body, table.num_rows, ARROW)]
    step = max(1, table.num_rows * MAX_MESSAGE // max(1, len(body)) // 2)
    return [_arrow_part(table.slice(start, step)) for start in range(0, table.num_rows, step)]


def _arrow_part(rows: pa.Table) -> Part:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return Part(sink.getvalue().to_pybytes(), rows.num_rows, ARROW)


def _too_large(found: str) -> ProblemError:
    return ProblemError(413, f"{found}; at most {MAX_BODY} bytes are taken, inflated: send several requests")
