"""Keeps the disk's reserve: below it the log takes no new message, from any protocol; with room again it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy
from nats.js.errors import NotFoundError

from cityops.settings import Settings
from cityops.technology import bus, disk
from cityops.technology.telemetry import Log

if TYPE_CHECKING:
    from nats.aio.client import Client

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 15.0  # a stream may be made, or a server restored, behind our back
# Room that must come back above the reserve before messages are taken again, so that the gate does not flap.
HYSTERESIS_BYTES = 64_000_000
# With so little left writes have failed, or will have before the next look.
EXHAUSTED_BYTES = 16_000_000
_NOTHING_MORE, _NO_LIMIT = 1, -1

log = Log(__name__)


async def guard(
    settings: Settings, client: Client, reserve: int | None = None, revive: Callable[[], None] = lambda: None
) -> None:
    """Watch the disk of the data directory until cancelled; open and close the log's streams accordingly.

    `reserve` in bytes, by default CITYOPS_DISK_RESERVE_MB. A closed stream refuses what is published: the HTTP edge
    answers 507, the MQTT gateway gives no PUBACK and the device sends again; what was accepted stays and is read on.
    `revive` is to start the log's server anew: once a write of it has failed for want of room, a stream takes nothing
    more until then (NATS 2.15), however much room there is.
    """
    open_now: bool | None = None
    exhausted = False
    since = 0.0
    while True:
        left = disk.free_reserve(settings.data_dir, reserve)
        exhausted = exhausted or disk.free_reserve(settings.data_dir, EXHAUSTED_BYTES) < 0
        wanted = left >= (HYSTERESIS_BYTES if open_now is False else 0)
        if wanted and exhausted:
            log.warning("the disk was full to the brim: the log is started anew", left=left)
            exhausted = False
            revive()
        since += LOOK_SECONDS
        if wanted != open_now or (not wanted and since >= AGAIN_SECONDS):
            try:
                await set_open(client, wanted)
            except (NatsError, TimeoutError) as error:
                log.warning("the log's gate cannot be set", open=wanted, error=repr(error))
            else:
                if wanted != open_now and not (wanted and open_now is None):
                    log.warning("the log takes messages again" if wanted else "disk full: the log refuses", left=left)
                open_now, since = wanted, 0.0
        await asyncio.sleep(LOOK_SECONDS)


async def set_open(client: Client, is_open: bool) -> None:
    """Let the log's streams take messages, or refuse them. Raises nats.errors.Error when the server does not answer."""
    js = client.jetstream(timeout=5.0)
    for name in (bus.INGEST_STREAM, bus.MQTT_STREAM):
        try:
            config = (await js.stream_info(name)).config
        except NotFoundError:
            continue
        limit = _NO_LIMIT if is_open else _NOTHING_MORE
        # The gateway makes its stream with "discard old": with a limit that would throw away what was accepted.
        if (config.max_bytes, config.discard) != (limit, DiscardPolicy.NEW):
            config.max_bytes, config.discard = limit, DiscardPolicy.NEW
            await js.update_stream(config)
