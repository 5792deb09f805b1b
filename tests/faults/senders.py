"""Senders that give up on nothing: what is not acknowledged is sent again, as devices and systems do."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cityops.settings import Settings

CONTRACT = "TrafficFlowObserved"
_HEAD = (
    b"POST /v1/ingest/%b?source=faults HTTP/1.1\r\n"
    b"host: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)


@dataclass
class Tally:
    """Acknowledged rows, and attempts that were not acknowledged."""

    acknowledged: int = 0
    failed: int = 0


def stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def bodies(rows: int, size: int, first_ms: int) -> Iterator[bytes]:
    """Yield JSON arrays of `size` observations of 1000 detectors, `rows` in all, every one different."""
    for start in range(0, rows, size):
        items = (
            f'{{"detector_id":"H{n % 1000:04}","observed_at":"{stamp(first_ms + n // 1000)}","intensity":{n % 900}}}'
            for n in range(start, min(start + size, rows))
        )
        yield ("[" + ",".join(items) + "]").encode()


async def send_http(
    settings: Settings, rows: int, tally: Tally, first_ms: int, *, size: int = 100, lanes: int = 6
) -> None:
    """Post `rows` observations in batches of `size`; every batch until it is answered 202."""
    waiting = bodies(rows, size, first_ms)
    await asyncio.gather(*(_http_lane(settings, waiting, tally) for _ in range(lanes)))


async def _http_lane(settings: Settings, waiting: Iterator[bytes], tally: Tally) -> None:
    writer: asyncio.StreamWriter | None = None
    for body in waiting:
        request = _HEAD % (CONTRACT.encode(), len(body)) + body
        while True:
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection(settings.edge_host, settings.edge_port)
                writer.write(request)
                async with asyncio.timeout(15):
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    await reader.readexactly(length)
                if head.startswith(b"HTTP/1.1 202"):
                    tally.acknowledged += body.count(b'"detector_id"')
                    break
                tally.failed += 1
                assert head.startswith((b"HTTP/1.1 503", b"HTTP/1.1 507")), head
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                tally.failed += 1
                if writer is not None:
                    writer.close()
                writer = None
            await asyncio.sleep(0.1)
    if writer is not None:
        writer.close()


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


async def send_mqtt(
    settings: Settings, devices: int, each: int, tally: Tally, first_ms: int, done: Callable[[], float]
) -> None:
    """Publish `each` observations from each of `devices` at QoS 1; every one until its PUBACK, with DUP when again.

    They keep pace with another load, of which `done` says the share that is through.
    """
    await asyncio.gather(*(_device(settings, number, each, tally, first_ms, done) for number in range(devices)))


async def _device(
    settings: Settings, device: int, each: int, tally: Tally, first_ms: int, done: Callable[[], float]
) -> None:
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    number, again = 0, False
    while number < each:
        while number / each > done():  # noqa: ASYNC110  # the other load tells only how far it is
            await asyncio.sleep(0.01)
        try:
            streams = streams or await _session(settings, f"faults-{device}")
            await _publish(streams, device, number, again, first_ms)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            tally.failed += 1
            if streams is not None:
                streams[1].close()
            streams, again = None, True
            await asyncio.sleep(0.2)
        else:
            tally.acknowledged += 1
            number, again = number + 1, False
    if streams is not None:
        streams[1].close()


async def _session(settings: Settings, client: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(settings.mqtt_host, settings.mqtt_port)
    body = _text("MQTT") + bytes([4, 2]) + struct.pack(">H", 600) + _text(client)
    writer.write(bytes([0x10, len(body)]) + body)
    async with asyncio.timeout(5):
        connack = await reader.readexactly(4)
    if connack[3]:
        raise ConnectionError(f"refused with {connack[3]}")
    return reader, writer


async def _publish(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], device: int, number: int, again: bool, first_ms: int
) -> None:
    """Return when PUBACK has come."""
    reader, writer = streams
    payload = f'{{"detector_id":"M{device:04}","observed_at":"{stamp(first_ms + number)}","intensity":{number % 900}}}'
    packet = struct.pack(">H", number % 65_535 + 1)
    body = _text(f"cityops/{CONTRACT}/faults") + packet + payload.encode()
    writer.write(bytes([0x3A if again else 0x32, len(body) & 127 | 128, len(body) >> 7]) + body)
    async with asyncio.timeout(10):
        puback = await reader.readexactly(4)
    if puback[0] != 0x40 or puback[2:] != packet:
        raise ConnectionError(f"not the PUBACK of {number}: {puback!r}")
