"""The engine: chDB opened on one folder, handing out connections that know nothing of each other."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityops.data.warehouse.errors import EngineError
from cityops.data.warehouse.folder import FILES_DATABASE, EngineOptions, prepare

_NO_STREAM = "Streaming query is not supported"


def quote(text: str) -> str:
    """Return `text` as a ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """Return `name` as a ClickHouse identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


@dataclass(frozen=True)
class Tally:
    """What a statement read and wrote."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


class EngineConnection:
    """One chDB connection: a database, settings and temporary tables of its own. Not for two threads at once."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def run(
        self, sql: str, fmt: str = "TabSeparated", parameters: Mapping[str, str] | None = None
    ) -> tuple[bytes, Tally]:
        """Return the whole answer to `sql` in `fmt` and its tally. Raises EngineError."""
        with _worded():
            result = self._inner.query(sql, fmt, params=dict(parameters or {}))
            data = bytes(result.bytes())
            return data, Tally(
                result.storage_rows_read(),
                result.storage_bytes_read(),
                result.rows_written(),
                result.bytes_written(),
                result.rows_read(),
                len(data),
            )

    def stream(self, sql: str, fmt: str, parameters: Mapping[str, str]) -> Iterator[tuple[bytes, int]] | None:
        """Return (piece, rows) pairs of a SELECT's answer, or None when the engine cannot stream `sql`.

        Every piece is encoded as if it were the whole answer; a last one of no rows has head and foot alone.
        Raises EngineError.
        """
        try:
            result = self._inner.send_query(sql, fmt, params=dict(parameters))
        except Exception as error:
            if _NO_STREAM in str(error):
                return None
            raise EngineError.of(error) from error
        return _pieces(result)

    def set(self, settings: Mapping[str, str] | Mapping[str, str | None]) -> None:
        """Apply query settings (and `param_*` values) to this connection; None is the default. Raises EngineError."""
        pairs = (f"{name} = {'DEFAULT' if value is None else quote(value)}" for name, value in settings.items())
        if settings:
            self.run("SET " + ", ".join(pairs))

    def use(self, database: str) -> None:
        """Make `database` the current one. Raises EngineError."""
        self.run("USE " + quote_name(database))

    def close(self) -> None:
        """Let the connection go; what it was running stops."""
        with contextlib.suppress(Exception):
            self._inner.close()


def _pieces(result: Any) -> Iterator[tuple[bytes, int]]:
    # Not result.fetch(): it drops the last block, which holds the columns when there are no rows.
    binding, handle = result._conn, result._result  # noqa: SLF001
    try:
        while True:
            with _worded():
                chunk = binding.streaming_fetch_result(handle)
                rows = 0 if chunk is None else int(chunk.rows_read())
                piece = b"" if chunk is None else bytes(chunk.bytes())
            if rows == 0:
                result._exhausted = True  # noqa: SLF001  # nothing is left to cancel
                if piece:
                    yield piece, 0
                return
            yield piece, rows
    finally:
        with contextlib.suppress(Exception):
            result.close()


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise EngineError.of(error) from error


class Engine:
    """chDB on the folder `path`; a process can hold one. Close it to release the folder."""

    def __init__(self, path: Path, options: EngineOptions | None = None) -> None:
        os.environ["TZ"] = "UTC"  # the zone of this process is the engine's; it has no setting of its own for it
        time.tzset()
        import chdb  # noqa: PLC0415  # 550 MB: only the process that is the warehouse loads it

        self._chdb = chdb
        self.options = options or EngineOptions()
        self.path = path.absolute()
        prepare(self.path)
        self.scratch = Path(tempfile.mkdtemp(prefix="cityops-warehouse-"))
        self._address = f"{self.path}?{self.options.write(self.scratch)}"
        self._anchor = self.connect()  # the engine lives as long as its last connection
        self._anchor.run(f"DROP DATABASE IF EXISTS {FILES_DATABASE} SYNC")
        self.version = self._anchor.run("SELECT version()")[0].decode().strip()

    def connect(self, settings: Mapping[str, str] | None = None, database: str = "") -> EngineConnection:
        """Return a fresh connection (0.1 ms): state never leaks from one request to another. Raises EngineError."""
        with _worded():
            connection = EngineConnection(self._chdb.connect(self._address))  # type: ignore[no-untyped-call]  # chDB has none
        try:
            connection.set(settings or {})
            if database and database != "default":
                connection.use(database)
        except EngineError:
            connection.close()
            raise
        return connection

    def cancel(self, tag: str) -> None:
        """Mark the statements that hold the comment `tag` as cancelled; returns at once. Raises EngineError."""
        connection = self.connect()
        try:
            connection.run(
                f"KILL QUERY WHERE position(query, {quote(tag)}) > 0 AND NOT startsWith(query, 'KILL') ASYNC"
            )
        finally:
            connection.close()

    def close(self) -> None:
        """Shut the engine down: data files are complete and the folder is free."""
        self._anchor.close()
        for left in self.scratch.iterdir():
            left.unlink()
        self.scratch.rmdir()
