from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import nats as nats_client
import psutil
import pytest
from tests.engines import Engines, until_async

from cityops.technology import bus
from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.gateway import Gateway
from cityops.twin.simulation.publisher import Publisher

pytestmark = pytest.mark.engine


@pytest.fixture
async def publisher(own_nats: Engines) -> AsyncIterator[Publisher]:
    made = Publisher(own_nats.settings.mqtt_host, own_nats.settings.mqtt_port)
    yield made
    await made.close(within_s=0)


def said(number: int, gateway: str = "cabinet-01") -> Observation:
    return Observation("TrafficFlowObserved", "traffic-detectors", gateway, {"detector_id": "D1", "number": number})


async def stored(engines: Engines) -> list[bytes]:
    """Return the payloads that the log holds of devices' messages, in order."""
    client = await nats_client.connect(engines.settings.nats_url)
    try:
        js = client.jetstream()
        found = await js.pull_subscribe(bus.MQTT_FILTER, stream=bus.MQTT_STREAM)
        payloads: list[bytes] = []
        while True:
            try:
                payloads += [message.data for message in await found.fetch(1000, timeout=0.5)]
            except (TimeoutError, nats_client.errors.TimeoutError):
                return payloads
    finally:
        await client.close()


async def prepare(engines: Engines) -> None:
    """Make the log's consumer, without which the gateway's stream would keep nothing."""
    await bus.prepare(engines.settings)


async def test_what_is_published_is_in_the_log_in_order(own_nats: Engines, publisher: Publisher) -> None:
    await prepare(own_nats)
    publisher.publish(said(number) for number in range(500))
    await until_async(lambda: publisher.state()["confirmed"] == 500)
    assert await stored(own_nats) == [said(number).payload for number in range(500)]


async def test_every_gateway_has_one_connection_of_its_own(own_nats: Engines, publisher: Publisher) -> None:
    await prepare(own_nats)
    publisher.publish(said(number, f"cabinet-{number % 7:02d}") for number in range(70))
    await until_async(lambda: publisher.backlog == 0)
    assert publisher.state()["connections"] == 7


async def test_nothing_is_lost_when_the_broker_dies_and_comes_back(own_nats: Engines, publisher: Publisher) -> None:
    await prepare(own_nats)
    publisher.publish(said(number) for number in range(50))
    await until_async(lambda: publisher.backlog == 0)
    psutil.Process(own_nats.pid("nats")).kill()
    publisher.publish(said(number) for number in range(50, 400))
    await until_async(lambda: publisher.state()["confirmed"] == 400, seconds=60)
    assert set(await stored(own_nats)) == {said(number).payload for number in range(400)}
    assert publisher.state()["dropped"] == 0


async def test_a_broker_that_is_not_there_yet_is_waited_for(own_nats: Engines) -> None:
    gateway = Gateway("early", "127.0.0.1", 1)  # nobody listens there
    task = asyncio.create_task(gateway.run())
    gateway.publish("cityops/Test/device", b"{}")
    await asyncio.sleep(0)
    await until_async(lambda: not task.done() and len(gateway.outbox) == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not gateway.is_connected
