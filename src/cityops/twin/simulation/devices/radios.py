"""Vehicle radios: positions of taxis, buses and the units of the services, with the error of their receivers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.simulation.devices.observation import Observation, point
from cityops.twin.simulation.fleet import Report
from cityops.twin.simulation.timing import iso

CONTRACT = "UnitPosition"
GPS_ERROR_M = 1.5
"""Standard deviation of a fix, each way: receivers of today with augmentation, in streets."""

SOURCES = {
    "probe": "taxi-fleet",
    "bus": "bus-fleet",
    "police": "police-units",
    "fire": "fire-units",
    "ambulance": "ambulance-units",
    "sprinkler": "sanitation-fleet",
}
"""System by kind of unit."""


def positions(t: int, reports: Sequence[Report], plane: LocalPlane, chance: np.random.Generator) -> list[Observation]:
    """Return the messages of `reports`, radioed at `t`."""
    if not reports:
        return []
    error = chance.normal(0, GPS_ERROR_M, (2, len(reports)))
    moving = np.array([report.fix.speed > 0 for report in reports])
    x = np.array([report.fix.x for report in reports]) + error[0] * moving
    y = np.array([report.fix.y for report in reports]) + error[1] * moving
    lon, lat = plane.to_degrees(x, y)
    observed_at = iso(t)
    return [
        Observation(
            CONTRACT,
            SOURCES[report.kind],
            gateway_of(report),
            {
                "unit_id": report.unit,
                "observed_at": observed_at,
                "kind": report.kind,
                "speed": round(report.fix.speed * 3.6, 1),
                "heading": round(report.fix.heading % 360, 1),
                "status": report.status,
                "location": point(float(lon[n]), float(lat[n])),
            },
        )
        for n, report in enumerate(reports)
    ]


def gateway_of(report: Report) -> str:
    """Return the fleet gateway of a unit: taxis have four, buses two, every other service one."""
    many = {"probe": 4, "bus": 2}.get(report.kind, 1)
    return f"fleet-{report.kind}-{sum(report.unit.encode()) % many + 1}"
