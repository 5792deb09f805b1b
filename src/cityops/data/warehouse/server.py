"""The process that serves the warehouse: uvicorn on one address, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path

import uvicorn
import uvloop

from cityops.data.warehouse.app import ServerOptions, WarehouseApp
from cityops.data.warehouse.folder import EngineOptions

USER_ENV, PASSWORD_ENV = "CITYOPS_WAREHOUSE_USER", "CITYOPS_WAREHOUSE_PASSWORD"
_GRACE_S = 15


def create_app(path: Path, engine: EngineOptions | None = None, options: ServerOptions | None = None) -> WarehouseApp:
    """Return the ASGI app over the folder `path`; without options, user and password come from the environment."""
    return WarehouseApp(path, engine, options or options_from_environment())


def options_from_environment() -> ServerOptions:
    """Return options with the user of CITYOPS_WAREHOUSE_USER and _PASSWORD; without a password everyone may ask."""
    password = os.environ.get(PASSWORD_ENV)
    user = os.environ.get(USER_ENV, "default")
    return ServerOptions(users=None if password is None else {user: password})


class _Server(uvicorn.Server):
    """On SIGTERM or SIGINT: no new statements, running queries are cancelled, inserts run to their end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, WarehouseApp):
            await asyncio.to_thread(app.stop_queries, _GRACE_S / 2)
        await super().shutdown(sockets)


async def serve(host: str, port: int, app: WarehouseApp) -> None:
    """Serve `app` until a signal or a cancellation asks to stop. Raises SystemExit when it cannot start."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=512,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    if not server.started:
        raise SystemExit(3)


def run(host: str, port: int, data_path: Path | str) -> None:
    """Serve the warehouse kept in `data_path` at http://host:port until SIGTERM. Exits 3 when it cannot start."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    uvloop.run(serve(host, port, create_app(Path(data_path))))
