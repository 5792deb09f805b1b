"""OSM ways as the links of a plan: cut at junctions, classes, lanes and speeds from tags or by rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import shapely
from shapely.ops import substring

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan.model import CLASSES, Bools, Floats, Ints, Links, Name, Nodes
from cityops.twin.plan.network import LANES, SPEED_KMH
from cityops.twin.plan.osm.read import ROADS, Extract, Road, name_of
from cityops.twin.plan.web import Web, contract, largest_component

SHORTEST = 12.0
"""Metres below which pieces between junctions (the inside of large crossings, mostly) are drawn together."""
SIGNAL_REACH = 35.0
"""Metres from a mapped signal (often at the stop line) to the junction it belongs to."""
UNNAMED = Name("无名路", "Unnamed road")
MPH = 1.609344


def road_network(extract: Extract, plane: LocalPlane) -> tuple[Nodes, Links, list[Name]]:
    """Return junctions, directed links (district 0 for now) and street names of an extract.

    Every junction left can be reached from every other one.
    """
    web = _web(extract.roads, plane)
    tags = [road.tags for road in extract.roads]
    highway = np.array([ROADS[t["highway"]] for t in tags], "<U16")
    ranks = np.array([CLASSES.index(str(h)) for h in highway])
    web = contract(web, SHORTEST, ranks)
    web = web.keep(web.a != web.b)
    oneway, backward = _directions(tags)
    lanes = np.array([_lanes(t, str(h), bool(o)) for t, h, o in zip(tags, highway, oneway, strict=True)])
    speed = np.array([_speed(t, str(h)) for t, h in zip(tags, highway, strict=True)])
    level = np.array([1 if t.get("bridge", "no") != "no" else 0 for t in tags])
    names, name = _names(tags)
    forth, back = ~backward[web.owner], ~oneway[web.owner] | backward[web.owner]
    start = np.concatenate([web.a[forth], web.b[back]])
    end = np.concatenate([web.b[forth], web.a[back]])
    line = np.concatenate([web.line[forth], shapely.reverse(web.line[back])])
    owner = np.concatenate([web.owner[forth], web.owner[back]])
    good = largest_component(len(web.xy), start, end, directed=True)
    rows = good[start] & good[end]
    start, end, line, owner = start[rows], end[rows], line[rows], owner[rows]
    renumber = (np.cumsum(good) - 1).astype(np.int32)
    xy = web.xy[good]
    links = Links(
        from_node=renumber[start],
        to_node=renumber[end],
        highway=highway[owner],
        name=name[owner],
        lanes=lanes[owner].astype(np.uint8),
        speed_kmh=speed[owner],
        oneway=oneway[owner],
        level=level[owner].astype(np.int8),
        district=np.zeros(len(owner), np.int32),
        geometry=line,
    )
    signal = _signals(extract, plane, xy, links)
    return Nodes(xy[:, 0], xy[:, 1], signal), links, names


def _web(roads: Sequence[Road], plane: LocalPlane) -> Web:
    """Return the ways cut wherever they share a node; closed ones are cut in two halves."""
    refs = np.concatenate([road.nodes for road in roads])
    lonlat = np.concatenate([road.lonlat for road in roads])
    xy = np.column_stack(plane.to_metres(lonlat[:, 0], lonlat[:, 1]))
    _, first, number, uses = np.unique(refs, return_index=True, return_inverse=True, return_counts=True)
    points = [tuple(p) for p in xy[first]]
    starts, ends, lines, owners = [], [], [], []
    offset = 0
    for owner, road in enumerate(roads):
        own = number[offset : offset + len(road.nodes)]
        place = xy[offset : offset + len(road.nodes)]
        offset += len(road.nodes)
        cuts = np.flatnonzero(uses[own] > 1)
        cuts = np.unique(np.concatenate([[0], cuts, [len(own) - 1]]))
        for i, j in pairwise(cuts):
            line = shapely.LineString(place[i : j + 1])
            if own[i] == own[j]:
                middle = line.interpolate(0.5, normalized=True)
                points.append((middle.x, middle.y))
                between = len(points) - 1
                halves = (substring(line, 0, 0.5, normalized=True), substring(line, 0.5, 1, normalized=True))
                pieces = [(own[i], between, halves[0]), (between, own[j], halves[1])]
            else:
                pieces = [(own[i], own[j], line)]
            for a, b, piece in pieces:
                starts.append(a)
                ends.append(b)
                lines.append(piece)
                owners.append(owner)
    web = Web(
        np.asarray(points, np.float64),
        np.asarray(starts, np.int32),
        np.asarray(ends, np.int32),
        np.asarray(lines, object),
        np.asarray(owners, np.int32),
    )
    return web.keep(shapely.length(web.line) > 0)


def _directions(tags: Sequence[dict[str, str]]) -> tuple[Bools, Bools]:
    """Return which ways are one-way, and which of those run against their drawing."""
    oneway, backward = np.zeros(len(tags), bool), np.zeros(len(tags), bool)
    for row, own in enumerate(tags):
        said = own.get("oneway", "")
        implied = own.get("junction") in ("roundabout", "circular") or own["highway"].startswith("motorway")
        oneway[row] = said in ("yes", "1", "true", "-1", "reverse") or (implied and said != "no")
        backward[row] = said in ("-1", "reverse")
    return oneway, backward


def _lanes(tags: dict[str, str], highway: str, oneway: bool) -> int:
    """Return lanes in one direction: as tagged, else by class."""
    said = tags.get("lanes", "")
    if said.isdigit() and 0 < int(said) <= 12:
        return int(said) if oneway else max(1, int(said) // 2)
    if tags["highway"].endswith("_link"):
        return 1
    return min(LANES.get(highway, 1), 2)


def _speed(tags: dict[str, str], highway: str) -> float:
    """Return the speed limit in km/h: as tagged, else by class."""
    said = re.fullmatch(r"(\d{1,3})\s*(mph|km/h|kmh)?", tags.get("maxspeed", ""))
    if said and int(said[1]) >= 5:
        return min(float(said[1]) * (MPH if said[2] == "mph" else 1.0), 150.0)
    return SPEED_KMH[highway]


def _names(tags: Sequence[dict[str, str]]) -> tuple[list[Name], Ints]:
    known: dict[Name, int] = {}
    rows = np.empty(len(tags), np.int32)
    for row, own in enumerate(tags):
        name = name_of(own)
        if not name.zh:
            name = Name(own["ref"], own["ref"]) if own.get("ref") else UNNAMED
        rows[row] = known.setdefault(name, len(known))
    return list(known), rows


def _signals(extract: Extract, plane: LocalPlane, xy: Floats, links: Links) -> Bools:
    """Return at which junctions signals stand: real junctions near a mapped signal."""
    signal = np.zeros(len(xy), bool)
    wanted = set(extract.signals)
    places = [
        place
        for road in extract.roads
        for ref, place in zip(road.nodes.tolist(), road.lonlat, strict=True)
        if ref in wanted
    ]
    if not places:
        return signal
    arms = np.zeros((len(xy), 2), np.int32)
    np.add.at(arms[:, 0], links.to_node, 1)
    np.add.at(arms[:, 1], links.from_node, 1)
    junctions = np.flatnonzero((arms.sum(1) >= 3) & (arms.max(1) >= 2))
    lonlat = np.unique(np.asarray(places), axis=0)
    at = shapely.points(np.column_stack(plane.to_metres(lonlat[:, 0], lonlat[:, 1])))
    tree = shapely.STRtree(shapely.points(xy[junctions]))
    _, found = tree.query_nearest(at, max_distance=SIGNAL_REACH)
    signal[junctions[found]] = True
    return signal
