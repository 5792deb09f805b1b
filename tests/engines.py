"""Real engines for tests: the supervisor's own code in a thread, a temporary folder, free ports."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cityops.runtime.supervisor import Supervisor, running
from cityops.settings import Settings

T = TypeVar("T")


def any_ports(data_dir: Path) -> Settings:
    """Return settings on `data_dir` whose every port is to be chosen free."""
    return Settings(
        data_dir=data_dir,
        nats_url="nats://127.0.0.1:0",
        mqtt_port=0,
        postgres_url="postgresql+psycopg://cityops@127.0.0.1:0/cityops",
        warehouse_url="http://127.0.0.1:0",
        edge_port=0,
        ioc_port=0,
    )


class Engines:
    """Supervised engines. `settings` says where they listen; a killed one comes back at the same address."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.settings = supervisor.settings
        self._supervisor = supervisor

    def pid(self, role: str) -> int:
        """Return the pid of `role` (to kill it, say)."""
        child = self._supervisor.keepers[role].child
        assert child is not None
        assert child.pid is not None
        return child.pid

    def restarts(self, role: str) -> int:
        return self._supervisor.keepers[role].restarts

    def state(self, role: str) -> str:
        return self._supervisor.keepers[role].state


@contextlib.contextmanager
def engines(settings: Settings, roles: Sequence[str]) -> Iterator[Engines]:
    """Run `roles` (of runtime/roles.py: "nats", "postgres", "warehouse", "migrate", "pipeline", ...) while inside."""
    started: list[Supervisor] = []
    failure: list[BaseException] = []
    up, stop = threading.Event(), threading.Event()

    async def main() -> None:
        try:
            async with running(settings, roles, lambda role, state: None) as supervisor:
                started.append(supervisor)
                up.set()
                await asyncio.to_thread(stop.wait)
        except BaseException as error:  # noqa: BLE001  # handed to the test's thread below
            failure.append(error)
        finally:
            up.set()

    # The thread lives as long as the engines: they are told to end when the thread that started them does.
    thread = threading.Thread(target=lambda: asyncio.run(main()), name="engines", daemon=True)
    thread.start()
    up.wait()
    try:
        if failure:
            raise failure[0]
        yield Engines(started[0])
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]


def until(ask: Callable[[], T], *, seconds: float = 20.0) -> T:
    """Return the first true answer of `ask`, asked every 20 ms. Raises AssertionError after `seconds`."""
    ends = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < ends, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)
    return answer


async def until_async(ask: Callable[[], T | Awaitable[T]], *, seconds: float = 20.0) -> T:
    """As `until`, for async tests: the loop goes on meanwhile, and `ask` may be a coroutine function."""
    ends = time.monotonic() + seconds
    while True:
        answer = ask()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < ends, f"still {answer!r} after {seconds} s"
        await asyncio.sleep(0.02)
