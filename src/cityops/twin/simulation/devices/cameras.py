"""Cameras that understand what they see: accidents and queues on the link they watch become alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cityops.twin.simulation.city import Site
from cityops.twin.simulation.devices.alerts import AlertState
from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.incidents import Incident

SYSTEM = "traffic-cameras"
NOTICED_AFTER_S = 30
"""A camera takes something that stands so long on a lane for an accident."""
LOOKS_EVERY_S = 30
_STANDING = 8  # vehicles that stand make a queue …
_SLOW = 0.25  # … when those on the link go slower than this share of the free speed …
_LOOKS = 6  # … and that in so many looks, three minutes on end
_GONE_LOOKS = 4


@dataclass(frozen=True)
class View:
    """What a camera sees of its link: vehicles standing there, mean speed over free speed (1 when it is empty)."""

    standing: int
    speed_ratio: float


@dataclass
class Camera:
    """One camera and the two alerts it can have open."""

    site: Site
    gateway: str
    lanes: int
    accident: AlertState = field(init=False)
    jam: AlertState = field(init=False)
    _queued: int = 0
    _flowing: int = 0

    def __post_init__(self) -> None:
        self.accident = self._alert("ACC", "trafficAccident")
        self.jam = self._alert("JAM", "trafficJam")

    def look_for_accidents(self, t: int, incidents: Sequence[Incident]) -> list[Observation]:
        """Return news of the accidents on the link; `incidents` are those that are on there now."""
        seen = [incident for incident in incidents if t - incident.start >= NOTICED_AFTER_S]
        if not seen:
            return self.accident.clear(t, f"{self.site.name}：事故车辆已撤离，车道恢复通行")
        worst = min(seen, key=lambda incident: incident.severity)
        closed = len({lane for incident in seen for lane in incident.lanes})
        text = f"{self.site.name}：疑似交通事故，占用 {closed} 条车道（共 {self.lanes} 条）"
        return self.accident.raise_to(t, worst.severity, text, since=int(worst.start))

    def look_for_queues(self, t: int, view: View) -> list[Observation]:
        """Return news of a queue on the link; it is one look of many."""
        slow = view.standing >= _STANDING and view.speed_ratio < _SLOW
        self._queued, self._flowing = (self._queued + 1, 0) if slow else (0, self._flowing + 1)
        if self._queued >= _LOOKS and self.accident.opened is None:  # a queue behind an accident is no second cause
            severity = "III" if self._queued >= 4 * _LOOKS else "IV"
            return self.jam.raise_to(t, severity, f"{self.site.name}：排队 {view.standing} 辆，车速低于畅通车速的 25%")
        if self._flowing >= _GONE_LOOKS:
            return self.jam.clear(t, f"{self.site.name}：排队消散")
        return self.jam.keep(t)

    def _alert(self, prefix: str, kind: str) -> AlertState:
        return AlertState(
            prefix=f"{prefix}-{self.site.id}",
            category="traffic",
            sub_category=kind,
            source=f"camera {self.site.id}",
            gateway=self.gateway,
            system=SYSTEM,
            lon=self.site.lon,
            lat=self.site.lat,
        )
