"""A plan as the basemap's tables and city description: metres become degrees here."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import shapely

from cityops.technology.geo.basemap import DISTRICTS_SCHEMA, LINKS_SCHEMA, PLACES_SCHEMA, City
from cityops.twin.plan.model import CityPlan, Name


def city(plan: CityPlan) -> City:
    """Return what city.json says of `plan`."""
    west, south, east, north = plan.extent
    lon, lat = plan.plane.to_degrees([west, east], [south, north])
    return City(
        id=plan.id,
        name={"zh": plan.name.zh, "en": plan.name.en},
        division_code=plan.division_code,
        center=(round(plan.plane.lon, 6), round(plan.plane.lat, 6)),
        bounds=(round(lon[0], 6), round(lat[0], 6), round(lon[1], 6), round(lat[1], 6)),
        timezone=plan.timezone,
        population=plan.population,
        source=plan.source,
        counts={"nodes": len(plan.nodes), "buildings": len(plan.buildings)},
    )


def links(plan: CityPlan) -> pa.Table:
    """Return the plan's directed links, LINKS_SCHEMA."""
    rows, nodes = plan.links, np.asarray(plan.nodes.ids, object)
    districts = np.asarray([district.id for district in plan.districts], object)
    zh, en = spoken(plan.names)
    return pa.table(
        {
            "link_id": rows.ids,
            "fid": np.arange(1, len(rows) + 1, dtype=np.uint32),
            "name_zh": zh[rows.name],
            "name_en": en[rows.name],
            "highway": rows.highway.tolist(),
            "lanes": rows.lanes,
            "length_m": rows.length.round(2),
            "free_speed_kmh": rows.speed_kmh,
            "from_node": nodes[rows.from_node],
            "to_node": nodes[rows.to_node],
            "district_id": districts[rows.district],
            "oneway": rows.oneway,
            "geometry": shapely.to_wkb(plan.to_degrees(rows.geometry)),
        },
        schema=LINKS_SCHEMA,
    )


def places(plan: CityPlan) -> pa.Table:
    """Return the plan's places, PLACES_SCHEMA."""
    lon, lat = plan.plane.to_degrees([place.x for place in plan.places], [place.y for place in plan.places])
    link_ids = plan.links.ids
    return pa.table(
        {
            "place_id": [place.id for place in plan.places],
            "kind": [place.kind for place in plan.places],
            "name_zh": [place.name.zh for place in plan.places],
            "name_en": [place.name.en for place in plan.places],
            "lon": lon.round(7),
            "lat": lat.round(7),
            "district_id": [plan.districts[place.district].id for place in plan.places],
            "link_id": [link_ids[place.link] if place.link >= 0 else "" for place in plan.places],
            "attrs": [json.dumps(dict(place.attrs), ensure_ascii=False) for place in plan.places],
        },
        schema=PLACES_SCHEMA,
    )


def districts(plan: CityPlan) -> pa.Table:
    """Return the plan's districts, DISTRICTS_SCHEMA."""
    shapes = np.asarray([district.geometry for district in plan.districts], object)
    return pa.table(
        {
            "district_id": [district.id for district in plan.districts],
            "name_zh": [district.name.zh for district in plan.districts],
            "name_en": [district.name.en for district in plan.districts],
            "geometry": shapely.to_wkb(plan.to_degrees(shapes)),
            "population": [district.population for district in plan.districts],
        },
        schema=DISTRICTS_SCHEMA,
    )


def spoken(names: Sequence[Name]) -> tuple[np.ndarray, np.ndarray]:
    """Return Chinese and English texts of `names` as object arrays."""
    return np.asarray([name.zh for name in names], object), np.asarray([name.en for name in names], object)
