"""The ledger keeps its word through other writers, new streams and a log that lost its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig
from tests.engines import Engines

from cityops.data.pipeline.ledger import Entry, Ledger, LedgerTakenError, Range
from cityops.technology import bus

pytestmark = pytest.mark.engine


@pytest.fixture
async def client(nats: Engines) -> AsyncIterator[Client]:
    client = await bus.connect(nats.settings, "test")
    await bus.ensure_buckets(client.jetstream())
    await make(client)
    yield client
    await client.jetstream().delete_stream("LEDGERED")
    await (await client.jetstream().key_value(bus.LEDGER_BUCKET)).purge("LEDGERED")
    await client.close()


async def make(client: Client, messages: int = 10) -> None:
    js = client.jetstream()
    await js.add_stream(StreamConfig(name="LEDGERED", subjects=["ledgered"], storage=StorageType.MEMORY))
    for _ in range(messages):
        await js.publish("ledgered", b"x")


async def test_what_was_begun_and_finished_is_read_again(client: Client) -> None:
    ledger = Ledger(client, "LEDGERED")
    new = await ledger.load()
    assert new == Entry(new.epoch)
    await ledger.begin(1, 5)
    assert (await Ledger(client, "LEDGERED").load()).doing == Range(1, 5)
    await ledger.finish(5, 77)
    assert await Ledger(client, "LEDGERED").load() == Entry(new.epoch, 5, 77)


async def test_two_pipelines_cannot_keep_one_ledger(client: Client) -> None:
    one, other = Ledger(client, "LEDGERED"), Ledger(client, "LEDGERED")
    await one.load()
    await other.load()
    await one.begin(1, 5)
    with pytest.raises(LedgerTakenError):
        await other.begin(1, 3)


async def test_a_stream_made_anew_is_read_from_its_start(client: Client) -> None:
    ledger = Ledger(client, "LEDGERED")
    old = await ledger.load()
    await ledger.finish(9, 77)
    await client.jetstream().delete_stream("LEDGERED")
    await make(client)
    new = await Ledger(client, "LEDGERED").load()
    assert (new.done, new.done_ns, new.doing) == (0, 77, None)
    assert new.epoch != old.epoch


async def test_a_log_that_lost_its_end_begins_another_epoch_there(client: Client) -> None:
    ledger = Ledger(client, "LEDGERED")
    old = await ledger.load()
    await ledger.finish(99, 77)
    new = await Ledger(client, "LEDGERED").load()
    assert (new.done, new.epoch) == (10, f"{old.epoch}.1")
