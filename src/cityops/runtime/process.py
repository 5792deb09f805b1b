"""One child process: started in a session of its own, its lines kept, stopped in order or by force."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cityops.runtime import records
from cityops.runtime.logs import RotatingLog

_PR_SET_PDEATHSIG = 1
_CHUNK = 65_536


@dataclass(frozen=True)
class Program:
    """What to run. `uid`/`gid` drop root's rights; `stop_signal` asks for an orderly end within `stop_seconds`."""

    role: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    uid: int | None = None
    gid: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0


def thread_limits() -> dict[str, str]:
    """Return the environment that keeps a child's thread pools and allocator arenas small."""
    return {
        "OMP_NUM_THREADS": "2",  # Arrow takes its pool's size from this
        "ARROW_IO_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child must call before exec so that the kernel signals it when we die; None off Linux."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # died between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel `task` and return once it has ended; asks again, for a client library may swallow the first asking."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


class Child:
    """A running `Program`; its output goes to its role's log, and to `hear`, line by line."""

    def __init__(
        self, program: Program, run_dir: Path, log: RotatingLog, hear: Callable[[bytes], None] | None = None
    ) -> None:
        self.program = program
        self._hear = hear
        self._run_dir = run_dir
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's pid, None before its start."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process and put it on record. Raises OSError when it cannot be executed."""
        program = self.program
        self._process = await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | thread_limits() | dict(program.env),
            cwd=program.cwd,
            user=program.uid,
            group=program.gid,
            extra_groups=[] if program.uid is not None else None,
            start_new_session=True,
            preexec_fn=die_with_parent(program.stop_signal),
        )
        self._pump = asyncio.create_task(self._keep_lines(self._process), name=f"log {program.role}")
        with contextlib.suppress(psutil.Error):  # it may have ended already; wait() tells
            records.write(self._run_dir, records.record(program.role, self._process.pid, int(program.stop_signal)))

    async def wait(self) -> int:
        """Return the exit code once the process has ended, what it started with it, and its last lines are kept."""
        if self._process is None or self._pump is None:
            raise RuntimeError(f"{self.program.role} was not started")
        code = await self._exit(self._process)
        self._kill_group()
        await asyncio.wait({self._pump}, timeout=1.0)
        self._pump.cancel()
        records.forget(self._run_dir, self.program.role)
        return code

    async def stop(self) -> bool:
        """End the process; return whether it went in order within its time (else it was killed)."""
        if self._process is None:
            return True
        orderly = True
        if self.running:
            self._send(self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await self._exit(self._process)
            except TimeoutError:
                orderly = False
                self._kill_group()
        await self.wait()
        return orderly

    def kill(self) -> None:
        """Kill the process and all it started, at once."""
        if self.running:
            self._kill_group()

    @staticmethod
    async def _exit(process: asyncio.subprocess.Process) -> int:
        # Some versions of asyncio wait for the end of the pipe too, which what the process started may hold open.
        waiting = asyncio.ensure_future(process.wait())
        try:
            while process.returncode is None:
                await asyncio.wait({waiting}, timeout=0.5)
        finally:
            waiting.cancel()
        return process.returncode

    def _kill_group(self) -> None:
        if self._process:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep_lines(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.write(line)
                if self._hear:
                    self._hear(line)
            if len(rest) > _CHUNK:  # an endless line is kept in pieces
                self._log.write(rest)
                rest = b""
        self._log.write(rest)
