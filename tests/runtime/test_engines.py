"""The engines start, answer, and come back."""

from __future__ import annotations

import os
import signal

import psycopg
import pytest
from tests.engines import Engines, until, until_async

from cityops.technology import bus

pytestmark = pytest.mark.engine


async def test_nats_keeps_what_it_acknowledged_across_a_kill(own_nats: Engines) -> None:
    client = await bus.connect(own_nats.settings, "test")
    await bus.ensure_all(client, own_nats.settings)
    js = client.jetstream()
    for n in range(100):
        await js.publish(bus.ingest_subject("A", "b"), str(n).encode())
    os.kill(own_nats.pid("nats"), signal.SIGKILL)
    await until_async(lambda: own_nats.restarts("nats") == 1 and own_nats.state("nats") == "healthy")
    await until_async(lambda: client.is_connected)
    subscription = await js.pull_subscribe_bind(bus.PIPELINE, bus.INGEST_STREAM)
    got = await subscription.fetch(100, timeout=5)
    assert [message.data for message in got] == [str(n).encode() for n in range(100)]
    await client.close()


def test_postgres_comes_back_after_a_kill(postgres: Engines) -> None:
    address = postgres.settings.postgres_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    os.kill(postgres.pid("postgres"), signal.SIGKILL)
    until(lambda: postgres.restarts("postgres") >= 1 and postgres.state("postgres") == "healthy")
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT x FROM t").fetchone() == (1,)
        connection.execute("DROP TABLE t")
