"""Request bodies: read from ASGI in pieces, inflated, bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from cityops.data.warehouse.compression import Decoder
from cityops.data.warehouse.errors import QUERY_IS_TOO_LARGE, EngineError
from cityops.data.warehouse.statement import IncompleteError, Statement, parse

Receive = Callable[[], Awaitable[dict[str, Any]]]
MAX_STATEMENT = 16 << 20
MAX_FORM = 256 << 20


class ClientGoneError(Exception):
    """The client closed the connection before its body had ended."""


async def pieces(receive: Receive, encoding: str) -> AsyncIterator[bytes]:
    """Yield the request's body, inflated. Raises ClientGoneError, EngineError."""
    decoder = Decoder(encoding) if encoding and encoding != "identity" else None
    more = True
    begun = False
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        data, more = message.get("body", b""), message.get("more_body", False)
        if not data:
            continue
        if decoder is None:
            yield data
            continue
        begun = True
        for piece in decoder.feed(data):
            yield piece
    if decoder is not None and begun:
        decoder.finish()


async def read_all(body: AsyncIterator[bytes], limit: int) -> bytes:
    """Return the whole body. Raises EngineError when longer than `limit` bytes."""
    found: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise EngineError.make(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The body is longer than {limit} bytes.")
        found.append(piece)
    return b"".join(found)


async def read_statement(query: bytes, body: AsyncIterator[bytes]) -> tuple[Statement, bytes]:
    """Return the statement that `query` (of the URL) and the body make, and the rows already read with it.

    An INSERT's rows are left in `body`; every other statement is read to its end. Raises EngineError.
    """
    text = query
    if query.strip():
        try:
            statement = parse(query + b"\n", complete=False)
            return statement, query[statement.data_at :].strip()
        except IncompleteError:
            statement = parse(query)
            if statement.data_at:
                return statement, b""
        text = query + b"\n"
    async for piece in body:
        text += piece
        try:
            statement = parse(text, complete=False)
        except IncompleteError:
            if len(text) > MAX_STATEMENT:
                raise EngineError.make(
                    QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The statement is longer than {MAX_STATEMENT} bytes."
                ) from None
            continue
        return statement, text[statement.data_at :]
    statement = parse(text)
    return statement, text[statement.data_at :] if statement.data_at else b""
