"""What an OpenStreetMap extract says, read as a stream: roads, buildings, land, points; all in degrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import osmium
import shapely

from cityops.twin.plan.model import Floats, Geometries, Name

LARGE = 150_000_000
"""Bytes of extract from which on node locations are kept in a file rather than in memory."""

ROADS = {
    "motorway": "motorway",
    "motorway_link": "motorway_link",
    "trunk": "trunk",
    "trunk_link": "trunk_link",
    "primary": "primary",
    "primary_link": "primary",
    "secondary": "secondary",
    "secondary_link": "secondary",
    "tertiary": "tertiary",
    "tertiary_link": "tertiary",
    "unclassified": "residential",
    "residential": "residential",
    "living_street": "residential",
    "busway": "residential",
}
"""Values of `highway` that motor traffic uses, and their class in a plan."""

_KEYS = ("highway", "building", "natural", "waterway", "landuse", "leisure", "amenity", "boundary", "place", "man_made")
_AREA_KEYS = ("building", "natural", "waterway", "landuse", "leisure", "amenity", "boundary")

_GREEN = {
    ("leisure", "park"): "park",
    ("leisure", "garden"): "park",
    ("leisure", "pitch"): "pitch",
    ("leisure", "nature_reserve"): "forest",
    ("landuse", "forest"): "forest",
    ("landuse", "grass"): "park",
    ("landuse", "recreation_ground"): "park",
    ("landuse", "cemetery"): "park",
    ("natural", "wood"): "forest",
    ("natural", "scrub"): "forest",
}
_WATER = {
    ("natural", "water"): "lake",
    ("waterway", "riverbank"): "river",
    ("landuse", "reservoir"): "lake",
    ("landuse", "basin"): "lake",
}
_FACILITIES = {
    ("amenity", "hospital"): "hospital",
    ("amenity", "fire_station"): "fire_station",
    ("amenity", "police"): "police_station",
    ("amenity", "school"): "school",
    ("amenity", "university"): "school",
    ("amenity", "townhall"): "government",
    ("leisure", "park"): "park",
    ("landuse", "construction"): "construction_site",
    ("man_made", "monitoring_station"): "air_station",
}

Tags = dict[str, str]


class ExtractError(ValueError):
    """A file that is no OpenStreetMap extract, or one without what a city needs; says what is wrong."""


@dataclass(frozen=True)
class Road:
    """A way motor traffic uses: OSM node ids and positions (n, 2), and its tags."""

    nodes: npt.NDArray[np.int64]
    lonlat: Floats
    tags: Tags


@dataclass
class Extract:
    """The parts of an extract; geometry of areas as hexadecimal WKB until it is asked for."""

    box: tuple[float, float, float, float] | None = None
    roads: list[Road] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    coast: list[Floats] = field(default_factory=list)
    rivers: list[tuple[Floats, Tags]] = field(default_factory=list)
    buildings: list[str] = field(default_factory=list)
    building_tags: list[Tags] = field(default_factory=list)
    water: list[tuple[str, Name, str]] = field(default_factory=list)
    green: list[tuple[str, Name, str]] = field(default_factory=list)
    facilities: list[tuple[str, Name, str, Tags]] = field(default_factory=list)
    divisions: list[tuple[int, Name, str]] = field(default_factory=list)
    settlements: list[tuple[str, Name, float, float, int]] = field(default_factory=list)


def read_extract(path: Path) -> Extract:
    """Return what the extract at `path` (.osm.pbf, .osm, .osm.bz2) holds. Raises ExtractError, FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    extract = Extract()
    with TemporaryDirectory(prefix="cityops-osm-") as work:
        store = f"sparse_file_array,{work}/nodes" if path.stat().st_size > LARGE else "flex_mem"
        try:
            stream = (
                osmium.FileProcessor(str(path))
                .with_locations(store)
                .with_areas(osmium.filter.KeyFilter(*_AREA_KEYS))
                .with_filter(osmium.filter.KeyFilter(*_KEYS))
            )
            box = stream.header.box()
            if box.valid():
                extract.box = (box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat)
            for thing in stream:
                _take(extract, thing)
        except RuntimeError as error:  # what libosmium throws: not a PBF, cut short, wrong checksum …
            raise ExtractError(f"{path}: cannot be read as an OpenStreetMap extract ({error})") from error
    if not extract.roads:
        raise ExtractError(f"{path}: no road in it that motor traffic may use; a city needs a street network")
    return extract


def _take(extract: Extract, thing: object) -> None:
    match thing:
        case osmium.osm.Node():
            _take_node(extract, thing, {tag.k: tag.v for tag in thing.tags})
        case osmium.osm.Way():
            _take_way(extract, thing, {tag.k: tag.v for tag in thing.tags})
        case osmium.osm.Area():
            _take_area(extract, thing, {tag.k: tag.v for tag in thing.tags})


def _take_node(extract: Extract, node: osmium.osm.Node, tags: Tags) -> None:
    if tags.get("highway") == "traffic_signals":
        extract.signals.append(node.id)
    elif "place" in tags and "name" in tags:
        people = "".join(filter(str.isdigit, tags.get("population", "")))
        extract.settlements.append((tags["place"], name_of(tags), node.lon, node.lat, int(people or 0)))
    elif kind := _lookup(_FACILITIES, tags):
        extract.facilities.append((kind, name_of(tags), shapely.Point(node.lon, node.lat).wkb_hex, tags))


def _take_way(extract: Extract, way: osmium.osm.Way, tags: Tags) -> None:
    if tags.get("natural") == "coastline":
        extract.coast.append(_lonlat(way)[1])
    elif tags.get("waterway") in ("river", "canal"):
        extract.rivers.append((_lonlat(way)[1], tags))
    elif tags.get("highway") in ROADS and tags.get("area") != "yes" and tags.get("motor_vehicle", "yes") != "no":
        if tags.get("access") in ("no", "private") or tags.get("highway") == "busway":
            return
        nodes, lonlat = _lonlat(way)
        if len(nodes) > 1:
            extract.roads.append(Road(nodes, lonlat, tags))


_WKB = osmium.geom.WKBFactory()


def _take_area(extract: Extract, area: osmium.osm.Area, tags: Tags) -> None:
    wanted = "building" in tags or tags.get("boundary") == "administrative"
    water, green, facility = (_lookup(table, tags) for table in (_WATER, _GREEN, _FACILITIES))
    if not (wanted or water or green or facility):
        return
    try:
        shape = _WKB.create_multipolygon(area)
    except RuntimeError:  # an area whose ring is broken in the extract; the rest of the map is sound
        return
    if tags.get("building", "no") not in ("no", "entrance", "roof"):
        extract.buildings.append(shape)
        kept = ("building", "height", "building:levels", "amenity", "office", "shop")
        extract.building_tags.append({key: tags[key] for key in kept if key in tags})
    if water:
        extract.water.append((water, name_of(tags), shape))
    if green:
        extract.green.append((green, name_of(tags), shape))
    if facility:
        extract.facilities.append((facility, name_of(tags), shape, tags))
    if tags.get("boundary") == "administrative" and tags.get("admin_level", "").isdigit() and "name" in tags:
        extract.divisions.append((int(tags["admin_level"]), name_of(tags), shape))


def _lookup(table: dict[tuple[str, str], str], tags: Tags) -> str | None:
    return next((kind for (key, value), kind in table.items() if tags.get(key) == value), None)


def _lonlat(way: osmium.osm.Way) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return node ids and positions of a way, without nodes the extract does not hold."""
    nodes = [(node.ref, node.lon, node.lat) for node in _placed(way)]
    ids = np.array([ref for ref, _, _ in nodes], np.int64)
    return ids, np.array([(lon, lat) for _, lon, lat in nodes], np.float64).reshape(-1, 2)


def _placed(way: osmium.osm.Way) -> Iterator[osmium.osm.NodeRef]:
    return (node for node in way.nodes if node.location.valid())


def name_of(tags: Tags) -> Name:
    """Return a thing's name: Chinese where the map has it, else its own language; empty where it has none."""
    own = tags.get("name", "")
    return Name(tags.get("name:zh", own), tags.get("name:en", own))


def shapes(hexes: list[str]) -> Geometries:
    """Return geometries of hexadecimal WKB, made valid."""
    return np.asarray(shapely.make_valid(shapely.from_wkb(np.asarray(hexes, object))), object).reshape(-1)
