"""What the land is for: districts with their characters, and the style of every superblock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Point, Polygon

from cityops.twin.plan.curves import Floats, Warp, rotate
from cityops.twin.plan.model import Geometries, Name, Strings
from cityops.twin.plan.terrain import Terrain


@dataclass(frozen=True)
class DistrictSeed:
    """A district to be: code, name, heart in city radii (river flowing east) and the bank it lies on."""

    code: int
    name: Name
    heart: tuple[float, float]
    bank: int


DISTRICTS = (
    DistrictSeed(2, Name("城中区", "Chengzhong District"), (0.04, 0.10), 0),
    DistrictSeed(3, Name("青云区", "Qingyun District"), (0.70, 0.30), 0),
    DistrictSeed(4, Name("北湖区", "Beihu District"), (0.30, 0.62), 0),
    DistrictSeed(5, Name("白沙区", "Baisha District"), (-0.52, 0.46), 0),
    DistrictSeed(6, Name("龙泉区", "Longquan District"), (-0.74, -0.06), 2),
    DistrictSeed(7, Name("望江区", "Wangjiang District"), (0.02, -0.56), 1),
    DistrictSeed(71, Name("高新区", "Gaoxin District"), (0.76, -0.34), 1),
    DistrictSeed(72, Name("经开区", "Jingkai District"), (-0.52, -0.72), 1),
)
"""江城's districts; codes from 71 on are those of development zones."""

STYLES = ("cbd", "old", "mixed", "residential", "industrial", "campus", "park", "town", "rural", "corridor")

TOWN = 400_000.0
"""Square metres below which a superblock beyond the built-up edge belongs to a small town."""

_PULLS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "cbd": ((0.13, 0.10, 0.13, 1.5), (0.10, -0.40, 0.09, 1.3), (0.62, -0.30, 0.08, 1.1)),
    "old": ((-0.12, -0.02, 0.15, 1.35), (-0.36, -0.22, 0.07, 1.1), (-0.12, -0.46, 0.07, 1.0)),
    "mixed": ((0.0, 0.05, 0.34, 0.95), (0.05, -0.50, 0.22, 0.95), (-0.50, 0.0, 0.16, 0.8), (0.55, 0.30, 0.14, 0.8)),
    "industrial": (
        (-0.62, -0.86, 0.26, 1.4),
        (0.92, 0.42, 0.18, 1.25),
        (-0.95, 0.15, 0.18, 1.1),
        (0.95, -0.30, 0.14, 1.0),
    ),
    "campus": ((0.30, -0.52, 0.09, 1.35), (0.36, 0.62, 0.05, 1.1)),
}
"""What pulls a style: hearts (east, north, reach in city radii) and strength; residential is what nothing else wins."""


class Zoning:
    """The use of the land by place; all coordinates in metres."""

    def __init__(self, land: Terrain, urban: Polygon, rng: np.random.Generator) -> None:
        self.land = land
        self.urban = urban
        self._noise = Warp.random(rng, amplitude=0.2, wavelength=0.35 * land.radius)
        self._ragged = Warp.random(rng, amplitude=0.035 * land.radius, wavelength=0.4 * land.radius)

    def styles(self, faces: Geometries, corridor: shapely.Geometry) -> Strings:
        """Return the style of every superblock in `faces`, one of STYLES."""
        middles = shapely.point_on_surface(faces)
        xy = shapely.get_coordinates(middles)
        own = rotate(xy, -self.land.flow) / self.land.radius
        noise = self._noise(xy) - xy
        scores = {style: self._pull(own, table) for style, table in _PULLS.items()}
        scores["residential"] = 0.52 + noise[:, 0]
        scores["mixed"] += 0.5 * noise[:, 1]
        names = np.array(list(scores))
        style = names[np.argmax(np.stack(list(scores.values())), axis=0)].astype("<U12")
        outside = self.rural(xy)
        style[outside] = np.where(shapely.area(faces[outside]) < TOWN, "town", "rural")
        hill = shapely.union_all([*self.land.hills, self.land.island]) if self.land.hills else self.land.island
        style[shapely.area(shapely.intersection(faces, hill)) > 0.5 * shapely.area(faces)] = "park"
        inside = shapely.area(shapely.intersection(faces, corridor)) > 0.7 * shapely.area(faces)
        style[inside] = "corridor"
        return np.asarray(style, np.str_)

    def rural(self, xy: Floats) -> npt.NDArray[np.bool_]:
        """Return which points lie beyond the ragged edge of the built-up city."""
        return ~np.asarray(shapely.contains_xy(self.urban.buffer(0.015 * self.land.radius), self._ragged(xy)))

    @staticmethod
    def _pull(own: Floats, table: tuple[tuple[float, float, float, float], ...]) -> Floats:
        total = np.zeros(len(own))
        for east, north, reach, strength in table:
            distance = np.hypot(own[:, 0] - east, own[:, 1] - north)
            total = np.maximum(total, strength * np.exp(-0.5 * (distance / reach) ** 2))
        return total


def draw_districts(land: Terrain, lines: list[shapely.LineString]) -> list[Polygon]:
    """Return the districts' ground in the order of DISTRICTS, cut along rivers and the great roads `lines`."""
    web = shapely.union_all([land.limits.boundary, land.river, land.tributary, *lines], grid_size=0.05)
    faces = np.asarray(shapely.get_parts(shapely.polygonize(shapely.get_parts(web))), object)
    middles = shapely.point_on_surface(faces)
    faces, middles = (a[shapely.contains(land.limits, middles)] for a in (faces, middles))
    xy = shapely.get_coordinates(middles)
    hearts = rotate(np.array([seed.heart for seed in DISTRICTS]), land.flow) * land.radius
    banks = np.array([seed.bank for seed in DISTRICTS])
    bank = np.argmax([shapely.contains(part, middles) for part in land.banks], axis=0)
    distance = np.hypot(*(xy[:, None, :] - hearts[None]).transpose(2, 0, 1))
    distance[bank[:, None] != banks[None]] += 1e9
    owner = distance.argmin(axis=1)
    grounds = [shapely.union_all(faces[owner == n]) for n in range(len(DISTRICTS))]
    for number in {int(banks[n]) for n, ground in enumerate(grounds) if ground.is_empty}:
        members = np.flatnonzero(banks == number)  # too few streets to follow: the bank is cut straight instead
        for n, cell in zip(members, _cells(hearts[members], land.banks[number]), strict=True):
            grounds[n] = cell
    return _in_one_piece(grounds)


def _cells(hearts: Floats, bank: Polygon) -> Geometries:
    """Return for every heart the part of the bank nearest to it."""
    if len(hearts) == 1:
        return np.asarray([bank], object)
    cells = shapely.voronoi_polygons(shapely.MultiPoint(hearts), extend_to=bank, ordered=True)
    return np.asarray(shapely.intersection(shapely.get_parts(cells), bank), object)


def _in_one_piece(grounds: list[shapely.Geometry]) -> list[Polygon]:
    """Return the districts with their splinters given to the neighbour they share most border with."""
    wholes = [max(shapely.get_parts(ground), key=lambda part: part.area) for ground in grounds]
    for ground, whole in zip(grounds, list(wholes), strict=True):
        for splinter in shapely.get_parts(ground):
            if splinter.equals(whole):
                continue
            borders = [other.intersection(splinter.boundary).length for other in wholes]
            taker = int(np.argmax(borders))
            wholes[taker] = shapely.union_all([wholes[taker], splinter])
    return [max(shapely.get_parts(whole.buffer(0)), key=lambda part: part.area) for whole in wholes]


def district_of(grounds: list[Polygon], xy: Floats) -> npt.NDArray[np.int32]:
    """Return for every point the number of its district, the nearest one for points outside all."""
    number = np.full(len(xy), -1, np.int32)
    shapely.prepare(np.asarray(grounds, object))
    for n, ground in enumerate(grounds):
        number[shapely.contains_xy(ground, xy)] = n
    outside = number < 0
    number[outside] = shapely.STRtree(grounds).nearest(shapely.points(xy[outside]))
    return number


def centre(land: Terrain) -> Point:
    """Return the middle of the city's first business district."""
    east, north, *_ = _PULLS["cbd"][0]
    return Point(*(rotate(np.array([[east, north]]), land.flow)[0] * land.radius))
