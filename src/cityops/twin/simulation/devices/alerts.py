"""The life of one device's alert: opened, raised, renewed, cleared; one id from opening to clearing."""

from __future__ import annotations

from dataclasses import dataclass

from cityops.twin.simulation.devices.observation import Observation, point
from cityops.twin.simulation.timing import iso

CONTRACT = "Alert"
RENEWED_EVERY_S = 600
VALID_S = 1200
"""An alert that its device no longer renews (a cabinet without power) runs out by itself."""

_GRAVEST_FIRST = ("I", "II", "III", "IV")


@dataclass
class AlertState:
    """Open or not, and since when; every method returns the messages to send, none when nothing changes."""

    prefix: str
    category: str
    sub_category: str
    source: str
    gateway: str
    system: str
    lon: float
    lat: float
    opened: int | None = None
    severity: str = ""
    text: str = ""
    said: int = 0

    def raise_to(self, t: int, severity: str, text: str, *, since: int | None = None) -> list[Observation]:
        """Open the alert or raise it to `severity`; a lower one than has been said does not lower it.

        `since` is when its cause began, where that is known: a restarted device then goes on with the same alert.
        """
        if self.opened is None:
            self.opened = t if since is None else since
        elif _GRAVEST_FIRST.index(severity) >= _GRAVEST_FIRST.index(self.severity):
            return self.keep(t)
        self.severity, self.text = severity, text
        return [self._say(t, "open", self.text)]

    def keep(self, t: int) -> list[Observation]:
        """Say again, now and then, that an open alert still stands."""
        if self.opened is None or t - self.said < RENEWED_EVERY_S:
            return []
        return [self._say(t, "open", self.text)]

    def clear(self, t: int, text: str) -> list[Observation]:
        """Clear the alert when it is open."""
        if self.opened is None:
            return []
        message = self._say(t, "cleared", text)
        self.opened = None
        return [message]

    def _say(self, t: int, status: str, text: str) -> Observation:
        self.said = t
        body: dict[str, object] = {
            "alert_id": f"{self.prefix}-{self.opened}",
            "observed_at": iso(t),
            "category": self.category,
            "sub_category": self.sub_category,
            "severity": self.severity,
            "alert_source": self.source,
            "status": status,
            "description": text,
            "location": point(self.lon, self.lat),
        }
        if status == "open":
            body["valid_to"] = iso(t + VALID_S)
        return Observation(CONTRACT, self.system, self.gateway, body)
