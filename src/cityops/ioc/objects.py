"""The things on the map as lists: links and places, searched and paged, for those who do not point at a map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Query
from starlette.responses import Response

from cityops.apps.panels import Text
from cityops.ioc.api import ERRORS, NO_CITY, json
from cityops.ioc.problems import ProblemError
from cityops.ioc.screen import Screen
from cityops.ioc.shapes import PlaceInfo
from cityops.technology.geo.basemap import Basemap

MOST = 500
Wanted = Annotated[str, Query(max_length=64)]
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Fids = Annotated[list[int] | None, Query(max_length=MOST)]
Kinds = Annotated[list[str] | None, Query(max_length=50)]


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """A road link: `fid` is its number in the tiles and on the feed, lon/lat its middle."""

    fid: int
    id: str
    name: Text
    highway: str
    lanes: int
    length_m: float
    free_speed_kmh: float
    oneway: bool
    district_id: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class LinkPage:
    """Some links out of `total` that match."""

    total: int
    items: list[LinkInfo]


@dataclass(frozen=True, slots=True)
class PlacePage:
    """Some places out of `total` that match."""

    total: int
    items: list[PlaceInfo]


def routes(screen: Screen) -> APIRouter:
    """Return the routes of the lists."""
    made = APIRouter(prefix="/v1/objects", responses=ERRORS)

    @made.get("/links", response_model=LinkPage, operation_id="links")
    async def links(q: Wanted = "", fid: Fids = None, offset: Offset = 0, limit: Limit = 100) -> Response:
        """Return links whose name or number contains `q`; with `fid`, exactly those, in the order asked for."""
        city = _city(screen)
        if fid is not None:
            known = [number - 1 for number in fid if 1 <= number <= len(city.links)]
            return json(LinkPage(len(known), _links(city, known[offset : offset + limit])))
        rows = _matching(city.links, q, "link_id")
        return json(LinkPage(len(rows), _links(city, rows[offset : offset + limit])))

    @made.get("/places", response_model=PlacePage, operation_id="placePage")
    async def places(q: Wanted = "", kind: Kinds = None, offset: Offset = 0, limit: Limit = 100) -> Response:
        """Return places of the given kinds (all, without) whose name or number contains `q`."""
        city = _city(screen)
        table = city.places_of(*kind) if kind else city.places
        rows = _matching(table, q, "place_id")
        chosen = table.take(pa.array(rows[offset : offset + limit], pa.int64())).to_pylist()
        return json(PlacePage(len(rows), [_place(row) for row in chosen]))

    return made


def _city(screen: Screen) -> Basemap:
    if screen.city is None:
        raise ProblemError(503, NO_CITY)
    return screen.city


def _matching(table: pa.Table, wanted: str, identity: str) -> list[int]:
    """Return the rows whose names or `identity` contain `wanted`, whatever its case."""
    if not wanted.strip():
        return list(range(len(table)))
    columns = (table[name] for name in (identity, "name_zh", "name_en"))
    found = (pc.match_substring(column, wanted.strip(), ignore_case=True) for column in columns)
    rows: list[int] = pc.indices_nonzero(reduce(pc.or_, found)).to_pylist()
    return rows


def _links(city: Basemap, rows: Iterable[int]) -> list[LinkInfo]:
    rows = list(rows)
    table = city.links.drop_columns(["geometry"]).take(pa.array(rows, pa.int64()))
    middles = city.link_midpoints[rows].round(6).tolist()
    return [
        LinkInfo(
            fid=row["fid"],
            id=row["link_id"],
            name=Text(row["name_zh"], row["name_en"]),
            highway=row["highway"],
            lanes=row["lanes"],
            length_m=round(row["length_m"], 1),
            free_speed_kmh=row["free_speed_kmh"],
            oneway=row["oneway"],
            district_id=row["district_id"],
            lon=lon,
            lat=lat,
        )
        for row, (lon, lat) in zip(table.to_pylist(), middles, strict=True)
    ]


def _place(row: Mapping[str, Any]) -> PlaceInfo:
    name = Text(row["name_zh"], row["name_en"])
    return PlaceInfo(row["place_id"], row["kind"], name, row["lon"], row["lat"], row["district_id"])
