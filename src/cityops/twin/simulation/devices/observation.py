"""One message of a device: which contract it keeps, which system it belongs to, through which gateway it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cityops.technology.bus import mqtt_topic

_encode = msgspec.json.Encoder(enc_hook=float).encode  # the hook meets NumPy's numbers


@dataclass(frozen=True, slots=True)
class Observation:
    """What a device says. `source` is the system as the platform knows it, `gateway` the box that connects it."""

    contract: str
    source: str
    gateway: str
    body: Mapping[str, object]

    @property
    def topic(self) -> str:
        """MQTT topic of the message."""
        return mqtt_topic(self.contract, self.source)

    @property
    def payload(self) -> bytes:
        """The body as JSON."""
        return _encode(self.body)


def point(lon: float, lat: float) -> dict[str, object]:
    """Return a GeoJSON point, to a centimetre."""
    return {"type": "Point", "coordinates": [round(lon, 7), round(lat, 7)]}


def offset_of(device: str, period: int) -> int:
    """Return the second of its period in which a device speaks, so that not all speak at once."""
    return sum(device.encode()) * 7919 % period
