"""The flow on one page: a message from the wire to the map, each stage where it happens, in its order.

    devices ──MQTT──────────▶ ┌─────────┐              ┌─▶ quarantine
                              │ the log │ ─▶ pipeline ─┼─▶ warehouse ─────────┐
    systems ──HTTP─▶ edge ──▶ └─────────┘              └─▶ live.{contract} ─▶ ioc ─▶ screens

Each function is what one process runs (`cityops serve <name>`). Stages meet on the bus alone: its events are listed
in docs/flow.md. Imports stand inside the functions so that a process loads its own stage and nothing else.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.telemetry import Telemetry

Stage = Callable[[Settings, Telemetry], Awaitable[None]]
Step = Callable[[Settings, Telemetry], None]


def migrate(settings: Settings, telemetry: Telemetry) -> None:
    """Before anything flows: streams with their consumers, the tables of records, the tables of every contract."""
    from cityops.data.warehouse.migrate import migrate as migrate_warehouse
    from cityops.technology import database

    asyncio.run(bus.prepare(settings))
    database.upgrade(settings)
    migrate_warehouse(settings)


async def edge(settings: Settings, telemetry: Telemetry) -> None:
    """1. What systems send over HTTP is written to the log, and only then acknowledged (devices: the MQTT gateway)."""
    from cityops.data.contract.installed import installed_contracts
    from cityops.data.edge.http import serve

    await serve(settings, installed_contracts(), telemetry)


async def pipeline(settings: Settings, telemetry: Telemetry) -> None:
    """2. Read the log in order: decode, map, check; newest rows to `live`, good ones stored, others in quarantine."""
    from cityops.data.contract.installed import installed_contracts
    from cityops.data.pipeline.run import run

    await run(settings, installed_contracts(), telemetry)


async def warehouse(settings: Settings, telemetry: Telemetry) -> None:
    """3. Every observation, its rollups and the quarantine; answers questions in ClickHouse's own protocol."""
    from cityops.data.warehouse.server import create_app, serve

    address = urlsplit(settings.warehouse_url)
    await serve(str(address.hostname), int(address.port or 0), create_app(settings.data_dir / "warehouse"))


async def ioc(settings: Settings, telemetry: Telemetry) -> None:
    """4. State now, from the warehouse and then from `live`; its visible changes go to every screen."""
    from cityops.ioc.server import run

    await run(settings)


def city(settings: Settings, telemetry: Telemetry) -> None:
    """Beside the flow: the plan of the demo city, made once."""
    from cityops.twin.plan.build import ensure_city

    ensure_city(settings, settings.population, settings.seed, telemetry.progress)


async def twin(settings: Settings, telemetry: Telemetry) -> None:
    """Beside the flow: the demo city lives, and its devices publish as real ones would."""
    from cityops.twin.simulation.run import run

    await run(settings, telemetry)


STAGES: dict[str, Stage | Step] = {
    "migrate": migrate,
    "edge": edge,
    "pipeline": pipeline,
    "warehouse": warehouse,
    "ioc": ioc,
    "city": city,
    "twin": twin,
}
