"""What a process says of itself: JSON-lines logs, and counters and gauges published each second."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nats.aio.client import Client

PERIOD_SECONDS = 1.0
SUBJECT = "telemetry"
PROGRESS = "progress"
_FIELDS = "cityops_fields"


class JsonLines(logging.Formatter):
    """One JSON object a record: t (epoch ms), level, role, event, then the record's own fields."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "t": int(record.created * 1000),
            "level": record.levelname.lower(),
            "role": self._role,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in getattr(record, _FIELDS, {}).items() if name not in line}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Log:
    """A logger whose calls take an event's name and its fields: `log.info("batch written", rows=12)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """Write what only its author wants to see."""
        self._logger.debug(event, extra={_FIELDS: fields})

    def info(self, event: str, **fields: object) -> None:
        """Write what an operator may want to know."""
        self._logger.info(event, extra={_FIELDS: fields})

    def warning(self, event: str, **fields: object) -> None:
        """Write what went wrong and was mended or will be tried again."""
        self._logger.warning(event, extra={_FIELDS: fields})

    def error(self, event: str, **fields: object) -> None:
        """Write what a person must look at."""
        self._logger.error(event, extra={_FIELDS: fields})

    def exception(self, event: str, **fields: object) -> None:
        """Write an error with the traceback of the exception being handled."""
        self._logger.error(event, exc_info=sys.exc_info(), extra={_FIELDS: fields})


def configure_logging(role: str, handler: logging.Handler | None = None) -> None:
    """Send every record of this process to `handler` (stderr) as JSON lines; level from CITYOPS_LOG_LEVEL or info."""
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(role))
    logging.basicConfig(level=os.environ.get("CITYOPS_LOG_LEVEL", "INFO").upper(), handlers=[handler], force=True)
    for talkative in ("alembic", "uvicorn.error", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


class Telemetry:
    """Counters and gauges of one process; cheap enough for a hot path, published as `telemetry.{role}`."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.is_ready = False
        self._counters: dict[str, float] = {}
        self._gauges: dict[str, float] = {}
        self._probes: dict[str, Callable[[], float]] = {}

    def count(self, name: str, amount: float = 1) -> None:
        """Add `amount` to the counter `name`, which only ever grows."""
        self._counters[name] = self._counters.get(name, 0) + amount

    def gauge(self, name: str, value: float) -> None:
        """Set the gauge `name` to `value`."""
        self._gauges[name] = value

    def probe(self, name: str, read: Callable[[], float]) -> None:
        """Read the gauge `name` by calling `read` each time telemetry is published."""
        self._probes[name] = read

    def ready(self) -> None:
        """Say that this role now does its work; the supervisor starts what waits for it."""
        self.is_ready = True

    def progress(self, step: str, share: float) -> None:
        """Say how far a long step is: `share` of the whole, 0..1. The supervisor shows it while it waits."""
        Log(__name__).info(PROGRESS, step=step, share=round(share, 3))

    def snapshot(self) -> dict[str, object]:
        """Return {role, pid, t (epoch ms), ready, counters, gauges}."""
        return {
            "role": self.role,
            "pid": os.getpid(),
            "t": time.time_ns() // 1_000_000,
            "ready": self.is_ready,
            "counters": dict(self._counters),
            "gauges": self._gauges | {name: read() for name, read in self._probes.items()},
        }

    async def publish(self, bus: Client) -> None:
        """Publish a snapshot each second until cancelled; a lost connection is waited out."""
        while True:
            if bus.is_connected:
                await bus.publish(f"{SUBJECT}.{self.role}", json.dumps(self.snapshot()).encode())
            await asyncio.sleep(PERIOD_SECONDS)
