"""The plan of a city: everything its map, its traffic and its field work need, in metres on the city's own plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely

from cityops.technology.geo.coordinates import LocalPlane

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]
Geometries = npt.NDArray[np.object_]

CLASSES = (
    "motorway",
    "trunk",
    "primary",
    "secondary",
    "tertiary",
    "residential",
    "service",
    "motorway_link",
    "trunk_link",
)
"""Road classes, OpenStreetMap's names; the `_link` ones are ramps."""

MAJOR = frozenset({"motorway", "trunk", "primary", "secondary", "tertiary"})
"""Classes that carry detectors."""


@dataclass(frozen=True)
class Name:
    """A name in Chinese and in English letters."""

    zh: str
    en: str


@dataclass(frozen=True)
class Nodes:
    """Junctions; node i is called N00001 + i everywhere."""

    x: Floats
    y: Floats
    signal: Bools

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def ids(self) -> list[str]:
        """Names of all nodes, also the names of their traffic lights."""
        return [f"N{n:05d}" for n in range(1, len(self) + 1)]


@dataclass(frozen=True)
class Links:
    """Directed links, one row each; geometry is the carriageway's line of reference in driving direction.

    `name` points into CityPlan.names, `district` into CityPlan.districts. `oneway` is False when the link has a twin
    in the other direction on the same line: its lanes then lie right of the line; those of a one-way link are centred
    on it. `level` is 1 on bridges and flyovers.
    """

    from_node: Ints
    to_node: Ints
    highway: Strings
    name: Ints
    lanes: npt.NDArray[np.uint8]
    speed_kmh: Floats
    oneway: Bools
    level: npt.NDArray[np.int8]
    district: Ints
    geometry: Geometries

    def __len__(self) -> int:
        return len(self.from_node)

    @cached_property
    def ids(self) -> list[str]:
        """Names of all links: L00001 …, also the edge ids of the SUMO network."""
        return [f"L{n:05d}" for n in range(1, len(self) + 1)]

    @cached_property
    def length(self) -> Floats:
        """Lengths in metres."""
        return np.asarray(shapely.length(self.geometry), np.float64)


@dataclass(frozen=True)
class Buildings:
    """Footprints with height in metres and use (residential, commercial, office, industrial, public, village …)."""

    geometry: Geometries
    height: Floats
    use: Strings

    def __len__(self) -> int:
        return len(self.geometry)


@dataclass(frozen=True)
class Area:
    """A piece of water or green: kind is river, lake, park, forest, pitch, farmland …"""

    kind: str
    name: Name
    geometry: shapely.Geometry


@dataclass(frozen=True)
class Place:
    """A named thing at a point. `link` is the row of the link it watches, -1 for none; `attrs` is its JSON object."""

    id: str
    kind: str
    name: Name
    x: float
    y: float
    district: int
    link: int = -1
    attrs: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class District:
    """A division of the city; `id` is its six-digit division code."""

    id: str
    name: Name
    geometry: shapely.Geometry
    population: int


@dataclass(frozen=True)
class Zone:
    """A neighbourhood for traffic demand: who lives and works here, and the links on which trips begin and end."""

    id: str
    x: float
    y: float
    residents: float
    jobs: float
    links: Ints


@dataclass(frozen=True)
class CityPlan:
    """A whole city. Coordinates are metres on `plane`; `extent` is the rectangle west, south, east, north it fills."""

    id: str
    name: Name
    division_code: str
    timezone: str
    population: int
    source: str
    plane: LocalPlane
    extent: tuple[float, float, float, float]
    names: Sequence[Name]
    nodes: Nodes
    links: Links
    buildings: Buildings
    water: Sequence[Area]
    green: Sequence[Area]
    places: Sequence[Place]
    districts: Sequence[District]
    zones: Sequence[Zone]

    def to_degrees(self, geometry: Geometries) -> Geometries:
        """Return the geometries in WGS 84 longitude and latitude, rounded to 1e-7 degrees (a centimetre)."""

        def project(xy: Floats) -> Floats:
            lon, lat = self.plane.to_degrees(xy[:, 0], xy[:, 1])
            return np.asarray(np.column_stack((lon, lat)).round(7), np.float64)

        return np.asarray(shapely.transform(geometry, project), object)
