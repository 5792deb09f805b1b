"""A disk that fills up under load: new data is refused, nothing acknowledged is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines import until_async
from tests.faults.senders import CONTRACT, Tally, send_http, send_mqtt
from tests.runtime.up_process import Up

from cityops.data.contract import DATABASE, rollup_table
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import Warehouse, WarehouseError

pytestmark = [pytest.mark.engine, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

ROLES = ("nats", "postgres", "warehouse", "migrate", "pipeline", "edge")
ROWS, DEVICES, EACH = 200_000, 10, 100
FLOW = installed_contracts()[CONTRACT]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(file: Path) -> None:
    """Leave not one byte, at once."""
    with file.open("wb") as out:
        while free := shutil.disk_usage(file.parent).free:
            with contextlib.suppress(OSError):  # somebody else was quicker: what is left next time
                os.posix_fallocate(out.fileno(), out.seek(0, os.SEEK_END), free)


@pytest.fixture
def one(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """A platform on the small disk, ended with the test however it goes."""
    monkeypatch.setenv("CITYOPS_DISK_RESERVE_MB", "300")
    started = Up(small_disk / "data", roles=ROLES)
    yield started
    if started.process.poll() is None:
        started.end()


async def test_a_disk_that_fills_up_under_load_loses_nothing(one: Up, small_disk: Path) -> None:
    settings = await asyncio.to_thread(one.wait)
    http, mqtt = Tally(), Tally()
    first_ms = int(time.time() * 1000)
    sending = asyncio.gather(
        send_http(settings, ROWS, http, first_ms, lanes=2),
        send_mqtt(settings, DEVICES, EACH, mqtt, first_ms, lambda: http.acknowledged / ROWS),
    )
    await until_async(lambda: http.acknowledged >= ROWS / 10)
    await asyncio.to_thread(fill, small_disk / "filler")
    await until_async(lambda: http.failed > 60)  # refused with 507 or 503, and sent again
    assert http.acknowledged < ROWS
    (small_disk / "filler").unlink()
    await asyncio.wait_for(sending, 90)
    assert (http.acknowledged, mqtt.acknowledged) == (ROWS, DEVICES * EACH)

    def counted() -> dict[str, int]:
        tables = {FLOW.table: "count()"} | {rollup_table(FLOW, step): "sum(n)" for step in FLOW.rollups}
        try:
            with Warehouse(settings.warehouse_url) as warehouse:
                return {
                    table: int(warehouse.query(f"SELECT {what} FROM {DATABASE}.{table}").column(0)[0].as_py() or 0)
                    for table, what in tables.items()
                }
        except WarehouseError:
            return {}

    wanted = ROWS + DEVICES * EACH
    await until_async(lambda: min(counted().values(), default=0) >= wanted, seconds=60)
    assert set(counted().values()) == {wanted}
    assert await asyncio.to_thread(one.end) == 0
