"""ClickHouse's own HTTP protocol over the engine, as a raw ASGI app."""

from __future__ import annotations

import contextlib
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cityops.data.warehouse.body import ClientGoneError, Receive
from cityops.data.warehouse.engine import Engine
from cityops.data.warehouse.errors import AUTHENTICATION_FAILED, SHUTDOWN_CALLED, EngineError
from cityops.data.warehouse.exchange import Exchange, Send, reply
from cityops.data.warehouse.folder import EngineOptions
from cityops.data.warehouse.lane import Lane
from cityops.data.warehouse.request import Request
from cityops.data.warehouse.sessions import Sessions

log = logging.getLogger(__name__)
_OK = b"Ok.\n"
_NO_HANDLE = """There is no handle {path}

Use / or /ping for health checks.
Send queries from your program with POST method or GET /?query=...
"""


@dataclass(frozen=True)
class ServerOptions:
    """How many statements run beside each other, and who may ask."""

    users: Mapping[str, str] | None = field(
        default=None, repr=False
    )  # name -> password; None: whoever reaches the port
    queries: int = 8
    queries_waiting: int = 128
    inserts: int = 2
    inserts_waiting: int = 128


class WarehouseApp:
    """The ASGI application; opens the engine at startup and closes it at shutdown."""

    def __init__(self, path: Path, engine: EngineOptions | None = None, options: ServerOptions | None = None) -> None:
        self._path = path
        self._engine_options = engine
        self.options = options or ServerOptions()
        self.queries = Lane("queries", self.options.queries, self.options.queries_waiting)
        self.inserts = Lane("inserts", self.options.inserts, self.options.inserts_waiting)
        self._engine: Engine | None = None
        self.sessions = Sessions()
        self.running: set[str] = set()
        self.stopping = False

    @property
    def engine(self) -> Engine:
        """The open engine."""
        if self._engine is None:
            raise EngineError.make(SHUTDOWN_CALLED, "SHUTDOWN_CALLED", "The warehouse is not open.")
        return self._engine

    @property
    def version(self) -> str:
        """The engine's version."""
        return "" if self._engine is None else self._engine.version

    def open(self) -> None:
        """Open the engine on the folder. Raises EngineError."""
        self._engine = Engine(self._path, self._engine_options)

    def close(self) -> None:
        """Close sessions, threads and the engine; nothing may be running."""
        self.queries.close()
        self.inserts.close()
        self.sessions.close()
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def stop_queries(self, within: float) -> None:
        """Refuse new statements and cancel the running queries, up to `within` seconds; inserts run on to their end."""
        self.stopping = True
        self.queries.closed = True
        deadline = time.monotonic() + within
        while self.running and time.monotonic() < deadline:
            for tag in list(self.running):
                with contextlib.suppress(EngineError):
                    self.engine.cancel(tag)
            time.sleep(0.1)  # one that had just begun may not have heard it

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self.open()
                except EngineError as error:
                    await send({"type": "lifespan.startup.failed", "message": f"{self._path}: {error.message}"})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path, head = scope["path"], scope["method"] == "HEAD"
        if path in {"/ping", "/replicas_status"}:
            await reply(send, 200, _OK, {"content-type": "text/html; charset=UTF-8"}, head=head)
            return
        if path != "/":
            text = _NO_HANDLE.format(path=path).encode()
            await reply(send, 404, text, {"content-type": "text/plain; charset=UTF-8"}, head=head)
            return
        exchange = Exchange(self, send, head=head)
        try:
            await exchange.serve(scope, receive)
        except ClientGoneError:
            pass
        except EngineError as error:
            await exchange.fail(error)
        except Exception as error:
            log.exception("warehouse request failed")
            await exchange.fail(EngineError.of(error))

    def check(self, request: Request) -> None:
        """Raise EngineError unless the request's user may ask."""
        if self.stopping:
            raise EngineError.make(SHUTDOWN_CALLED, "SHUTDOWN_CALLED", "The warehouse is shutting down.")
        if self.options.users is None:
            return
        known = self.options.users.get(request.user)
        if known is None or not hmac.compare_digest(known.encode(), request.password.encode()):
            raise EngineError.make(
                AUTHENTICATION_FAILED,
                "AUTHENTICATION_FAILED",
                f"{request.user}: Authentication failed: password is incorrect, or there is no user with such name.",
            )
