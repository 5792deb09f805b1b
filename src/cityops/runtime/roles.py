"""The table of roles: what each runs, what it waits for, how its health is asked, in which order all stop."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cityops.runtime import health, nats, postgres
from cityops.runtime.health import Health
from cityops.runtime.process import Program
from cityops.settings import Settings


@dataclass(frozen=True)
class Role:
    """One process of the platform: `needs` are started before it.

    Without a `check` it is healthy while its telemetry is heard; one that runs `once` is done when it ends with 0.
    """

    name: str
    does: str
    needs: tuple[str, ...]
    program: Callable[[Settings], Program]
    check: Callable[[Settings], Awaitable[Health]] | None = None
    once: bool = False


def _serve(role: str, *, stop_seconds: float = 10.0) -> Callable[[Settings], Program]:
    def program(settings: Settings) -> Program:
        argv = (sys.executable, "-m", "cityops", "serve", role)
        settings.scratch_dir.mkdir(parents=True, exist_ok=True)
        return Program(
            role, argv, env=settings.environment() | {"TMPDIR": str(settings.scratch_dir)}, stop_seconds=stop_seconds
        )

    return program


def _warehouse(settings: Settings) -> Awaitable[Health]:
    return health.of_http(settings.warehouse_url + "/ping")


def _edge(settings: Settings) -> Awaitable[Health]:
    return health.of_http(f"http://{settings.edge_host}:{settings.edge_port}/v1/health")


def _ioc(settings: Settings) -> Awaitable[Health]:
    return health.of_http(f"http://{settings.ioc_host}:{settings.ioc_port}/v1/health")


ENGINES = ("nats", "postgres", "warehouse")
ROLES: tuple[Role, ...] = (
    Role("nats", "the log, MQTT", (), nats.program, health.of_nats),
    Role("postgres", "business records", (), postgres.program, health.of_postgres),
    Role("warehouse", "observations", (), _serve("warehouse", stop_seconds=20.0), _warehouse),
    Role("migrate", "tables and streams", ENGINES, _serve("migrate"), once=True),
    Role("city", "the demo city's plan", (), _serve("city"), once=True),
    Role("pipeline", "decode, check, store", ("migrate",), _serve("pipeline", stop_seconds=15.0)),
    Role("edge", "devices over HTTP", ("migrate",), _serve("edge"), _edge),
    Role("ioc", "screens", ("migrate",), _serve("ioc"), _ioc),
    Role("twin", "the demo city", ("pipeline", "edge", "ioc", "city"), _serve("twin")),
)
BY_NAME = {role.name: role for role in ROLES}
STOP_ORDER = ("city", "migrate", "twin", "edge", "pipeline", "ioc", "warehouse", "postgres", "nats")
