"""The traffic simulator's network of a plan: plain XML through netconvert, detectors, and zones for the demand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import sumo

from cityops.twin.plan.model import CityPlan, Ints

NET_FILE = "net.net.xml"
DETECTORS_FILE = "detectors.add.xml"
ZONES_FILE = "zones.parquet"
DETECTOR_PERIOD_S = 60

ZONES_SCHEMA = pa.schema(
    [
        pa.field("zone_id", pa.string(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("residents", pa.float64(), nullable=False),
        pa.field("jobs", pa.float64(), nullable=False),
        pa.field("link_ids", pa.list_(pa.string()), nullable=False),
    ]
)
"""One row a zone of travel demand; trips begin and end on its links."""

PRIORITY = {
    "motorway": 13,
    "trunk": 12,
    "primary": 10,
    "secondary": 8,
    "tertiary": 6,
    "motorway_link": 5,
    "trunk_link": 5,
    "residential": 3,
    "service": 1,
}
"""Right of way by class: the higher goes first where no signal stands."""

NETCONVERT = (
    "--offset.disable-normalization=true",
    "--no-turnarounds.except-deadend=true",
    "--roundabouts.guess=false",
    "--junctions.corner-detail=4",
    "--junctions.internal-link-detail=4",
    "--geometry.max-grade.fix=false",
    "--tls.default-type=actuated",
    "--tls.cycle.time=90",
    "--tls.yellow.time=3",
    "--tls.allred.time=2",
    "--tls.left-green.time=12",
    "--tls.min-dur=8",
    "--tls.max-dur=45",
    "--precision=2",
    "--no-warnings=true",
)


class SumoError(RuntimeError):
    """netconvert refused the network; carries what it said."""


def write_sumo(plan: CityPlan, folder: Path) -> None:
    """Write NET_FILE, DETECTORS_FILE and ZONES_FILE of `plan` into `folder`. Raises SumoError."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes, edges, connections = folder / "plain.nod.xml", folder / "plain.edg.xml", folder / "plain.con.xml"
    _write(nodes, "nodes", _nodes(plan))
    _write(edges, "edges", _edges(plan))
    _write(connections, "connections", _lane_connections(plan))
    _netconvert(folder / NET_FILE, nodes, edges, connections)
    for plain in (nodes, edges, connections):
        plain.unlink()
    _write(folder / DETECTORS_FILE, "additional", _detectors(plan))
    write_zones(plan, folder / ZONES_FILE)


def write_zones(plan: CityPlan, path: Path) -> None:
    """Write the plan's demand zones to `path`, ZONES_SCHEMA."""
    lon, lat = plan.plane.to_degrees([zone.x for zone in plan.zones], [zone.y for zone in plan.zones])
    ids = np.asarray(plan.links.ids, object)
    table = pa.table(
        {
            "zone_id": [zone.id for zone in plan.zones],
            "lon": lon,
            "lat": lat,
            "residents": [zone.residents for zone in plan.zones],
            "jobs": [zone.jobs for zone in plan.zones],
            "link_ids": [ids[zone.links].tolist() for zone in plan.zones],
        },
        schema=ZONES_SCHEMA,
    )
    pq.write_table(table, path, compression="zstd")


def binary(name: str) -> Path:
    """Return the path of one of SUMO's programs as installed by its wheel."""
    return Path(sumo.SUMO_HOME) / "bin" / name


def _netconvert(net: Path, nodes: Path, edges: Path, connections: Path) -> None:
    command = [str(binary("netconvert")), "-n", str(nodes), "-e", str(edges), "-x", str(connections), "-o", str(net)]
    environment = {**os.environ, "SUMO_HOME": sumo.SUMO_HOME}
    done = subprocess.run([*command, *NETCONVERT], capture_output=True, text=True, env=environment, check=False)
    if done.returncode or not net.is_file():
        raise SumoError(f"netconvert ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")


def _write(path: Path, root: str, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f"<{root}>\n")
        file.writelines(lines)
        file.write(f"</{root}>\n")


def _nodes(plan: CityPlan) -> Iterator[str]:
    west, south, east, north = plan.extent
    box = f"{west:.2f},{south:.2f},{east:.2f},{north:.2f}"
    corners = plan.plane.to_degrees([west, east], [south, north])
    origin = f"{corners[0][0]:.6f},{corners[1][0]:.6f},{corners[0][1]:.6f},{corners[1][1]:.6f}"
    proj = quoteattr(plan.plane.proj)
    yield f'<location netOffset="0.00,0.00" convBoundary="{box}" origBoundary="{origin}" projParameter={proj}/>\n'
    nodes = plan.nodes
    arms = np.bincount(plan.links.to_node, minlength=len(nodes))
    for node, x, y, signal, count in zip(nodes.ids, nodes.x, nodes.y, nodes.signal, arms, strict=True):
        # turning right on red is the rule in China; netconvert's programs for it deadlock where five arms meet
        kind = "priority" if not signal else "traffic_light" if count > 4 else "traffic_light_right_on_red"
        yield f'<node id="{node}" x="{x:.2f}" y="{y:.2f}" type="{kind}"/>\n'


def _edges(plan: CityPlan) -> Iterator[str]:
    links, node_ids = plan.links, plan.nodes.ids
    names = [quoteattr(name.zh) for name in plan.names]
    for row, link in enumerate(links.ids):
        highway = str(links.highway[row])
        shape = " ".join(f"{x:.2f},{y:.2f}" for x, y in shapely.get_coordinates(links.geometry[row]))
        spread = "center" if links.oneway[row] else "right"
        yield (
            f'<edge id="{link}" from="{node_ids[links.from_node[row]]}" to="{node_ids[links.to_node[row]]}"'
            f' priority="{PRIORITY[highway]}" numLanes="{links.lanes[row]}" speed="{links.speed_kmh[row] / 3.6:.2f}"'
            f' type="highway.{highway}" spreadType="{spread}" name={names[links.name[row]]} shape="{shape}"/>\n'
        )


def _lane_connections(plan: CityPlan) -> Iterator[str]:
    """Yield lane connections where ramps join and leave expressways; netconvert's own guess does for the rest.

    Lane 0 is the rightmost. A merging ramp gets lanes of its own on the right, a leaving one takes them away,
    and where only the number of lanes changes the leftmost lanes run on.
    """
    links = plan.links
    ramp = np.isin(links.highway, ("motorway_link", "trunk_link"))
    fast = (np.isin(links.highway, ("motorway", "trunk")) | ramp) & links.oneway
    into, out = _by_node(links.to_node, len(plan.nodes)), _by_node(links.from_node, len(plan.nodes))
    for node in np.unique(links.to_node[fast]):
        incoming, outgoing = into[node], out[node]
        if not (fast[incoming].all() and fast[outgoing].all()):
            continue
        if (~ramp[incoming]).sum() == 1 and (~ramp[outgoing]).sum() == 1 and len(incoming) + len(outgoing) <= 3:
            for source in incoming:
                for target in outgoing:
                    yield from _lanes(plan, source, target, to_the_right=bool(ramp[source] or ramp[target]))


def _lanes(plan: CityPlan, source: int, target: int, *, to_the_right: bool) -> Iterator[str]:
    """Yield the connections between two links lane by lane, counted from the right kerb or from the middle."""
    links, ids = plan.links, plan.links.ids
    lanes_in, lanes_out = int(links.lanes[source]), int(links.lanes[target])
    for lane in range(min(lanes_in, lanes_out)):
        start, end = (lane, lane) if to_the_right else (lanes_in - 1 - lane, lanes_out - 1 - lane)
        yield f'<connection from="{ids[source]}" to="{ids[target]}" fromLane="{start}" toLane="{end}"/>\n'


def _by_node(ends: Ints, count: int) -> list[Ints]:
    """Return for every node the rows of the links whose end in `ends` it is."""
    order = np.argsort(ends, kind="stable").astype(np.int32)
    return np.split(order, np.cumsum(np.bincount(ends, minlength=count))[:-1])


def _detectors(plan: CityPlan) -> Iterator[str]:
    """Yield one induction loop a lane at every detector; loop ids are `<place_id>_<lane>`."""
    links = plan.links
    for place in plan.places:
        if place.kind != "detector":
            continue
        position = links.length[place.link] / 2
        for lane in range(int(links.lanes[place.link])):
            yield (
                f'<inductionLoop id="{place.id}_{lane}" lane="{links.ids[place.link]}_{lane}" pos="{position:.1f}"'
                f' friendlyPos="true" period="{DETECTOR_PERIOD_S}" file="NUL"/>\n'
            )
