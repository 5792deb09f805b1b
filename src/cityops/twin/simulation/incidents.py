"""Accidents that block lanes: a day's list of them, the same for the same seed and day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cityops.twin.simulation.chance import generator
from cityops.twin.simulation.city import Floats, Ints, Streets
from cityops.twin.simulation.demand import Demand

PER_MILLION_AND_DAY = 80.0
"""Lane-blocking accidents a day and million people: one in some minutes in a large city, one an hour in a small one."""
QUARTER_S = 900


@dataclass(frozen=True)
class Incident:
    """Vehicles standing across `lanes` of a link (row of Streets), `at` metres from its start; times in epoch s."""

    id: str
    link: int
    at: float
    lanes: tuple[int, ...]
    start: float
    end: float
    severity: str

    def is_on(self, t: float) -> bool:
        """Return whether the lanes are blocked at `t`."""
        return self.start <= t < self.end


class Likely(NamedTuple):
    """Links (rows of Streets) where accidents are seen, and how likely each is."""

    links: Ints
    weights: Floats


def likely_links(streets: Streets, watched: Ints) -> Likely:
    """Return where accidents happen: by traffic, on links of two lanes or more; nine of ten in view of a camera."""
    able = streets.usable & (streets.lanes >= 2) & (streets.length >= 80)
    links = np.flatnonzero(able if able.any() else streets.usable)
    weights = (streets.length * streets.lanes * streets.speed)[links]
    seen = np.isin(links, watched)
    if seen.any() and not seen.all():
        weights = np.where(seen, weights * 0.9 / weights[seen].sum(), weights * 0.1 / weights[~seen].sum())
    return Likely(links, weights / weights.sum())


def incidents_of(
    day: float, demand: Demand, streets: Streets, likely: Likely, seed: int, per_day: float
) -> list[Incident]:
    """Return the incidents that begin in the 24 hours from `day` (epoch s), more of them when there is more traffic."""
    chance = generator(seed, "incidents", int(day))
    quarters = day + QUARTER_S * np.arange(86_400 // QUARTER_S)
    traffic = np.array([demand.rate(t) for t in quarters])
    if not traffic.any():
        return []
    times = np.sort(chance.choice(quarters, chance.poisson(per_day), p=traffic / traffic.sum()))
    found = []
    for number, quarter in enumerate(times):
        link = int(chance.choice(likely.links, p=likely.weights))
        start = float(quarter + chance.integers(QUARTER_S))
        blocked = 2 if streets.lanes[link] >= 3 and chance.random() < 0.4 else 1
        first = int(chance.integers(streets.lanes[link] - blocked + 1))
        length = float(chance.gamma(5.0, 5.0) * 60)  # minutes to clear: mean 25, as reported for urban accidents
        found.append(
            Incident(
                id=f"ACC-{int(day) // 86_400}-{number + 1:03d}",
                link=link,
                at=float(streets.length[link] * chance.uniform(0.5, 0.8)),
                lanes=tuple(range(first, first + blocked)),
                start=start,
                end=start + float(np.clip(length, 480, 3600)),
                severity="II" if blocked > 1 else "III",
            )
        )
    return found
