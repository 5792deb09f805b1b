"""The server with real engines: up at once, fed from the warehouse and the bus, streaming to screens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import nats
import pyarrow as pa
import pytest
from nats.aio.client import Client
from tests.engines import any_ports, until_async
from tests.rows import rows_of
from tests.small_city import small_city

from cityops.data.contract import DATABASE
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import Warehouse
from cityops.ioc.replay import RecordingError, record
from cityops.ioc.server import run
from cityops.runtime.ports import free_port
from cityops.settings import Settings
from cityops.technology.bus import live_subject
from cityops.technology.geo.basemap import Basemap

pytestmark = pytest.mark.engine

CONTRACTS = installed_contracts()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Run the IOC on `settings`; gives a client once it answers."""
    task = asyncio.create_task(run(settings))
    address = f"http://{settings.ioc_host}:{settings.ioc_port}"
    async with httpx.AsyncClient(base_url=address, timeout=10) as client:

        async def answers() -> bool:
            assert not task.done(), task.exception()
            try:
                return (await client.get("/v1/health")).status_code == 200
            except httpx.ConnectError:
                return False

        await until_async(answers)
        yield client
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 6)


async def health(client: httpx.AsyncClient) -> dict[str, bool]:
    return {name: check["ok"] for name, check in (await client.get("/v1/health")).json()["checks"].items()}


async def events(client: httpx.AsyncClient, topics: str, **headers: str) -> AsyncIterator[tuple[str, str, dict]]:
    """Yield (id, topic, data) from the feed."""
    async with client.stream("GET", "/v1/feed", params={"topics": topics}, headers=headers) as stream:
        assert stream.status_code == 200, await stream.aread()
        event: dict[str, str] = {}
        async for line in stream.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                yield event.get("id", ""), event["event"], json.loads(event["data"])
                event = {}
            else:
                event = {}


async def first(stream: AsyncIterator[tuple[str, str, dict]], wanted) -> tuple[str, str, dict]:
    """Return the first event for which `wanted(topic, data)` holds."""
    async with asyncio.timeout(15):
        async for event in stream:
            if wanted(*event[1:]):
                return event
    raise AssertionError("the stream ended")


def message(contract: str, *rows: dict) -> bytes:
    table = rows_of(CONTRACTS[contract], rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def placed(platform, tmp_path) -> Settings:
    """The platform's engines, the small city, a free port."""
    settings = replace(platform.settings, data_dir=tmp_path, ioc_port=free_port())
    small_city(settings.city_dir)
    return settings


async def test_it_serves_at_once_though_no_engine_answers(tmp_path):
    settings = replace(
        any_ports(tmp_path), ioc_port=free_port(), nats_url="nats://127.0.0.1:9", warehouse_url="http://127.0.0.1:9"
    )
    began = time.monotonic()
    async with serving(settings) as client:
        assert time.monotonic() - began < 3.0  # 0.3 s on an idle machine; engines would be waited for much longer
        assert await health(client) | {"ui": True} == {
            "city": False,
            "log": False,
            "warehouse": False,
            "apps": True,
            "ui": True,
        }
        clock = await first(events(client, "clock"), lambda topic, data: topic == "clock")
        assert clock[2]["mode"] == "live"


async def test_units_are_shown_before_there_is_a_city_and_roads_once_there_is(platform, tmp_path):
    settings = replace(platform.settings, data_dir=tmp_path, ioc_port=free_port())
    bus = await nats.connect(settings.nats_url)
    async with (
        serving(settings) as client,
        telling(bus, "UnitPosition", FIRE_ENGINE),
        telling(bus, "TrafficFlowObserved", JAM),
    ):
        stream = events(client, "units,traffic.links")
        await first(stream, lambda topic, data: topic == "units" and any(row[0] == "fire-1" for row in data["set"]))
        small_city(settings.city_dir)
        await first(stream, is_jammed)
        await stream.aclose()
    await bus.close()


@asynccontextmanager
async def telling(bus: Client, contract: str, row: dict) -> AsyncIterator[None]:
    """Publish `row` with the present time five times a second, as a device would be heard."""

    async def tell() -> None:
        while True:
            await bus.publish(live_subject(contract), message(contract, row | {"observed_at": time.time()}))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


FIRE_ENGINE = {"unit_id": "fire-1", "kind": "fire", "longitude": 113.3, "latitude": 30.2}


def is_jammed(topic: str, data: dict) -> bool:
    """Say whether link 3 is severely congested; other tests' detectors may be in the warehouse too."""
    return topic == "traffic.links" and (3, 5) in zip(data["set"][::2], data["set"][1::2], strict=True)


JAM = {"detector_id": "DET3", "intensity": 600.0, "average_vehicle_speed": 10.0}


async def test_a_row_on_the_bus_is_on_the_screen_soon(placed):
    bus = await nats.connect(placed.nats_url)
    async with (
        serving(placed) as client,
        telling(bus, "UnitPosition", FIRE_ENGINE),
        telling(bus, "TrafficFlowObserved", JAM),
    ):
        stream = events(client, "units,traffic.links,link")
        seen: dict[str, list] = {}
        while {"units", "traffic.links"} - set(seen):
            _, topic, data = await first(stream, lambda topic, data: bool(data.get("set")))
            seen[topic] = data["set"]
            if topic == "traffic.links" and not is_jammed(topic, data):
                seen.pop(topic)
        assert [row[:4] for row in seen["units"] if row[0] == "fire-1"] == [["fire-1", "fire", 113.3, 30.2]]
        _, _, link = await first(stream, lambda topic, data: topic == "link" and data["delay_p99_ms"] is not None)
        assert link["delay_p50_ms"] < 1000
        assert {source["contract"] for source in link["sources"]} >= {"UnitPosition", "TrafficFlowObserved"}
        await stream.aclose()
    await bus.close()


async def _all_there(client: httpx.AsyncClient) -> bool:
    checks = await health(client)
    return checks["log"] and checks["warehouse"] and checks["city"]


async def test_what_was_known_before_the_start_is_on_the_first_screen(placed):
    now = time.time()
    alert = {"alert_id": f"A{now}", "observed_at": now, "category": "traffic", "severity": "II", "alert_source": "test"}
    rows = rows_of(CONTRACTS["Alert"], [alert | {"status": "open", "longitude": 113.3, "latitude": 30.2}])
    with Warehouse(placed.warehouse_url) as warehouse:
        warehouse.insert(f"{DATABASE}.alert", rows)
    async with serving(placed) as client:
        stream = events(client, "alerts,panel.alerts,panel.vitals,ticker")
        await first(stream, lambda topic, data: topic == "alerts" and f"A{now}" in {a["id"] for a in data["set"]})
        await first(stream, lambda topic, data: topic == "ticker" and any(i["level"] == 2 for i in data["items"]))
        await stream.aclose()
        rows = (await client.get("/v1/rows/Alert", params={"entity": f"A{now}"})).json()["rows"]
        assert [(row["severity"], row["observed_at"]) for row in rows] == [("II", int(now * 1000))]


async def test_the_history_of_a_number_comes_in_steps_that_fit_its_span(placed):
    now = 1_790_000_000 // 3600 * 3600
    rows = ({"station_id": "S-series", "observed_at": now + 600 * k, "pm25": float(k)} for k in range(12))
    with Warehouse(placed.warehouse_url) as warehouse:
        warehouse.insert(f"{DATABASE}.air_quality_observed", rows_of(CONTRACTS["AirQualityObserved"], rows))
    async with serving(placed) as client:
        address = "/v1/series/AirQualityObserved/S-series"
        span = {"property": "pm25", "from": now, "to": now + 7200}
        raw = (await client.get(address, params=span)).json()
        assert (raw["step"], raw["unit"], len(raw["points"])) == ("raw", "ug/m3", 12)
        hours = (await client.get(address, params=span | {"to": now + 86400})).json()
        assert hours["step"] == "1h"
        assert hours["points"] == [
            [now * 1000, 2.5, 0.0, 5.0, 6],
            [(now + 3600) * 1000, 8.5, 6.0, 11.0, 6],
        ]


async def test_a_screen_that_comes_back_gets_only_what_it_missed(placed):
    async with serving(placed) as client:
        stream = events(client, "clock,link")
        last, _, _ = await first(stream, lambda topic, data: topic == "link")
        while not last:
            last, _, _ = await first(stream, lambda topic, data: True)
        await stream.aclose()
        again = events(client, "clock,link", **{"Last-Event-ID": last})
        missed, _, _ = await first(again, lambda topic, data: True)
        await again.aclose()
        assert missed == "" or int(missed.split("-")[1]) > int(last.split("-")[1])


async def test_garbage_on_the_bus_disturbs_nobody(placed):
    bus = await nats.connect(placed.nats_url)
    async with serving(placed) as client:
        await until_async(lambda: _all_there(client))
        for subject, data in (
            (live_subject("UnitPosition"), b"not arrow"),
            (live_subject("NoContract"), b""),
            ("telemetry.pipeline", b"{"),
            ("telemetry.pipeline", b'{"role": 3}'),
        ):
            await bus.publish(subject, data)
        wrong = pa.table({"unit_id": ["x"]})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, wrong.schema) as writer:
            writer.write_table(wrong)
        await bus.publish(live_subject("UnitPosition"), sink.getvalue().to_pybytes())
        stream = events(client, "units")
        async with telling(bus, "UnitPosition", FIRE_ENGINE | {"unit_id": "after"}):
            await first(stream, lambda topic, data: any(row[0] == "after" for row in data["set"]))
        await stream.aclose()
        assert (await client.get("/v1/health")).status_code == 200
    await bus.close()


async def test_a_recorded_frame_is_shown_again_without_engines(placed, tmp_path):
    Basemap.open(placed.city_dir).tiles.write_bytes(b"tiles" * 100)
    bus = await nats.connect(placed.nats_url)
    frame = tmp_path / "frame.jsonl"
    now = time.time()
    async with serving(placed) as client:
        stream = events(client, "traffic.links")
        async with telling(bus, "TrafficFlowObserved", JAM):
            await first(stream, is_jammed)
        await stream.aclose()
        city = (await client.get("/v1/city")).json()
        await asyncio.to_thread(record, str(client.base_url), frame)
    await bus.close()

    nowhere = replace(any_ports(tmp_path / "empty"), ioc_port=free_port(), replay=str(frame))
    async with serving(nowhere) as client:
        assert (await client.get("/v1/city")).json() == city
        assert (await client.get("/v1/health")).json()["mode"] == "replay"
        assert (await client.get(city["tiles"])).content == b"tiles" * 100
        assert (await client.get("/v1/rows/Alert")).status_code == 404
        seen = {}
        stream = events(client, "clock,traffic.links,panel.vitals")
        while len(seen) < 3:
            _, topic, data = await first(stream, lambda topic, data: True)
            seen[topic] = data
        await stream.aclose()
        assert seen["clock"]["mode"] == "replay"
        assert is_jammed("traffic.links", seen["traffic.links"])
        assert {data["t"] for data in seen.values()} == {seen["clock"]["t"]}
        assert abs(seen["clock"]["t"] / 1000 - now) < 30


async def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"format": 1, "at": 0}\n{"neither": 1}\n')
    with pytest.raises(RecordingError, match=r"bad\.jsonl"):
        await run(replace(any_ports(tmp_path), replay=str(bad)))


@pytest.mark.fault
async def test_a_killed_log_is_waited_for_and_rows_go_on(own_platform, tmp_path):
    settings = replace(own_platform.settings, data_dir=tmp_path / "ioc", ioc_port=free_port())
    small_city(settings.city_dir)
    async with serving(settings) as client:
        await until_async(lambda: _all_there(client))
        os.kill(own_platform.pid("nats"), signal.SIGKILL)
        assert (await client.get("/v1/city")).status_code == 200
        await until_async(lambda: own_platform.restarts("nats") == 1)
        bus = await nats.connect(settings.nats_url)
        stream = events(client, "traffic.links")
        async with telling(bus, "TrafficFlowObserved", JAM):
            await first(stream, is_jammed)
        await stream.aclose()
        await bus.close()
