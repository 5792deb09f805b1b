"""The inlet gives every message once and in order, whatever happens to the connection and the consumer."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from tests.engines import Engines, until_async

from cityops.data.pipeline import inlet as inlet_module
from cityops.data.pipeline.inlet import BrokenOrderError, Inlet
from cityops.data.pipeline.message import Message
from cityops.technology import bus

pytestmark = pytest.mark.engine


@pytest.fixture
async def client(own_nats: Engines) -> AsyncIterator[Client]:
    client = await bus.connect(own_nats.settings, "test")
    await bus.ensure_all(client, own_nats.settings)
    yield client
    await client.close()


async def publish(client: Client, count: int, **headers: str) -> None:
    js = client.jetstream()
    for number in range(count):
        await js.publish(bus.ingest_subject("C", "a b.c"), b"%d" % number, headers=headers or None)


async def take(inlet: Inlet, count: int) -> list[Message]:
    found: list[Message] = []

    async def enough() -> bool:
        found.extend(await inlet.take(0.01))
        return len(found) >= count

    await until_async(enough)
    return found


async def pending(client: Client) -> int:
    info = await client.jetstream().consumer_info(bus.INGEST_STREAM, bus.PIPELINE)
    return int(info.num_pending or 0) + int(info.num_ack_pending or 0)


async def test_messages_come_in_order_with_what_the_log_knows_of_them(client: Client) -> None:
    await publish(client, 3, **{bus.CONTENT_TYPE: bus.CSV, bus.ROWS: "7", bus.MAPPING: "m"})
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(0, 0)
    messages = await take(inlet, 3)
    assert [m.payload for m in messages] == [b"0", b"1", b"2"]
    assert [m.seq for m in messages] == [1, 2, 3]
    first = messages[0]
    assert first[2:7] == ("C", "a b.c", bus.CSV, "m", 7)
    assert 1.7e18 < first.arrived_ns <= messages[1].arrived_ns
    await inlet.close()


async def test_many_messages_are_pulled_within_bounds(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet_module, "PULL_MESSAGES", 10)
    await publish(client, 95)
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(0, 0)
    messages = await take(inlet, 95)
    assert [m.seq for m in messages] == list(range(1, 96))
    await inlet.close()


async def test_an_acknowledgement_covers_what_came_before(client: Client) -> None:
    await publish(client, 5)
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(0, 0)
    await take(inlet, 5)
    await inlet.acknowledge(4)
    await until_async(lambda: _is(pending(client), 1))
    await inlet.open(4, 2**62)
    assert [m.seq for m in await take(inlet, 1)] == [5]
    await inlet.close()


async def _is(asked: object, wanted: int) -> bool:
    return bool(await asked == wanted)  # type: ignore[misc]  # a coroutine


async def test_what_is_stored_already_is_acknowledged_and_not_given(client: Client) -> None:
    await publish(client, 5)
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(3, 2**62)
    assert [m.seq for m in await take(inlet, 2)] == [4, 5]
    await until_async(lambda: _is(pending(client), 2))
    await inlet.close()


async def test_numbers_given_again_to_other_messages_are_noticed(client: Client) -> None:
    await publish(client, 5)
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(3, 1)  # number 3 was stored long before these came
    with pytest.raises(BrokenOrderError, match="renumbered"):
        await take(inlet, 1)
    assert inlet.renumbered == 1
    await inlet.close()


@pytest.mark.fault
async def test_a_killed_server_breaks_the_order_and_opening_again_mends_it(own_nats: Engines, client: Client) -> None:
    await publish(client, 5)
    inlet = Inlet(client, bus.INGEST_STREAM)
    await inlet.open(0, 0)
    messages = await take(inlet, 5)
    os.kill(own_nats.pid("nats"), signal.SIGKILL)
    await until_async(lambda: not client.is_connected)
    await until_async(lambda: client.is_connected)
    await until_async(lambda: _published(client))
    with pytest.raises(BrokenOrderError):
        await take(inlet, 1)
    await inlet.open(messages[-1].seq, messages[-1].arrived_ns)
    assert [m.payload for m in await take(inlet, 1)] == [b"0"]
    await inlet.close()


async def _published(client: Client) -> bool:
    try:
        await publish(client, 1)
    except (NatsError, TimeoutError):
        return False
    return True
