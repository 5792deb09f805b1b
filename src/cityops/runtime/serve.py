"""Runs one role in this process: `python -m cityops.runtime.serve ROLE`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading

import uvloop

from cityops import flow
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.telemetry import Log, Telemetry, configure_logging

EXIT_SECONDS = 12.0  # after the first signal; a role that hangs longer is ended
_WITHOUT_BUS = ("city", "migrate")

log = Log(__name__)


def serve(role: str, settings: Settings) -> None:
    """Run `role` until it ends or SIGTERM/SIGINT comes. Raises KeyError for an unknown role."""
    stage = flow.STAGES[role]
    configure_logging(role)
    uvloop.run(_serve(stage, role, settings))


async def _serve(stage: flow.Stage, role: str, settings: Settings) -> None:
    telemetry = Telemetry(role)
    work = asyncio.ensure_future(stage(settings, telemetry))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        work.cancel()
        watchdog = threading.Timer(EXIT_SECONDS, os._exit, (70,))
        watchdog.daemon = True
        watchdog.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    speaking = None if role in _WITHOUT_BUS else asyncio.create_task(_speak(settings, telemetry))
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        if speaking:
            speaking.cancel()
    log.info("role stopped")


async def _speak(settings: Settings, telemetry: Telemetry) -> None:
    client = await bus.connect(settings, telemetry.role, within=None)
    try:
        await telemetry.publish(client)
    finally:
        await client.close()


if __name__ == "__main__":
    serve(sys.argv[1], Settings.load())
