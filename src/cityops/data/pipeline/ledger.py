"""The ledger: how far each stream is stored, and what was being stored when the process ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from cityops.technology.bus import LEDGER_BUCKET
from cityops.technology.telemetry import Log

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue

log = Log(__name__)


class LedgerTakenError(RuntimeError):
    """Another process keeps this ledger: two would store everything twice."""


@dataclass(frozen=True)
class Range:
    """Messages `first`..`last` of a stream, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Entry:
    """`done`: last message stored for good, taken by the log at `done_ns` (epoch); `doing`: being stored.

    `epoch` tells apart streams of the same name, whose numbers begin again: it is part of every insert's token.
    """

    epoch: str
    done: int = 0
    done_ns: int = 0
    doing: Range | None = None


class Ledger:
    """The entry of one stream in the key-value bucket `ledger`; every write is durable when it returns."""

    def __init__(self, bus: Client, stream: str) -> None:
        self._js = bus.jetstream()
        self._stream = stream
        self._key = stream.strip("$")
        self._bucket: KeyValue | None = None
        self._revision = 0
        self.entry = Entry("")

    async def load(self) -> Entry:
        """Return the entry, a new one when the stream is not the one it was written for."""
        info = await self._js.stream_info(self._stream)
        created = info.created.timestamp() if info.created else 0.0
        epoch = f"{round(created * 1e6):x}"
        self._bucket = await self._js.key_value(LEDGER_BUCKET)
        try:
            found = await self._bucket.get(self._key)
        except KeyNotFoundError as error:  # never written, or removed by a person
            self.entry, self._revision = Entry(epoch), (error.entry.revision or 0) if error.entry else 0
            return self.entry
        self._revision = found.revision or 0
        self.entry = _read(found.value or b"{}")
        if self.entry.epoch.partition(".")[0] != epoch:
            log.warning("the stream was made anew", stream=self._stream, done=self.entry.done)
            self.entry = Entry(epoch, done_ns=self.entry.done_ns)
        elif info.state.last_seq < self.entry.done:
            self.renumber(info.state.last_seq + 1)
        return self.entry

    def renumber(self, first: int) -> None:
        """Begin another epoch at message `first`: the log lost its end (a disk that lied) and gives numbers again."""
        log.error("the log ended before what was stored", stream=self._stream, done=self.entry.done, first=first)
        created, _, rounds = self.entry.epoch.partition(".")
        self.entry = Entry(f"{created}.{int(rounds or 0) + 1}", first - 1, self.entry.done_ns)

    async def begin(self, first: int, last: int) -> None:
        """Note that messages `first`..`last` are being stored. Raises LedgerTakenError."""
        await self._write(replace(self.entry, doing=Range(first, last)))

    async def finish(self, last: int, arrived_ns: int) -> None:
        """Note that everything up to message `last` is stored. Raises LedgerTakenError."""
        await self._write(Entry(self.entry.epoch, last, max(arrived_ns, self.entry.done_ns)))

    async def _write(self, entry: Entry) -> None:
        if self._bucket is None:
            raise RuntimeError("the ledger was not loaded")
        data = json.dumps({**asdict(entry), "doing": asdict(entry.doing) if entry.doing else None}).encode()
        try:
            self._revision = await self._bucket.update(self._key, data, last=self._revision)
        except KeyWrongLastSequenceError as error:
            found = await self._bucket.get(self._key)
            if found.value != data:  # else it is our own write, whose answer was lost
                raise LedgerTakenError(f"another pipeline writes the ledger of {self._stream}") from error
            self._revision = found.revision or 0
        self.entry = entry


def _read(data: bytes) -> Entry:
    value = json.loads(data)
    doing = value.get("doing")
    return Entry(value["epoch"], value["done"], value["done_ns"], Range(**doing) if doing else None)
