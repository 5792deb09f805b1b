"""The city's places: who helps (hospitals, fire, police), who watches (cameras, detectors, stations), and landmarks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from cityops.twin.plan.model import MAJOR, Area, District, Floats, Geometries, Links, Name, Nodes, Place
from cityops.twin.plan.names import numbered
from cityops.twin.plan.naming import heading, stem_of
from cityops.twin.plan.sites import Blocks, spread

PREFIX = {
    "hospital": "HOS",
    "fire_station": "FIR",
    "police_station": "POL",
    "school": "SCH",
    "park": "PRK",
    "government": "GOV",
    "station": "STN",
    "square": "SQR",
    "construction_site": "CON",
    "bridge": "BRG",
    "camera": "CAM",
    "detector": "DET",
    "signal": "SIG",
    "air_station": "AIR",
    "weather_station": "WEA",
}
"""Kinds of place and the letters their ids begin with."""

DETECTOR_LENGTH = 70.0
"""Metres below which a tertiary link has no detector."""

_FIRST_HOSPITALS = (
    ("中心医院", "Central Hospital"),
    ("第一人民医院", "First People's Hospital"),
    ("中医医院", "Hospital of TCM"),
    ("妇幼保健院", "Maternity and Child Hospital"),
    ("第三医院", "Third Hospital"),
    ("儿童医院", "Children's Hospital"),
)
_DISTRICT_HOSPITALS = (
    ("人民医院", "People's Hospital"),
    ("第二人民医院", "Second People's Hospital"),
    ("中医院", "TCM Hospital"),
)


@dataclass
class Register:
    """Places entered one by one, numbered by kind, each in its district."""

    city: Name
    districts: Sequence[District]
    places: list[Place] = field(default_factory=list)
    _count: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._tree = shapely.STRtree([district.geometry for district in self.districts])

    def add(
        self,
        kind: str,
        name: Name,
        at: Floats | tuple[float, float],
        link: int = -1,
        district: int | None = None,
        **attrs: object,
    ) -> None:
        """Enter one place; its district is looked up where it is not given."""
        x, y = float(at[0]), float(at[1])
        self._count[kind] += 1
        digits = 5 if kind in ("detector", "camera", "signal") else 3
        identity = f"{PREFIX[kind]}{self._count[kind]:0{digits}d}"
        if district is None:
            district = int(self._tree.nearest(shapely.Point(x, y)))
        self.places.append(Place(identity, kind, name, x, y, district, link, attrs))

    def district_name(self, x: float, y: float) -> Name:
        """Return the district at a point, without 区."""
        name = self.districts[int(self._tree.nearest(shapely.Point(x, y)))].name
        return Name(name.zh.removesuffix("区"), name.en.removesuffix(" District"))


class Streets:
    """Names of the streets nearest to a point."""

    def __init__(self, links: Links, names: Sequence[Name]) -> None:
        named = np.array([not name.zh.endswith("辅路") for name in names])
        rows = np.flatnonzero(
            np.isin(links.highway, ("primary", "secondary", "tertiary", "residential")) & named[links.name]
        )
        self._rows, self._links, self._names = rows, links, names
        self._tree = shapely.STRtree(links.geometry[rows])

    def stem(self, x: float, y: float) -> Name:
        """Return the stem of the nearest street's name."""
        row = self._rows[int(self._tree.nearest(shapely.Point(x, y)))]
        return stem_of(self._names[self._links.name[row]])


def public_services(
    register: Register, blocks: Blocks, streets: Streets, population: int, rng: np.random.Generator
) -> None:
    """Enter hospitals, schools, government, stations, fire and police, each on its block."""
    _hospitals(register, blocks)
    _schools(register, blocks, streets)
    city, xy = register.city, blocks.middles
    for row in blocks.of("government"):
        register.add(
            "government", Name(f"{city.zh}市人民政府", f"{city.en} Municipal Government"), xy[row], level="city"
        )
    for row in blocks.of("district_government"):
        name = register.district_name(*xy[row])
        register.add(
            "government", Name(f"{name.zh}区人民政府", f"{name.en} District Government"), xy[row], level="district"
        )
    for row, (zh, en) in zip(blocks.of("station"), (("站", ""), ("东站", " East")), strict=False):
        register.add("station", Name(city.zh + zh, f"{city.en}{en} Railway Station"), xy[row])
    for row in blocks.of("square"):
        stem = streets.stem(*xy[row])
        register.add("square", Name(stem.zh + "广场", stem.en + " Square"), xy[row])
    for row in blocks.of("construction"):
        stem = streets.stem(*xy[row])
        hectares = round(float(blocks.ground[row].area) / 10_000, 1)
        register.add(
            "construction_site",
            Name(stem.zh + "路地块工地", stem.en + " Construction Site"),
            xy[row],
            hectares=hectares,
        )
    _emergency(register, blocks, streets, population, rng)


def _hospitals(register: Register, blocks: Blocks) -> None:
    city, xy = register.city, blocks.middles
    for n, row in enumerate(blocks.of("hospital_3")):
        zh, en = (
            _FIRST_HOSPITALS[n] if n < len(_FIRST_HOSPITALS) else (f"第{numbered(n - 1)}医院", f"Hospital No. {n - 1}")
        )
        name = Name(f"{register.city.zh}市{zh}", f"{city.en} {en}")
        register.add("hospital", name, xy[row], level="三级", beds=int(900 + 300 * (n % 4)), emergency=True)
    seen: dict[str, int] = defaultdict(int)
    for n, row in enumerate(blocks.of("hospital_2")):
        district = register.district_name(*xy[row])
        zh, en = _DISTRICT_HOSPITALS[min(seen[district.zh], 2)]
        number = "" if seen[district.zh] < 3 else f"{numbered(seen[district.zh] - 1)}院区"
        seen[district.zh] += 1
        name = Name(f"{district.zh}区{zh}{number}", f"{district.en} District {en}")
        register.add("hospital", name, xy[row], level="二级", beds=int(250 + 50 * (n % 5)), emergency=n % 3 != 2)


def _schools(register: Register, blocks: Blocks, streets: Streets) -> None:
    city, xy = register.city, blocks.middles
    for n, row in enumerate(blocks.of("middle_school"), 1):
        name = Name(
            f"{city.zh}市第{numbered(n)}中学" if n < 100 else f"{streets.stem(*xy[row]).zh}中学",
            f"{city.en} No. {n} Middle School",
        )
        register.add("school", name, xy[row], stage="middle", pupils=int(1200 + 100 * (n % 9)))
    for n, row in enumerate(blocks.of("primary_school"), 1):
        stem = streets.stem(*xy[row])
        register.add(
            "school",
            Name(stem.zh + "小学", stem.en + " Primary School"),
            xy[row],
            stage="primary",
            pupils=int(700 + 80 * (n % 9)),
        )


def _emergency(register: Register, blocks: Blocks, streets: Streets, population: int, rng: np.random.Generator) -> None:
    """Enter fire stations (one for 4 to 7 km², GB/T 51083) and police stations (one a sub-district, one a district)."""
    rows = blocks.of("residential", "mixed", "industrial", "town", "old")
    xy = blocks.middles
    area = float(shapely.area(blocks.ground).sum()) / 1e6
    for row in rows[spread(xy[rows], max(2, round(area / 5.0)), rng)]:
        stem = streets.stem(*xy[row])
        register.add(
            "fire_station",
            Name(stem.zh + "路消防救援站", stem.en + " Road Fire Station"),
            xy[row],
            engines=int(rng.integers(3, 7)),
        )
    for n, district in enumerate(register.districts):
        inside = rows[blocks.district[rows] == n]
        if len(inside):
            point = xy[rng.choice(inside)]
            name = Name(f"{district.name.zh.removesuffix('区')}公安分局", f"{district.name.en} Police Headquarters")
            register.add("police_station", name, point, level="district")
    for row in rows[spread(xy[rows], max(3, population // 18_000), rng)]:
        stem = streets.stem(*xy[row])
        register.add("police_station", Name(stem.zh + "派出所", stem.en + " Police Station"), xy[row], level="local")


def instruments(
    register: Register, nodes: Nodes, links: Links, names: Sequence[Name], rng: np.random.Generator
) -> None:
    """Enter signals, cameras and detectors: what stands at junctions and on links."""
    arms = _arms(nodes, links)
    rank = {"primary": 3, "secondary": 2, "tertiary": 1}
    for node in np.flatnonzero(nodes.signal):
        incoming = arms[node]
        name, district = _junction(incoming, links, names), int(links.district[incoming[0]])
        register.add("signal", name, (nodes.x[node], nodes.y[node]), district=district, node_id=nodes.ids[node])
        great = sum(rank.get(str(links.highway[row]), 0) for row in incoming)
        if great >= 8 or rng.random() < 0.08 * great:
            best = int(max(incoming, key=lambda row: rank.get(str(links.highway[row]), 0)))
            register.add("camera", name, (nodes.x[node], nodes.y[node]), best, district=district, mount="junction")
    middles = shapely.get_coordinates(shapely.line_interpolate_point(links.geometry, 0.5, normalized=True))
    fast = np.isin(links.highway, ("motorway", "trunk"))
    for row in np.flatnonzero(np.isin(links.highway, sorted(MAJOR))):
        if links.highway[row] == "tertiary" and links.length[row] < DETECTOR_LENGTH:
            continue
        way, road, district = heading(links.geometry[row]), names[links.name[row]], int(links.district[row])
        name = Name(f"{road.zh}{way.zh}", f"{road.en} {way.en}")
        register.add("detector", name, middles[row], int(row), district=district, lanes=int(links.lanes[row]))
        if fast[row] and links.length[row] > 350:
            register.add("camera", name, middles[row], int(row), district=district, mount="expressway")


def _arms(nodes: Nodes, links: Links) -> list[list[int]]:
    arms: list[list[int]] = [[] for _ in range(len(nodes))]
    for row, node in enumerate(links.to_node):
        arms[node].append(row)
    return arms


def _junction(incoming: Sequence[int], links: Links, names: Sequence[Name]) -> Name:
    """Return a junction's name after the two greatest streets that meet there."""
    order = {"primary": 0, "secondary": 1, "tertiary": 2}
    rows = sorted(incoming, key=lambda row: (order.get(str(links.highway[row]), 3), row))
    meeting = list(dict.fromkeys(names[links.name[row]] for row in rows))[:2]
    if len(meeting) == 1:
        return Name(meeting[0].zh + "路口", meeting[0].en + " Junction")
    return Name(f"{meeting[0].zh}与{meeting[1].zh}路口", f"{meeting[0].en} / {meeting[1].en}")


def sensors(
    register: Register,
    population: int,
    rng: np.random.Generator,
    elsewhere: Sequence[tuple[Name, float, float]] = (),
) -> None:
    """Enter air stations (spread as national ones are, by people and at the rim) and weather stations.

    They stand at schools, parks, hospitals and public offices; at the points `elsewhere` too where there are few.
    Number of air stations after HJ 664-2013 (by population and built-up area), doubled for the municipal network.
    """
    kinds = ("school", "park", "hospital", "government")
    anchors = [(place.name, place.x, place.y) for place in register.places if place.kind in kinds]
    air = int(np.clip(round(6 + 10 * np.sqrt(population / 300_000)), 4, 40))
    if len(anchors) < air:
        anchors += elsewhere
    xy = np.array([(x, y) for _, x, y in anchors]).reshape(-1, 2)
    for n, row in enumerate(spread(xy, air, rng)):
        network = "national" if n < 0.6 * air else "municipal"
        register.add("air_station", anchors[row][0], xy[row] + (25.0, -18.0), network=network)
    weather = int(np.clip(round(8 * np.sqrt(population / 300_000)), 3, 24))
    seen: dict[str, int] = defaultdict(int)
    for row in spread(xy, weather, rng):
        district = register.district_name(*xy[row])
        seen[district.zh] += 1
        number = "" if seen[district.zh] == 1 else str(seen[district.zh])
        name = Name(f"{district.zh}气象站{number}", f"{district.en} Weather Station {number}".strip())
        register.add("weather_station", name, xy[row] + (-30.0, 20.0))


def parks(register: Register, green: Sequence[Area]) -> None:
    """Enter the named green areas."""
    for area in green:
        if area.name.zh and area.kind in ("park", "forest"):
            point = area.geometry.representative_point()
            register.add("park", area.name, (point.x, point.y), hectares=round(area.geometry.area / 10_000, 1))


def pitches(blocks: Blocks, plots: Geometries) -> Geometries:
    """Return a running track for every school whose plot has room for one."""
    found = []
    for row in blocks.of("primary_school", "middle_school"):
        track = _track(plots[row])
        if track is not None:
            found.append(track)
    return np.asarray(found, object)


def _track(plot: shapely.Geometry) -> shapely.Polygon | None:
    if plot.is_empty:
        return None
    frame = shapely.orient_polygons(shapely.minimum_rotated_rectangle(plot))  # anticlockwise: left is inside
    corners = shapely.get_coordinates(frame)[:4]
    sides = np.roll(corners, -1, 0) - corners
    span = np.hypot(*sides.T)
    for scale in (1.0, 0.8, 0.62, 0.5):
        long, wide = 150.0 * scale, 76.0 * scale
        for n in np.argsort(-span):
            u = sides[n] / span[n]
            v = np.array([-u[1], u[0]])
            middle = corners[n] + sides[n] / 2 + v * (wide / 2 + 6)
            core = shapely.LineString([middle - u * (long - wide) / 2, middle + u * (long - wide) / 2])
            track = core.buffer(wide / 2, quad_segs=6)
            if plot.contains(track) and track.area < 0.4 * plot.area:
                return track
    return None
