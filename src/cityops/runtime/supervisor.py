"""Starts the platform on one machine in order, keeps it running, stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cityops.runtime import ports, postgres, records
from cityops.runtime.disk_guard import guard
from cityops.runtime.keeper import Heartbeats, Keeper, State
from cityops.runtime.process import end_task
from cityops.runtime.roles import ROLES, STOP_ORDER
from cityops.settings import Settings, SettingsError
from cityops.technology import bus
from cityops.technology.telemetry import SUBJECT, Log

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = Log(__name__)
Report = Callable[[str, State], None]
Progress = Callable[[str, str, float], None]
STATUS_FILE = "status.json"
SUPERVISOR = "supervisor"


class Supervisor:
    """The children of one data directory; `running` makes one under the folder's lock."""

    def __init__(self, settings: Settings, roles: Collection[str], report: Report, progress: Progress) -> None:
        self.settings = settings
        self._report = report
        self._beats = Heartbeats()
        self._bus: Client | None = None
        self._guard: asyncio.Task[None] | None = None
        self.keepers = {
            role.name: Keeper(role, settings, self._beats, self._changed, progress)
            for role in ROLES
            if role.name in roles
        }

    async def start(self) -> None:
        """Start every role once those it needs are up; return when all are. Raises StartError for the first to fail."""
        up = {name: asyncio.Event() for name in self.keepers}

        async def start(keeper: Keeper) -> None:
            for need in keeper.role.needs:
                if need in up:
                    await up[need].wait()
            await keeper.start()
            if keeper.role.name == "nats":
                await self._listen()
            up[keeper.role.name].set()

        try:
            async with asyncio.TaskGroup() as group:
                for keeper in self.keepers.values():
                    group.create_task(start(keeper))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """Stop every role in order."""
        for name in STOP_ORDER:
            if name == "nats":
                await self._hush()
            if name in self.keepers:
                await self.keepers[name].stop()

    def _changed(self, keeper: Keeper) -> None:
        log.info("role changed", kept_role=keeper.role.name, state=keeper.state, restarts=keeper.restarts)
        states = {name: {"state": k.state, "restarts": k.restarts} for name, k in self.keepers.items()}
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            write_whole(self.settings.run_dir / STATUS_FILE, json.dumps(states))
        self._report(keeper.role.name, keeper.state)

    async def _listen(self) -> None:
        client = self._bus = await bus.connect(self.settings, SUPERVISOR)
        self._beats.listening = lambda: bool(client.is_connected)

        async def hear(message: Msg) -> None:
            with contextlib.suppress(ValueError, KeyError):
                said = json.loads(message.data)
                self._beats.hear(str(said["role"]), int(said["pid"]), bool(said["ready"]))

        await client.subscribe(f"{SUBJECT}.*", cb=hear)
        watch = guard(self.settings, client, revive=self.keepers["nats"].restart)
        self._guard = asyncio.create_task(watch, name="disk guard")

    async def _hush(self) -> None:
        if self._guard:
            await end_task(self._guard)
        if self._bus:
            await self._bus.close()


@contextlib.asynccontextmanager
async def running(
    settings: Settings, roles: Collection[str], report: Report, progress: Progress = lambda role, step, share: None
) -> AsyncIterator[Supervisor]:
    """Run `roles` on `settings`' data directory while inside; ports that are taken are replaced by free ones.

    Raises AlreadyRunningError, StartError, SettingsError.
    """
    with records.single_instance(settings.run_dir):
        for role in await asyncio.to_thread(records.end_leftovers, settings.run_dir):
            log.warning("ended what an earlier run left", kept_role=role)
        settings = choose_ports(settings)
        settings.log_dir.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(settings.scratch_dir, ignore_errors=True)  # a killed role leaves its own there
        records.write(settings.run_dir, records.record(SUPERVISOR, os.getpid()))
        write_endpoints(settings)
        supervisor = Supervisor(settings, roles, report, progress)
        try:
            await supervisor.start()
            yield supervisor
        finally:
            await supervisor.stop()
            settings.endpoints_file.unlink(missing_ok=True)
            records.forget(settings.run_dir, SUPERVISOR)


def choose_ports(settings: Settings) -> Settings:
    """Return `settings` with ports that are free now: the wanted one, else the next that is; port 0 means any.

    Raises SettingsError when an engine is to be elsewhere: this machine's supervisor starts its own.
    """
    taken: set[int] = set()

    def port(url: str) -> int:
        parts = urlsplit(url)
        if parts.hostname not in ("127.0.0.1", "localhost"):
            raise SettingsError(
                f"{url}: `cityops up` starts its own engines; with engines elsewhere use `cityops serve`"
            )
        return ports.choose(parts.port or 0, taken)

    login = f"{postgres.DATABASE}:{postgres.password(settings)}"
    return replace(
        settings,
        ioc_port=ports.choose(settings.ioc_port, taken, settings.ioc_host),
        edge_port=ports.choose(settings.edge_port, taken, settings.edge_host),
        mqtt_port=ports.choose(settings.mqtt_port, taken, settings.mqtt_host),
        nats_url=f"nats://127.0.0.1:{port(settings.nats_url)}",
        warehouse_url=f"http://127.0.0.1:{port(settings.warehouse_url)}",
        postgres_url=f"postgresql+psycopg://{login}@127.0.0.1:{port(settings.postgres_url)}/{postgres.DATABASE}",
    )


def write_endpoints(settings: Settings) -> None:
    """Write the endpoints file that `Settings.load` reads; its owner alone may read it (it holds a password)."""
    values: dict[str, Any] = {name: str(value) for name, value in asdict(settings).items() if name != "data_dir"}
    write_whole(settings.endpoints_file, json.dumps(values, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
