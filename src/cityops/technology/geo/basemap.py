"""The city's reference data on disk: links, places, districts and map tiles, written once and read by everyone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

CITY_FILE = "city.json"
LINKS_FILE = "links.parquet"
PLACES_FILE = "places.parquet"
DISTRICTS_FILE = "districts.parquet"
TILES_FILE = "tiles.pmtiles"
START_AGAIN = "remove the folder and start again"

LINKS_SCHEMA = pa.schema(
    [
        pa.field("link_id", pa.string(), nullable=False),
        pa.field("fid", pa.uint32(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("highway", pa.string(), nullable=False),
        pa.field("lanes", pa.uint8(), nullable=False),
        pa.field("length_m", pa.float64(), nullable=False),
        pa.field("free_speed_kmh", pa.float64(), nullable=False),
        pa.field("from_node", pa.string(), nullable=False),
        pa.field("to_node", pa.string(), nullable=False),
        pa.field("district_id", pa.string(), nullable=False),
        pa.field("oneway", pa.bool_(), nullable=False),
        pa.field("geometry", pa.binary(), nullable=False),
    ]
)
"""One row a directed link; `fid` = 1..n is the feature id in the tiles, `geometry` a WKB LineString (lon, lat)."""

PLACES_SCHEMA = pa.schema(
    [
        pa.field("place_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("district_id", pa.string(), nullable=False),
        pa.field("link_id", pa.string(), nullable=False),
        pa.field("attrs", pa.string(), nullable=False),
    ]
)
"""One row a named thing at a point; `link_id` is "" unless it watches a link; `attrs` is a JSON object."""

DISTRICTS_SCHEMA = pa.schema(
    [
        pa.field("district_id", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("geometry", pa.binary(), nullable=False),
        pa.field("population", pa.int64(), nullable=False),
    ]
)
"""One row a district; `district_id` is the six-digit division code, `geometry` a WKB (Multi)Polygon (lon, lat)."""

Geometries = npt.NDArray[np.object_]
"""An array of shapely geometries."""


class BasemapError(ValueError):
    """Reference data that is absent or does not fit its schema; says which file and what to do."""


@dataclass(frozen=True)
class City:
    """What city.json says: identity, extent and counts of a city."""

    id: str
    name: Mapping[str, str]
    division_code: str
    center: tuple[float, float]
    bounds: tuple[float, float, float, float]
    timezone: str
    population: int
    source: str
    crs: str = "WGS84"
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_json(cls, text: str) -> City:
        """Return the city that `text` (JSON object) describes. Raises ValueError, KeyError, TypeError."""
        raw = json.loads(text)
        west, south, east, north = (float(v) for v in raw["bounds"])
        lon, lat = (float(v) for v in raw["center"])
        return cls(
            id=str(raw["id"]),
            name={"zh": str(raw["name"]["zh"]), "en": str(raw["name"]["en"])},
            division_code=str(raw["division_code"]),
            center=(lon, lat),
            bounds=(west, south, east, north),
            timezone=str(raw["timezone"]),
            population=int(raw["population"]),
            source=str(raw["source"]),
            crs=str(raw.get("crs", "WGS84")),
            counts={str(k): int(v) for k, v in raw.get("counts", {}).items()},
        )

    def to_json(self) -> str:
        """Return city.json's text."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps(said | {"name": dict(self.name), "counts": dict(self.counts)}, ensure_ascii=False, indent=2)


class Basemap:
    """A city folder, its tables read on first use and kept."""

    def __init__(self, folder: Path, city: City) -> None:
        self.folder = folder
        self.city = city

    @classmethod
    def open(cls, folder: Path) -> Basemap:
        """Return the basemap in `folder`. Raises BasemapError when there is none or city.json is broken."""
        path = folder / CITY_FILE
        try:
            return cls(folder, City.from_json(path.read_text("utf-8")))
        except FileNotFoundError as error:
            advice = "`cityops up` makes one, `cityops city import` brings one in"
            raise BasemapError(f"{path}: no city here; {advice}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise BasemapError(f"{path}: not a city description ({error!r}); {START_AGAIN}") from error

    @property
    def tiles(self) -> Path:
        """Path of the PMTiles archive."""
        return self.folder / TILES_FILE

    @cached_property
    def links(self) -> pa.Table:
        """Directed links, LINKS_SCHEMA; row i has fid i + 1."""
        return self._read(LINKS_FILE, LINKS_SCHEMA)

    @cached_property
    def places(self) -> pa.Table:
        """Places, PLACES_SCHEMA."""
        return self._read(PLACES_FILE, PLACES_SCHEMA)

    @cached_property
    def districts(self) -> pa.Table:
        """Districts, DISTRICTS_SCHEMA."""
        return self._read(DISTRICTS_FILE, DISTRICTS_SCHEMA)

    @cached_property
    def link_index(self) -> dict[str, int]:
        """Row number in `links` by link_id."""
        return {link_id: row for row, link_id in enumerate(self.links["link_id"].to_pylist())}

    @cached_property
    def place_index(self) -> dict[str, int]:
        """Row number in `places` by place_id."""
        return {place_id: row for row, place_id in enumerate(self.places["place_id"].to_pylist())}

    @cached_property
    def district_index(self) -> dict[str, int]:
        """Row number in `districts` by district_id."""
        return {district_id: row for row, district_id in enumerate(self.districts["district_id"].to_pylist())}

    @cached_property
    def link_geometries(self) -> Geometries:
        """Shapely LineStrings (lon, lat) by row of `links`."""
        return _from_wkb(self.links)

    @cached_property
    def link_midpoints(self) -> npt.NDArray[np.float64]:
        """Longitude and latitude halfway along every link, shape (n, 2)."""
        lines = self.link_geometries
        middles = shapely.line_interpolate_point(lines, 0.5, normalized=True)
        return np.asarray(shapely.get_coordinates(middles), np.float64)

    @cached_property
    def district_geometries(self) -> Geometries:
        """Shapely polygons (lon, lat) by row of `districts`."""
        return _from_wkb(self.districts)

    def places_of(self, *kinds: str) -> pa.Table:
        """Return the places of the given kinds, in file order."""
        return self.places.filter(pc.is_in(self.places["kind"], pa.array(kinds)))

    def districts_at(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return for every point the row of its district, -1 outside all of them."""
        points = shapely.points(np.atleast_1d(lon), np.atleast_1d(lat))
        rows = np.full(len(points), -1, np.int64)
        point, district = self._district_tree.query(points, predicate="intersects")
        rows[point] = district
        return rows

    def nearest_links(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return for every point the row of the nearest link (in degrees scaled to be locally true)."""
        points = shapely.points(np.atleast_1d(lon) * self._squeeze, np.atleast_1d(lat))
        return np.asarray(self._link_tree.nearest(points), np.int64)

    @cached_property
    def _squeeze(self) -> float:
        return float(np.cos(np.radians(self.city.center[1])))

    @cached_property
    def _link_tree(self) -> shapely.STRtree:
        return shapely.STRtree(shapely.transform(self.link_geometries, lambda xy: xy * [self._squeeze, 1.0]))

    @cached_property
    def _district_tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.district_geometries)

    def _read(self, name: str, schema: pa.Schema) -> pa.Table:
        path = self.folder / name
        try:
            table = pq.read_table(path)
            return table.select(schema.names).cast(schema)
        except FileNotFoundError as error:
            raise BasemapError(f"{path}: absent; {START_AGAIN}") from error
        except (pa.ArrowInvalid, KeyError) as error:
            raise BasemapError(f"{path}: not the table expected ({error}); {START_AGAIN}") from error


def write_basemap(folder: Path, city: City, links: pa.Table, places: pa.Table, districts: pa.Table) -> None:
    """Write the tables and city.json (with their row counts) into `folder`; tiles are written by their own maker.

    Raises BasemapError when a table does not fit its schema or fids are not 1..n.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table, schema in (
        (LINKS_FILE, links, LINKS_SCHEMA),
        (PLACES_FILE, places, PLACES_SCHEMA),
        (DISTRICTS_FILE, districts, DISTRICTS_SCHEMA),
    ):
        try:
            fitting = table.select(schema.names).cast(schema)
        except (pa.ArrowInvalid, KeyError, ValueError) as error:
            raise BasemapError(f"{name}: {error}") from error
        if schema is LINKS_SCHEMA and not np.array_equal(fitting["fid"].to_numpy(), np.arange(1, len(fitting) + 1)):
            raise BasemapError(f"{name}: fid must be 1..n in file order")
        pq.write_table(fitting, folder / name, compression="zstd")
    kinds: dict[str, Any] = {row["values"]: row["counts"] for row in pc.value_counts(places["kind"]).to_pylist()}
    counts = {**city.counts, "links": len(links), "places": len(places), "districts": len(districts), **kinds}
    (folder / CITY_FILE).write_text(replace(city, counts=counts).to_json(), "utf-8")


def _from_wkb(table: pa.Table) -> Geometries:
    return np.asarray(shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)), object)
