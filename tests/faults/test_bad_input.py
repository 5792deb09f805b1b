"""Whatever comes over the wire is answered or set aside; nothing brings a role down."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import struct
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pyarrow as pa
import pytest
from tests.engines import Engines, any_ports, engines, until_async
from tests.faults.senders import _session, _text, stamp

from cityops.data.contract import DATABASE
from cityops.data.warehouse.client import Warehouse
from cityops.technology.bus import ARROW, NDJSON

pytestmark = [pytest.mark.engine, pytest.mark.fault, pytest.mark.timeout(240)]

JSON = "application/json"
URL = "/v1/ingest/TrafficFlowObserved?source=bad"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    roles = ["nats", "postgres", "warehouse", "migrate", "pipeline", "edge"]
    with engines(any_ports(tmp_path_factory.mktemp("bad")), roles) as started:
        yield started


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"detector_id": name, "observed_at": stamp(int(time.time() * 1000)), "intensity": 5} | more


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


BODIES: list[tuple[str, bytes, str, dict[str, str]]] = [
    ("truncated", b'[{"detector_id":"D1"', JSON, {}),
    ("not JSON", os.urandom(2000), JSON, {}),
    ("null", b"null", JSON, {}),
    ("null rows", b"null\nnull\n", NDJSON, {}),
    ("broken UTF-8", b'[{"detector_id":"\xc3\x28"}]', JSON, {}),
    ("nested", b"[" * 100_000 + b"]" * 100_000, JSON, {}),
    ("wrong gzip", b"\x1f\x8b" + os.urandom(500), JSON, {"content-encoding": "gzip"}),
    ("zip bomb", gzip.compress(b"\0" * 200_000_000), JSON, {"content-encoding": "gzip"}),
    ("not Arrow", os.urandom(3000), ARROW, {}),
    ("empty", b"", JSON, {}),
    ("XML", b"<a/>", "text/xml", {}),
]
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("type:intensity", {"intensity": "many"}),
    ("type:observed_at", {"observed_at": 5}),
    ("type:location", {"location": "POINT(1 2)"}),
    ("range:intensity", {"intensity": -1}),
    ("range:location", {"location": {"type": "Point", "coordinates": [181, 0]}}),
    ("required:detector_id", {"detector_id": None}),
    ("future:observed_at", {"observed_at": stamp(int(time.time() * 1000) + 3_600_000)}),
    ("ancient:observed_at", {"observed_at": "1971-01-01T00:00:00Z"}),
    ("range:observed_at", {"observed_at": "9999-01-01T00:00:00Z"}),
]


async def test_a_storm_of_bad_input_harms_nothing(running: Engines) -> None:
    settings = running.settings
    before = {role: running.pid(role) for role in ("edge", "pipeline", "warehouse", "nats")}
    edge = f"http://{settings.edge_host}:{settings.edge_port}"
    async with httpx.AsyncClient(base_url=edge, timeout=30) as client:
        for name, body, kind, headers in BODIES * 2:
            answer = await client.post(URL, content=body, headers={"content-type": kind} | headers)
            assert 400 <= answer.status_code < 500, (name, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", name
            assert answer.json()["detail"], name
        assert (await client.post("/v1/ingest/Nobody", content=b"[{}]")).status_code == 404
        rows = [row(f"good-{n}") for n in range(200)] + [row(f"bad-{n}") | change for n, (_, change) in enumerate(ROWS)]
        Random(1).shuffle(rows)
        answer = await client.post(URL, content=json.dumps(rows).encode(), headers={"content-type": JSON})
        assert (answer.status_code, answer.json()["accepted"]) == (202, len(rows))
        table = pa.table({"detector_id": ["arrow-1", "arrow-2"], "observed_at": [rows[0]["observed_at"], "?"]})
        answer = await client.post(URL, content=arrow(table), headers={"content-type": ARROW})
        assert answer.status_code == 202
    await mqtt_storm(running)

    def asked(sql: str) -> list[dict[str, Any]]:
        with Warehouse(settings.warehouse_url) as warehouse:
            return warehouse.query(sql).to_pylist()

    def stored() -> bool:
        return asked(
            f"SELECT countIf(startsWith(detector_id, 'good-')) AS good, "
            f"countIf(startsWith(detector_id, 'm-')) AS mqtt, countIf(startsWith(detector_id, 'arrow-')) AS arrow "
            f"FROM {DATABASE}.traffic_flow_observed"
        ) == [{"good": 200, "mqtt": 50, "arrow": 1}]

    await until_async(stored, seconds=30)
    wanted = {rule: 1 for rule, _ in ROWS} | {"type:observed_at": 2}

    def rules() -> dict[str, int]:
        found = asked(
            f"SELECT toString(rule) AS rule, count() AS n FROM {DATABASE}.quarantine "
            "WHERE _source = 'bad' GROUP BY rule"
        )
        return {r["rule"].decode() if isinstance(r["rule"], bytes) else r["rule"]: r["n"] for r in found}

    await until_async(lambda: rules() == wanted, seconds=30)
    # Of fifty turns each has one good message, one of junk and one on a topic that leads nowhere.
    held = f"SELECT uniqExact(_seq) AS n FROM {DATABASE}.quarantine WHERE _stream = 'mqtt'"
    await until_async(lambda: asked(held) == [{"n": 100}], seconds=30)
    assert {role: running.pid(role) for role in before} == before, "a role was brought down"


DEVICE_JUNK = [
    b"null", b"5", b'"x"', b"[1,2]", b"[null]", b"{}", b"", b" ", b"{", b"\0\0\0", b"\xff\xfe\xfd",
    b'{"detector_id":"x","detector_id":"y"}', b'{"intensity":NaN}', b"[" * 20_000, b'{"a":' * 20_000,
    b'{"detector_id":"x"}\n{"detector_id":', b"{}{}", b"\xef\xbb\xbf{}", b'{"detector_id":"\\ud800"}', os.urandom(5000),
]  # fmt: skip


async def mqtt_storm(running: Engines) -> None:
    """Publish junk of every kind among good observations, on topics good and odd."""
    reader, writer = await _session(running.settings, "storm")
    topics = [
        "cityops/TrafficFlowObserved/bad-device",
        "cityops/Nobody/x",
        "cityops/x",
        "cityops/TrafficFlowObserved/a/no-map",
    ]
    sent = 0
    for number in range(50):
        good = json.dumps(row(f"m-{number}")).encode()
        junk = DEVICE_JUNK[number % len(DEVICE_JUNK)]
        for topic, payload in ((topics[0], good), (topics[0], junk), (topics[1 + number % 3], good)):
            sent += 1
            body = _text(topic) + struct.pack(">H", sent) + payload
            length = bytearray()
            rest = len(body)
            while True:
                rest, digit = divmod(rest, 128)
                length.append(digit | (128 if rest else 0))
                if not rest:
                    break
            writer.write(bytes([0x32]) + bytes(length) + body)
            async with asyncio.timeout(10):
                assert (await reader.readexactly(4))[0] == 0x40
    writer.close()
