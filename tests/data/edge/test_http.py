"""The HTTP edge against a real log: 202 means kept, everything else says what to do."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy
from tests.engines import Engines, until_async

from cityops.data.contract.installed import installed_contracts
from cityops.data.edge import http
from cityops.data.edge.body import MAX_BODY
from cityops.runtime.ports import free_port
from cityops.settings import Settings
from cityops.technology import bus, disk
from cityops.technology.telemetry import Telemetry

pytestmark = pytest.mark.engine

CONTRACTS = installed_contracts()
ROW = {"detector_id": "D1", "observed_at": "2026-01-01T00:00:00Z", "intensity": 5}
URL = "/v1/ingest/TrafficFlowObserved"


class Running:
    """A served edge, a client of it, and the log behind it."""

    def __init__(self, settings: Settings, log: Client, telemetry: Telemetry) -> None:
        self.settings = settings
        self.log = log
        self.telemetry = telemetry
        self.http = httpx.AsyncClient(base_url=f"http://{settings.edge_host}:{settings.edge_port}", timeout=10)

    async def post(self, content: bytes | Any, url: str = URL, **headers: str) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(url, content=body, headers={"content-type": "application/json"} | named)

    async def last(self) -> Any:
        info = await self.log.jetstream().stream_info(bus.INGEST_STREAM)
        return await self.log.jetstream().get_msg(bus.INGEST_STREAM, info.state.last_seq)

    async def count(self) -> int:
        return int((await self.log.jetstream().stream_info(bus.INGEST_STREAM)).state.last_seq)


@pytest.fixture
async def edge(own_nats: Engines) -> AsyncIterator[Running]:
    settings = replace(own_nats.settings, edge_port=free_port())
    telemetry = Telemetry("edge")
    serving = asyncio.create_task(http.serve(settings, CONTRACTS, telemetry))
    log = await bus.connect(settings, "test")
    await until_async(lambda: telemetry.is_ready)
    running = Running(settings, log, telemetry)
    yield running
    await running.http.aclose()
    serving.cancel()
    await asyncio.wait({serving})
    await log.close()


async def test_what_is_acknowledged_is_in_the_log(edge: Running) -> None:
    answer = await edge.post([ROW, ROW | {"detector_id": "D2"}], URL + "?source=gate%203.a&mapping=")
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "contract": "TrafficFlowObserved", "seq": 1}
    kept = await edge.last()
    assert bus.origin_of(kept.subject) == bus.Origin("TrafficFlowObserved", "gate 3.a")
    assert (kept.headers[bus.ROWS], kept.headers[bus.CONTENT_TYPE]) == ("2", bus.NDJSON)
    assert [json.loads(line)["detector_id"] for line in kept.data.split(b"\n")] == ["D1", "D2"]


async def test_gzip_and_ndjson_are_taken(edge: Running) -> None:
    body = gzip.compress(b"\n".join([json.dumps(ROW).encode()] * 3))
    answer = await edge.post(body, content_encoding="gzip", content_type="application/x-ndjson")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)


async def test_a_large_request_becomes_several_messages(edge: Running) -> None:
    rows = [ROW | {"detector_id": f"D{n}", "note": "x" * 200} for n in range(20_000)]
    answer = await edge.post(rows)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 20_000)
    assert answer.json()["seq"] == await edge.count() > 4


async def test_the_same_request_sent_twice_is_one(edge: Running) -> None:
    first = await edge.post([ROW], idempotency_key="abc")
    again = await edge.post([ROW], idempotency_key="abc")
    other = await edge.post([ROW], URL + "?source=elsewhere", idempotency_key="abc")
    assert again.json() == first.json() | {"repeated": True}
    assert other.json()["seq"] == 2
    assert await edge.count() == 2


@pytest.mark.parametrize(
    ("path", "content", "headers", "status", "says"),
    [
        ("/v1/ingest/TraficFlowObserved", b"[]", {}, 404, "did you mean TrafficFlowObserved"),
        ("/v1/elsewhere", b"[]", {}, 404, "/v1/ingest/{contract}"),
        (URL, b"[{]", {}, 400, "malformed JSON"),
        (URL, b'[{"a":"\xff"}]', {}, 400, "not UTF-8 at byte 7"),
        (URL, b"[]", {}, 400, "no observation"),
        (URL, b"<a/>", {"content_type": "text/xml"}, 415, "text/xml"),
        (URL, b"x", {"content_encoding": "br"}, 415, "gzip"),
        (URL, b"no gzip", {"content_encoding": "gzip"}, 400, "not gzip"),
        (URL, gzip.compress(b" " * (MAX_BODY + 1)), {"content_encoding": "gzip"}, 413, "inflates to more"),
        (URL + "?sourc=a", b"[{}]", {}, 422, "unknown parameter sourc"),
        (URL + "?source=" + "a" * 200, b"[{}]", {}, 422, "at most 128"),
        (URL + "?mapping=nope", b"[{}]", {}, 422, "no mapping 'nope'"),
        (URL + "?mapping=../../etc/passwd", b"[{}]", {}, 422, "no mapping"),
        (URL + "?mapping=beijing-air-quality", b"[{}]", {}, 422, "is for AirQualityObserved"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_what_is_refused_says_why(
    edge: Running, path: str, content: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = await edge.post(content, path, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert says in problem["detail"]
    assert await edge.count() == 0


async def test_an_unknown_contract_is_answered_with_those_that_are_known(edge: Running) -> None:
    assert (await edge.post([ROW], "/v1/ingest/x")).json()["contracts"] == sorted(CONTRACTS)


async def test_only_post_brings_observations(edge: Running) -> None:
    assert (await edge.http.get(URL)).status_code == 405


async def test_fifty_megabytes_are_refused_before_they_are_read(edge: Running) -> None:
    reader, writer = await asyncio.open_connection(edge.settings.edge_host, edge.settings.edge_port)
    writer.write(f"POST {URL} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n".encode())
    status = await asyncio.wait_for(reader.readline(), 5)
    assert b"413" in status  # not one byte of the body was sent
    writer.close()


async def test_fifty_megabytes_in_chunks_are_refused_in_the_middle(edge: Running) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 1_000_000

    answer = await edge.http.post(URL, content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert (await edge.post([ROW])).status_code == 202


async def test_a_full_log_refuses_and_takes_again(edge: Running) -> None:
    js = edge.log.jetstream()
    config = (await js.stream_info(bus.INGEST_STREAM)).config
    config.max_bytes, config.discard = 1, DiscardPolicy.NEW
    await js.update_stream(config)
    answer = await edge.post([ROW])
    assert (answer.status_code, answer.headers["retry-after"]) == (507, "30")
    config.max_bytes = -1
    await js.update_stream(config)
    assert (await edge.post([ROW])).status_code == 202


async def test_a_full_disk_refuses_and_takes_again(edge: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk.RESERVE_VARIABLE, "99000000")
    monkeypatch.setattr(http, "_DISK_SECONDS", 0.0)
    answer = await edge.post([ROW])
    assert answer.status_code == 507
    assert "disk is full" in answer.json()["detail"]
    assert (await edge.http.get("/v1/health")).status_code == 503
    monkeypatch.undo()
    monkeypatch.setattr(http, "_DISK_SECONDS", 0.0)
    assert (await edge.post([ROW])).status_code == 202
    assert (await edge.http.get("/v1/health")).json()["status"] == "ok"


async def test_too_much_at_once_is_asked_to_come_back(edge: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_IN_FLIGHT", 10)
    answer = await edge.post([ROW])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.fault
async def test_a_killed_log_is_answered_with_come_back_and_nothing_acknowledged_is_lost(
    edge: Running, own_nats: Engines
) -> None:
    assert (await edge.post([ROW])).status_code == 202
    os.kill(own_nats.pid("nats"), signal.SIGKILL)
    answers: list[int] = []

    async def taken() -> bool:
        answers.append((await edge.post([ROW])).status_code)
        return answers[-1] == 202 and 503 in answers

    await until_async(taken, seconds=30)
    assert set(answers) <= {202, 503}
    await until_async(lambda: edge.log.is_connected)
    assert await edge.count() >= 1 + answers.count(202)
