"""Who lives and works where: people spread over floor space, gathered into zones of travel demand and districts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from cityops.twin.plan.buildings import STOREY
from cityops.twin.plan.model import Buildings, Floats, Ints, Links, Zone
from cityops.twin.plan.network import Network
from cityops.twin.plan.sites import Blocks
from cityops.twin.plan.zoning import district_of

JOBS_PER_HEAD = 0.52
"""Workplaces per resident."""

FLOOR_PER_JOB = {"office": 22.0, "commercial": 40.0, "industrial": 70.0, "public": 45.0, "residential": 900.0}
"""Square metres of floor behind one workplace, by use; shops at the foot of housing give it a few."""


def settle(
    buildings: Buildings,
    block_of: Ints,
    blocks: Blocks,
    net: Network,
    links: Links,
    population: int,
    grounds: Sequence[shapely.Polygon],
) -> tuple[list[Zone], Ints]:
    """Return the demand zones, one a superblock with streets in it, and the population of every district.

    Residents sum to `population`, jobs to JOBS_PER_HEAD of it.
    """
    floor = shapely.area(buildings.geometry) * np.maximum(buildings.height / STOREY, 1.0)
    home = np.where(np.isin(buildings.use, ("residential", "village")), floor, 0.0)
    work = np.array([1.0 / FLOOR_PER_JOB.get(str(use), np.inf) for use in buildings.use]) * floor
    zone_of, zone_links, xy = _zones(net, links)
    middles = shapely.get_coordinates(shapely.centroid(buildings.geometry))
    face = np.where(block_of >= 0, blocks.face[block_of], -1)
    zone = np.where(face >= 0, zone_of[face], -1)
    lost = zone < 0
    zone[lost] = shapely.STRtree(shapely.points(xy)).nearest(shapely.points(middles[lost]))
    residents = np.bincount(zone, home, minlength=len(xy))
    jobs = np.bincount(zone, work, minlength=len(xy))
    residents *= population / residents.sum()
    jobs *= population * JOBS_PER_HEAD / jobs.sum()
    zones = [
        Zone(f"Z{n + 1:04d}", float(x), float(y), float(residents[n]), float(jobs[n]), zone_links[n])
        for n, (x, y) in enumerate(xy)
    ]
    district = district_of(list(grounds), middles)
    people = np.bincount(district, home, minlength=len(grounds))
    return zones, whole(people / people.sum() * population)


def _zones(net: Network, links: Links) -> tuple[Ints, list[Ints], Floats]:
    """Return for every superblock its zone (-1 if no street begins there), the zones' links and their middles."""
    quiet = np.flatnonzero(np.isin(links.highway, ("residential", "tertiary")) & (links.level == 0))
    middles = shapely.line_interpolate_point(links.geometry[quiet], 0.5, normalized=True)
    row, face = shapely.STRtree(net.faces).query(middles, predicate="within")
    zone_of = np.full(len(net.faces), -1, np.int32)
    found = np.unique(face)
    zone_of[found] = np.arange(len(found))
    members = [quiet[row[face == n]].astype(np.int32) for n in found]
    xy = np.array([shapely.get_coordinates(middles[row[face == n]]).mean(axis=0) for n in found])
    return zone_of, members, xy


def whole(shares: Floats) -> Ints:
    """Return the shares as whole numbers of the same sum (largest remainders)."""
    counts = np.floor(shares).astype(np.int32)
    short = round(float(shares.sum())) - int(counts.sum())
    counts[np.argsort(counts - shares)[:short]] += 1
    return counts
