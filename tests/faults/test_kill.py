"""kill -9 of every role under load: what was acknowledged is in the warehouse exactly once, rollups included.

CITYOPS_FAULT_ROWS says how many observations are sent (100,000; the full run is 1,000,000).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines import Engines, any_ports, engines, until_async
from tests.faults.senders import CONTRACT, Tally, send_http, send_mqtt

from cityops.data.contract import DATABASE, now_view, rollup_table
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import Warehouse, WarehouseError

pytestmark = [pytest.mark.engine, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = int(os.environ.get("CITYOPS_FAULT_ROWS", "100000"))
ROLES = ("edge", "pipeline", "warehouse", "nats")
FLOW = installed_contracts()[CONTRACT]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Engines]:
    roles = ["nats", "postgres", "warehouse", "migrate", "pipeline", "edge"]
    with engines(any_ports(tmp_path), roles) as started:
        yield started


def ask(warehouse: Warehouse, sql: str) -> int:
    try:
        return int(warehouse.query(sql).column(0)[0].as_py() or 0)
    except WarehouseError:
        return -1


async def kill(running: Engines, role: str) -> None:
    """Kill `role` and return when another process does its work."""
    pid = running.pid(role)
    os.kill(pid, signal.SIGKILL)
    await until_async(lambda: _is_back(running, role, pid), seconds=60)


def _is_back(running: Engines, role: str, pid: int) -> bool:
    try:
        return running.pid(role) != pid and running.state(role) == "healthy"
    except AssertionError:
        return False


async def test_nothing_acknowledged_is_lost_or_doubled(running: Engines) -> None:
    turns = ROLES * max(1, ROWS // 500_000)
    rows, devices, each = ROWS // len(turns), 20, max(20, ROWS // 1000 // len(turns))
    first_ms = int(time.time() * 1000)
    for turn, role in enumerate(turns):
        http, mqtt = Tally(), Tally()
        began = first_ms + turn * 10_000  # every row of every turn has a time of its own
        sending = asyncio.gather(
            send_http(running.settings, rows, http, began),
            send_mqtt(running.settings, devices, each, mqtt, began, lambda tally=http: tally.acknowledged / rows),
        )
        await until_async(lambda tally=http: tally.acknowledged >= rows / 3, seconds=120)
        await kill(running, role)
        await sending
        assert (http.acknowledged, mqtt.acknowledged) == (rows, devices * each)
        assert http.failed or role in {"pipeline", "warehouse"}, f"{role} was not missed"
        assert mqtt.failed or role != "nats", "the gateway was not missed"
    wanted = len(turns) * (rows + devices * each)

    warehouse = Warehouse(running.settings.warehouse_url)
    table = f"{DATABASE}.{FLOW.table}"
    last = rollup_table(FLOW, FLOW.rollups[-1])
    await until_async(lambda: ask(warehouse, f"SELECT sum(n) FROM {DATABASE}.{last}") >= wanted, seconds=120)
    assert ask(warehouse, f"SELECT count() FROM {table}") == wanted
    assert ask(warehouse, f"SELECT uniqExact(detector_id, observed_at) FROM {table}") == wanted
    for step in FLOW.rollups:
        assert ask(warehouse, f"SELECT sum(n) FROM {DATABASE}.{rollup_table(FLOW, step)}") == wanted
    intensity = ask(warehouse, f"SELECT toUInt64(sum(intensity)) FROM {table}")
    assert intensity == len(turns) * (sum(n % 900 for n in range(rows)) + devices * sum(n % 900 for n in range(each)))
    assert ask(warehouse, f"SELECT toUInt64(sum(intensity_sum)) FROM {DATABASE}.{last}") == intensity
    assert ask(warehouse, f"SELECT count() FROM {DATABASE}.{now_view(FLOW)}") == min(rows, 1000) + devices
    assert ask(warehouse, f"SELECT count() FROM {DATABASE}.quarantine WHERE rule != 'unique'") == 0
