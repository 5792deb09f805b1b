"""Every street gets its name, long ones by side of town: 解放大道, 二环东路, 沿江大道, 永安巷."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely

from cityops.twin.plan.draft import Street
from cityops.twin.plan.model import Floats, Geometries, Ints, Name
from cityops.twin.plan.names import CITIES, LAKES, PINYIN, NamePool, numbered, romanised, street
from cityops.twin.plan.network import Network
from cityops.twin.plan.terrain import Terrain

LONG = 2300.0
"""Metres from which on a street's name is told apart by side of town."""

_AXES = {0: "解放", 1: "友谊", 2: "建设", 10: "中山", 11: "和平"}
_QUAYS = ("沿江", "临江", "滨江")
"""Stems of the river's quays by bank: the old town's, across the river, across the tributary."""


def name_links(net: Network, land: Terrain, pool: NamePool) -> tuple[list[Name], Ints]:
    """Return all street names and, link by link, which one it bears."""
    middles = shapely.get_coordinates(shapely.line_interpolate_point(net.line, 0.5, normalized=True))
    length = np.bincount(net.owner, shapely.length(net.line), minlength=len(net.streets)) / 2
    naming = _Naming(net.streets, land, pool, length)
    names: list[Name] = []
    known: dict[Name, int] = {}
    rows = np.empty(len(net.owner), np.int32)
    banks = np.argmax([shapely.contains_xy(bank, middles) for bank in land.banks], axis=0)
    for row, (owner, place, bank) in enumerate(zip(net.owner, middles, banks, strict=True)):
        name = naming.name(int(owner), place, int(bank))
        if name not in known:
            known[name] = len(names)
            names.append(name)
        rows[row] = known[name]
    return names, rows


class _Naming:
    """Stems by street, sides by place."""

    def __init__(self, streets: Sequence[Street], land: Terrain, pool: NamePool, length: Floats) -> None:
        self._streets = streets
        self._land = land
        self._pool = pool
        self._length = length
        self._stems: dict[int, tuple[str, str]] = {}
        self._rings = max((s.key for s in streets if s.kind == "expressway" and s.key < 100), default=0)

    def name(self, owner: int, at: Floats, bank: int) -> Name:
        """Return the name of street `owner` at a place on a bank."""
        spec = self._streets[owner]
        stem, side, generic = self._parts(owner, spec, at, bank)
        name = street(stem, side, generic)
        return Name(name.zh + "辅路", name.en + " Service Road") if spec.kind == "frontage" else name

    def _parts(self, owner: int, spec: Street, at: Floats, bank: int) -> tuple[str, str, str]:
        """Return stem, side and kind of street."""
        match spec.kind:
            case "ring":
                return "环城", _compass(at), "路"
            case "expressway" | "frontage":
                return self._ring(spec.key, at)
            case "quay":
                return ("清河", "北" if bank == 0 else "南", "路") if spec.key else (_QUAYS[bank], "", "大道")
            case "shore":
                return "环" + LAKES[spec.key % len(LAKES)], "", "路"
        stem, generic = self._stem(owner, spec)
        return stem, self._side(owner, spec, generic, at), generic

    def _ring(self, key: int, at: Floats) -> tuple[str, str, str]:
        if key >= 100:
            return "江" + CITIES[(key - 100) % len(CITIES)], "", "高速"
        if key == self._rings:
            return "绕城", "", "高速"
        return numbered(key + 1) + "环", _compass(at), "路"

    def _stem(self, owner: int, spec: Street) -> tuple[str, str]:
        if owner not in self._stems:
            self._stems[owner] = self._new_stem(owner, spec)
        return self._stems[owner]

    def _new_stem(self, owner: int, spec: Street) -> tuple[str, str]:
        if spec.kind in ("axis", "radial"):
            return (_AXES[spec.key] if spec.kind == "axis" and spec.key in _AXES else self._pool.great()), "大道"
        if spec.highway == "primary":
            return self._pool.great(), "大道" if owner % 3 == 0 else "路"
        if spec.highway == "secondary":
            return self._pool.great() if self._length[owner] > LONG else self._pool.small(), "路"
        if spec.kind == "lane":
            return self._pool.small() + "村", "路"
        if spec.highway == "tertiary":
            return self._pool.small(), "街" if owner % 3 else "路"
        return self._pool.small(), ("巷", "街", "巷", "里")[owner % 4]

    def _side(self, owner: int, spec: Street, generic: str, at: Floats) -> str:
        if generic != "路" or not spec.bearing or self._length[owner] < LONG:
            return ""
        near = 0.2 * self._land.radius
        if spec.bearing == "ew":
            return "中" if abs(at[0]) < near else "东" if at[0] > 0 else "西"
        return "中" if abs(at[1]) < near else "北" if at[1] > 0 else "南"


def _compass(at: Floats) -> str:
    return "东北西南"[round(math.atan2(at[1], at[0]) / (math.pi / 2)) % 4]


def heading(line: shapely.LineString) -> Name:
    """Return the compass direction in which a link is driven, 东向 / eastbound."""
    points = shapely.get_coordinates(line)
    way = points[-1] - points[0]
    side = _compass(way)
    return Name(side + "向", {"东": "eastbound", "北": "northbound", "西": "westbound", "南": "southbound"}[side])


def stem_of(name: Name) -> Name:
    """Return a street's name without side and kind, as stations and schools on it take it."""
    for generic in ("大道", "高速", "辅路", "路", "街", "巷", "里"):
        if name.zh.endswith(generic) and len(name.zh) > len(generic) + 1:
            zh = name.zh.removesuffix(generic)
            zh = zh[:-1] if len(zh) > 2 and zh[-1] in "东西南北中" else zh
            return Name(zh, romanised(zh)) if set(zh) <= PINYIN.keys() else Name(zh, name.en)
    return name


def bridges(net: Network, names: Sequence[Name], rows: Ints, land: Terrain) -> list[tuple[Name, float, float, int]]:
    """Return the bridges over river and tributary: name, position, and the row of one link on each."""
    found: list[tuple[Name, float, float, int]] = []
    for water, over in (
        (land.river_area, Name("澜江", "Lan River")),
        (land.tributary_area, Name("清河", "Qing River")),
    ):
        inner = water.buffer(-4.0)
        on = np.flatnonzero(shapely.intersects(net.line, inner) & ~np.char.endswith(net.highway, "_link"))
        wet = shapely.intersection(net.line[on], inner)
        for owner in np.unique(net.owner[on]):
            spec = net.streets[owner]
            own = np.flatnonzero(net.owner[on] == owner)
            if spec.kind in ("quay", "shore", "local"):
                continue
            for group in _clusters(wet[own]):
                middle = shapely.union_all(wet[own[group]]).centroid
                link = int(on[own[group[np.argmax(shapely.length(wet[own[group]]))]]])
                name = _bridge(stem_of(names[rows[link]]), over, spec, {bridge.zh for bridge, *_ in found})
                found.append((name, float(middle.x), float(middle.y), link))
    return found


def _bridge(stem: Name, over: Name, spec: Street, taken: set[str]) -> Name:
    grand = "大桥" if over.zh.endswith("江") else "桥"
    stem = Name(stem.zh.removesuffix("桥"), stem.en)  # 泰桥路 crosses on 泰桥
    zh, en = (stem.zh + over.zh, f"{stem.en} {over.en}") if spec.kind == "expressway" else (stem.zh, stem.en)
    if zh + grand not in taken:
        return Name(zh + grand, en + " Bridge")
    number = next(n for n in range(2, 99) if f"{zh}{numbered(n)}桥" not in taken)
    return Name(f"{zh}{numbered(number)}桥", f"{en} Bridge No. {number}")


def _clusters(shapes: Geometries, apart: float = 500.0) -> list[Ints]:
    """Return groups of rows whose shapes lie within `apart` of one another, transitively."""
    groups = shapely.get_parts(shapely.union_all(shapely.buffer(shapes, apart / 2)))
    row, group = shapely.STRtree(groups).query(shapes, predicate="intersects")
    return [row[group == n].astype(np.int32) for n in range(len(groups))]
