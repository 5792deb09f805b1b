"""Where trips are that set out before the simulation began: how a city's streets are filled at any time of day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Floats, Ints, Streets, Zones
from cityops.twin.simulation.demand import DETOUR, Trip
from cityops.twin.simulation.ways import Ways, way

_CELL_M = 400.0


class EnRoute(NamedTuple):
    """A trip that set out earlier: the links (rows of Streets) that are still before it, beginning where it is now."""

    id: str
    links: list[int]


def en_route(
    trips: Sequence[Trip], now: float, streets: Streets, zones: Zones, speed: float, seed: int
) -> list[EnRoute]:
    """Return where the trips that set out before `now` are by now, when they advance at `speed` m/s.

    A trip is taken to have come as far along the straight line as its time allows, and to be on a link near there that
    leads its way; from there it goes on by the quickest way to its zone. Trips that have arrived are left out.
    """
    places, chance = _Places(streets), generator(seed, "en route", int(now))
    zone_of = zones.of_links(len(streets.ids))
    bound_for: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for trip in trips:
        begin = np.array([streets.x[trip.origin], streets.y[trip.origin]])
        vector = np.array([streets.x[trip.destination], streets.y[trip.destination]]) - begin
        length = max(1.0, float(np.hypot(*vector)))
        done = (now - trip.depart) * speed / (length * DETOUR)
        if done < 1 and zone_of[trip.destination] >= 0:
            link = places.near(begin + done * vector, vector / length, chance.random())
            bound_for[int(zone_of[trip.destination])].append((trip.id, trip.origin if link is None else link))
    ways, found = Ways(streets), []
    for zone, waiting in sorted(bound_for.items()):
        gate = int(zones.links[zone][0])
        next_links = ways.next_links(gate)
        found += [EnRoute(name, links) for name, link in waiting if (links := way(link, gate, next_links))]
    return found


class _Places:
    """Finds a street near a point that leads a given way; greater streets, which carry more, more often."""

    def __init__(self, streets: Streets) -> None:
        self._streets = streets
        rows = np.flatnonzero(streets.usable)
        self._weight = streets.length * streets.lanes * streets.speed**2
        cells = np.floor(np.column_stack((streets.x[rows], streets.y[rows])) / _CELL_M).astype(np.int64)
        keys, key = np.unique(cells, axis=0, return_inverse=True)
        order = np.argsort(key, kind="stable")
        parts = np.split(rows[order], np.cumsum(np.bincount(key))[:-1])
        self._rows = {(int(x), int(y)): part for (x, y), part in zip(keys, parts, strict=True)}

    def near(self, point: Floats, toward: Floats, draw: float) -> int | None:
        """Return a link by the `draw` (0..1), None when no street near leads that way."""
        column, row = (int(c) for c in np.floor(point / _CELL_M))
        around = [self._rows.get((column + dx, row + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        known = [part for part in around if part is not None]
        if not known:
            return None
        links: Ints = np.concatenate(known)
        streets = self._streets
        gap = np.hypot(streets.x[links] - point[0], streets.y[links] - point[1])
        ahead = np.maximum(streets.toward[links] @ toward, 0.0)
        weight = np.cumsum(self._weight[links] * np.exp(-0.5 * (gap / 250) ** 2) * ahead)
        return int(links[np.searchsorted(weight, draw * weight[-1])]) if weight[-1] > 0 else None
