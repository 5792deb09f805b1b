"""One request of ClickHouse's HTTP protocol and its answer."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from cityops.data.warehouse import compression
from cityops.data.warehouse.body import MAX_FORM, Receive, pieces, read_all, read_statement
from cityops.data.warehouse.engine import Tally
from cityops.data.warehouse.errors import (
    ACCESS_DENIED,
    INTO_OUTFILE_NOT_ALLOWED,
    SYNTAX_ERROR,
    UNKNOWN_FORMAT,
    UNKNOWN_TYPE_OF_QUERY,
    EngineError,
)
from cityops.data.warehouse.lane import Lane
from cityops.data.warehouse.pipes import PIECE, Insert
from cityops.data.warehouse.request import Request, read_form, read_head
from cityops.data.warehouse.results import Answer, answer
from cityops.data.warehouse.sessions import Lease
from cityops.data.warehouse.statement import Kind, Statement
from cityops.data.warehouse.tokens import values_reader

if TYPE_CHECKING:
    from cityops.data.warehouse.app import WarehouseApp

Send = Callable[[dict[str, Any]], Awaitable[None]]
_PLAIN = "text/plain; charset=UTF-8"
_INSERT_AHEAD = 4 * PIECE
_SPOOL_MEMORY = 4 * PIECE
_LITERALS = "input_format_values_interpret_expressions = 0"
_HOST = socket.gethostname()
_MIME = {
    "tabseparated": "text/tab-separated-values; charset=UTF-8", "tsv": "text/tab-separated-values; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent", "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "json": "application/json; charset=UTF-8", "jsoncompact": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8", "native": "application/octet-stream",
    "arrowstream": "application/octet-stream", "arrow": "application/octet-stream",
    "parquet": "application/octet-stream", "rowbinary": "application/octet-stream",
}  # fmt: skip


class Exchange:
    """Reads one request, runs its statement in a lane and sends the answer."""

    def __init__(self, app: WarehouseApp, send: Send, *, head: bool) -> None:
        self._app = app
        self._send = send
        self._head = head
        self._began = False
        self._query_id = ""
        self._encoder: compression.Encoder | None = None
        self._last: list[dict[str, Any]] = []
        self._tag = secrets.token_hex(8)
        self._clock = time.perf_counter_ns()

    async def serve(self, scope: dict[str, Any], receive: Receive) -> None:
        """Answer the request. Raises EngineError, ClientGoneError."""
        request = read_head(scope)
        self._query_id = request.query_id
        self._app.check(request)
        body = pieces(receive, request.content_encoding)
        if request.boundary:
            read_form(request, await read_all(body, MAX_FORM))
        statement, rows = await read_statement(request.query.encode("utf-8", "surrogateescape"), body)
        if not statement.text.strip():
            await reply(self._send, 200, b"Ok.\n", {"content-type": "text/html; charset=UTF-8"}, head=self._head)
            return
        _refuse(statement.forbidden)
        key = await self._app.sessions.lock(request)
        try:
            if statement.kind is Kind.DATA:
                await self._insert(request, statement, rows, body, key)
            else:
                await self._query(request, statement, receive, key)
        finally:
            self._app.sessions.unlock(key, request)
        for message in self._last:  # only now: the client's next request finds its session free
            await self._send(message)

    async def fail(self, error: EngineError) -> None:
        """Tell the client what went wrong: by status, or inside the stream when the answer has begun."""
        text = f"{error.message} (version {self._app.version})\n".encode()
        if not self._began:
            self._began = True
            headers = self._headers() | {"content-type": _PLAIN, "x-clickhouse-exception-code": str(error.code)}
            await reply(self._send, error.status, text, headers, head=self._head)
            return
        tag = self._tag
        block = f"\r\n__exception__\r\n{tag}\r\n".encode() + text + f"{len(text)} {tag}\r\n__exception__\r\n".encode()
        if self._encoder is not None:
            block = self._encoder.compress(block) + self._encoder.flush()
        await self._send({"type": "http.response.body", "body": block})

    # -- inserts

    async def _insert(
        self,
        request: Request,
        statement: Statement,
        rows: bytes,
        body: AsyncIterator[bytes],
        key: tuple[str, str] | None,
    ) -> None:
        """Read ahead before taking a place in the lane: a slow sender holds none, and most bodies end there."""
        ahead, ended = await _read_ahead(rows, body)
        async with self._app.inserts as lane:
            lease, insert, tally = await lane.call(self._open_insert, request, statement, key, ahead, ended)
            try:
                while tally is None:
                    ahead, ended = await _read_ahead(b"", body)
                    tally = await lane.call(_go_on, insert, ahead, ended)
            finally:
                await lane.call(self._close_insert, insert, lease, statement, tally is not None)
        headers = self._headers() | {"content-type": _PLAIN, "x-clickhouse-summary": self._summary(tally)}
        self._last = _whole(200, b"", headers)

    def _open_insert(
        self, request: Request, statement: Statement, key: tuple[str, str] | None, data: bytes, ended: bool
    ) -> tuple[Lease, Insert, Tally | None]:
        engine, sessions, tag = self._app.engine, self._app.sessions, _tag(request)
        lease = sessions.lease(engine, key, request, statement)
        try:
            if request.parameters:
                lease.connection.set({f"param_{name}": value for name, value in request.parameters.items()})
            text, settings = (part.decode("utf-8", "surrogateescape") for part in (statement.text, statement.settings))
            fmt = _format(statement.format or request.format or "Values")
            if fmt.lower() == "values":
                settings = _without_expressions(settings, data, ended)
            insert = Insert(engine, lease.connection, text, settings, fmt, tag)
            try:
                return lease, insert, _go_on(insert, data, ended)
            except BaseException:
                insert.cancel()
                raise
        except EngineError as error:
            sessions.release(engine, lease, statement, well=False)
            raise error.without(tag) from None

    def _close_insert(self, insert: Insert, lease: Lease, statement: Statement, well: bool) -> None:
        insert.cancel()  # without effect on a finished one
        self._app.sessions.release(self._app.engine, lease, statement, well=well)

    # -- everything else

    async def _query(
        self, request: Request, statement: Statement, receive: Receive, key: tuple[str, str] | None
    ) -> None:
        fmt = _format(statement.format or request.format or "TabSeparated")
        tag = _tag(request)
        async with self._app.queries as lane:
            gone = asyncio.create_task(self._cancel_when_gone(receive, tag))
            self._app.running.add(tag)
            try:
                lease, found, ahead = await lane.call(self._open_query, request, statement, fmt, tag, key)
                well = False
                try:
                    await self._stream(lane, found, ahead, request, fmt)
                    well = True
                finally:
                    await lane.call(self._close_query, found, lease, statement, well)
            finally:
                self._app.running.discard(tag)
                gone.cancel()

    def _open_query(
        self, request: Request, statement: Statement, fmt: str, tag: str, key: tuple[str, str] | None
    ) -> tuple[Lease, Answer, list[bytes]]:
        """Start the query and read its first two pieces: after a short answer everything about it is known."""
        engine, sessions = self._app.engine, self._app.sessions
        lease = sessions.lease(engine, key, request, statement)
        try:
            found = answer(lease.connection, statement, fmt, tag, request.parameters)
            try:
                ahead = [first, found.read()] if (first := found.read()) else []
            except EngineError:
                found.close()
                raise
        except EngineError as error:
            sessions.release(engine, lease, statement, well=False)
            raise error.without(tag) from None
        return lease, found, ahead

    def _close_query(self, found: Answer, lease: Lease, statement: Statement, well: bool) -> None:
        found.close()
        self._app.sessions.release(self._app.engine, lease, statement, well=well)

    async def _cancel_when_gone(self, receive: Receive, tag: str) -> None:
        """Stop the query when its client hangs up: nobody is left to read the answer."""
        while (await receive())["type"] != "http.disconnect":
            pass
        while tag in self._app.running:
            await asyncio.to_thread(self._app.engine.cancel, tag)
            await asyncio.sleep(0.1)  # one that had just begun may not have heard it

    async def _stream(self, lane: Lane, found: Answer, ahead: list[bytes], request: Request, fmt: str) -> None:
        if not ahead or not ahead[-1]:
            headers = self._head_of(request, fmt, found.tally)
            data = b"".join(ahead)
            if self._encoder is not None:
                data = await lane.call(_encode_all, self._encoder, data)
            self._last = _whole(200, data, headers, head=self._head)
            return
        if request.wait_end:
            # Nothing is sent before the query has ended well; a long answer waits on disk.
            with tempfile.SpooledTemporaryFile(_SPOOL_MEMORY, dir=str(self._app.engine.scratch)) as spool:

                def fill() -> None:
                    spool.writelines(ahead)
                    while piece := found.read():
                        spool.write(piece)
                    spool.seek(0)

                await lane.call(fill)
                await self._begin(request, fmt, found.tally)
                while piece := await lane.call(spool.read, PIECE):
                    await self._pieces(lane, [piece])
        else:
            await self._begin(request, fmt, found.tally)
            await self._pieces(lane, ahead)
            while piece := await lane.call(found.read):
                await self._pieces(lane, [piece])
        tail = self._encoder.flush() if self._encoder is not None and not self._head else b""
        self._last = [{"type": "http.response.body", "body": tail}]

    async def _begin(self, request: Request, fmt: str, tally: Tally) -> None:
        headers = self._head_of(request, fmt, tally)
        self._began = True
        await self._send({"type": "http.response.start", "status": 200, "headers": _encoded(headers)})

    def _head_of(self, request: Request, fmt: str, tally: Tally) -> dict[str, str]:
        headers = self._headers() | {
            "content-type": _MIME.get(fmt.lower(), _PLAIN),
            "x-clickhouse-format": fmt,
            "x-clickhouse-summary": self._summary(tally),
            "x-clickhouse-exception-tag": self._tag,
        }
        if chosen := compression.choose(request.accept_encoding):
            headers["content-encoding"], self._encoder = chosen
        return headers

    async def _pieces(self, lane: Lane, found: list[bytes]) -> None:
        for data in found:
            if self._head or not data:
                continue
            sent = data if self._encoder is None else await lane.call(self._encoder.compress, data)
            if sent:
                await self._send({"type": "http.response.body", "body": sent, "more_body": True})

    def _headers(self) -> dict[str, str]:
        return {
            "x-clickhouse-server-display-name": _HOST,
            "x-clickhouse-query-id": self._query_id,
            "x-clickhouse-timezone": "UTC",
        }

    def _summary(self, tally: Tally) -> str:
        """Return X-ClickHouse-Summary: every value a string, as ClickHouse sends them."""
        return json.dumps(
            {
                "read_rows": str(tally.read_rows),
                "read_bytes": str(tally.read_bytes),
                "written_rows": str(tally.written_rows),
                "written_bytes": str(tally.written_bytes),
                "total_rows_to_read": "0",
                "result_rows": str(tally.result_rows or tally.written_rows),
                "result_bytes": str(tally.result_bytes or tally.written_bytes),
                "elapsed_ns": str(time.perf_counter_ns() - self._clock),
            },
            separators=(",", ":"),
        )


def _go_on(insert: Insert, data: bytes, ended: bool) -> Tally | None:
    if data:
        insert.append(data)
    return insert.finish() if ended else None


async def _read_ahead(first: bytes, body: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """Return the next rows, _INSERT_AHEAD bytes or a little more, and whether the body has ended."""
    found, size = [first], len(first)
    while size < _INSERT_AHEAD:
        piece = await anext(body, None)
        if piece is None:
            return b"".join(found), True
        found.append(piece)
        size += len(piece)
    return b"".join(found), False


def _without_expressions(settings: str, rows: bytes, ended: bool) -> str:
    """Return `settings` of an INSERT … VALUES: many rows are literals alone, few may be expressions."""
    if ended and len(rows) <= PIECE:
        _refuse(values_reader(rows))
        return settings
    return f"{settings}, {_LITERALS}" if settings else f"SETTINGS {_LITERALS}"


def _tag(request: Request) -> str:
    """Return a comment by which the engine finds the statement again: chDB gives it an id of its own."""
    return f"/* query_id: {re.sub(r'[^A-Za-z0-9_.:-]', '', request.query_id)} */"


def _format(name: str) -> str:
    if not re.fullmatch(r"\w+", name):
        raise EngineError.make(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", f"Unknown format {name}.")
    return name


def _refuse(what: str | None) -> None:
    """Raise EngineError for what is not for clients: files of the server, several statements at once."""
    match what:
        case None:
            return
        case "INTO OUTFILE":
            raise EngineError.make(INTO_OUTFILE_NOT_ALLOWED, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE is not allowed")
        case "FROM INFILE":
            text = "Query has infile and was send directly to server"
            raise EngineError.make(UNKNOWN_TYPE_OF_QUERY, "UNKNOWN_TYPE_OF_QUERY", text)
        case "several statements":
            raise EngineError.make(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
        case "a command of the console":
            raise EngineError.make(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error: failed at position 1")
        case name:
            text = f"default: Not enough privileges. This server reads no files for its clients ({name})."
            raise EngineError.make(ACCESS_DENIED, "ACCESS_DENIED", text)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]


def _encode_all(encoder: compression.Encoder, data: bytes) -> bytes:
    return encoder.compress(data) + encoder.flush()


def _whole(status: int, body: bytes, headers: dict[str, str], *, head: bool = False) -> list[dict[str, Any]]:
    headers = {**headers, "content-length": str(len(body))}
    return [
        {"type": "http.response.start", "status": status, "headers": _encoded(headers)},
        {"type": "http.response.body", "body": b"" if head else body},
    ]


async def reply(send: Send, status: int, body: bytes, headers: dict[str, str], *, head: bool) -> None:
    """Send a whole answer."""
    for message in _whole(status, body, headers, head=head):
        await send(message)
