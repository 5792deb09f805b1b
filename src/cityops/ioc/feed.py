"""The screen feed: topics, their recent events, and the clients that read them; an event is encoded once for all."""

from __future__ import annotations

import asyncio
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from cityops.technology.clock import Clock
from cityops.technology.telemetry import Log

log = Log(__name__)
TICK_S = 0.1
RING_BYTES = 512 * 1024
CLIENT_BYTES = 256 * 1024
MAX_CLIENTS = 1000
HEARTBEAT_S = 5.0
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class UnknownTopicError(KeyError):
    """Topics asked for that nobody publishes."""


class FullError(RuntimeError):
    """More clients than the feed serves."""


class Source(Protocol):
    """Where a topic's state comes from; `now` is epoch seconds."""

    def changes(self, now: float) -> object | None:
        """Return what changed since the last call (everything, for a whole topic), None for nothing."""
        ...

    def snapshot(self, now: float) -> object | None:
        """Return the whole state, None while there is none."""
        ...


@dataclass(slots=True)
class Event:
    """One event as it goes over the wire."""

    seq: int
    raw: bytes
    _packed: bytes | None = None

    @property
    def packed(self) -> bytes:
        """The event as deflate blocks that end on a byte and refer to nothing before them.

        Such pieces may follow one another in any gzip stream, so one compression serves every client.
        """
        if self._packed is None:
            self._packed = pack(self.raw)
        return self._packed


@dataclass(slots=True)
class Topic:
    """A topic and the ring of its recent events; `forgotten` is the number of the newest event no longer in it."""

    name: str
    source: Source
    every: float
    whole: bool
    ring: deque[Event] = field(default_factory=deque)
    ring_bytes: int = 0
    forgotten: int = 0
    due: float = 0.0

    def keep(self, event: Event) -> None:
        """Put `event` in the ring; a whole topic needs only its last one."""
        self.ring.append(event)
        self.ring_bytes += len(event.raw)
        while len(self.ring) > 1 and (self.whole or self.ring_bytes > RING_BYTES):
            old = self.ring.popleft()
            self.ring_bytes -= len(old.raw)
            if not self.whole:
                self.forgotten = old.seq

    def since(self, seq: int) -> list[Event] | None:
        """Return the events after `seq`, None when some of them are forgotten."""
        return None if self.forgotten > seq else [event for event in self.ring if event.seq > seq]


class Feed:
    """Topics on one side, clients on the other; lives on one event loop."""

    def __init__(self, clock: Clock, epoch: str | None = None) -> None:
        self.clock = clock
        self.epoch = epoch or secrets.token_hex(4)
        self.seq = 0
        self.sent_bytes = 0
        self.topics: dict[str, Topic] = {}
        self.clients: set[Subscription] = set()
        self.closed = False
        self.after_tick: list[Callable[[str, float], None]] = []
        self._snapshots: dict[str, Event] = {}

    def add(self, name: str, source: Source, *, every: float, whole: bool = False) -> None:
        """Publish `source` as topic `name`, at most once in `every` seconds. Raises ValueError for a name taken."""
        if name in self.topics:
            raise ValueError(f"feed topic {name!r} is published twice")
        self.topics[name] = Topic(name, source, max(every, TICK_S), whole)

    async def run(self) -> None:
        """Ask every topic for its changes when it is due, until cancelled."""
        while not self.closed:
            started = time.monotonic()
            self.tick(started)
            await asyncio.sleep(max(0.005, TICK_S - (time.monotonic() - started)))

    def tick(self, at: float) -> None:
        """Publish the changes of all topics that are due at `at` (monotonic s)."""
        now = self.now()
        self._snapshots.clear()
        for topic in self.topics.values():
            if topic.due > at:
                continue
            topic.due = at + topic.every - TICK_S / 2
            try:
                changes = topic.source.changes(now)
                if changes is not None:
                    self._publish(topic, changes, now)
            except Exception:
                log.exception("a feed topic failed; the others go on", topic=topic.name)
                continue
            for hook in self.after_tick:
                hook(topic.name, now)

    def open(self, topics: Sequence[str], last_event_id: str = "", *, gzip: bool = False) -> Subscription:
        """Return a subscription that first catches up: from the ring after `last_event_id`, else by snapshots.

        Raises UnknownTopicError (its argument lists the unknown), FullError.
        """
        if unknown := sorted(set(topics) - set(self.topics)):
            raise UnknownTopicError(unknown)
        if len(self.clients) >= MAX_CLIENTS:
            raise FullError(f"{MAX_CLIENTS} screens are connected")
        subscription = Subscription(self, frozenset(topics), gzip=gzip)
        subscription.begin(self.catch_up(subscription.topics, self._resumed(last_event_id)))
        self.clients.add(subscription)
        return subscription

    def catch_up(self, topics: Iterable[str], seq: int | None) -> list[Event]:
        """Return what brings a client that has seen everything to `seq` (None: nothing) up to date.

        Only the last piece carries an id: a client cut off in the middle begins again where it began before.
        """
        missed: list[Event] = []
        pieces: list[Event] = []
        for name in sorted(topics):
            events = None if seq is None else self.topics[name].since(seq)
            if events is not None:
                missed += events
            elif (snapshot := self._snapshot(self.topics[name])) is not None:
                pieces.append(snapshot)
        pieces += [
            Event(event.seq, event.raw.partition(b"\n")[2]) for event in sorted(missed, key=lambda event: event.seq)
        ]
        return [*pieces, Event(self.seq, b"id: %s-%d\n\n" % (self.epoch.encode(), self.seq))]

    def state(self, name: str) -> bytes | None:
        """Return the whole state of topic `name` as JSON, None while there is none. Raises UnknownTopicError."""
        if name not in self.topics:
            raise UnknownTopicError([name])
        now = self.now()
        state = self.topics[name].source.snapshot(now)
        return None if state is None else body(state, now, full=True)

    def now(self) -> float:
        """Return the present instant in epoch seconds."""
        return self.clock.epoch_ms() / 1000

    def close(self) -> None:
        """End every client's stream; they come back by themselves to the next process."""
        self.closed = True
        for client in self.clients:
            client.wake.set()

    def _publish(self, topic: Topic, changes: object, now: float) -> None:
        self.seq += 1
        head = b"id: %s-%d\n" % (self.epoch.encode(), self.seq)
        event = Event(self.seq, head + text(topic.name, body(changes, now, full=topic.whole)))
        topic.keep(event)
        for client in self.clients:
            if topic.name in client.topics:
                client.offer(event)

    def _snapshot(self, topic: Topic) -> Event | None:
        """Return the topic's state as an event, made once between two ticks however many clients come."""
        if topic.name not in self._snapshots:
            now = self.now()
            state = topic.source.snapshot(now)
            if state is None:
                return None
            self._snapshots[topic.name] = Event(self.seq, text(topic.name, body(state, now, full=True)))
        return self._snapshots[topic.name]

    def _resumed(self, last_event_id: str) -> int | None:
        epoch, _, seq = last_event_id.rpartition("-")
        if epoch != self.epoch or not seq.isdecimal() or int(seq) > self.seq:
            return None
        return int(seq)


class Subscription:
    """One client: a bounded queue of events; one that does not keep up loses it and gets a snapshot instead."""

    def __init__(self, feed: Feed, topics: frozenset[str], *, gzip: bool) -> None:
        self.feed = feed
        self.topics = topics
        self.gzip = gzip
        self.wake = asyncio.Event()
        self.dropped = 0
        self._events: list[Event] = []
        self._bytes = 0
        self._lost = False
        self._crc = 0
        self._length = 0

    def begin(self, events: list[Event]) -> None:
        """Put `events` first."""
        self._events = [Event(0, b"retry: 1000\n\n"), *events]
        self.wake.set()

    def offer(self, event: Event) -> None:
        """Queue `event`; when the queue is full, forget it all and mark the client for a snapshot."""
        if self._lost:
            return
        self._events.append(event)
        self._bytes += len(event.raw)
        if self._bytes > CLIENT_BYTES:
            self._events.clear()
            self._bytes = 0
            self._lost = True
            self.dropped += 1
        self.wake.set()

    async def read(self, heartbeat: float = HEARTBEAT_S) -> bytes | None:
        """Return the next bytes to send, a heartbeat after `heartbeat` seconds of silence, None when it is over."""
        try:
            await asyncio.wait_for(self.wake.wait(), heartbeat)
        except TimeoutError:
            return self._sent([Event(0, b": still here\n\n")])
        self.wake.clear()
        if self.feed.closed or self not in self.feed.clients:
            return None
        if self._lost:
            self._lost = False
            self._events = self.feed.catch_up(self.topics, None)
        events, self._events, self._bytes = self._events, [], 0
        return self._sent(events)

    def leave(self) -> None:
        """Leave the feed: nothing more is queued, and `read` returns None."""
        self.feed.clients.discard(self)
        self.wake.set()

    def end(self) -> bytes:
        """Return what closes the stream in an orderly way."""
        if not self.gzip:
            return b""
        return b"\x03\x00" + self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")

    def _sent(self, events: list[Event]) -> bytes:
        sent = b"".join(event.raw for event in events)
        if self.gzip:
            opening = b"" if self._length else GZIP_HEADER
            self._crc = zlib.crc32(sent, self._crc)
            self._length += len(sent)
            sent = opening + b"".join(event.packed for event in events)
        self.feed.sent_bytes += len(sent)
        return sent


def body(data: object, now: float, *, full: bool) -> bytes:
    """Return `data` (a dataclass or mapping) as a JSON object that begins with `t` (epoch ms of `now`) and `full`."""
    encoded = _ENCODER.encode(data)
    head = b'{"t":%d,"full":%s' % (int(now * 1000), b"true" if full else b"false")
    return head + (b"}" if encoded == b"{}" else b"," + encoded[1:])


def text(topic: str, data: bytes) -> bytes:
    """Return one server-sent event without id."""
    return b"event: %s\ndata: %s\n\n" % (topic.encode(), data)


def pack(raw: bytes) -> bytes:
    """Return `raw` as self-contained deflate blocks ending on a byte boundary (RFC 1951, empty stored block last)."""
    squeeze = zlib.compressobj(level=6, wbits=-15)
    return squeeze.compress(raw) + squeeze.flush(zlib.Z_SYNC_FLUSH)


class Held:
    """A source whose state is set from outside; whole topics of slow change use it."""

    def __init__(self) -> None:
        self._state: object | None = None
        self._fresh = False

    def put(self, state: Mapping[str, object] | object) -> None:
        """Make `state` the topic's state and send it with the next tick."""
        self._state = state
        self._fresh = True

    def changes(self, now: float) -> object | None:  # the Source protocol
        """Return the state once after it was put."""
        fresh, self._fresh = self._fresh, False
        return self._state if fresh else None

    def snapshot(self, now: float) -> object | None:  # the Source protocol
        """Return the state."""
        return self._state
