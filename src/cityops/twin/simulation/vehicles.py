"""The kinds of vehicles on the streets, as the traffic simulator's vehicle types."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class VehicleType(NamedTuple):
    """A kind of vehicle: SUMO's attributes, and how often (s) it looks for a quicker way on its way; 0: never."""

    id: str
    reroute_s: int
    attributes: str


_PETROL, _DIESEL = "HBEFA4/PC_petrol_Euro-4", "HBEFA4/RT_le7.5t_Euro-IV_EGR"
_CAR = f'length="4.6" sigma="0.5" speedFactor="normc(1.0,0.1,0.7,1.3)" emissionClass="{_PETROL}"'

CAR, GUIDED_CAR, WRECK = "car", "guided_car", "wreck"
GUIDED_SHARE = 0.45
"""Share of cars that follow a navigation service around queues."""

TYPES = (
    VehicleType(CAR, 0, f'vClass="passenger" {_CAR}'),
    VehicleType(GUIDED_CAR, 300, f'vClass="passenger" {_CAR}'),
    VehicleType("probe", 300, f'vClass="taxi" {_CAR}'),
    VehicleType("bus", 0, f'vClass="bus" length="12" maxSpeed="22" sigma="0.5" emissionClass="{_DIESEL}"'),
    VehicleType("police", 300, f'vClass="passenger" {_CAR}'),
    VehicleType("fire", 120, f'vClass="emergency" length="9" speedFactor="1.2" emissionClass="{_DIESEL}"'),
    VehicleType("ambulance", 120, f'vClass="emergency" length="6" speedFactor="1.25" emissionClass="{_DIESEL}"'),
    VehicleType("sprinkler", 0, f'vClass="truck" length="8" maxSpeed="5.5" emissionClass="{_DIESEL}"'),
    VehicleType(WRECK, 0, f'vClass="passenger" length="4.6" emissionClass="{_PETROL}" color="255,0,0"'),
)


def write_types(path: Path) -> None:
    """Write TYPES as a SUMO additional file."""
    lines = [f'<vType id="{kind.id}" {kind.attributes}>{_guidance(kind.reroute_s)}</vType>\n' for kind in TYPES]
    path.write_text("<additional>\n" + "".join(lines) + "</additional>\n", "utf-8")


def _guidance(period_s: int) -> str:
    if not period_s:
        return ""
    period = f'<param key="device.rerouting.period" value="{period_s}"/>'
    return f'<param key="has.rerouting.device" value="true"/>{period}'
