from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.technology.geo.coordinates import LocalPlane
from cityops.twin.simulation.city import Site
from cityops.twin.simulation.devices.alerts import RENEWED_EVERY_S
from cityops.twin.simulation.devices.cabinets import cabinets
from cityops.twin.simulation.devices.cameras import LOOKS_EVERY_S, Camera, View
from cityops.twin.simulation.devices.dust import DustMonitor
from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.devices.radios import positions
from cityops.twin.simulation.devices.signals import Signals
from cityops.twin.simulation.fleet import Fix, Report
from cityops.twin.simulation.incidents import Incident

T = 1_795_132_800
JAMMED, FREE = View(20, 0.1), View(0, 1.0)


def place(kind: str = "camera", number: int = 1, x: float = 0.0, y: float = 0.0, **attrs: object) -> Site:
    return Site(f"{kind[:3].upper()}{number}", kind, "解放大道", 113.3, 30.2, x, y, "L1", "421402", attrs)


def camera() -> Camera:
    return Camera(place(), "cabinet-01", 3)


def queue(camera: Camera, views: list[View]) -> list[dict[str, object]]:
    return [
        dict(news.body)
        for number, view in enumerate(views)
        for news in camera.look_for_queues(T + LOOKS_EVERY_S * number, view)
    ]


def test_a_queue_is_an_alert_after_three_minutes_and_is_cleared_when_it_has_gone() -> None:
    said = queue(camera(), [JAMMED] * 5 + [FREE])
    assert said == []
    said = queue(camera(), [JAMMED] * 8 + [FREE] * 5)
    assert [(news["status"], news["severity"]) for news in said] == [("open", "IV"), ("cleared", "IV")]
    assert said[0]["alert_id"] == said[1]["alert_id"]


@given(st.lists(st.booleans(), max_size=200))
def test_a_queue_that_comes_and_goes_never_has_two_alerts_open(jams: list[bool]) -> None:
    open_: set[object] = set()
    for news in queue(camera(), [JAMMED if jam else FREE for jam in jams]):
        if news["status"] == "open":
            open_.add(news["alert_id"])
        else:
            open_.remove(news["alert_id"])
        assert len(open_) <= 1


def test_a_standing_alert_is_renewed_before_it_runs_out() -> None:
    said = queue(camera(), [JAMMED] * (3 * RENEWED_EVERY_S // LOOKS_EVERY_S))
    assert len({news["alert_id"] for news in said}) == 1
    assert len(said) >= 3
    assert {news["severity"] for news in said} == {"IV", "III"}


def test_an_accident_is_seen_after_half_a_minute_and_hides_the_queue_behind_it() -> None:
    watching = camera()
    accident = Incident("ACC-1", 1, 50.0, (0, 1), T, T + 900, "II")
    assert watching.look_for_accidents(T + 10, [accident]) == []
    (news,) = watching.look_for_accidents(T + 30, [accident])
    assert news.body["sub_category"] == "trafficAccident"
    assert news.body["severity"] == "II"
    assert queue(watching, [JAMMED] * 10) == []
    (end,) = watching.look_for_accidents(T + 930, [])
    assert end.body["status"] == "cleared"
    assert end.body["alert_id"] == news.body["alert_id"]


def test_a_camera_that_was_switched_off_goes_on_with_the_same_accident() -> None:
    accident = Incident("ACC-1", 1, 50.0, (0,), T, T + 900, "III")
    before, after = (camera().look_for_accidents(T + seconds, [accident])[0].body for seconds in (60, 600))
    assert before["alert_id"] == after["alert_id"]


def dust(levels: list[float], region: float) -> list[dict[str, object]]:
    monitor = DustMonitor(place("construction_site"), seed=1)
    return [
        dict(news.body) for number, level in enumerate(levels) for news in monitor.read(T + 60 * number, level, region)
    ]


def test_a_dusty_site_is_reported_by_level_and_cleared() -> None:
    said = dust([60.0] * 5 + [300.0] * 40 + [60.0] * 60, region=50.0)
    assert said[0]["severity"] == "IV"
    assert "III" in {news["severity"] for news in said}
    assert said[-1]["status"] == "cleared"


def test_a_dusty_day_of_the_whole_region_is_no_sites_fault() -> None:
    assert dust([200.0] * 60, region=190.0) == []


def test_a_signal_speaks_only_when_its_lights_change() -> None:
    signals = Signals([place("signal", node_id="N00001")], {"SIG1": "cabinet-01"})
    shown = [(0, "GGrr"), (0, "GGrr"), (1, "yyrr"), (2, "rrGG"), (2, "rrGG")]
    said = [news for n, state in enumerate(shown) for news in signals.changes(T + n, {"N00001": state, "N9": (0, "r")})]
    assert [news.body["state"] for news in said] == ["GGrr", "yyrr", "rrGG"]


@given(st.integers(1, 300), st.integers(1, 40))
def test_cabinets_serve_alike_numbers_of_neighbours(count: int, most: int) -> None:
    chance = np.random.default_rng(count)
    sites = [place("detector", n, *chance.uniform(0, 9000, 2)) for n in range(count)]
    named = cabinets(sites, most)
    sizes = [named.count(name) for name in set(named)]
    assert len(sizes) == min(most, count)
    assert max(sizes) <= 2 * min(sizes) + 2


def test_fixes_are_where_the_vehicle_is_within_the_error_of_a_receiver() -> None:
    plane = LocalPlane(113.3, 30.2)
    reports = [Report(f"T{n}", "probe", "vacant", Fix(100.0 * n, -50.0, 10.0, 370.0)) for n in range(50)]
    said = positions(T, reports, plane, np.random.default_rng(1))
    lon, lat = np.array([_coordinates(news) for news in said]).T
    x, y = plane.to_metres(lon, lat)
    assert np.abs(x - 100.0 * np.arange(50)).max() < 8
    assert np.abs(y + 50).max() < 8
    assert said[0].body["speed"] == pytest.approx(36.0)
    assert said[0].body["heading"] == pytest.approx(10.0)
    assert {news.gateway for news in said} == {f"fleet-probe-{n}" for n in (1, 2, 3, 4)}


def _coordinates(news: Observation) -> list[float]:
    location = news.body["location"]
    assert isinstance(location, dict)
    return list(location["coordinates"])
