"""Load generators: many devices over HTTP and MQTT, cheap enough to share two cores with what they load."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random

STAMP = b"@@@@-@@-@@T@@:@@:@@.@@@Z"


def iso(ms: int) -> bytes:
    """Return `ms` since the epoch as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode() + b"%03dZ" % (ms % 1000)


def observation(device: int, random: Random) -> bytes:
    """Return one TrafficFlowObserved of `device` as JSON, its time left to be stamped."""
    row = {
        "detector_id": f"bench-{device:05d}",
        "observed_at": STAMP.decode(),
        "intensity": random.randrange(0, 2400, 60),
        "occupancy": round(random.random() * 0.6, 3),
        "average_vehicle_speed": round(20 + random.random() * 60, 1),
    }
    return json.dumps(row, separators=(",", ":")).encode()


def batches(devices: int, size: int, seed: int) -> list[bytes]:
    """Return JSON arrays of `size` observations that cover `devices` once, times left to be stamped."""
    random = Random(seed)
    rows = [observation(device, random) for device in range(devices)]
    return [b"[" + b",".join(rows[i : i + size]) + b"]" for i in range(0, devices, size)]


@dataclass
class Tally:
    """What the generator sent and what was acknowledged."""

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)


class HttpConnection(asyncio.Protocol):
    """One kept-alive connection that posts the next body when the last was answered, at most one every `interval_s`."""

    def __init__(self, source: Callable[[], bytes | None], tally: Tally, size: int, interval_s: float) -> None:
        self.source, self.tally, self.size, self.interval_s = source, tally, size, interval_s
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.post()

    def post(self) -> None:
        request = self.source()
        if request is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.began = time.perf_counter()
        self.tally.sent += self.size
        self.transport.write(request)  # type: ignore[attr-defined]  # a stream transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.buffer = b""
        if head.startswith(b"HTTP/1.1 202"):
            self.tally.acknowledged += self.size
        else:
            self.tally.refused += self.size
        took = time.perf_counter() - self.began
        self.tally.latencies_ms.append(took * 1000)
        if self.interval_s > took:
            asyncio.get_running_loop().call_later(self.interval_s - took, self.post)
        else:
            self.post()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the edge closed the connection"))


async def http_load(
    host: str,
    port: int,
    contract: str,
    *,
    seconds: float,
    devices: int,
    size: int,
    connections: int,
    seed: int,
    rate: float | None = None,
) -> Tally:
    """Post batches of `size` observations for `seconds`; at most `rate` observations a second when given."""
    bodies = batches(devices, size, seed)
    target = f"POST /v1/ingest/{contract}?source=bench HTTP/1.1"
    head = f"{target}\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ".encode()
    requests = [head + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]
    tally, first_ms, begin = Tally(), int(time.time() * 1000), time.perf_counter()
    posted = 0

    def source() -> bytes | None:
        nonlocal posted
        if time.perf_counter() - begin >= seconds:
            return None
        round_, index = divmod(posted, len(requests))
        posted += 1
        return requests[index].replace(STAMP, iso(first_ms + round_))

    loop = asyncio.get_running_loop()
    interval = connections * size / rate if rate else 0.0
    protocols = [
        (await loop.create_connection(lambda: HttpConnection(source, tally, size, interval), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for protocol in protocols))
    tally.seconds = time.perf_counter() - begin
    return tally


def mqtt_string(text: str) -> bytes:
    """Return `text` as an MQTT UTF-8 string field."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def remaining(length: int) -> bytes:
    """Return MQTT's variable-length remaining length."""
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out)


class MqttDevice(asyncio.Protocol):
    """One device: connects, publishes QoS 1 one at a time (the next after PUBACK), `count` messages in all."""

    def __init__(
        self,
        device: int,
        contract: str,
        payload: bytes,
        count: int,
        first_ms: int,
        tally: Tally,
        interval_s: float = 0.0,
    ) -> None:
        self.topic = mqtt_string(f"cityops/{contract}/bench-{device:05d}")
        self.payload, self.count, self.first_ms, self.tally, self.interval_s = (
            payload,
            count,
            first_ms,
            tally,
            interval_s,
        )
        self.client = f"bench-{device:05d}"
        self.sent = self.acks = 0
        self.began = 0.0
        self.buffer = b""
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        body = mqtt_string("MQTT") + bytes([4, 2]) + struct.pack(">H", 600) + mqtt_string(self.client)
        transport.write(bytes([0x10]) + remaining(len(body)) + body)  # type: ignore[attr-defined]

    def publish(self) -> None:
        """Send the next message, or end."""
        if self.sent >= self.count:
            if not self.done.done():
                self.done.set_result(None)
            return
        stamp = int(time.time() * 1000) if self.interval_s else self.first_ms + self.sent
        self.sent += 1
        body = self.topic + struct.pack(">H", (self.sent - 1) % 65535 + 1) + self.payload.replace(STAMP, iso(stamp))
        self.began = time.perf_counter()
        self.tally.sent += 1
        self.transport.write(bytes([0x32]) + remaining(len(body)) + body)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 4:  # CONNACK and PUBACK are both four bytes
            kind, self.buffer = self.buffer[0] & 0xF0, self.buffer[4:]
            if kind == 0x20:
                self.connected.set_result(None)
                continue
            self.acks += 1
            self.tally.acknowledged += 1
            took = time.perf_counter() - self.began
            self.tally.latencies_ms.append(took * 1000)
            if self.interval_s > took:
                asyncio.get_running_loop().call_later(self.interval_s - took, self.publish)
            else:
                self.publish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the broker closed the connection"))


async def mqtt_load(
    host: str, port: int, contract: str, *, devices: int, messages: int, seed: int, rate: float | None = None
) -> Tally:
    """Publish `messages` single observations at QoS 1 from `devices` connections, at about `rate` a second if given."""
    random, tally, loop = Random(seed), Tally(), asyncio.get_running_loop()
    first_ms, each = int(time.time() * 1000), messages // devices
    interval = devices / rate if rate else 0.0
    fleet: list[MqttDevice] = []
    for device in range(devices):
        made = partial(MqttDevice, device, contract, observation(device, random), each, first_ms, tally, interval)
        fleet.append((await loop.create_connection(made, host, port))[1])
    await asyncio.gather(*(one.connected for one in fleet))
    begin = time.perf_counter()
    for one in fleet:
        if interval:
            loop.call_later(random.random() * interval, one.publish)
        else:
            one.publish()
    await asyncio.gather(*(one.done for one in fleet))
    tally.seconds = time.perf_counter() - begin
    for one in fleet:
        one.transport.close()
    return tally
