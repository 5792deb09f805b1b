"""Keeps one role running: starts it, asks after its health, restarts it with growing pauses, stops it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from cityops.runtime.health import Health
from cityops.runtime.logs import RotatingLog, tail
from cityops.runtime.process import Child, end_task
from cityops.runtime.roles import Role
from cityops.settings import Settings
from cityops.technology.telemetry import PROGRESS, Log

State = Literal["waiting", "starting", "healthy", "unwell", "restarting", "done", "failed", "stopped"]

STARTING_POLL_SECONDS = 0.1
CHECK_SECONDS = 5.0
BEAT_SECONDS = 10.0  # telemetry older than this says nothing any more
SILENT_SECONDS = 30.0  # without any answer for so long, the process is ended and started anew
START_SECONDS = 120.0  # the same before its first good answer
PATIENCE_SECONDS = 900.0  # with a role that answers all the time that it is not ready yet
STEADY_SECONDS = 30.0  # after so long in health the pauses begin small again
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 15.0

log = Log(__name__)


class StartError(RuntimeError):
    """A role did not come up; carries the last lines of its log."""


@dataclass
class Heartbeats:
    """When telemetry of each role was last heard, and from which process; `listening` while the bus is there."""

    heard: dict[str, tuple[int, float, bool]] = field(default_factory=dict)
    listening: Callable[[], bool] = lambda: True

    def hear(self, role: str, pid: int, ready: bool) -> None:
        """Note that `pid` spoke as `role` just now."""
        self.heard[role] = (pid, time.monotonic(), ready)

    def health(self, role: str, pid: int | None) -> Health:
        """Return the health of `pid` as `role`: well when it spoke in the last seconds and says that it is ready."""
        who, when, ready = self.heard.get(role, (0, 0.0, False))
        if who == pid and time.monotonic() - when < BEAT_SECONDS:
            return "well" if ready else "unwell"
        return "silent" if self.listening() else "unwell"  # the bus may be what is silent


class Keeper:
    """One role's life. `changed` hears each change of state, `progress` how far a role that runs once is."""

    def __init__(
        self,
        role: Role,
        settings: Settings,
        beats: Heartbeats,
        changed: Callable[[Keeper], None],
        progress: Callable[[str, str, float], None],
    ) -> None:
        self.role = role
        self.state: State = "waiting"
        self.restarts = 0
        self.child: Child | None = None
        self._settings = settings
        self._beats = beats
        self._changed = changed
        self._progress = progress
        self._log = RotatingLog(settings.log_dir, role.name)
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._failure = ""

    async def start(self) -> None:
        """Start the role and return once it is healthy (or done). Raises StartError when it fails or takes too long."""
        self._task = asyncio.create_task(self._run_once() if self.role.once else self._keep(), name=self.role.name)
        up = asyncio.create_task(self._up.wait())
        try:
            limit = None if self.role.once else PATIENCE_SECONDS
            await asyncio.wait({self._task, up}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
        if not self._up.is_set():
            self._set("failed")
            lines = "".join(f"\n  {line}" for line in tail(self._log.path))
            raise StartError(f"{self.role.name} did not start: {self._failure or 'it took too long'}{lines}")

    def restart(self) -> None:
        """End the role at once; it is started anew as after a crash."""
        if self.child:
            self.child.kill()

    async def stop(self) -> None:
        """End the role in order, by force after its time."""
        if self._task:
            await end_task(self._task)
        if self.child and not await self.child.stop():
            log.warning("role killed: it did not stop in time", kept_role=self.role.name)
        self._log.close()
        if self.state not in ("waiting", "done", "failed"):
            self._set("stopped")

    async def _run_once(self) -> None:
        if await self._launch():
            code = await self._running_child().wait()
            if code == 0:
                self._set("done")
                self._up.set()
            self._failure = f"it ended with code {code}"

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            if await self._launch():
                code = await self._watch(self._running_child())
                self._failure = f"it ended with code {code}"
                log.warning("role ended", kept_role=self.role.name, exit_code=code)
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            if not self._up.is_set() and self.restarts >= 3:
                return  # it never worked: whoever called start() is told why
            self.restarts += 1
            self._set("restarting")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # spreads restarts, protects nothing
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _launch(self) -> bool:
        self._set("starting")
        try:
            program = await asyncio.to_thread(self.role.program, self._settings)
            self.child = Child(program, self._settings.run_dir, self._log, self._hear if self.role.once else None)
            await self.child.start()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told, and tried again after a pause
            self._failure = str(error) or repr(error)
            log.warning("role cannot be started", kept_role=self.role.name, error=repr(error))
            return False
        return True

    async def _watch(self, child: Child) -> int:
        ended = asyncio.create_task(child.wait())
        try:
            last_answer = time.monotonic()
            while not ended.done():
                health = await self._health(child)
                if health != "silent":
                    last_answer = time.monotonic()
                if health == "well":
                    self._set("healthy")
                    self._up.set()
                elif self.state == "healthy" and child.running:
                    self._set("unwell")
                if time.monotonic() - last_answer > (START_SECONDS if self.state == "starting" else SILENT_SECONDS):
                    log.error("role does not answer: ending it", kept_role=self.role.name)
                    child.kill()
                every = STARTING_POLL_SECONDS if self.state == "starting" else CHECK_SECONDS
                await asyncio.wait({ended}, timeout=every)
            return ended.result()
        finally:
            ended.cancel()

    async def _health(self, child: Child) -> Health:
        if self.role.check is None:
            return self._beats.health(self.role.name, child.pid)
        health = await self.role.check(self._settings)
        # A server that is not ours may answer on the port: ours must be running as well.
        return health if child.running else "silent"

    def _hear(self, line: bytes) -> None:
        if b'"progress"' in line:
            with contextlib.suppress(ValueError, KeyError):
                said = json.loads(line)
                if said["event"] == PROGRESS:
                    self._progress(self.role.name, str(said["step"]), float(said["share"]))

    def _running_child(self) -> Child:
        if self.child is None:
            raise RuntimeError(f"{self.role.name} was not launched")
        return self.child

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed(self)
