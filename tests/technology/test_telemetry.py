"""Logs as JSON lines; counters and gauges on the bus each second."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
from collections.abc import Iterator

import pytest
from tests.engines import Engines, until_async

from cityops.technology import bus
from cityops.technology.telemetry import SUBJECT, Log, Telemetry, configure_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("edge", logging.StreamHandler(stream))
    yield stream
    root.handlers[:], root.level = before


def test_a_log_line_is_json_with_its_fields(lines: io.StringIO) -> None:
    Log("x").warning("batch refused", rows=3, source="站点")
    said = json.loads(lines.getvalue())
    assert {key: said[key] for key in ("level", "role", "logger", "event", "rows", "source")} == {
        "level": "warning",
        "role": "edge",
        "logger": "x",
        "event": "batch refused",
        "rows": 3,
        "source": "站点",
    }


def test_an_exception_is_one_line_with_its_traceback(lines: io.StringIO) -> None:
    try:
        {}["colour"]
    except KeyError:
        Log("x").exception("mapping failed")
    (line,) = lines.getvalue().splitlines()
    assert "KeyError: 'colour'" in json.loads(line)["error"]


def test_a_field_cannot_displace_what_every_line_has(lines: io.StringIO) -> None:
    Log("x").info("started", role="other", t=0)
    said = json.loads(lines.getvalue())
    assert said["role"] == "edge"
    assert said["t"] > 0


def test_counters_add_up_and_gauges_are_the_newest() -> None:
    telemetry = Telemetry("edge")
    telemetry.count("rows", 2)
    telemetry.count("rows")
    telemetry.gauge("waiting", 5)
    telemetry.gauge("waiting", 4)
    telemetry.probe("open", lambda: 7.0)
    said = telemetry.snapshot()
    assert said["counters"] == {"rows": 3}
    assert said["gauges"] == {"waiting": 4, "open": 7.0}


@pytest.mark.engine
async def test_telemetry_is_heard_each_second_and_says_when_the_role_is_ready(nats: Engines) -> None:
    client = await bus.connect(nats.settings, "test")
    heard: list[dict[str, object]] = []

    async def hear(message: object) -> None:
        heard.append(json.loads(message.data))  # type: ignore[attr-defined]

    await client.subscribe(f"{SUBJECT}.*", cb=hear)
    telemetry = Telemetry("test-role")
    speaking = asyncio.create_task(telemetry.publish(client))
    await until_async(lambda: heard)
    telemetry.ready()
    await until_async(lambda: any(said["ready"] for said in heard))
    assert heard[0]["ready"] is False
    assert heard[0]["pid"] == os.getpid()
    assert heard[0]["role"] == "test-role"
    speaking.cancel()
    await client.close()
