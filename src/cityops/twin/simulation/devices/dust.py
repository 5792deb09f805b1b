"""Dust monitors at building sites: they speak when PM10 beside the works is over its limit.

Their readings are no AirQualityObserved: a fence is not the air of a district, and the city's index is made of those.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Site
from cityops.twin.simulation.devices.alerts import AlertState
from cityops.twin.simulation.devices.observation import Observation

SOURCE, GATEWAY = "dust-monitors", "environment-dust"
LEVELS = (("I", 420.0), ("II", 350.0), ("III", 250.0), ("IV", 150.0))
"""Severity by PM10 in µg/m³ over ten minutes: IAQI 300, 200, 150 of HJ 633-2026, and the usual limit at sites."""
CLEARED_BELOW = 120.0
OWN_SHARE = 60.0
"""µg/m³ by which the site must raise the air of the region before the site, not the region, is to blame."""
_MINUTES = 10
_RELATIVE_ERROR = 0.08


@dataclass
class DustMonitor:
    """One monitor; keeps the mean of the last ten minutes and the alert that follows from it."""

    site: Site
    seed: int
    mean: float | None = None
    alert: AlertState = field(init=False)

    def __post_init__(self) -> None:
        self.alert = AlertState(
            prefix=f"DUST-{self.site.id}",
            category="environment",
            sub_category="airPollution",
            source=f"dust-monitor {self.site.id}",
            gateway=GATEWAY,
            system=SOURCE,
            lon=self.site.lon,
            lat=self.site.lat,
        )

    def read(self, t: int, true_pm10: float, region_pm10: float) -> list[Observation]:
        """Take the reading of `t` (once a minute); return the alert when its state changes, else nothing."""
        factor = float(generator(self.seed, "dust monitor", self.site.id, t).normal(1, _RELATIVE_ERROR))
        pm10 = max(0.0, true_pm10 * factor)
        self.mean = pm10 if self.mean is None else self.mean + (pm10 - self.mean) / _MINUTES
        mean, own = self.mean, self.mean - region_pm10
        severity = next((level for level, limit in LEVELS if mean >= limit), None)
        if severity and own >= OWN_SHARE:
            text = f"{self.site.name}：PM10 十分钟均值 {mean:.0f} µg/m³，超过限值 {LEVELS[-1][1]:.0f}"
            return self.alert.raise_to(t, severity, text)
        if mean < CLEARED_BELOW or own < OWN_SHARE / 2:
            return self.alert.clear(t, f"{self.site.name}：PM10 已降至 {mean:.0f} µg/m³")
        return self.alert.keep(t)
