"""A disk without room refuses new data at every entrance, keeps what it took, and takes again when there is room."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import paho.mqtt.client as mqtt
import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError
from tests.engines import Engines, until, until_async

from cityops.runtime import disk_guard
from cityops.technology import bus, disk

pytestmark = pytest.mark.engine
MORE_THAN_ANY_DISK = 10**18
SUBJECT = bus.ingest_subject("A", "b")


@contextlib.asynccontextmanager
async def guarded(engines: Engines, reserve: int) -> AsyncIterator[JetStreamContext]:
    client = await bus.connect(engines.settings, "test")
    await bus.ensure_all(client, engines.settings)
    task = asyncio.create_task(disk_guard.guard(engines.settings, client, reserve))
    try:
        yield client.jetstream()
    finally:
        task.cancel()
        await client.close()


async def refuses(js: JetStreamContext) -> bool:
    try:
        await js.publish(SUBJECT, b"x")
    except APIError as error:
        return bus.log_is_full(error)
    return False


async def takes(js: JetStreamContext) -> bool:
    return not await refuses(js)


async def test_below_the_reserve_http_is_refused_and_with_room_taken_again(own_nats: Engines) -> None:
    async with guarded(own_nats, 0) as js:
        await js.publish(SUBJECT, b"before")
    async with guarded(own_nats, MORE_THAN_ANY_DISK) as js:
        await until_async(lambda: refuses(js))
        subscription = await js.pull_subscribe_bind(bus.PIPELINE, bus.INGEST_STREAM)
        assert (await subscription.fetch(1, timeout=2))[0].data == b"before"
    async with guarded(own_nats, 0) as js:
        await until_async(lambda: takes(js))


async def test_a_device_gets_no_puback_until_there_is_room(own_nats: Engines) -> None:
    async with guarded(own_nats, MORE_THAN_ANY_DISK) as js:
        await until_async(lambda: refuses(js))
        device = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
        device.reconnect_delay_set(1, 1)
        device.connect(own_nats.settings.mqtt_host, own_nats.settings.mqtt_port)
        device.loop_start()
        sent = device.publish(bus.mqtt_topic("A", "b"), b"reading", qos=1)
        await asyncio.sleep(1)
        assert not sent.is_published()
    async with guarded(own_nats, 0) as js:
        await until_async(sent.is_published)
        assert (await js.stream_info(bus.MQTT_STREAM)).state.messages == 1
    device.loop_stop()


def test_the_reserve_is_given_in_megabytes(own_nats: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own_nats.settings.data_dir
    monkeypatch.setenv(disk.RESERVE_VARIABLE, "1")
    with_little = disk.free_reserve(folder)
    monkeypatch.setenv(disk.RESERVE_VARIABLE, "1001")
    until(lambda: abs(with_little - disk.free_reserve(folder) - 1_000_000_000) < 200_000_000)
