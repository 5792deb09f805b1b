"""Connections for requests: one prepared as the request asks, or the one kept under a client's session_id."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field

from cityops.data.warehouse.engine import Engine, EngineConnection, quote, quote_name
from cityops.data.warehouse.errors import READONLY, SESSION_IS_LOCKED, SESSION_NOT_FOUND, EngineError
from cityops.data.warehouse.pipes import Insert
from cityops.data.warehouse.request import Request
from cityops.data.warehouse.statement import Kind, Statement

_Key = tuple[str, str]
_Shape = tuple[frozenset[tuple[str, str]], str, bool]
_IDLE = 16
_PATIENCE_S = 1.0


@dataclass
class _Session:
    until: float
    connection: EngineConnection | None = None
    busy: bool = False


@dataclass
class Lease:
    """A connection for one request, and what to put back on it when a session keeps it."""

    connection: EngineConnection
    key: _Key | None = None
    shape: _Shape | None = None
    keep: bool = False
    before: dict[str, str | None] = field(default_factory=dict)
    database: str = ""
    tables: list[str] = field(default_factory=list)


class _Idle:
    """Connections nobody changed, by the settings, database and readonly they have (saves 0.5 ms a query)."""

    def __init__(self) -> None:
        self._connections: deque[tuple[_Shape, EngineConnection]] = deque()

    def take(self, shape: _Shape) -> EngineConnection | None:
        for entry in list(self._connections):
            if entry[0] == shape:
                try:
                    self._connections.remove(entry)
                except ValueError:  # another thread was faster
                    continue
                return entry[1]
        return None

    def give(self, shape: _Shape, connection: EngineConnection) -> None:
        self._connections.append((shape, connection))
        while len(self._connections) > _IDLE:
            self._connections.popleft()[1].close()

    def close(self) -> None:
        while self._connections:
            self._connections.pop()[1].close()


class Sessions:
    """Sessions by user and session_id; one holds a connection once SET, USE or a temporary table changed its state."""

    def __init__(self) -> None:
        self._sessions: dict[_Key, _Session] = {}
        self._idle = _Idle()

    async def lock(self, request: Request) -> _Key | None:
        """Return the key of the request's session, now locked for it, or None. Raises EngineError: locked, unknown.

        A session still busy is waited for a moment: a client that knows its answer is whole (Arrow says so) asks again
        before we have seen the end of it.
        """
        if not request.session_id:
            return None
        deadline = time.monotonic() + _PATIENCE_S
        while (key := self._lock(request)) is None:
            if time.monotonic() > deadline:
                text = f"Session {request.session_id} is locked by a concurrent client"
                raise EngineError.make(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", text)
            await asyncio.sleep(0.01)
        return key

    def _lock(self, request: Request) -> _Key | None:
        self._expire()
        key = (request.user, request.session_id)
        session = self._sessions.get(key)
        if session is None:
            if request.session_check:
                raise EngineError.make(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", f"Session {key[1]} not found")
            session = self._sessions[key] = _Session(0.0)
        if session.busy:
            return None
        session.busy = True
        return key

    def unlock(self, key: _Key | None, request: Request) -> None:
        """Free the session for `session_timeout` seconds more, or end it when the request asks so."""
        session = self._sessions.get(key) if key is not None else None
        if key is None or session is None:
            return
        session.busy = False
        session.until = time.monotonic() + request.session_timeout
        if request.close_session:
            self._drop(key)

    def lease(self, engine: Engine, key: _Key | None, request: Request, statement: Statement) -> Lease:
        """Return a connection with the request's database, settings and external tables. Raises EngineError."""
        session = self._sessions[key] if key is not None else None
        kept = session.connection if session is not None else None
        settings = dict(request.settings)
        if kept is None:
            stays = session is not None and statement.stateful
            shape = (frozenset(settings.items()), request.database, request.reads_only and not stays)
            connection = self._idle.take(shape)
            if connection is None:
                connection = engine.connect(settings, request.database)
                if shape[2]:
                    connection.set({"readonly": "2"})
            alone = statement.stateful or request.external or (request.parameters and statement.kind is Kind.DATA)
            lease = Lease(connection, key, None if alone else shape, keep=stays)
            lease.before = dict.fromkeys(settings)
        else:
            lease = Lease(kept, key, keep=True)
            lease.before = _values_of(kept, list(settings))
            lease.database = _database_of(kept) if request.database else ""
            kept.set(settings)
            if request.database:
                kept.use(request.database)
        try:
            self._prepare(engine, lease, request, statement)
        except EngineError:
            self.release(engine, lease, statement, well=False)
            raise
        return lease

    @staticmethod
    def _prepare(engine: Engine, lease: Lease, request: Request, statement: Statement) -> None:
        for table in request.external:
            lease.connection.run(f"CREATE TEMPORARY TABLE {quote_name(table.name)} ({table.structure})")
            lease.tables.append(table.name)
            into = f"INSERT INTO {quote_name(table.name)}"
            insert = Insert(engine, lease.connection, into, "", table.format, "/* external */")
            try:
                insert.append(table.data)
                insert.finish()
            finally:
                insert.cancel()
        if request.reads_only and lease.keep and statement.writes:
            raise EngineError.make(
                READONLY, "READONLY", "Cannot execute query in readonly mode: GET changes nothing, use POST."
            )

    def release(self, engine: Engine, lease: Lease, statement: Statement, *, well: bool = True) -> None:
        """Give the connection back to its session as it was, or to the idle ones when all went `well`, or close it."""
        session = self._sessions.get(lease.key) if lease.key is not None else None
        if session is None or not lease.keep:
            if well and lease.shape is not None:
                self._idle.give(lease.shape, lease.connection)
            else:
                lease.connection.close()
            return
        try:
            for name in lease.tables:
                lease.connection.run(f"DROP TEMPORARY TABLE {quote_name(name)}")
            base = engine.options.settings()
            lease.connection.set({n: base.get(n) if value is None else value for n, value in lease.before.items()})
            if lease.database and not statement.text.lstrip()[:4].upper().startswith(b"USE"):
                lease.connection.use(lease.database)
            session.connection = lease.connection
        except EngineError:  # a connection in an unknown state is no session's
            session.connection = None
            lease.connection.close()

    def _drop(self, key: _Key) -> None:
        session = self._sessions.pop(key, None)
        if session is not None and session.connection is not None:
            session.connection.close()

    def _expire(self) -> None:
        now = time.monotonic()
        for key in [key for key, session in self._sessions.items() if not session.busy and session.until < now]:
            self._drop(key)

    def close(self) -> None:
        """End all sessions and close idle connections."""
        self._idle.close()
        for key in list(self._sessions):
            self._drop(key)


def _values_of(connection: EngineConnection, names: list[str]) -> dict[str, str | None]:
    """Return the values of settings on a connection; None for those never changed."""
    if not names:
        return {}
    wanted = ", ".join(quote(name) for name in names)
    data, _ = connection.run(
        f"SELECT name, changed, value FROM system.settings WHERE name IN ({wanted})",  # noqa: S608  # quoted above
        "JSONCompactEachRow",
    )
    rows = [json.loads(line) for line in data.splitlines()]
    return {name: (value if changed else None) for name, changed, value in rows}


def _database_of(connection: EngineConnection) -> str:
    return connection.run("SELECT currentDatabase()", "TSVRaw")[0].decode().rstrip("\n")
