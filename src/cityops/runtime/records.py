"""What proves a process ours: pid, start time and command line on disk; the lock that keeps one supervisor a folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_SUFFIX = ".pid.json"


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds this data directory."""


@dataclass(frozen=True)
class Record:
    """A process we started. It leads a session of its own, so that what it started can be found by the session."""

    role: str
    pid: int
    started: float
    command: list[str]
    stop_signal: int = int(signal.SIGTERM)

    def alive(self) -> bool:
        """Return whether this very process still runs (not merely one with its pid)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(float(process.create_time()) - self.started) < 0.05
            return same and bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


def record(role: str, pid: int, stop_signal: int = int(signal.SIGTERM)) -> Record:
    """Return the record of the running process `pid`. Raises psutil.Error when it is gone."""
    process = psutil.Process(pid)
    return Record(role, pid, process.create_time(), process.cmdline(), stop_signal)


def write(folder: Path, entry: Record) -> None:
    """Write `entry` to `<folder>/<role>.pid.json`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (entry.role + _SUFFIX)
    draft = target.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(entry)), "utf-8")
    draft.replace(target)


def read_all(folder: Path) -> list[Record]:
    """Return the records in `folder`; a damaged one counts as none."""
    found: list[Record] = []
    for path in sorted(folder.glob("*" + _SUFFIX)):
        with contextlib.suppress(ValueError, TypeError, OSError):
            found.append(Record(**json.loads(path.read_text("utf-8"))))
    return found


def forget(folder: Path, role: str) -> None:
    """Remove the record of `role`."""
    (folder / (role + _SUFFIX)).unlink(missing_ok=True)


def end_leftovers(folder: Path, *, grace_seconds: float = 5.0) -> list[str]:
    """End what an earlier supervisor left running; return its roles.

    A process is ours when pid and start time are those on record, or when it belongs to the session that the
    recorded process led (the kernel does not give a session's number to anyone else while a member lives).
    """
    ended: list[str] = []
    doomed: dict[int, tuple[str, int]] = {}
    for entry in read_all(folder):
        if entry.pid == os.getpid():
            continue
        if entry.alive():
            doomed[entry.pid] = (entry.role, entry.stop_signal)
        elif not psutil.pid_exists(entry.pid):
            doomed |= {pid: (entry.role, int(signal.SIGTERM)) for pid in session_members(entry.pid)}
    _signal(doomed)
    until = time.monotonic() + grace_seconds
    while (left := {pid: what for pid, what in doomed.items() if _runs(pid)}) and time.monotonic() < until:
        time.sleep(0.05)
    _signal({pid: (role, int(signal.SIGKILL)) for pid, (role, _) in left.items()})
    while any(_runs(pid) for pid in left) and time.monotonic() < until + 5:
        time.sleep(0.05)
    for role, _ in doomed.values():
        if role not in ended:
            ended.append(role)
    for entry in read_all(folder):
        forget(folder, entry.role)
    return ended


def session_members(leader: int) -> list[int]:
    """Return the pids that run in the session which `leader` led."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader and _runs(pid):
                members.append(pid)
    return members


@contextlib.contextmanager
def single_instance(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` while inside. Raises AlreadyRunningError, naming the holder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"{folder.parent} is in use by the cityops process {holder}: `cityops down` ends it, "
                "or give another folder with --data-dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(targets: dict[int, tuple[str, int]]) -> None:
    for pid, (_, number) in targets.items():
        with contextlib.suppress(OSError):
            os.kill(pid, number)
