"""The IOC's way to the warehouse: questions run in threads, and a warehouse that is away is a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa

from cityops.technology.telemetry import Log

log = Log(__name__)


class WarehouseAwayError(RuntimeError):
    """The warehouse gave no answer; says what it said."""


class Warehouse:
    """Asks the warehouse at `url`; connects at the first question and again after a failure."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Any = None

    async def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Return the answer to `sql` with `parameters` bound to its `{name:Type}` places. Raises WarehouseAwayError."""
        try:
            return await asyncio.to_thread(self._query, sql, dict(parameters or {}))
        except Exception as error:
            self._client = None
            log.warning("a question to the warehouse failed", url=self.url, error=str(error))
            raise WarehouseAwayError(f"the warehouse at {self.url} gave no answer") from error

    def _query(self, sql: str, parameters: dict[str, object]) -> pa.Table:
        if self._client is None:
            at = urlsplit(self.url)
            self._client = clickhouse_connect.get_client(
                host=at.hostname,
                port=at.port,
                autogenerate_session_id=False,
                connect_timeout=3,
                send_receive_timeout=30,
            )
        return self._client.query_arrow(sql, parameters=parameters)
