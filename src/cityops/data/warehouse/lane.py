"""A lane: threads for statements of one sort, and a bounded queue before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from cityops.data.warehouse.errors import SHUTDOWN_CALLED, TOO_MANY_SIMULTANEOUS_QUERIES, EngineError

T = TypeVar("T")


class Lane:
    """`width` statements run beside each other, `waiting` wait; one more is refused."""

    def __init__(self, name: str, width: int, waiting: int) -> None:
        self.name, self.width, self.waiting = name, width, waiting
        self.running = 0
        self.queued = 0
        self.closed = False
        self.threads = ThreadPoolExecutor(width, thread_name_prefix=f"warehouse-{name}")
        self._free = asyncio.Semaphore(width)

    async def __aenter__(self) -> Self:
        """Take a place, waiting for one; raises EngineError when too many wait already."""
        if self.queued >= self.waiting:
            raise EngineError.make(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                f"Too many simultaneous {self.name}: {self.width} run and {self.waiting} wait; try again later.",
            )
        self.queued += 1
        try:
            await self._free.acquire()
        finally:
            self.queued -= 1
        if self.closed:
            self._free.release()
            raise EngineError.make(SHUTDOWN_CALLED, "SHUTDOWN_CALLED", "The warehouse is shutting down.")
        self.running += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give the place back."""
        self.running -= 1
        self._free.release()

    async def call(self, work: Callable[..., T], *given: Any) -> T:
        """Run `work` on one of the lane's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *given)

    def close(self) -> None:
        """End the threads once what they run has ended."""
        self.threads.shutdown(wait=True)
