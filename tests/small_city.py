"""A city of four streets for tests: known links, detectors and stations, in no need of a generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from cityops.technology.geo.basemap import (
    DISTRICTS_SCHEMA,
    LINKS_SCHEMA,
    PLACES_SCHEMA,
    Basemap,
    City,
    write_basemap,
)

WEST, SOUTH, EAST, NORTH = 113.29, 30.19, 113.31, 30.21
STREETS = (
    # name, free speed, points; each has a link in either direction
    ("解放大道", "Jiefang Avenue", 60.0, [(113.291, 30.2), (113.3, 30.2)]),
    ("解放大道", "Jiefang Avenue", 60.0, [(113.3, 30.2), (113.309, 30.2)]),
    ("长江路", "Changjiang Road", 40.0, [(113.3, 30.191), (113.3, 30.2)]),
    ("长江路", "Changjiang Road", 40.0, [(113.3, 30.2), (113.3, 30.209)]),
)
STATIONS = ((113.294, 30.194), (113.306, 30.194), (113.294, 30.206), (113.306, 30.206))


def small_city(folder: Path) -> Basemap:
    """Write the city into `folder` and return it: links L00001..8 (odd: as drawn, even: back), DET1..8, AIR1..4."""
    links = []
    for zh, en, speed, points in STREETS:
        for line in (points, points[::-1]):
            n = len(links) + 1
            middle = np.mean(line, axis=0)
            links.append(
                {
                    "link_id": f"L{n:05d}",
                    "fid": n,
                    "name_zh": zh,
                    "name_en": en,
                    "highway": "primary",
                    "lanes": 2,
                    "length_m": 1000.0,
                    "free_speed_kmh": speed,
                    "from_node": f"N{line[0]}",
                    "to_node": f"N{line[1]}",
                    "district_id": "421402" if middle[0] < 113.3 else "421403",
                    "oneway": False,
                    "geometry": shapely.to_wkb(shapely.LineString(line)),
                }
            )
    places = [
        _place(f"DET{n + 1}", "detector", *np.mean(shapely.from_wkb(link["geometry"]).coords, axis=0), link["link_id"])
        for n, link in enumerate(links)
    ]
    places += [_place(f"AIR{n + 1}", "air_station", lon, lat) for n, (lon, lat) in enumerate(STATIONS)]
    districts = [
        _district("421402", "城中区", "Chengzhong", shapely.box(WEST, SOUTH, 113.3, NORTH)),
        _district("421403", "高新区", "Gaoxin", shapely.box(113.3, SOUTH, EAST, NORTH)),
    ]
    city = City(
        id="test",
        name={"zh": "小城", "en": "Small Town"},
        division_code="421400",
        center=(113.3, 30.2),
        bounds=(WEST, SOUTH, EAST, NORTH),
        timezone="Asia/Shanghai",
        population=1000,
        source="test",
    )
    write_basemap(
        folder,
        city,
        pa.Table.from_pylist(links, LINKS_SCHEMA),
        pa.Table.from_pylist(places, PLACES_SCHEMA),
        pa.Table.from_pylist(districts, DISTRICTS_SCHEMA),
    )
    return Basemap.open(folder)


def _place(place_id: str, kind: str, lon: float, lat: float, link_id: str = "") -> dict[str, object]:
    district = "421402" if lon < 113.3 else "421403"
    names = {"name_zh": f"{kind} {place_id}", "name_en": f"{kind} {place_id}"}
    where = {"lon": lon, "lat": lat, "district_id": district, "link_id": link_id, "attrs": "{}"}
    return {"place_id": place_id, "kind": kind, **names, **where}


def _district(district_id: str, zh: str, en: str, shape: shapely.Polygon) -> dict[str, object]:
    named = {"district_id": district_id, "name_zh": zh, "name_en": en}
    return {**named, "geometry": shapely.to_wkb(shape), "population": 500}
