"""A platform of its own for a benchmark: started in an empty folder, ended with it, its processes measured."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cityops.settings import Settings


@dataclass
class Usage:
    """CPU seconds and resident bytes of a process tree, by role where the command line tells it."""

    cpu_s: float = 0.0
    rss: int = 0
    by_role: dict[str, tuple[float, int]] = field(default_factory=dict)


def role_of(command: list[str]) -> str:
    """Return the short name of what a process does, from its command line."""
    joined = " ".join(command)
    for mark in ("nats-server", "postgres", "sumo"):
        if mark in joined.split(" -", maxsplit=1)[0]:
            return mark
    return command[command.index("serve") + 1] if "serve" in command[:-1] else "supervisor"


def usage(process: psutil.Process) -> Usage:
    """Return the use of `process` and all its children now. Shared memory is counted once a process (USS)."""
    total = Usage()
    for one in [process, *process.children(recursive=True)]:
        try:
            times, memory, role = one.cpu_times(), one.memory_full_info().uss, role_of(one.cmdline() or [""])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        cpu = times.user + times.system
        total.cpu_s += cpu
        total.rss += memory
        before = total.by_role.get(role, (0.0, 0))
        total.by_role[role] = (before[0] + cpu, before[1] + memory)
    return total


@dataclass
class Platform:
    """A running platform: where it listens and what it uses."""

    process: psutil.Process
    settings: Settings
    started_s: float

    def usage(self) -> Usage:
        """Return CPU seconds and memory of every process of the platform."""
        return usage(self.process)

    @property
    def edge_url(self) -> str:
        """Base address of the ingest edge."""
        return f"http://{self.settings.edge_host}:{self.settings.edge_port}"

    @property
    def ioc_url(self) -> str:
        """Base address of the screens."""
        return f"http://{self.settings.ioc_host}:{self.settings.ioc_port}"


def answers(url: str) -> bool:
    """Return whether `url` answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def platform(*args: str, folder: Path | None = None, wait_s: float = 180.0) -> Iterator[Platform]:
    """Start `cityops up ARGS` in `folder` (default: a temporary one), yield it when healthy, stop it at the end.

    Raises RuntimeError with the supervisor's last words when it does not come up in `wait_s` seconds.
    """
    own = folder is None
    folder = folder or Path(tempfile.mkdtemp(prefix="cityops-bench-"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CITYOPS_")}
    output = (folder / "supervisor.out").open("w+")
    begin = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "cityops", "up", "--data-dir", str(folder), *args],
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        settings = wait_until_up(child, folder, begin + wait_s)
        yield Platform(psutil.Process(child.pid), settings, time.perf_counter() - begin)
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
        output.close()
        if own:
            shutil.rmtree(folder, ignore_errors=True)


def wait_until_up(child: subprocess.Popen[bytes], folder: Path, deadline: float) -> Settings:
    """Return the settings of the platform `child` starts, once its edge and screens answer. Raises RuntimeError."""
    endpoints = folder / "run" / "endpoints.json"
    while time.perf_counter() < deadline:
        if child.poll() is not None:
            break
        if endpoints.is_file():
            settings = Settings(data_dir=folder).with_values(json.loads(endpoints.read_text("utf-8")))
            if answers(f"http://{settings.edge_host}:{settings.edge_port}/v1/health") and answers(
                f"http://{settings.ioc_host}:{settings.ioc_port}/v1/health"
            ):
                return settings
        time.sleep(0.1)
    tail = (folder / "supervisor.out").read_text("utf-8", "replace")[-3000:]
    raise RuntimeError(f"the platform did not come up:\n{tail}")
