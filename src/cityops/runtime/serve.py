"""Runs one role in this process: `cityops serve ROLE`."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

import uvloop

from cityops import flow
from cityops.runtime.process import end_task
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.telemetry import Log, Telemetry, configure_logging

EXIT_SECONDS = 20.0  # after the first signal; a role that hangs longer is ended
_STOPS = (signal.SIGTERM, signal.SIGINT)

log = Log(__name__)


class WithoutPandas(MetaPathFinder):
    """No role uses pandas, but Arrow loads it wherever it is installed: a second and 60 MB in every process."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for pandas; leave the rest to others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)
        return None


def serve(role: str, settings: Settings) -> None:
    """Run `role` until it ends or SIGTERM/SIGINT comes. Raises KeyError for an unknown role."""
    stage = flow.STAGES[role]
    sys.meta_path.insert(0, WithoutPandas())
    configure_logging(role)
    if inspect.iscoroutinefunction(stage):
        uvloop.run(_serve(stage, Telemetry(role), settings))
    else:
        for number in _STOPS:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        stage(settings, Telemetry(role))


async def _serve(stage: flow.Stage, telemetry: Telemetry, settings: Settings) -> None:
    work = asyncio.ensure_future(stage(settings, telemetry))
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(work.cancel)
        watchdog = threading.Timer(EXIT_SECONDS, os._exit, (70,))
        watchdog.daemon = True
        watchdog.start()

    # Not loop.add_signal_handler: uvicorn puts handlers of its own over these while it serves, and gives them back.
    for each in _STOPS:
        signal.signal(each, stop)
    speaking = asyncio.create_task(_speak(settings, telemetry))
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        await end_task(speaking)
    log.info("role stopped")


async def _speak(settings: Settings, telemetry: Telemetry) -> None:
    client = await bus.connect(settings, telemetry.role, within=None)
    try:
        await telemetry.publish(client)
    finally:
        await client.close()
