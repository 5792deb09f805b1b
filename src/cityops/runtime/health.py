"""Cheap questions that tell whether a role does its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import psycopg

from cityops.settings import Settings
from cityops.technology import bus

Check = Callable[[], Awaitable[bool]]
_SECONDS = 3.0


async def http_ok(url: str) -> bool:
    """Return whether GET `url` answers 200 in time."""
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
        return False
    return b" 200 " in status


async def nats_ok(settings: Settings) -> bool:
    """Return whether the log answers and JetStream is up."""
    try:
        client = await bus.connect(settings, "health", within=_SECONDS)
    except bus.BusError:
        return False
    try:
        await client.jetstream(timeout=_SECONDS).account_info()
    except Exception:  # noqa: BLE001  # whatever it is, the answer is no
        return False
    finally:
        await client.close()
    return True


async def postgres_ok(settings: Settings) -> bool:
    """Return whether the database takes a connection."""
    address = settings.postgres_url.replace("postgresql+psycopg://", "postgresql://")
    try:
        async with asyncio.timeout(_SECONDS):
            connection = await psycopg.AsyncConnection.connect(address)
            await connection.close()
    except (psycopg.Error, OSError, TimeoutError):
        return False
    return True
