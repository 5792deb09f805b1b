"""The change feed: nothing is lost, nothing is sent twice over, and one slow client harms itself alone."""

from __future__ import annotations

import asyncio
import json
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.ioc.feed import CLIENT_BYTES, RING_BYTES, Feed, Subscription, UnknownTopicError, pack
from cityops.technology.clock import SimulatedClock


class Numbers:
    """A source of a growing table: each change sets one key."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {}
        self.pending: dict[str, object] = {}
        self.broken = False

    def put(self, key: str, value: object) -> None:
        self.state[key] = self.pending[key] = value

    def changes(self, now: float) -> object | None:
        if self.broken:
            raise RuntimeError("broken")
        pending, self.pending = self.pending, {}
        return {"set": pending} if pending else None

    def snapshot(self, now: float) -> object | None:
        return {"set": dict(self.state)}


@pytest.fixture
def feed() -> Feed:
    made = Feed(SimulatedClock(datetime(2026, 3, 1, tzinfo=UTC), 0), epoch="e")
    made.ticks = 0  # type: ignore[attr-defined]
    return made


@pytest.fixture
def source(feed: Feed) -> Numbers:
    numbers = Numbers()
    feed.add("numbers", numbers, every=0.1)
    return numbers


def tick(feed: Feed) -> None:
    feed.ticks += 1  # type: ignore[attr-defined]
    feed.tick(feed.ticks * 10.0)  # type: ignore[attr-defined]


async def heard(client: Subscription) -> bytes:
    """Return all that is waiting for `client`."""
    return await asyncio.wait_for(client.read(), 1) or b""


def events(stream: bytes) -> list[tuple[str, str, dict]]:
    """Return (id, topic, data) of the events of a stream; the id alone for what only moves it."""
    found = []
    for block in stream.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith((":", "retry")))
        if fields:
            found.append((fields.get("id", ""), fields.get("event", ""), json.loads(fields.get("data", "{}"))))
    return found


class Screen:
    """What a browser makes of a stream: the table, and the id it will come back with."""

    def __init__(self) -> None:
        self.table: dict[str, object] = {}
        self.last_id = ""

    def take(self, stream: bytes) -> None:
        for event_id, topic, data in events(stream):
            self.last_id = event_id or self.last_id
            if topic:
                self.table = data["set"] if data["full"] else self.table | data["set"]


async def test_a_new_client_gets_the_state_then_the_changes(feed, source):
    source.put("a", 1)
    tick(feed)
    client = feed.open(["numbers"])
    source.put("b", 2)
    tick(feed)
    snapshot, mark, change = events(await heard(client))
    assert snapshot == ("", "numbers", {"t": 1772323200000, "full": True, "set": {"a": 1}})
    assert mark == ("e-1", "", {})
    assert change == ("e-2", "numbers", {"t": 1772323200000, "full": False, "set": {"b": 2}})


async def test_who_comes_back_gets_only_what_was_missed(feed, source):
    source.put("a", 1)
    tick(feed)
    source.put("b", 2)
    tick(feed)
    client = feed.open(["numbers"], "e-1")
    assert [(topic, data.get("set")) for _, topic, data in events(await heard(client))] == [
        ("numbers", {"b": 2}),
        ("", None),
    ]


@pytest.mark.parametrize("last", ["other-1", "e-99", "e-x", "nonsense", "e--1"])
async def test_an_id_that_is_not_ours_gets_the_state(feed, source, last):
    source.put("a", 1)
    tick(feed)
    assert events(await heard(feed.open(["numbers"], last)))[0][2]["full"] is True


async def test_what_the_ring_has_forgotten_is_made_up_by_the_state(feed, source):
    for n in range(5):
        source.put("big", "x" * (RING_BYTES // 3) + str(n))
        tick(feed)
    assert events(await heard(feed.open(["numbers"], "e-1")))[0][2]["full"] is True
    assert events(await heard(feed.open(["numbers"], "e-4")))[0][2]["full"] is False


async def test_a_client_cut_off_within_the_state_begins_again(feed, source):
    other = Numbers()
    feed.add("other", other, every=0.1)
    source.put("a", 1)
    other.put("b", 2)
    tick(feed)
    whole = await heard(feed.open(["numbers", "other"]))
    cut = whole[: whole.index(b"event: other")]
    screen = Screen()
    screen.take(cut)
    assert screen.last_id == ""


async def test_a_slow_client_loses_its_queue_and_gets_the_state_others_lose_nothing(feed, source):
    slow, quick = feed.open(["numbers"]), feed.open(["numbers"])
    await heard(slow)
    got = 0
    for n in range(8):
        source.put("big", "x" * (CLIENT_BYTES // 4) + str(n))
        tick(feed)
        got += len([e for e in events(await heard(quick)) if e[1] and not e[2]["full"]])
    assert got == 8
    assert (slow.dropped, quick.dropped) == (1, 0)
    screen = Screen()
    screen.take(await heard(slow))
    assert screen.table == source.state
    source.put("after", 1)
    tick(feed)
    screen.take(await heard(slow))
    assert screen.table == source.state
    assert screen.last_id == "e-9"


@given(st.data())
async def test_whatever_happens_a_screen_ends_up_with_the_state(data):
    feed = Feed(SimulatedClock(datetime(2026, 3, 1, tzinfo=UTC), 0), epoch="e")
    feed.ticks = 0  # type: ignore[attr-defined]
    source = Numbers()
    feed.add("numbers", source, every=0.1)
    screen, client = Screen(), None
    for step in data.draw(st.lists(st.sampled_from(["put", "tick", "read", "come", "go", "flood"]), max_size=40)):
        if step == "put":
            source.put(data.draw(st.sampled_from("abc")), data.draw(st.integers(0, 9)))
        elif step == "flood":
            source.put("flood", "x" * CLIENT_BYTES)
        elif step == "tick":
            tick(feed)
        elif step == "come" and client is None:
            client = feed.open(["numbers"], screen.last_id)
        elif step == "go" and client is not None:
            client.leave()
            client = None
        elif step == "read" and client is not None and client.wake.is_set():
            screen.take(await heard(client))
    client = client or feed.open(["numbers"], screen.last_id)
    source.put("last", 1)
    tick(feed)
    screen.take(await heard(client))
    assert screen.table == source.state


async def test_a_whole_topic_is_its_last_event(feed):
    source = Numbers()
    feed.add("whole", source, every=0.1, whole=True)
    for n in range(3):
        source.put("n", n)
        tick(feed)
    missed = events(await heard(feed.open(["whole"], "e-1")))
    assert [(data["full"], data["set"]) for _, topic, data in missed if topic] == [(True, {"n": 2})]


async def test_a_topic_is_asked_no_more_often_than_it_says(feed):
    source = Numbers()
    feed.add("slow", source, every=1.0)
    for k in range(10):
        source.put("n", k)
        feed.tick(100 + k / 10)
    assert feed.seq == 1
    feed.tick(101)
    assert feed.seq == 2


async def test_a_broken_source_costs_only_its_own_topic(feed, source):
    broken = Numbers()
    broken.broken = True
    feed.topics["broken"] = feed.topics.pop("numbers")  # asked first
    feed.add("numbers", source, every=0.1)
    feed.topics["broken"].source = broken
    source.put("a", 1)
    tick(feed)
    assert feed.seq == 1


async def test_an_event_is_compressed_once_and_read_by_all(feed, source):
    readers = [feed.open(["numbers"], gzip=True) for _ in range(3)]
    decoders = [zlib.decompressobj(wbits=31) for _ in readers]
    texts = [b""] * 3
    for n in range(20):
        source.put(f"key {n}", "value " * n)
        tick(feed)
        for k, reader in enumerate(readers):
            if n % (k + 1) == 0:
                texts[k] += decoders[k].decompress(await heard(reader))
    for k, reader in enumerate(readers):
        if reader.wake.is_set():
            texts[k] += decoders[k].decompress(await heard(reader))
        decoders[k].decompress(reader.end())
        assert decoders[k].eof, "the gzip stream ends with its checksum"
        screen = Screen()
        screen.take(texts[k])
        assert screen.table == source.state
    assert feed.sent_bytes < sum(map(len, texts))


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_packed_pieces_in_any_order_are_one_stream(pieces):
    stream = b"".join(map(pack, pieces)) + b"\x03\x00"
    assert zlib.decompress(stream, wbits=-15) == b"".join(pieces)


async def test_an_unknown_topic_is_refused_by_name(feed, source):
    with pytest.raises(UnknownTopicError) as refused:
        feed.open(["numbers", "nope"])
    assert refused.value.args[0] == ["nope"]


async def test_a_name_is_published_once(feed, source):
    with pytest.raises(ValueError, match="twice"):
        feed.add("numbers", source, every=1)


async def test_silence_is_broken_by_a_heartbeat(feed, source):
    client = feed.open(["numbers"])
    await heard(client)
    assert await client.read(heartbeat=0.01) == b": still here\n\n"


async def test_closing_ends_every_stream(feed, source):
    client = feed.open(["numbers"])
    await heard(client)
    feed.close()
    assert await client.read() is None
