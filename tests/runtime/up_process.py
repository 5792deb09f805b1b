"""The supervisor in a process of its own, as a person starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cityops.runtime import records
from cityops.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("nats", "postgres", "warehouse")


class Up:
    """A supervisor in a process of its own."""

    def __init__(self, data_dir: Path, *, roles: Sequence[str] = ENGINES, prefix: Sequence[str] = ()) -> None:
        self.data_dir = data_dir
        command = [*prefix, sys.executable, "-m", "tests.runtime.up_roles", str(data_dir), *roles]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def wait(self) -> Settings:
        """Return where it listens once it says that it is up."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "CityOps 城运  http://" in line:
                return Settings.load(self.data_dir)
        raise AssertionError("".join(said))

    def children(self) -> dict[str, records.Record]:
        return {entry.role: entry for entry in records.read_all(self.data_dir / "run") if entry.pid != self.process.pid}

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)
