"""From an extract to a city folder: the plan of a real city, with the twin's instruments added to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import Polygon

from cityops.settings import Settings
from cityops.technology.geo.basemap import Basemap
from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan import facilities
from cityops.twin.plan.build import Progress, silent, write_city
from cityops.twin.plan.model import Buildings, CityPlan, District, Floats, Ints, Links, Name, Zone
from cityops.twin.plan.naming import stem_of
from cityops.twin.plan.osm import land
from cityops.twin.plan.osm.read import Extract, ExtractError, read_extract
from cityops.twin.plan.osm.roads import road_network
from cityops.twin.plan.people import FLOOR_PER_JOB, JOBS_PER_HEAD, whole
from cityops.twin.plan.zoning import district_of

FLOOR_PER_PERSON = 45.0
"""Square metres of housing a resident has, where the map says nothing of people."""
CELL = 500.0
"""Metres of side of the squares that make zones of travel demand."""
DIVISION = "990000"
"""A division code no province of China bears, for cities elsewhere."""


class ImportCityError(ValueError):
    """An extract that cannot become a city; says why and what to do."""


def import_city(pbf: Path, settings: Settings, name: str | None = None, progress: Progress = silent) -> Basemap:
    """Write the city of an OpenStreetMap extract into the data directory, in place of the one there; returns it.

    Raises ImportCityError for a file that is absent, broken or without streets; SumoError, TilesError, OSError.
    """
    progress("read", 0.0)
    try:
        extract = read_extract(pbf)
    except (ExtractError, FileNotFoundError) as error:
        raise ImportCityError(str(error)) from error
    progress("plan", 0.2)
    plan = plan_of(extract, pbf, name)
    recipe = {"kind": "imported", "file": pbf.name, "size": pbf.stat().st_size, "name": name}
    write_city(plan, settings.city_dir, recipe, progress)
    progress("ready", 1.0)
    return Basemap.open(settings.city_dir)


def plan_of(extract: Extract, source: Path, name: str | None = None) -> CityPlan:
    """Return the plan of an extract. Raises ImportCityError when no street network remains."""
    plane = LocalPlane(*_middle(extract))
    project = land.projection(plane)
    nodes, links, names = road_network(extract, plane)
    if len(links) < 4:
        raise ImportCityError(f"{source}: its streets form no network in which one can get from anywhere to anywhere")
    extent = _extent(extract, links, project)
    grounds = land.districts(extract, project, extent)
    shapes = [ground for _, ground in grounds]
    middles = shapely.get_coordinates(shapely.line_interpolate_point(links.geometry, 0.5, normalized=True))
    links = replace(links, district=district_of(shapes, middles))
    buildings = land.buildings(extract, project, extent)
    green = land.green(extract, project, extent)
    zones, people = _settled(buildings, links, shapes)
    districts = [
        District(f"{DIVISION[:2]}{n // 99 + 1:02d}{n % 99 + 1:02d}", own, ground, int(count))
        for n, ((own, ground), count) in enumerate(zip(grounds, people, strict=True))
    ]
    title = _title(extract, source, name)
    register = facilities.Register(title, districts)
    _mapped(register, extract, project, extent)
    rng = np.random.default_rng(len(links))
    elsewhere = [(names[links.name[zone.links[0]]], zone.x, zone.y) for zone in zones]
    facilities.sensors(register, int(people.sum()), rng, elsewhere)
    _bridges(register, links, names)
    facilities.instruments(register, nodes, links, names, rng)
    west, south, east, north = extent.bounds
    return CityPlan(
        id=re.sub(r"[^a-z0-9]+", "-", title.en.lower()).strip("-") or "city",
        name=title,
        division_code=DIVISION,
        timezone=_timezone(plane),
        population=int(people.sum()),
        source=f"osm:{source.name}",
        plane=plane,
        extent=(west, south, east, north),
        names=names,
        nodes=nodes,
        links=links,
        buildings=buildings,
        water=land.water(extract, project, extent),
        green=green,
        places=register.places,
        districts=districts,
        zones=zones,
    )


def _middle(extract: Extract) -> tuple[float, float]:
    if extract.box:
        west, south, east, north = extract.box
        return round((west + east) / 2, 5), round((south + north) / 2, 5)
    lonlat = np.concatenate([road.lonlat for road in extract.roads])
    lon, lat = np.median(lonlat, axis=0)
    return round(float(lon), 5), round(float(lat), 5)


def _extent(extract: Extract, links: Links, project: land.Project) -> Polygon:
    """Return the rectangle of the streets, no wider than a tenth beyond what the extract claims to cover."""
    streets = shapely.box(*shapely.total_bounds(links.geometry)).buffer(150, join_style="mitre")
    if extract.box is None:
        return streets
    west, south, east, north = extract.box
    corners = project(np.array([[west, south], [east, south], [east, north], [west, north]]))
    claimed = shapely.box(*shapely.total_bounds(shapely.points(corners)))
    margin = 0.1 * max(claimed.bounds[2] - claimed.bounds[0], claimed.bounds[3] - claimed.bounds[1])
    return shapely.box(*streets.intersection(claimed.buffer(margin, join_style="mitre")).bounds)


def _title(extract: Extract, source: Path, name: str | None) -> Name:
    if name:
        return Name(name, name)
    for kind in ("city", "town", "village"):
        towns = [(people, own) for own_kind, own, _, _, people in extract.settlements if own_kind == kind]
        if towns:
            return max(towns, key=lambda town: town[0])[1]
    stem = source.name.split(".")[0]
    return Name(stem, stem)


def _timezone(plane: LocalPlane) -> str:
    """Return Asia/Shanghai within China's longitudes and latitudes, else the sea time of the meridian."""
    if 73 <= plane.lon <= 135 and 18 <= plane.lat <= 54:
        return "Asia/Shanghai"
    hours = round(plane.lon / 15)
    return "Etc/GMT" if hours == 0 else f"Etc/GMT{-hours:+d}"  # POSIX: the sign is turned round


def _settled(buildings: Buildings, links: Links, grounds: list[Polygon]) -> tuple[list[Zone], Ints]:
    """Return demand zones on squares of CELL metres and the people of every district, from floor space."""
    middles = shapely.get_coordinates(shapely.centroid(buildings.geometry)).reshape(-1, 2)
    floor = shapely.area(buildings.geometry) * np.maximum(buildings.height / land.STOREY, 1.0)
    homes = np.where(np.isin(buildings.use, ("residential", "village")), floor, 0.0) / FLOOR_PER_PERSON
    jobs = floor / np.array([FLOOR_PER_JOB.get(str(use), 1e9) for use in buildings.use])
    quiet = np.flatnonzero(np.isin(links.highway, ("residential", "tertiary", "secondary")))
    if not len(quiet):
        quiet = np.arange(len(links))
    where = shapely.get_coordinates(shapely.line_interpolate_point(links.geometry[quiet], 0.5, normalized=True))
    cells, cell = np.unique(np.floor(where / CELL).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.ravel()
    xy = np.column_stack([np.bincount(cell, where[:, k]) for k in (0, 1)]) / np.bincount(cell)[:, None]
    lived: Floats = (
        np.bincount(cell, links.length[quiet]) / 10.0
    )  # a map without buildings still has people, by its streets
    worked = lived * JOBS_PER_HEAD
    if homes.sum() > 0:
        near = shapely.STRtree(shapely.points(xy)).nearest(shapely.points(middles))
        lived, worked = (np.bincount(near, share, minlength=len(cells)).astype(np.float64) for share in (homes, jobs))
    population = float(round(lived.sum()))
    worked = worked * (population * JOBS_PER_HEAD / worked.sum()) if worked.sum() > 0 else lived * JOBS_PER_HEAD
    zones = [
        Zone(f"Z{n + 1:04d}", float(x), float(y), float(lived[n]), float(worked[n]), quiet[cell == n].astype(np.int32))
        for n, (x, y) in enumerate(xy)
    ]
    share = np.bincount(district_of(grounds, xy), lived, minlength=len(grounds))
    return zones, whole(share / share.sum() * population)


def _mapped(register: facilities.Register, extract: Extract, project: land.Project, extent: Polygon) -> None:
    """Enter the facilities the map has, named after their kind where it has no name."""
    if not extract.facilities:
        return
    points = shapely.point_on_surface(land.metres([shape for _, _, shape, _ in extract.facilities], project))
    unnamed = {
        "hospital": ("医院", "Hospital"),
        "school": ("学校", "School"),
        "fire_station": ("消防站", "Fire Station"),
    }
    unnamed |= {"police_station": ("派出所", "Police Station"), "government": ("政府", "Town Hall")}
    unnamed |= {"construction_site": ("工地", "Construction Site"), "air_station": ("监测站", "Monitoring Station")}
    for (kind, own, _, tags), point in zip(extract.facilities, points, strict=True):
        name = own if own.zh else Name(*unnamed.get(kind, ("", "")))
        if not name.zh or not extent.contains(point):
            continue
        if kind == "air_station" and tags.get("monitoring:air_quality") != "yes":
            continue
        attrs = {"emergency": True} if kind == "hospital" and tags.get("emergency") == "yes" else {}
        register.add(kind, name, (point.x, point.y), **attrs)


def _bridges(register: facilities.Register, links: Links, names: list[Name]) -> None:
    """Enter one bridge a street name, at its longest bridge link of 40 m or more."""
    rows = np.flatnonzero((links.level > 0) & (links.length >= 40.0))
    for name in np.unique(links.name[rows]):
        own = rows[links.name[rows] == name]
        link = int(own[np.argmax(links.length[own])])
        middle = links.geometry[link].interpolate(0.5, normalized=True)
        stem = stem_of(names[name])
        register.add("bridge", Name(stem.zh + "桥", stem.en + " Bridge"), (middle.x, middle.y), link)
