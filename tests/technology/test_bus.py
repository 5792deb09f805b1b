"""Streams, consumers and buckets; what a subject says; what a reset brings again."""

from __future__ import annotations

import asyncio

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines import Engines, until_async

from cityops.settings import Settings
from cityops.technology import bus

names = st.text(min_size=1, max_size=40)


@given(contract=names, source=names)
def test_any_contract_and_source_come_back_from_their_subject(contract: str, source: str) -> None:
    subject = bus.ingest_subject(contract, source)
    assert subject.isascii()
    assert not set(subject) & set(" *>\t\r\n")
    assert bus.origin_of(subject) == bus.Origin(contract, source)


@pytest.mark.parametrize(
    "subject", ["ingest.a", "ingest.a.b.c", "$MQTT.msgs.other.a.b", "$MQTT.msgs.cityops.a", "", "live.x"]
)
def test_a_subject_of_another_kind_is_refused(subject: str) -> None:
    with pytest.raises(bus.BusError):
        bus.origin_of(subject)


@pytest.mark.parametrize("source", ["", "a/b", "a b", "+", "#"])
def test_a_level_that_mqtt_cannot_carry_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="MQTT topic"):
        bus.mqtt_topic("A", source)


async def test_no_server_is_said_in_time(settings: Settings) -> None:
    with pytest.raises(bus.BusError, match="cityops up"):
        await bus.connect(settings.with_values({"nats_url": "nats://127.0.0.1:9"}), "test", within=0.5)


@pytest.mark.engine
async def test_everything_is_made_once_however_many_ask(own_nats: Engines) -> None:
    clients = [await bus.connect(own_nats.settings, "test") for _ in range(4)]
    await asyncio.gather(*(bus.ensure_all(client, own_nats.settings) for client in clients))
    js = clients[0].jetstream()
    streams = {info.config.name for info in await js.streams_info()}
    assert {bus.INGEST_STREAM, bus.MQTT_STREAM, "KV_ledger", "KV_mappings"} <= streams
    for stream in (bus.INGEST_STREAM, bus.MQTT_STREAM):
        assert [consumer.name for consumer in await js.consumers_info(stream)] == [bus.PIPELINE]
    for client in clients:
        await client.close()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("topic", "origin"),
    [
        (bus.mqtt_topic("A", "loop-7"), bus.Origin("A", "loop-7")),
        (bus.mqtt_topic("A", "loop.7", "my-mapping"), bus.Origin("A", "loop.7", "my-mapping")),
        (bus.mqtt_topic("A", "站点"), bus.Origin("A", "站点")),
    ],
)
async def test_a_device_is_read_off_the_gateways_own_stream(own_nats: Engines, topic: str, origin: bus.Origin) -> None:
    client = await bus.connect(own_nats.settings, "test")
    await bus.ensure_all(client, own_nats.settings)
    device = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
    device.connect(own_nats.settings.mqtt_host, own_nats.settings.mqtt_port)
    device.loop_start()
    await until_async(device.publish(topic, b"reading", qos=1).is_published)
    device.loop_stop()
    subscription = await client.jetstream().pull_subscribe_bind(bus.PIPELINE, bus.MQTT_STREAM)
    message = (await subscription.fetch(1, timeout=2))[0]
    assert message.data == b"reading"
    assert bus.origin_of(message.subject) == origin
    await client.close()


@pytest.mark.engine
async def test_a_reset_brings_unacknowledged_messages_again_in_order(own_nats: Engines) -> None:
    client = await bus.connect(own_nats.settings, "test")
    await bus.ensure_all(client, own_nats.settings)
    js = client.jetstream()
    for n in range(10):
        await js.publish(bus.ingest_subject("A", "b"), str(n).encode())
    subscription = await js.pull_subscribe_bind(bus.PIPELINE, bus.INGEST_STREAM)
    first = await subscription.fetch(6, timeout=2)
    await first[3].ack_sync()
    assert await bus.reset_consumer(js, bus.INGEST_STREAM) == 5
    again = await subscription.fetch(10, timeout=2)
    assert [message.data for message in again] == [str(n).encode() for n in range(4, 10)]
    assert {message.metadata.num_delivered for message in again} == {1}
    await client.close()


@pytest.mark.engine
async def test_a_reset_of_a_consumer_that_is_not_there_is_an_error(own_nats: Engines) -> None:
    client = await bus.connect(own_nats.settings, "test")
    with pytest.raises(bus.BusError, match="was not reset"):
        await bus.reset_consumer(client.jetstream(timeout=0.5), "NONE")
    await client.close()
