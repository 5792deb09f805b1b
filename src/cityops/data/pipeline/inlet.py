"""The inlet: messages of one stream in their order through its durable pull consumer, pulled ahead within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from cityops.data.pipeline.message import Message
from cityops.technology.bus import (
    CONTENT_TYPE,
    MAPPING,
    NDJSON,
    PIPELINE,
    ROWS,
    BusError,
    Origin,
    origin_of,
    reset_consumer,
)

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

PULL_MESSAGES = 2_000
PULL_BYTES = 32 * 1024 * 1024  # at least one message of the largest size
_PULL_SECONDS = 30.0
_BEAT_SECONDS = 5.0
_ORIGINS_KEPT = 100_000
_STATUS, _PENDING = "Status", "Nats-Pending-Messages"
_BEAT = "100"


class BrokenOrderError(RuntimeError):
    """Messages were lost on their way or the server went away: finish what came in order, then open again."""


class Inlet:
    """Messages of `stream` after a sequence number, each once, in order; `label` is what rows call the stream."""

    def __init__(self, bus: Client, stream: str) -> None:
        self._bus = bus
        self._stream = stream
        self._subscription: Subscription | None = None
        self._waiting: list[Message] = []
        self._arrived = asyncio.Event()
        self._origins: dict[str, Origin | None] = {}
        self._requested = 0
        self._expected = 1
        self._after = self._after_ns = 0
        self._connection = 0
        self._heard = 0.0
        self._acks: dict[int, str] = {}
        self._broken = ""
        self.backlog = 0
        self.renumbered = 0

    async def open(self, after: int, after_ns: int) -> None:
        """Begin anew behind message `after`, taken at `after_ns`; what comes again is acknowledged. Raises BusError."""
        await self.close()
        self._waiting, self._requested, self._expected = [], 0, 1
        self._after, self._after_ns, self._broken = after, after_ns, ""
        self._acks.clear()
        self._connection = self._bus.stats["reconnects"]
        await reset_consumer(self._bus.jetstream(), self._stream)
        self._heard = time.monotonic()
        self._subscription = await self._bus.subscribe(self._bus.new_inbox(), cb=self._receive, pending_bytes_limit=0)
        await self._pull()

    async def close(self) -> None:
        """Take nothing more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._bus.is_closed:
            with contextlib.suppress(NatsError):  # the connection is gone, and the subscription with it
                await subscription.unsubscribe()

    async def take(self, linger: float) -> list[Message]:
        """Return what came within `linger` seconds of the first message, or nothing after a second without any.

        Raises BrokenOrderError when nothing more can follow in order.
        """
        if not self._waiting:
            if self._broken:
                raise BrokenOrderError(self._broken)
            self._arrived.clear()
            try:
                async with asyncio.timeout(1.0):
                    await self._arrived.wait()
            except TimeoutError:
                await self._look_after()
                return []
        if len(self._waiting) < PULL_MESSAGES // 2:
            await asyncio.sleep(linger)
        taken, self._waiting = self._waiting, []
        if taken:
            await self._pull()
        return taken

    async def acknowledge(self, seq: int) -> None:
        """Tell the log that everything up to message `seq`, which was taken, is done with."""
        reply = self._acks.pop(seq, None)
        for earlier in [s for s in self._acks if s < seq]:
            del self._acks[earlier]
        if reply and self._bus.is_connected:
            await self._bus.publish(reply, b"+ACK")

    async def _look_after(self) -> None:
        if self._bus.stats["reconnects"] != self._connection:
            raise BrokenOrderError("the connection was lost and came back")
        if time.monotonic() - self._heard > 3 * _BEAT_SECONDS and self._bus.is_connected:
            raise BrokenOrderError("the consumer fell silent")
        await self._pull()

    async def _pull(self) -> None:
        """Ask for more when less than half of a pull is still to come."""
        if self._requested > PULL_MESSAGES // 2 or not self._bus.is_connected or self._subscription is None:
            return
        request = {
            "batch": PULL_MESSAGES,
            "max_bytes": PULL_BYTES,
            "expires": int(_PULL_SECONDS * 1e9),
            "idle_heartbeat": int(_BEAT_SECONDS * 1e9),
        }
        self._requested += PULL_MESSAGES
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{PIPELINE}"
        await self._bus.publish(subject, json.dumps(request).encode(), reply=self._subscription.subject)

    async def _receive(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if message.headers and _STATUS in message.headers and not message.reply:
            if message.headers[_STATUS] != _BEAT:  # the end of a pull: expired, too many bytes, or the consumer is gone
                self._requested = max(0, self._requested - int(message.headers.get(_PENDING, self._requested)))
            return
        if self._broken:
            return
        tokens = message.reply.split(".")
        seq, turn, stamp, pending = tokens[-4:] if len(tokens) == 9 else tokens[-5:-1]
        self._requested -= 1
        self.backlog = int(pending)
        if int(turn) != self._expected or self._bus.stats["reconnects"] != self._connection:
            self._break(f"message {seq} came as {turn}, not as {self._expected}")
            return
        self._expected += 1
        number, arrived_ns = int(seq), int(stamp)
        self._acks[number] = message.reply
        if number <= self._after:
            if arrived_ns > self._after_ns:
                self.renumbered = number
                self._break(f"message {seq} is younger than {self._after}, which is stored: the log was renumbered")
            else:
                await self.acknowledge(number)
            return
        self._waiting.append(self._message(message, number, arrived_ns))
        if not self._arrived.is_set():
            self._arrived.set()

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._arrived.set()

    def _message(self, message: Msg, seq: int, arrived_ns: int) -> Message:
        origin = self._origin(message.subject)
        headers = message.headers or {}
        rows = headers.get(ROWS)
        kind = headers.get(CONTENT_TYPE, NDJSON)
        mapping = headers.get(MAPPING)
        if origin is None:
            return Message(seq, arrived_ns, message.subject, "", kind, mapping, None, message.data)
        count = int(rows) if rows is not None and rows.isdecimal() else None
        return Message(
            seq, arrived_ns, origin.contract, origin.source, kind, mapping or origin.mapping, count, message.data
        )

    def _origin(self, subject: str) -> Origin | None:
        if subject not in self._origins:
            if len(self._origins) >= _ORIGINS_KEPT:
                self._origins.clear()
            try:
                self._origins[subject] = origin_of(subject)
            except BusError:
                self._origins[subject] = None
        return self._origins[subject]
