"""Simulated time against the wall clock: where the simulation should be now, and the city's local time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S = 86_400


@dataclass(frozen=True)
class Pace:
    """A start (seconds since the epoch, wall and simulated) and how many times faster than the wall time runs.

    A simulation that started in the past runs at `speed` until it meets the wall clock and then stays with it.
    """

    wall_start: float
    simulated_start: float
    speed: float = 1.0

    def __post_init__(self) -> None:
        if self.speed < 1:
            raise ValueError(f"speed {self.speed}: 1 (real time) or faster is wanted")
        if self.simulated_start > self.wall_start:
            raise ValueError("a simulation cannot start in the future")

    def due(self, wall: float) -> float:
        """Return the instant that the simulation should have reached when the wall clock says `wall`."""
        return min(wall, self.simulated_start + (wall - self.wall_start) * self.speed)

    def wall_of(self, simulated: float) -> float:
        """Return what the wall clock says when `simulated` falls due: the inverse of `due`."""
        return max(simulated, self.wall_start + (simulated - self.simulated_start) / self.speed)


def zone_of(name: str, longitude: float) -> tzinfo:
    """Return the time zone called `name`; where the machine has no zone data, the zone hour of `longitude`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        hours = 8 if name.startswith("Asia/Shanghai") else round(longitude / 15)
        return timezone(timedelta(hours=hours))


def midnight_before(t: float, zone: tzinfo) -> float:
    """Return the start of the local day in which `t` (seconds since the epoch) falls, in seconds since the epoch."""
    local = datetime.fromtimestamp(t, zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def local_time(t: float, zone: tzinfo) -> tuple[float, int]:
    """Return the local time of day in hours (0 ≤ h < 24) and the weekday (Monday is 0) at `t`."""
    local = datetime.fromtimestamp(t, zone)
    return local.hour + local.minute / 60 + local.second / 3600, local.weekday()


def iso(t: float) -> str:
    """Return `t` (seconds since the epoch) as ISO 8601 in UTC to the millisecond."""
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
