"""The IOC's HTTP server: API, change feed, tiles and the built UI, within a second of its start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cityops.apps.live import Questions
from cityops.apps.manifest import installed
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import AsyncWarehouse
from cityops.ioc import api, openapi, problems
from cityops.ioc.assets import Assets
from cityops.ioc.engines import Engines
from cityops.ioc.platform import PLATFORM
from cityops.ioc.screen import Screen
from cityops.ioc.shapes import Check
from cityops.ioc.sse import FeedEndpoint
from cityops.settings import Settings
from cityops.technology.clock import Clock, SystemClock

COMPRESS_FROM: Final = 1000
SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        # MapLibre draws on blobs, and UI libraries set styles; scripts and connections are ours alone.
        (
            b"default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            b"worker-src 'self' blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; "
            b"form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)


class SecurityHeaders:
    """ASGI middleware that puts SECURITY_HEADERS on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding the headers to what is sent."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        await self.app(scope, receive, sending)


class CompressedAnswers(GZipMiddleware):
    """Compresses the API's JSON; tiles, feed and built files bring their own compression."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compress or pass on by path."""
        path = scope.get("path", "")
        own = path.startswith(("/v1/feed", "/v1/tiles", "/v1/map")) or not path.startswith(("/v1/", "/openapi.json"))
        await (self.app if own else super().__call__)(scope, receive, send)


def load_screen(clock: Clock | None = None) -> Screen:
    """Return a screen of the platform and of every installed app. Raises ContractError, ManifestError."""
    return Screen(clock or SystemClock(), installed_contracts(), (PLATFORM, *installed()))


def create_app(screen: Screen, warehouse: Questions, assets: Assets | None = None) -> FastAPI:
    """Return the ASGI application that serves `screen`, asks `warehouse` for history, and serves `assets`."""
    assets = assets or Assets()
    app = FastAPI(title="CityOps IOC", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    problems.install(app)
    app.include_router(api.state_routes(screen))
    app.include_router(api.history_routes(screen, warehouse))
    app.router.routes.append(Route("/v1/feed", FeedEndpoint(screen.feed)))
    app.mount("/", assets)
    app.add_middleware(CompressedAnswers, minimum_size=COMPRESS_FROM, compresslevel=5)
    app.add_middleware(SecurityHeaders)
    openapi.install(app, screen)
    screen.checks["ui"] = Check(assets.built, "" if assets.built else "the web UI is not built: run `make up`")
    return app


class _Server(uvicorn.Server):
    """A server whose signals are the role runner's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def run(settings: Settings) -> None:
    """Serve until cancelled; engines that are away are waited for while the rest is served."""
    screen = load_screen()
    warehouse = AsyncWarehouse(settings.warehouse_url)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Engines(screen, settings, warehouse).run())
        tasks.create_task(screen.feed.run())
        await serve(create_app(screen, warehouse), screen, settings)


async def serve(app: ASGIApp, screen: Screen, settings: Settings) -> None:
    """Answer HTTP on the IOC's address until cancelled, then end every stream in an orderly way."""
    config = uvicorn.Config(
        app,
        host=settings.ioc_host,
        port=settings.ioc_port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        screen.feed.close()
        server.should_exit = True
        await serving
        raise


def write_openapi(path: Path) -> None:
    """Write the API's description (OpenAPI 3.1, with the shapes of all feed topics) to `path`."""
    screen = load_screen()
    app = create_app(screen, AsyncWarehouse(Settings(path.parent).warehouse_url))
    path.write_text(openapi.text(app), "utf-8")
