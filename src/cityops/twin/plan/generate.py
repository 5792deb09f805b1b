"""江城 from a seed: a first rough grid city; the organic one takes its place behind the same function."""

from __future__ import annotations

import numpy as np
import shapely

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.plan.model import MAJOR, Buildings, CityPlan, District, Links, Name, Nodes, Place, Zone

SPEED = {"trunk": 80.0, "primary": 60.0, "secondary": 50.0, "tertiary": 40.0, "residential": 30.0}
LANES = {"trunk": 3, "primary": 3, "secondary": 2, "tertiary": 2, "residential": 1}


def generate(population: int, seed: int) -> CityPlan:
    """Return the plan of a city of `population` people; the same arguments always give the same city."""
    rng = np.random.default_rng(seed)
    plane = LocalPlane(113.3, 30.2)
    side = max(int(66 * np.sqrt(population / 300_000)), 12)
    step = 150.0
    grid = (np.arange(side) - (side - 1) / 2) * step
    gx, gy = (a.ravel() for a in np.meshgrid(grid, grid))
    x = gx + 120 * np.sin(gy / 1700) + 60 * np.sin(gx / 900)
    y = gy + 120 * np.sin(gx / 1500) + 60 * np.sin(gy / 1100)
    rank = np.array(
        [0 if i % 16 == 8 else 1 if i % 8 == 0 else 2 if i % 4 == 0 else 3 if i % 2 == 0 else 4 for i in range(side)]
    )
    names_of = ["trunk", "primary", "secondary", "tertiary", "residential"]
    names = [
        Name(f"{'纵' if k else '横'}{i + 1}路", f"{'Zong' if k else 'Heng'} {i + 1} Road")
        for k in (0, 1)
        for i in range(side)
    ]
    a, b, line = [], [], []
    for row in range(side):
        for column in range(side):
            node = row * side + column
            if column + 1 < side:
                a.append(node), b.append(node + 1), line.append(row)
            if row + 1 < side:
                a.append(node), b.append(node + side), line.append(side + column)
    a, b, line = np.array(a), np.array(b), np.array(line)
    classes = np.array([names_of[rank[n % side]] for n in line])
    start, end = np.concatenate([a, b]).astype(np.int32), np.concatenate([b, a]).astype(np.int32)
    highway, name = np.tile(classes, 2), np.tile(line, 2).astype(np.int32)
    geometry = shapely.linestrings(
        np.stack([np.column_stack([x[start], y[start]]), np.column_stack([x[end], y[end]])], 1)
    )
    quarter = ((x[start] > 0) + 2 * (y[start] > 0)).astype(np.int32)
    links = Links(
        start,
        end,
        highway,
        name,
        np.array([LANES[h] for h in highway], np.uint8),
        np.array([SPEED[h] for h in highway]),
        np.zeros(len(start), bool),
        np.zeros(len(start), np.int8),
        quarter,
        np.asarray(geometry, object),
    )
    lines = rank[np.arange(side)]
    signal = (lines[np.arange(side * side) // side] <= 3) & (lines[np.arange(side * side) % side] <= 3)
    nodes = Nodes(x, y, signal)
    half = step * side / 2 + 400
    districts = [
        District(
            f"42140{n + 2}",
            Name(zh, en),
            shapely.box(-half * (1 - n % 2), -half * (1 - n // 2), half * (n % 2), half * (n // 2)),
            population // 4,
        )
        for n, (zh, en) in enumerate(
            [("南湖区", "Nanhu"), ("高新区", "Gaoxin"), ("望江区", "Wangjiang"), ("青云区", "Qingyun")]
        )
    ]
    places = [
        Place(f"DET{n + 1:05d}", "detector", names[name[row]], *middle, int(quarter[row]), int(row))
        for n, row in enumerate(np.flatnonzero(np.isin(highway, list(MAJOR))))
        for middle in [geometry[row].interpolate(0.5, True).coords[0]]
    ]
    places += [
        Place(f"SIG{n + 1:05d}", "signal", Name("路口", "Junction"), x[i], y[i], 0, -1, {"node_id": nodes.ids[i]})
        for n, i in enumerate(np.flatnonzero(signal))
    ]
    for n in range(12):
        u, v = rng.uniform(-half * 0.8, half * 0.8, 2)
        places.append(
            Place(
                f"AIR{n + 1:02d}",
                "air_station",
                Name(f"监测站{n + 1}", f"Station {n + 1}"),
                u,
                v,
                int((u > 0) + 2 * (v > 0)),
            )
        )
    zones = []
    block = (x[start] // 600).astype(int) * 1000 + (y[start] // 600).astype(int)
    for n, key in enumerate(np.unique(block)):
        rows = np.flatnonzero((block == key) & np.isin(highway, ["residential", "tertiary"])).astype(np.int32)
        if len(rows):
            zones.append(
                Zone(
                    f"Z{n + 1:04d}",
                    float(x[start[rows]].mean()),
                    float(y[start[rows]].mean()),
                    1.0,
                    float(np.exp(-np.hypot(x[start[rows]].mean(), y[start[rows]].mean()) / 2000)),
                    rows,
                )
            )
    people, work = sum(z.residents for z in zones), sum(z.jobs for z in zones)
    zones = [
        Zone(z.id, z.x, z.y, z.residents * population / people, z.jobs * population * 0.5 / work, z.links)
        for z in zones
    ]
    return CityPlan(
        "jiangcheng",
        Name("江城", "Jiangcheng"),
        "421400",
        "Asia/Shanghai",
        population,
        f"generated:seed={seed}",
        plane,
        (-half, -half, half, half),
        names,
        nodes,
        links,
        Buildings(np.empty(0, object), np.empty(0), np.empty(0, "<U8")),
        [],
        [],
        places,
        districts,
        zones,
    )
