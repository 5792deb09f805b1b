"""SUMO takes the network: every link an edge that leads on, every detector on a lane, signals with programs."""

import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import sumo
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cityops.twin.plan.model import CityPlan
from cityops.twin.plan.sumo import DETECTORS_FILE, NET_FILE, ZONES_FILE, binary, write_sumo


@pytest.fixture(scope="module")
def folder(plan: CityPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sumo")
    write_sumo(plan, path)
    return path


@pytest.fixture(scope="module")
def net(folder: Path) -> ET.Element:
    return ET.parse(folder / NET_FILE).getroot()


def test_edges_are_the_links(plan: CityPlan, net: ET.Element) -> None:
    edges = {edge.get("id"): len(edge.findall("lane")) for edge in net.findall("edge") if edge.get("function") is None}
    assert edges == dict(zip(plan.links.ids, plan.links.lanes.tolist(), strict=True))


def test_a_car_can_drive_from_every_edge_to_every_other(plan: CityPlan, net: ET.Element) -> None:
    row = {link: n for n, link in enumerate(plan.links.ids)}
    turns = [
        (row[turn.get("from", "")], row[turn.get("to", "")])
        for turn in net.findall("connection")
        if turn.get("from") in row and turn.get("to") in row
    ]
    start, end = np.array(turns).T
    graph = coo_matrix((np.ones(len(start), bool), (start, end)), shape=(len(row), len(row)))
    assert connected_components(graph, directed=True, connection="strong")[0] == 1


def test_signals_have_programs_with_green_for_everyone(plan: CityPlan, net: ET.Element) -> None:
    programs = {logic.get("id"): [phase.get("state", "") for phase in logic] for logic in net.findall("tlLogic")}
    assert set(programs) == {plan.nodes.ids[node] for node in np.flatnonzero(plan.nodes.signal)}
    for states in programs.values():
        assert all(set(column) & set("gGs") for column in zip(*states, strict=True))


def test_positions_are_the_plan_s(plan: CityPlan, net: ET.Element) -> None:
    location = net.find("location")
    assert location is not None
    assert location.get("netOffset") == "0.00,0.00"
    assert location.get("projParameter") == plan.plane.proj
    junctions = {j.get("id"): (float(j.get("x", "nan")), float(j.get("y", "nan"))) for j in net.findall("junction")}
    for n in range(0, len(plan.nodes), 50):
        assert junctions[plan.nodes.ids[n]] == pytest.approx((plan.nodes.x[n], plan.nodes.y[n]), abs=0.02)


def test_the_simulator_loads_net_and_detectors(folder: Path) -> None:
    done = subprocess.run(
        [
            str(binary("sumo")),
            "-n",
            str(folder / NET_FILE),
            "-a",
            str(folder / DETECTORS_FILE),
            "-e",
            "5",
            "--no-step-log",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "SUMO_HOME": sumo.SUMO_HOME},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "incompatible" not in done.stderr


def test_there_is_a_loop_for_every_lane_of_a_detector(plan: CityPlan, folder: Path) -> None:
    loops = {loop.get("id") for loop in ET.parse(folder / DETECTORS_FILE).getroot()}
    wanted = {
        f"{place.id}_{lane}"
        for place in plan.places
        if place.kind == "detector"
        for lane in range(int(plan.links.lanes[place.link]))
    }
    assert loops == wanted


def test_zones_name_links_of_the_network(plan: CityPlan, folder: Path) -> None:
    zones = pq.read_table(folder / ZONES_FILE)
    assert zones.num_rows == len(plan.zones)
    known = set(plan.links.ids)
    assert all(set(ids) <= known and ids for ids in zones["link_ids"].to_pylist())
