from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cityops.technology.geo.basemap import BasemapError
from cityops.twin.simulation import network
from cityops.twin.simulation.city import CityError, SimulatedCity, open_city
from cityops.twin.simulation.network import MAIN_FILE, NetworkError


@pytest.fixture
def folder(town_folder: Path, tmp_path: Path) -> Path:
    """A copy of the town that a test may change."""
    return Path(shutil.copytree(town_folder, tmp_path / "city"))


def test_every_street_of_the_town_can_be_driven(city: SimulatedCity) -> None:
    assert city.streets.usable.all()
    assert np.hypot(*city.streets.toward.T) == pytest.approx(1.0)
    assert len(city.loops) == 2 * len(city.sites_of("detector"))
    assert sum(len(links) for links in city.zones.links) >= len(city.streets.ids)


def test_positions_agree_with_the_simulators_plane(city: SimulatedCity) -> None:
    station = city.sites_of("air_station")[0]
    assert (station.x, station.y) == pytest.approx((100.0, 100.0), abs=0.02)


def test_a_large_city_is_simulated_on_its_main_streets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MOST_LINKS", 10)
    monkeypatch.setattr(network, "MAIN", ("primary",))
    city = open_city(folder)
    primary = city.streets.highway == "primary"
    assert city.network.name == MAIN_FILE
    assert city.streets.usable.any()
    assert not city.streets.usable[~primary].any()
    assert all(city.streets.usable[links].all() and links.size for links in city.zones.links)
    written = city.network.stat().st_mtime_ns
    assert open_city(folder).network.stat().st_mtime_ns == written


def test_a_folder_without_a_city_says_so(tmp_path: Path) -> None:
    with pytest.raises(BasemapError, match="no city here"):
        open_city(tmp_path)


def test_a_city_without_a_network_says_so(folder: Path) -> None:
    (folder / "sumo" / "net.net.xml").unlink()
    with pytest.raises(CityError, match="no traffic network"):
        open_city(folder)


def test_a_network_on_an_unknown_plane_is_refused(folder: Path) -> None:
    net = folder / "sumo" / "net.net.xml"
    net.write_text(net.read_text("utf-8").replace("+proj=tmerc", "+proj=utm"), "utf-8")
    with pytest.raises(CityError, match="transverse Mercator"):
        open_city(folder)


def test_a_network_netconvert_cannot_read_is_an_error_and_leaves_no_half_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "MOST_LINKS", 10)
    (folder / "sumo" / "net.net.xml").write_text("<net", "utf-8")
    with pytest.raises(NetworkError, match="netconvert"):
        open_city(folder)
    assert [path.name for path in (folder / "sumo").glob("*main*")] == []


def test_a_city_without_zones_or_loops_still_lives(folder: Path) -> None:
    (folder / "sumo" / "zones.parquet").unlink()
    (folder / "sumo" / "detectors.add.xml").unlink()
    city = open_city(folder)
    assert city.loops == []
    assert city.zones.residents.sum() == pytest.approx(city.population)
