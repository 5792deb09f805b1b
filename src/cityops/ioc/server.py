"""The IOC's HTTP server: API, change feed, tiles and the built UI, within a second of its start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from cityops.apps.live import Questions
from cityops.apps.manifest import installed
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import AsyncWarehouse
from cityops.ioc import api, objects, openapi, problems
from cityops.ioc.assets import Assets
from cityops.ioc.engines import Engines
from cityops.ioc.feed import Feed
from cityops.ioc.middleware import wrapped
from cityops.ioc.platform import PLATFORM
from cityops.ioc.replay import Recording, replay_app
from cityops.ioc.screen import Screen
from cityops.ioc.shapes import Check
from cityops.ioc.sse import FeedEndpoint
from cityops.settings import Settings
from cityops.technology.clock import Clock, SystemClock


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
    app.include_router(objects.routes(screen))
    app.router.routes.append(Route("/v1/feed", FeedEndpoint(screen.feed)))
    app.mount("/", assets)
    wrapped(app)
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
    """Serve until cancelled; engines that are away are waited for while the rest is served.

    With `settings.replay` a recorded frame is served instead. Raises RecordingError, ContractError, ManifestError.
    """
    if settings.replay:
        app, feed = replay_app(Recording.read(Path(settings.replay)), version("cityops"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run())
            await serve(app, feed, settings)
    screen = load_screen()
    warehouse = AsyncWarehouse(settings.warehouse_url)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Engines(screen, settings, warehouse).run())
        tasks.create_task(screen.feed.run())
        await serve(create_app(screen, warehouse), screen.feed, settings)


async def serve(app: ASGIApp, feed: Feed, settings: Settings) -> None:
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
        feed.close()
        server.should_exit = True
        await serving
        raise


def write_openapi(path: Path) -> None:
    """Write the API's description (OpenAPI 3.1, with the shapes of all feed topics) to `path`."""
    screen = load_screen()
    app = create_app(screen, AsyncWarehouse(Settings(path.parent).warehouse_url))
    path.write_text(openapi.text(app), "utf-8")
