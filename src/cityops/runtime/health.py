"""Cheap questions that tell whether a role does its work."""

from __future__ import annotations

import asyncio
from typing import Literal
from urllib.parse import urlsplit

import psycopg

from cityops.settings import Settings
from cityops.technology import bus

# "unwell" answers and says that it cannot work now (a full disk, say): starting it anew would not mend that.
Health = Literal["well", "unwell", "silent"]
_SECONDS = 3.0


async def of_http(url: str) -> Health:
    """Return the health of a server by GET `url`: well when it answers 200 in time."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return "silent"
    return "well" if b" 200 " in status else "unwell" if status.startswith(b"HTTP/") else "silent"


async def of_nats(settings: Settings) -> Health:
    """Return the health of the log: well when it answers and JetStream is up."""
    try:
        client = await bus.connect(settings, "health", within=_SECONDS)
    except bus.BusError:
        return "silent"
    try:
        await client.jetstream(timeout=_SECONDS).account_info()
    except Exception:  # noqa: BLE001  # whatever it is, the answer is no
        return "silent"
    finally:
        await client.close()
    return "well"


async def of_postgres(settings: Settings) -> Health:
    """Return the health of the database: well when it takes a connection."""
    address = settings.postgres_url.replace("postgresql+psycopg://", "postgresql://")
    try:
        async with asyncio.timeout(_SECONDS):
            connection = await psycopg.AsyncConnection.connect(address)
            await connection.close()
    except (psycopg.Error, OSError, TimeoutError):
        return "silent"
    return "well"
