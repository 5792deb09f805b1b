"""Signal controllers: one message whenever the lights change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cityops.twin.simulation.city import Site
from cityops.twin.simulation.devices.observation import Observation, point
from cityops.twin.simulation.timing import iso

CONTRACT, SOURCE = "TrafficSignalObserved", "signal-control"
_LONGEST_STATE = 256

Shown = tuple[int, str]
"""Phase number and one letter a movement, as SUMO has them."""


class Signals:
    """The controllers that report; `node_id` among a site's attributes names the simulator's traffic light."""

    def __init__(self, sites: Sequence[Site], gateways: Mapping[str, str]) -> None:
        self._sites = {str(site.attrs.get("node_id", site.id)): site for site in sites}
        self._gateways = gateways
        self._shown: dict[str, Shown] = {}

    @property
    def controllers(self) -> list[str]:
        """Names of the simulator's traffic lights that are watched."""
        return list(self._sites)

    def changes(self, t: int, shown: Mapping[str, Shown]) -> list[Observation]:
        """Return what changed against the last call; `shown` is by traffic light."""
        found = []
        for light, state in shown.items():
            if self._shown.get(light) == state or light not in self._sites:
                continue
            self._shown[light] = state
            site = self._sites[light]
            body = {
                "signal_id": site.id,
                "observed_at": iso(t),
                "phase": state[0],
                "state": state[1][:_LONGEST_STATE],
                "location": point(site.lon, site.lat),
            }
            found.append(Observation(CONTRACT, SOURCE, self._gateways[site.id], body))
        return found


def spread(sites: Sequence[Site], most: int) -> list[Site]:
    """Return at most `most` of the sites, evenly through the list."""
    if len(sites) <= most:
        return list(sites)
    return [sites[n] for n in np.linspace(0, len(sites) - 1, most).astype(int)]
