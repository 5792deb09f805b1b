"""A server that shows a recorded frame, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

from tests.engines import any_ports, until

from cityops.runtime.ports import free_port

FRAME = Path(__file__).parent / "frame" / "frame.jsonl"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, TimeoutError, ConnectionError):
        return False


@contextmanager
def replayed(recording: Path, data_dir: Path) -> Iterator[str]:
    """Serve `recording` while inside; gives its address."""
    settings = replace(any_ports(data_dir), ioc_port=free_port(), replay=str(recording))
    command = [sys.executable, "-m", "cityops", "serve", "ioc"]
    serving = subprocess.Popen(command, env=os.environ | settings.environment())
    address = f"http://{settings.ioc_host}:{settings.ioc_port}"
    try:
        until(lambda: answers(f"{address}/v1/city"), seconds=30)
        yield address
    finally:
        serving.terminate()
        serving.wait(20)
