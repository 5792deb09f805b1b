"""What runs on a data directory: roles, processes, what they use; and the end of all of it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from cityops.runtime import records
from cityops.runtime.supervisor import STATUS_FILE, SUPERVISOR
from cityops.settings import Settings

_SAMPLE_SECONDS = 0.5
_STOP_SECONDS = 120.0


@dataclass(frozen=True)
class RoleStatus:
    """One role now. `rss` in bytes and `cpu` in cores count the role's whole session (SUMO beside the twin, say)."""

    role: str
    state: str
    pid: int | None
    restarts: int
    rss: int
    cpu: float


def supervisor(settings: Settings) -> records.Record | None:
    """Return the record of the supervisor that runs on the data directory, None when none does."""
    found = [entry for entry in records.read_all(settings.run_dir) if entry.role == SUPERVISOR and entry.alive()]
    return found[0] if found else None


def status(settings: Settings) -> list[RoleStatus]:
    """Return the status of every role known on the data directory, the supervisor first; takes half a second."""
    entries = {entry.role: entry for entry in records.read_all(settings.run_dir) if entry.alive()}
    try:
        states = json.loads((settings.run_dir / STATUS_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        states = {}
    supervised = SUPERVISOR in entries
    processes = {role: _processes(entry.pid, alone=role == SUPERVISOR) for role, entry in entries.items()}
    before = {role: _cpu_seconds(of_role) for role, of_role in processes.items()}
    time.sleep(_SAMPLE_SECONDS)
    rows = []
    for role in dict.fromkeys([SUPERVISOR, *states, *entries]):
        entry, said = entries.get(role), states.get(role, {})
        state = str(said.get("state", "healthy")) if supervised else ("left over" if entry else "stopped")
        of_role = processes.get(role, [])
        used = (_cpu_seconds(of_role) - before.get(role, 0.0)) / _SAMPLE_SECONDS
        pid = entry.pid if entry else None
        rows.append(RoleStatus(role, state, pid, int(said.get("restarts", 0)), _rss(of_role), max(0.0, used)))
    return rows


def end(settings: Settings, tell: Callable[[str], None]) -> bool:
    """End what runs on the data directory and return whether anything did. Raises TimeoutError when it will not end."""
    running = supervisor(settings)
    if running:
        tell(f"stopping (pid {running.pid})")
        os.kill(running.pid, signal.SIGTERM)
        until = time.monotonic() + _STOP_SECONDS
        while running.alive():
            if time.monotonic() > until:
                raise TimeoutError(f"the supervisor (pid {running.pid}) did not end in {_STOP_SECONDS:.0f} s")
            time.sleep(0.1)
    if not settings.run_dir.is_dir():
        return False
    with records.single_instance(settings.run_dir):
        left = records.end_leftovers(settings.run_dir)
    for role in left:
        tell(f"ended {role}, left by an earlier run")
    return bool(running or left)


def _processes(leader: int, *, alone: bool) -> list[psutil.Process]:
    found = []
    for pid in [leader] if alone else records.session_members(leader):
        try:
            found.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return found


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.Error:
            continue
    return total


def _rss(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total
