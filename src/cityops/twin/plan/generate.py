"""江城 from a seed: land, frame of streets, network, blocks, buildings, people and places, in that order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan import facilities
from cityops.twin.plan.buildings import build_up, plots_less, plots_of
from cityops.twin.plan.model import Area, CityPlan, District, Geometries, Links, Name, Nodes
from cityops.twin.plan.names import HILLS, ISLAND, LAKES, PARKS, RIVER, TRIBUTARY, NamePool, romanised
from cityops.twin.plan.naming import bridges, name_links
from cityops.twin.plan.network import SPEED_KMH, Network, build_network
from cityops.twin.plan.people import settle
from cityops.twin.plan.sites import Blocks, allot
from cityops.twin.plan.skeleton import draw_skeleton
from cityops.twin.plan.terrain import Terrain, shape_terrain
from cityops.twin.plan.zoning import DISTRICTS, Zoning, centre, district_of, draw_districts

CITY = Name("江城", "Jiangcheng")
DIVISION = "421400"
"""A code of Hubei's range that no prefecture bears: the city is nobody's."""
ORIGIN = LocalPlane(113.300, 30.200)
SMALLEST, LARGEST = 20_000, 5_000_000

HALF_WIDTH = {"motorway": 9.0, "trunk": 9.0, "primary": 19.0, "secondary": 14.0, "tertiary": 9.0, "residential": 6.5}
"""Metres from a street's middle line that its carriageway, footway and verge take."""


class PlanError(ValueError):
    """A city that cannot be planned; says why."""


def generate(population: int, seed: int) -> CityPlan:
    """Return the plan of 江城 with `population` people; the same arguments always give the same city.

    Raises PlanError when the population is not between SMALLEST and LARGEST.
    """
    if not SMALLEST <= population <= LARGEST:
        raise PlanError(f"population {population}: a city of {SMALLEST:,} to {LARGEST:,} people can be planned")
    rng = np.random.default_rng([seed, 0])
    land = shape_terrain(5000.0 * float(np.sqrt(population / 300_000)), rng)
    frame = draw_skeleton(land, rng)
    zoning = Zoning(land, frame.urban, rng)
    net = build_network(land, frame, zoning, rng)
    great = [
        line
        for line, owner in zip(frame.draft.lines, frame.draft.owners, strict=True)
        if net.streets[owner].highway in ("primary", "secondary")
    ]
    grounds = draw_districts(land, [*great, *(way.line for way in frame.expressways)])
    pool = NamePool(rng)
    names, link_names = name_links(net, land, pool)
    middles = shapely.get_coordinates(shapely.line_interpolate_point(net.line, 0.5, normalized=True))
    links = Links(
        net.from_node,
        net.to_node,
        net.highway,
        link_names,
        net.lanes.astype(np.uint8),
        np.array([SPEED_KMH[str(h)] for h in net.highway]),
        net.oneway,
        net.level.astype(np.int8),
        district_of(grounds, middles),
        net.line,
    )
    nodes = Nodes(net.xy[:, 0], net.xy[:, 1], net.signal)
    blocks = _blocks(net, land, grounds, population, rng)
    kept_free = _kept_free(links, land)
    plots = plots_of(blocks, kept_free)
    tracks = facilities.pitches(blocks, plots)
    lawns = plots[blocks.of("park")]
    heart = np.array(centre(land).coords[0])
    built = plots_less(plots, tracks)
    buildings, block_of = build_up(blocks, built, kept_free, frame.lanes, heart, land.radius, rng)
    zones, people = settle(buildings, block_of, blocks, net, links, population, grounds)
    districts = [
        District(f"{DIVISION[:4]}{d.code:02d}", d.name, ground, int(n))
        for d, ground, n in zip(DISTRICTS, grounds, people, strict=True)
    ]
    green = _green(land, lawns, net, tracks)
    register = facilities.Register(CITY, districts)
    facilities.public_services(register, blocks, facilities.Streets(links, names), population, rng)
    facilities.parks(register, green)
    facilities.sensors(register, population, rng)
    for name, x, y, link in bridges(net, names, link_names, land):
        register.add("bridge", name, (x, y), link)
    facilities.instruments(register, nodes, links, names, rng)
    return CityPlan(
        id="jiangcheng",
        name=CITY,
        division_code=DIVISION,
        timezone="Asia/Shanghai",
        population=population,
        source=f"generated:seed={seed}",
        plane=ORIGIN,
        extent=_extent(land),
        names=names,
        nodes=nodes,
        links=links,
        buildings=buildings,
        water=_water(land),
        green=green,
        places=register.places,
        districts=districts,
        zones=zones,
    )


def _extent(land: Terrain) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.bounds(land.limits)
    margin = 0.08 * land.radius
    return (float(west - margin), float(south - margin), float(east + margin), float(north + margin))


def _blocks(
    net: Network, land: Terrain, grounds: Sequence[shapely.Polygon], population: int, rng: np.random.Generator
) -> Blocks:
    """Return the blocks of the city, each with the style of the superblock it lies in."""
    ground = net.blocks[(shapely.area(net.blocks) > 1200.0) & (shapely.area(net.blocks) < 400_000.0)]
    ground = ground[shapely.area(shapely.intersection(ground, land.water)) < 0.3 * shapely.area(ground)]
    middles = shapely.point_on_surface(ground)
    block, face = shapely.STRtree(net.faces).query(middles, predicate="intersects")
    _, first = np.unique(block, return_index=True)
    block, face = block[first], face[first]
    xy = shapely.get_coordinates(middles[block])
    district = district_of(list(grounds), xy)
    return allot(ground[block], net.styles[face], face.astype(np.int32), district, population, len(grounds), rng)


def _kept_free(links: Links, land: Terrain) -> Geometries:
    """Return the ground on which nothing is built: streets with their verges, water with its banks, hills."""
    once = links.oneway | (links.from_node < links.to_node)
    width = np.array([HALF_WIDTH.get(str(h), 6.0) for h in links.highway[once]])
    streets = shapely.buffer(links.geometry[once], width, cap_style="flat")
    wet = shapely.get_parts(land.water.buffer(15.0))
    return np.concatenate([streets, wet, np.asarray(land.hills, object)])


def _water(land: Terrain) -> list[Area]:
    areas = [Area("river", RIVER, land.river_area), Area("river", TRIBUTARY, land.tributary_area)]
    for n, lake in enumerate(land.lakes):
        zh = LAKES[n % len(LAKES)]
        areas.append(Area("lake", Name(zh, romanised(zh[:-1]) + " Lake"), lake))
    return areas


def _green(land: Terrain, lawns: Geometries, net: Network, tracks: Geometries) -> list[Area]:
    areas = [
        Area("forest", Name(zh, romanised(zh[:-1]) + " Hill"), hill)
        for zh, hill in zip(HILLS, land.hills, strict=False)
    ]
    areas.append(Area("park", ISLAND, land.island))
    for n, lawn in enumerate(lawns[np.argsort(-shapely.area(lawns))]):
        if not lawn.is_empty:
            zh = PARKS[n] + "公园" if n < len(PARKS) else ""
            areas.append(Area("park", Name(zh, romanised(PARKS[n]) + " Park" if zh else ""), lawn.buffer(-4).buffer(4)))
    areas += [Area("pitch", Name("", ""), track) for track in tracks]
    belts = shapely.get_parts(net.corridor.difference(shapely.union_all([land.water, *land.hills])))
    areas += [Area("belt", Name("", ""), belt) for belt in belts if belt.area > 2000]
    return [area for area in areas if not area.geometry.is_empty]
