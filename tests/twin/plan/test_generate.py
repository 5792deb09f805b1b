"""The generated city holds what a city must: reachable streets, names, dry and free-standing buildings, people."""

import json
from collections import Counter

import numpy as np
import pytest
import shapely

from cityops.twin.plan import tables
from cityops.twin.plan.facilities import PREFIX
from cityops.twin.plan.generate import PlanError, generate
from cityops.twin.plan.model import CLASSES, MAJOR, CityPlan
from cityops.twin.plan.web import largest_component

SEEDS = (2, 7, 42)


@pytest.fixture(scope="module", params=["shared", *SEEDS])
def any_plan(request: pytest.FixtureRequest) -> CityPlan:
    if request.param == "shared":
        found: CityPlan = request.getfixturevalue("plan")
        return found
    return generate(30_000, request.param)


def test_the_same_arguments_give_the_same_city() -> None:
    one, two = generate(25_000, 11), generate(25_000, 11)
    assert tables.links(one).equals(tables.links(two))
    assert tables.places(one).equals(tables.places(two))
    assert tables.districts(one).equals(tables.districts(two))
    assert [zone.residents for zone in one.zones] == [zone.residents for zone in two.zones]
    assert shapely.to_wkb(one.buildings.geometry).tolist() == shapely.to_wkb(two.buildings.geometry).tolist()


def test_another_seed_gives_another_city() -> None:
    assert tables.links(generate(25_000, 11)).num_rows != tables.links(generate(25_000, 12)).num_rows


@pytest.mark.parametrize("population", [0, 19_999, 5_000_001])
def test_a_population_out_of_range_is_refused(population: int) -> None:
    with pytest.raises(PlanError, match="20,000"):
        generate(population, 1)


def test_every_junction_can_be_reached_from_every_other(any_plan: CityPlan) -> None:
    links = any_plan.links
    assert largest_component(len(any_plan.nodes), links.from_node, links.to_node, directed=True).all()


def test_links_run_from_node_to_node(any_plan: CityPlan) -> None:
    links, nodes = any_plan.links, any_plan.nodes
    xy = np.column_stack([nodes.x, nodes.y])
    for ends, which in ((links.from_node, 0), (links.to_node, -1)):
        points = shapely.get_coordinates(shapely.get_point(links.geometry, which))
        np.testing.assert_allclose(points, xy[ends], atol=0.1)
    assert (links.length > 5).all()
    assert shapely.is_valid(links.geometry).all()


def test_links_are_of_known_class_with_lanes_and_speed(any_plan: CityPlan) -> None:
    links = any_plan.links
    assert set(links.highway.tolist()) <= set(CLASSES)
    assert {"motorway", "primary", "secondary", "tertiary", "residential"} <= set(links.highway.tolist())
    assert ((links.lanes >= 1) & (links.lanes <= 5)).all()
    assert ((links.speed_kmh >= 20) & (links.speed_kmh <= 120)).all()


def test_two_way_links_have_a_twin(any_plan: CityPlan) -> None:
    links = any_plan.links
    pairs = set(zip(links.from_node.tolist(), links.to_node.tolist(), strict=True))
    both = np.flatnonzero(~links.oneway)
    assert all((int(links.to_node[row]), int(links.from_node[row])) in pairs for row in both)


def test_everything_has_a_name_in_both_languages(any_plan: CityPlan) -> None:
    for name in [*any_plan.names, *(p.name for p in any_plan.places), *(d.name for d in any_plan.districts)]:
        assert name.zh.strip()
        assert name.en.strip()
        assert name.en.isascii() or "ü" in name.en.lower()


def test_chinese_street_names_end_as_streets_do(any_plan: CityPlan) -> None:
    kinds = ("大道", "路", "街", "巷", "里", "高速")
    assert all(name.zh.endswith(kinds) for name in any_plan.names)


def test_no_building_stands_on_a_street_or_in_water(any_plan: CityPlan) -> None:
    buildings = any_plan.buildings.geometry
    assert shapely.is_valid(buildings).all()
    streets = shapely.STRtree(any_plan.links.geometry).query(buildings, predicate="intersects")
    water = shapely.STRtree([area.geometry for area in any_plan.water]).query(buildings, predicate="intersects")
    assert streets.size == 0
    assert water.size == 0


def test_buildings_do_not_overlap(any_plan: CityPlan) -> None:
    shrunk = shapely.buffer(any_plan.buildings.geometry, -0.3)
    one, two = shapely.STRtree(shrunk).query(shrunk, predicate="intersects")
    assert (one != two).sum() <= 0.005 * len(shrunk)


def test_towers_stand_in_the_centre(plan: CityPlan) -> None:
    height, middles = plan.buildings.height, shapely.get_coordinates(shapely.centroid(plan.buildings.geometry))
    assert (height >= 2.5).all()
    offices = plan.buildings.use == "office"
    assert height[offices].mean() > 1.5 * height.mean()
    spread = np.hypot(*(middles - middles[offices].mean(axis=0)).T)
    assert spread[offices].mean() < spread.mean()


def test_facilities_lie_inside_their_district(any_plan: CityPlan) -> None:
    for place in any_plan.places:
        if place.kind in ("hospital", "school", "fire_station", "police_station", "government", "air_station", "park"):
            ground = any_plan.districts[place.district].geometry
            assert ground.distance(shapely.Point(place.x, place.y)) < 40.0, place


def test_districts_do_not_overlap_and_have_codes(any_plan: CityPlan) -> None:
    grounds = [district.geometry for district in any_plan.districts]
    together = shapely.union_all(grounds).area
    assert sum(ground.area for ground in grounds) == pytest.approx(together, rel=1e-5)
    assert all(len(district.id) == 6 and district.id.isdigit() for district in any_plan.districts)
    assert len({district.id for district in any_plan.districts}) == len(grounds) == 8


def test_people_add_up(any_plan: CityPlan) -> None:
    assert sum(district.population for district in any_plan.districts) == any_plan.population
    assert sum(zone.residents for zone in any_plan.zones) == pytest.approx(any_plan.population)
    assert sum(zone.jobs for zone in any_plan.zones) == pytest.approx(0.52 * any_plan.population)
    assert all(len(zone.links) for zone in any_plan.zones)


def test_the_river_is_bridged(any_plan: CityPlan) -> None:
    river = any_plan.water[0]
    bridges = [place for place in any_plan.places if place.kind == "bridge"]
    assert bridges
    assert any(river.geometry.distance(shapely.Point(bridge.x, bridge.y)) < 60 for bridge in bridges)
    assert all(bridge.name.zh.endswith("桥") for bridge in bridges)
    wet = shapely.intersects(any_plan.links.geometry, river.geometry.buffer(-10))
    assert any_plan.links.level[wet].all()


def test_each_kind_of_place_is_there_with_unique_ids(plan: CityPlan) -> None:
    counts = Counter(place.kind for place in plan.places)
    assert set(counts) == set(PREFIX)
    assert len({place.id for place in plan.places}) == len(plan.places)
    assert 8 <= counts["air_station"] <= 20


def test_detectors_stand_mid_link_on_greater_streets(plan: CityPlan) -> None:
    detectors = [place for place in plan.places if place.kind == "detector"]
    links = plan.links
    for place in detectors:
        assert links.highway[place.link] in MAJOR
        middle = links.geometry[place.link].interpolate(0.5, normalized=True)
        assert middle.distance(shapely.Point(place.x, place.y)) < 0.1
    watched = {place.link for place in detectors}
    great = np.flatnonzero(np.isin(links.highway, ("motorway", "trunk", "primary", "secondary")))
    assert set(great.tolist()) <= watched


def test_signals_stand_at_junctions_of_three_arms_or_more(plan: CityPlan) -> None:
    arms = np.bincount(plan.links.to_node, minlength=len(plan.nodes))
    assert plan.nodes.signal.any()
    assert (arms[plan.nodes.signal] >= 3).all()
    named = {place.attrs["node_id"] for place in plan.places if place.kind == "signal"}
    assert named == {plan.nodes.ids[node] for node in np.flatnonzero(plan.nodes.signal)}


def test_tables_carry_degrees_and_json(plan: CityPlan) -> None:
    places = tables.places(plan)
    assert 113.0 < places["lon"].to_numpy().min() < places["lon"].to_numpy().max() < 113.6
    assert all(isinstance(json.loads(text), dict) for text in places["attrs"].to_pylist())
    links = tables.links(plan)
    assert links["fid"].to_pylist() == list(range(1, len(plan.links) + 1))
    city = tables.city(plan)
    west, south, east, north = city.bounds
    assert west < city.center[0] < east
    assert south < city.center[1] < north
