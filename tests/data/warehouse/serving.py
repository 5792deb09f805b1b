"""A warehouse process of a test's own: the real server on a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from tests.engines import until

from cityops.data.warehouse.client import Warehouse

_RUN = "import sys; from cityops.data.warehouse.server import run; run('127.0.0.1', int(sys.argv[1]), sys.argv[2])"


class Served:
    """The process, its address, and a plain HTTP client on it."""

    def __init__(self, path: Path, port: int, env: dict[str, str]) -> None:
        self.path, self.port, self.url = path, port, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(port), str(path)], env={**os.environ, **env}, stderr=subprocess.PIPE
        )
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.warehouse = Warehouse(self.url)

    def wait(self) -> Served:
        """Return once it answers."""
        until(self._answers, seconds=30)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read().decode()
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/ping").status_code == 200
        return False

    def ask(self, sql: str, **parameters: str | int) -> str:
        """Return the answer as text, which must be a good one."""
        answer = self.http.post("/", params=parameters, content=sql)
        assert answer.status_code == 200, answer.text
        return answer.text

    def running(self, part: str) -> int:
        """Return how many statements that hold `part` run now, this question aside."""
        other = f"position(query, '{part}') > 0 AND position(query, 'system.processes') = 0"
        return int(self.ask(f"SELECT count() FROM system.processes WHERE {other}"))

    def kill(self) -> None:
        """Kill it as -9 does."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        """End it as the supervisor does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(path: Path, *, port: int | None = None, env: dict[str, str] | None = None) -> Iterator[Served]:
    """Serve the folder `path` while inside."""
    served = Served(path, port or free_port(), env or {})
    try:
        yield served.wait()
    finally:
        served.http.close()
        served.warehouse.close()
        if served.process.poll() is None:
            served.stop()
        if served.process.stderr is not None:
            served.process.stderr.close()
