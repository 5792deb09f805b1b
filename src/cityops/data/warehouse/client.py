"""A client of the warehouse, embedded or a ClickHouse cluster: Arrow tables in and out over `clickhouse-connect`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError, StreamFailureError
from clickhouse_connect.driver.httputil import get_pool_manager

from cityops.data.warehouse.errors import (
    MEMORY_LIMIT_EXCEEDED,
    NETWORK_ERROR,
    NOT_ENOUGH_SPACE,
    SHUTDOWN_CALLED,
    SOCKET_TIMEOUT,
    TOO_MANY_PARTS,
    TOO_MANY_SIMULTANEOUS_QUERIES,
)

T = TypeVar("T")
Parameters = Mapping[str, object]

_FULL_MARKS = ("No space left on device", "errno: 28,", "NOT_ENOUGH_SPACE")
_UNAVAILABLE = {SHUTDOWN_CALLED, TOO_MANY_SIMULTANEOUS_QUERIES, TOO_MANY_PARTS, NETWORK_ERROR, SOCKET_TIMEOUT}
_OWN_LIMIT = "Query memory limit"  # what a statement itself may take; the others are shared and pass
_CONNECTIONS = 16
logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)  # what it warns of it also raises
# One block an insert, so that one token stands for all of it, in the table and in the views it feeds.
_ONE_BLOCK = {
    "async_insert": "0",
    "max_insert_threads": "1",
    "min_insert_block_size_rows": "16777216",
    "min_insert_block_size_bytes": "0",
    "max_insert_block_size": "16777216",
}


class WarehouseError(Exception):
    """The warehouse refused a statement. `code` and `name` are ClickHouse's own, 0 and "" when it gave none."""

    def __init__(self, message: str, code: int = 0, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.name = name


class WarehouseUnavailable(WarehouseError):  # noqa: N818  # a state, beside its siblings in the callers' words
    """Nobody answers, the answer broke off, or the warehouse asks to come back later: try again."""


class WarehouseFull(WarehouseError):  # noqa: N818
    """There is no room on the warehouse's disk: try again when there is."""


class Warehouse:
    """A ClickHouse HTTP address: `http(s)://[user:password@]host:port[/database]`. Threads may share one.

    It connects on first use, so making one never fails. Nothing is retried here except reads on a connection that
    the server had closed.
    """

    def __init__(self, url: str, *, timeout: float = 300.0) -> None:
        self.url = url
        self._timeout = timeout
        self._lock = threading.Lock()
        self._client: Any = None
        self._pool: Any = None

    # -- questions

    def query(self, sql: str, parameters: Parameters | None = None, *, settings: Parameters | None = None) -> pa.Table:
        """Return the whole answer to `sql`, whose `{name:Type}` places take `parameters`. Raises WarehouseError.

        DateTime64 comes as timestamp, DateTime as uint32 seconds (ClickHouse's Arrow has no other), Enum as int8.
        """
        with _typed():
            data = self._connected().raw_query(
                sql, parameters=_plain(parameters), settings=_plain(settings), fmt="ArrowStream"
            )
        with pa.ipc.open_stream(data) as reader:
            return reader.read_all()

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the answer to `sql` in batches as the warehouse makes them. Raises WarehouseError."""
        with _typed():
            source = self._connected().raw_stream(sql, parameters=_plain(parameters), fmt="ArrowStream")
        try:
            with _typed(), pa.ipc.open_stream(source) as reader:
                yield from reader
        finally:
            source.close()

    def command(self, sql: str, parameters: Parameters | None = None) -> str | int | None:
        """Run a statement and return its single value, None when it has none. Raises WarehouseError."""
        with _typed():
            answer = self._connected().command(sql, parameters=_plain(parameters))
        return answer if isinstance(answer, str | int) else None

    # -- rows

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> int:
        """Insert `rows` by column name into `table` and return how many they are once they are on disk.

        An insert whose `token` the table has seen lately changes neither the table nor the views it feeds, whatever
        its rows. Rows of several partitions are not one insert: split them by partition first. Raises WarehouseError.
        """
        settings: dict[str, Any] = dict(_ONE_BLOCK)
        if token is not None:
            settings |= {"insert_deduplication_token": token, "deduplicate_blocks_in_dependent_materialized_views": "1"}
        with _typed():
            self._connected().raw_insert(
                table, rows.column_names, _arrow_stream(rows), settings=settings, fmt="ArrowStream"
            )
        return int(rows.num_rows)

    # -- life

    def ping(self) -> bool:
        """Return whether the warehouse answers."""
        try:
            self._connected(check=True)
        except WarehouseError:
            return False
        return True

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return once the warehouse answers. Raises WarehouseUnavailable after `timeout` seconds."""
        deadline, pause = time.monotonic() + timeout, 0.05
        while True:
            try:
                self._connected(check=True)
            except WarehouseUnavailable as error:
                if time.monotonic() + pause > deadline:
                    raise WarehouseUnavailable(
                        f"{_shown(self.url)} did not answer within {timeout:g} s: {error}"
                    ) from error
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
            else:
                return

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, pool, self._client, self._pool = self._client, self._pool, None, None
        if client is not None:
            client.close()
        if pool is not None:
            pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connected(self, *, check: bool = False) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            elif check and not self._client.ping():
                raise WarehouseUnavailable(f"{_shown(self.url)} does not answer")
            return self._client

    def _connect(self) -> Any:
        address = urlsplit(self.url)
        secure = address.scheme == "https"
        self._pool = self._pool or get_pool_manager(maxsize=_CONNECTIONS)
        with _typed():
            return clickhouse_connect.get_client(
                interface=address.scheme,
                host=address.hostname or "127.0.0.1",
                port=address.port or (8443 if secure else 8123),
                username=unquote(address.username or "default"),
                password=unquote(address.password or ""),
                database=address.path.strip("/") or "default",
                send_receive_timeout=int(self._timeout),
                compress=False,
                pool_mgr=self._pool,
                autogenerate_session_id=False,
                client_name="cityops",
            )


class AsyncWarehouse:
    """The same for event loops: every call runs on a thread of its own small pool."""

    def __init__(self, url: str | Warehouse, *, threads: int = 4) -> None:
        self.blocking = Warehouse(url) if isinstance(url, str) else url
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="warehouse-client")

    async def query(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """See Warehouse.query."""
        return await self._call(self.blocking.query, sql, parameters)

    async def command(self, sql: str, parameters: Parameters | None = None) -> str | int | None:
        """See Warehouse.command."""
        return await self._call(self.blocking.command, sql, parameters)

    async def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> int:
        """See Warehouse.insert."""
        return await self._call(lambda: self.blocking.insert(table, rows, token=token))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:  # noqa: ASYNC109  # counted on the thread
        """See Warehouse.wait_until_ready."""
        await self._call(self.blocking.wait_until_ready, timeout)

    async def close(self) -> None:
        """Close the connections and end the threads."""
        await self._call(self.blocking.close)
        self._threads.shutdown(wait=False)

    async def _call(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)


@contextlib.contextmanager
def _typed() -> Iterator[None]:
    """Turn what the driver and the connection raise into WarehouseErrors."""
    try:
        yield
    except ClickHouseError as error:
        code, name = int(getattr(error, "code", None) or 0), str(getattr(error, "name", None) or "")
        text = str(error)
        if code == NOT_ENOUGH_SPACE or any(mark in text for mark in _FULL_MARKS):
            raise WarehouseFull(text, code, name) from error
        broke_off = code == 0 and isinstance(error, OperationalError | StreamFailureError)
        crowded = code == MEMORY_LIMIT_EXCEEDED and _OWN_LIMIT not in text
        if broke_off or crowded or code in _UNAVAILABLE:
            raise WarehouseUnavailable(text, code, name) from error
        raise WarehouseError(text, code, name) from error
    except (OSError, pa.ArrowInvalid) as error:
        raise WarehouseUnavailable(f"the answer broke off: {error}") from error


def _arrow_stream(rows: pa.Table) -> memoryview:
    """Return `rows` as an Arrow stream of one batch, copied once: its size is counted first."""
    rows = rows.combine_chunks()
    counted = pa.MockOutputStream()
    with pa.ipc.new_stream(counted, rows.schema) as writer:
        writer.write_table(rows)
    buffer = pa.allocate_buffer(counted.size())
    with pa.FixedSizeBufferWriter(buffer) as sink, pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return memoryview(buffer)


def _plain(values: Parameters | None) -> dict[str, Any] | None:
    return None if values is None else dict(values)


def _shown(url: str) -> str:
    """Return `url` without its password."""
    address = urlsplit(url)
    return url.replace(f":{address.password}@", ":…@") if address.password else url
