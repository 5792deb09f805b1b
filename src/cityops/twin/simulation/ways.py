"""Quickest ways through the streets, all at once to one destination: for filling a whole city with traffic."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from cityops.twin.simulation.city import Ints, Streets

TURN_S = 6.0
"""Seconds lost at each junction, on average."""
_NOWHERE = -9999  # scipy's word for "no predecessor"


class Ways:
    """The streets as a graph of links."""

    def __init__(self, streets: Streets) -> None:
        leaving, entered = streets.leads_to.T
        seconds = (streets.length / streets.speed)[leaving] + TURN_S
        count = len(streets.ids)
        self._backward = csr_array((seconds, (entered, leaving)), shape=(count, count))

    def next_links(self, destination: int) -> Ints:
        """Return for every link (row of Streets) the link to take next on the quickest way to `destination`, or -1."""
        _, after = dijkstra(self._backward, indices=destination, return_predecessors=True)
        return np.where(after == _NOWHERE, -1, after).astype(np.int64)


def way(origin: int, destination: int, next_links: Ints) -> list[int]:
    """Return the links from `origin` to `destination` by `Ways.next_links(destination)`; [] when there is no way."""
    links = [origin]
    while links[-1] != destination:
        following = int(next_links[links[-1]])
        if following < 0:
            return []
        links.append(following)
    return links
