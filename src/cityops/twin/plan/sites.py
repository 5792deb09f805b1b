"""Which block is what: schools, hospitals, parks and the like take theirs before housing fills the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from cityops.twin.plan.model import Bools, Floats, Geometries, Ints, Strings

PEOPLE_PER = {"primary_school": 12_000, "middle_school": 20_000, "hospital_3": 60_000, "hospital_2": 30_000}
"""Residents one such facility serves (GB 50180-2018 and health planning norms, rounded)."""

GREEN_SHARE = 0.055
"""Share of the built-up blocks that become parks."""


@dataclass(frozen=True)
class Blocks:
    """Blocks between streets: their ground, style, superblock and district, and what stands on them.

    `use` is the style, or one of park, primary_school, middle_school, hospital_3, hospital_2, government,
    district_government, station, square, construction.
    """

    ground: Geometries
    style: Strings
    face: Ints
    district: Ints
    use: Strings

    @property
    def middles(self) -> Floats:
        """Points on the blocks, shape (n, 2)."""
        return np.asarray(shapely.get_coordinates(shapely.point_on_surface(self.ground)), np.float64)

    def of(self, *uses: str) -> Ints:
        """Return the rows of the blocks with one of the uses, in order."""
        return np.flatnonzero(np.isin(self.use, uses)).astype(np.int32)


def spread(xy: Floats, count: int, rng: np.random.Generator, weight: Floats | None = None) -> Ints:
    """Return `count` rows of `xy`, each chosen for its distance from those before it times its `weight`."""
    count = min(count, len(xy))
    if count <= 0:
        return np.empty(0, np.int32)
    worth = np.ones(len(xy)) if weight is None else weight
    chosen = [int(np.argmax(worth * rng.uniform(0.7, 1.0, len(xy))))]
    nearest = np.hypot(*(xy - xy[chosen[0]]).T)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest * worth * rng.uniform(0.8, 1.0, len(xy)))))
        nearest = np.minimum(nearest, np.hypot(*(xy - xy[chosen[-1]]).T))
    return np.asarray(chosen, np.int32)


def allot(
    ground: Geometries,
    style: Strings,
    face: Ints,
    district: Ints,
    population: int,
    districts: int,
    rng: np.random.Generator,
) -> Blocks:
    """Return the blocks with their uses; facilities are spread so that every quarter has its own."""
    use = style.astype("<U20").copy()
    xy = shapely.get_coordinates(shapely.point_on_surface(ground))
    hectares = shapely.area(ground) / 10_000
    centre = np.median(xy[np.isin(style, ("cbd", "old"))], axis=0)
    near = 1 / (1 + np.hypot(*(xy - centre).T) / 2500)
    lived_in = np.isin(style, ("residential", "mixed", "old", "town"))

    def take(name: str, where: Bools, count: int, weight: Floats | None = None) -> None:
        free = np.flatnonzero(where & (use == style))
        use[free[spread(xy[free], count, rng, None if weight is None else weight[free])]] = name

    take("government", (hectares > 1.2) & (style == "cbd"), 1, near)
    for n in range(districts):
        take("district_government", (hectares > 0.9) & lived_in & (district == n), 1)
    take("station", (hectares > 2.0) & np.isin(style, ("mixed", "residential", "industrial")), 2)
    take("square", (hectares > 0.8) & np.isin(style, ("cbd", "mixed")), 3, near)
    take("hospital_3", (hectares > 1.3) & lived_in, max(2, population // PEOPLE_PER["hospital_3"]), near)
    take("hospital_2", (hectares > 0.9) & lived_in, max(3, population // PEOPLE_PER["hospital_2"]))
    take("middle_school", (hectares > 1.8) & lived_in, max(2, population // PEOPLE_PER["middle_school"]), near**0.3)
    take("primary_school", (hectares > 1.0) & lived_in, max(3, population // PEOPLE_PER["primary_school"]), near**0.3)
    built = ~np.isin(style, ("park", "rural", "corridor"))
    take("park", (hectares > 1.4) & built & (style != "industrial"), int(GREEN_SHARE * built.sum() / 2))
    take("construction", (hectares > 1.0) & built & (style != "old"), int(4 + 0.0045 * built.sum()))
    return Blocks(ground, style, face, district, use)
