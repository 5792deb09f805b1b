"""Roadside cabinets: which devices share one connection, by where they stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cityops.twin.simulation.city import Site


def cabinets(sites: Sequence[Site], count: int) -> list[str]:
    """Return the cabinet of every site, `cabinet-01` …: at most `count` of them, each a patch of neighbours.

    Sites are cut by the median, across the longer side, again and again (a k-d tree), so cabinets serve alike numbers.
    """
    if not sites:
        return []
    place = np.array([(site.x, site.y) for site in sites])
    patches = [np.arange(len(sites))]
    while len(patches) < min(count, len(sites)):
        patches.sort(key=len)
        patch = patches.pop()
        axis = int(np.argmax(np.ptp(place[patch], axis=0)))
        order = patch[np.argsort(place[patch, axis], kind="stable")]
        patches += [order[: len(order) // 2], order[len(order) // 2 :]]
    names = [""] * len(sites)
    for number, patch in enumerate(sorted(patches, key=lambda patch: int(patch.min())), 1):
        for row in patch:
            names[row] = f"cabinet-{number:02d}"
    return names
