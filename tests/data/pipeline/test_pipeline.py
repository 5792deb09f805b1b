"""The pipeline between real engines: from the wire to warehouse, quarantine and the live feed."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa
import pytest
from nats.aio.client import Client
from tests.data.pipeline.observations import CONTRACTS, FLOW, flow
from tests.engines import Engines, until_async

from cityops.data.contract import DATABASE, rollup_table
from cityops.data.edge import mappings
from cityops.data.live.feed import LiveFeed
from cityops.data.live.table import LiveTable
from cityops.data.pipeline.replay import held, replay
from cityops.data.pipeline.run import run
from cityops.data.warehouse.client import AsyncWarehouse
from cityops.settings import Settings
from cityops.technology import bus
from cityops.technology.telemetry import Telemetry

pytestmark = pytest.mark.engine

_NUMBERS = itertools.count(1)


class Running:
    """A pipeline in this process, and what a test asks about it."""

    def __init__(self, settings: Settings, client: Client, telemetry: Telemetry) -> None:
        self.settings = settings
        self.log = client
        self.telemetry = telemetry
        self.warehouse = AsyncWarehouse(settings.warehouse_url)
        self.name = f"P{next(_NUMBERS)}"

    def row(self, number: int = 0, ms: int | None = None, **more: Any) -> dict[str, Any]:
        return flow(f"{self.name}-{number}", time.time_ns() // 1_000_000 if ms is None else ms, **more)

    async def publish(self, rows: list[dict[str, Any]] | bytes, contract: str = FLOW.name, **headers: str) -> int:
        payload = rows if isinstance(rows, bytes) else b"\n".join(json.dumps(row).encode() for row in rows)
        given = {bus.CONTENT_TYPE: bus.NDJSON, **headers}
        if not isinstance(rows, bytes):
            given[bus.ROWS] = str(len(rows))
        return (await self.log.jetstream().publish(bus.ingest_subject(contract, self.name), payload, headers=given)).seq

    async def stored(self) -> int:
        found = await self.warehouse.query(
            f"SELECT count() AS n FROM {DATABASE}.{FLOW.table} WHERE startsWith(detector_id, '{self.name}-')"
        )
        return int(found["n"][0].as_py())

    async def rolled_up(self) -> int:
        table = rollup_table(FLOW, FLOW.rollups[-1])
        found = await self.warehouse.query(
            f"SELECT sum(n) AS n FROM {DATABASE}.{table} WHERE startsWith(detector_id, '{self.name}-')"
        )
        return int(found["n"][0].as_py() or 0)

    async def set_aside(self) -> dict[str, int]:
        found = await self.warehouse.query(
            f"SELECT toString(rule) AS rule, count() AS n FROM {DATABASE}.quarantine "
            f"WHERE _source = '{self.name}' GROUP BY rule"
        )
        return {
            (row["rule"].decode() if isinstance(row["rule"], bytes) else row["rule"]): row["n"]
            for row in found.to_pylist()
        }


@pytest.fixture
async def running(platform: Engines) -> AsyncIterator[Running]:
    client = await bus.connect(platform.settings, "test")
    telemetry = Telemetry("pipeline")
    working = asyncio.create_task(run(platform.settings, CONTRACTS, telemetry))
    await until_async(lambda: telemetry.is_ready or working.done())
    running = Running(platform.settings, client, telemetry)
    yield running
    working.cancel()
    await asyncio.wait({working})
    await running.warehouse.close()
    await client.close()


async def test_rows_are_stored_and_rolled_up_and_bad_ones_set_aside(running: Running) -> None:
    await running.publish([running.row(n) for n in range(50)] + [running.row(1, intensity=-5)])
    await running.publish(b'{"detector_id":')
    await running.publish(b"{}", contract="Nonsense")

    async def counted() -> bool:
        return (await running.stored(), await running.rolled_up()) == (50, 50)

    await until_async(counted)
    wanted = {"range:intensity": 1, "json:": 1, "contract:": 1}
    await until_async(lambda: _equal(running.set_aside(), wanted))


async def _equal(asked: Any, wanted: object) -> bool:
    return bool(await asked == wanted)


async def test_doubles_are_found_in_memory_and_in_the_warehouse(running: Running) -> None:
    now = time.time_ns() // 1_000_000
    fresh, old = [running.row(n, now) for n in range(5)], [running.row(n, now - 90_000_000) for n in range(5)]
    await running.publish(fresh + old)
    await until_async(lambda: _equal(running.stored(), 10))
    await running.publish(fresh + old + [running.row(9, now - 90_000_000)])
    await until_async(lambda: _equal(running.stored(), 11))
    await until_async(lambda: _equal(running.set_aside(), {"unique": 10}))


async def test_a_pipeline_begun_again_goes_on_and_knows_what_is_stored(running: Running) -> None:
    rows = [running.row(n) for n in range(20)]
    await running.publish(rows)
    await until_async(lambda: _equal(running.stored(), 20))
    # A second pipeline on the same log ends the first: two would store everything twice.
    telemetry = Telemetry("second")
    second = asyncio.create_task(run(running.settings, CONTRACTS, telemetry))
    await until_async(lambda: telemetry.is_ready or second.done())
    await running.publish([*rows, running.row(99)])
    await until_async(lambda: _equal(running.stored(), 21))
    await until_async(lambda: _equal(running.rolled_up(), 21))
    second.cancel()
    await asyncio.wait({second})


@pytest.mark.parametrize("topic", ["TrafficFlowObserved", "AirQualityObserved"])
async def test_mosquitto_devices_are_heard(running: Running, topic: str) -> None:
    if not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto_pub is not installed")
    row = running.row(1)
    if topic == "AirQualityObserved":
        row = {
            "station": "Tiantan",
            "year": 2016,
            "month": 2,
            "day": 1,
            "hour": next(_NUMBERS),
            "PM2.5": "7",
            "wd": "NE",
        }
        row |= dict.fromkeys(("PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM"), "NA")
        name = f"cityops/{topic}/{running.name}/beijing-air-quality"
    else:
        name = f"cityops/{topic}/{running.name}"
    where = ["-h", running.settings.mqtt_host, "-p", str(running.settings.mqtt_port)]
    await asyncio.to_thread(
        subprocess.run, ["mosquitto_pub", *where, "-q", "1", "-t", name, "-m", json.dumps(row)], check=True
    )
    table = CONTRACTS[topic].table
    sql = f"SELECT count() AS n FROM {DATABASE}.{table} WHERE _source = '{running.name}' AND _stream = 'mqtt'"

    async def there() -> bool:
        return int((await running.warehouse.query(sql))["n"][0].as_py()) == 1

    await until_async(there)


async def test_a_topic_that_names_no_contract_is_set_aside(running: Running) -> None:
    await bus.open_mqtt_session(running.settings.mqtt_host, running.settings.mqtt_port)
    await running.log.jetstream().publish("$MQTT.msgs.cityops.lonely", b"x")
    sql = f"SELECT count() AS n FROM {DATABASE}.quarantine WHERE contract = '$MQTT.msgs.cityops.lonely'"

    async def there() -> bool:
        return int((await running.warehouse.query(sql))["n"][0].as_py()) >= 1

    await until_async(there)


async def test_the_live_feed_brings_newest_rows_at_once_and_from_the_warehouse_at_the_start(running: Running) -> None:
    now = time.time_ns() // 1_000_000
    await running.publish([running.row(1, now - 5000, intensity=1), running.row(1, now - 9000, intensity=2)])
    await until_async(lambda: _equal(running.stored(), 2))
    feed = LiveFeed(running.log, running.warehouse, [FLOW])
    following = asyncio.create_task(feed.run())
    table: LiveTable = feed.tables[FLOW.name]
    await until_async(lambda: f"{running.name}-1" in table)
    assert table.column("intensity")[table.row_of(f"{running.name}-1")] == 1.0
    began = time.monotonic()
    await running.publish([running.row(1, now, intensity=3), running.row(2, now, intensity=4)])
    await until_async(lambda: f"{running.name}-2" in table)
    assert time.monotonic() - began < 1.0, "live rows do not wait for the warehouse"
    assert table.column("intensity")[table.row_of(f"{running.name}-1")] == 3.0
    following.cancel()
    await asyncio.wait({following})


async def test_live_rows_are_arrow_of_the_contract(running: Running) -> None:
    subscription = await running.log.subscribe(bus.live_subject(FLOW.name))
    await running.log.flush()
    await running.publish([running.row(1)])
    message = await subscription.next_msg(5)
    rows = pa.ipc.open_stream(message.data).read_all()
    assert rows.schema.names == FLOW.table_schema.names
    await subscription.unsubscribe()


async def test_mended_rows_are_replayed_out_of_quarantine(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "LOOK_AGAIN_SECONDS", 0.0)
    good = running.row(1)
    line = json.dumps({"dev": good["detector_id"], "t": good["observed_at"], "flow": 5}).encode()
    csv = f"dev,t,flow\n{running.name}-2,{good['observed_at']},6".encode()
    id_ = f"gate-{running.name.lower()}"
    await running.publish(line, **{bus.MAPPING: id_})
    await running.publish(csv, **{bus.MAPPING: id_, bus.CONTENT_TYPE: bus.CSV})
    await until_async(lambda: _equal(running.set_aside(), {"mapping:": 2}))
    assert any(h.rule == "mapping:" and running.name in h.sources for h in await held(running.warehouse, FLOW.name))
    mapping = "id: gate\ncontract: TrafficFlowObserved\nfields: {detector_id: dev, observed_at: t, intensity: flow}\n"
    bucket = await running.log.jetstream().key_value(bus.MAPPINGS_BUCKET)
    await bucket.put(id_, mapping.replace("flow}", "flow, occupancy: occ}").encode())  # wrong for the CSV
    assert await replay(running.settings, FLOW.name, "mapping:") >= 2
    await until_async(lambda: _equal(running.set_aside(), {"column:occ": 1}))
    await bucket.put(id_, mapping.encode())
    assert await replay(running.settings, FLOW.name, "column:occ") == 1
    await until_async(lambda: _equal(running.stored(), 2))
    assert await running.set_aside() == {}
