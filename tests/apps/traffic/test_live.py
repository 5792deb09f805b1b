"""The traffic app: what detectors and probes say becomes road state, index, congested roads and news."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.rows import Told, rows_of
from tests.small_city import small_city

from cityops.apps.traffic.congestion import SPOKEN_AFTER_S
from cityops.apps.traffic.live import TrafficLive
from cityops.data.contract import DATABASE
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import AsyncWarehouse, Warehouse

CONTRACTS = installed_contracts()
FLOW, UNITS = CONTRACTS["TrafficFlowObserved"], CONTRACTS["UnitPosition"]
T = 1_800_000_000.0
FREE = {"intensity": 600.0, "occupancy": 0.1, "average_vehicle_speed": 58.0}
JAM = {"intensity": 300.0, "occupancy": 0.7, "average_vehicle_speed": 9.0}


class Watched(TrafficLive):
    """The live part with the live tables it is told of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(small_city(folder), CONTRACTS)
        self.detectors = Told(FLOW, self.receive)
        self.units = Told(UNITS, self.receive)


@pytest.fixture
def live(tmp_path) -> Watched:
    return Watched(tmp_path)


def flow(live: Watched, when: float, **detectors: Mapping[str, float]) -> None:
    live.detectors(*({"detector_id": name, "observed_at": when, **values} for name, values in detectors.items()))


def levels(event) -> dict[int, int]:
    return dict(zip(event.set[::2], event.set[1::2], strict=True))


def test_a_detector_gives_its_link_a_level(live):
    flow(live, T, DET1=FREE, DET2=JAM)
    assert levels(live.changes("traffic.links", T)) == {1: 1, 2: 5}
    assert live.changes("traffic.links", T + 0.2) is None
    assert levels(live.snapshot("traffic.links", T)) == {1: 1, 2: 5}


def test_only_a_change_of_level_is_sent_not_of_speed(live):
    flow(live, T, DET1=FREE)
    live.changes("traffic.links", T)
    flow(live, T + 60, DET1=FREE | {"average_vehicle_speed": 50.0})
    assert live.changes("traffic.links", T + 60) is None
    flow(live, T + 120, DET1=JAM)
    assert levels(live.changes("traffic.links", T + 120)) == {1: 5}


def test_a_link_without_fresh_data_says_so(live):
    flow(live, T, DET1=FREE)
    live.changes("traffic.links", T)
    later = T + FLOW.freshness.total_seconds() + 1
    assert levels(live.changes("traffic.links", later)) == {1: 0}


def test_nobody_passing_is_a_jam_when_the_detector_is_covered_and_an_empty_road_when_not(live):
    nobody = {"intensity": 0.0, "average_vehicle_speed": None}
    flow(live, T, DET1=nobody | {"occupancy": 0.9}, DET2=nobody | {"occupancy": 0.0})
    assert levels(live.changes("traffic.links", T)) == {1: 5, 2: 1}


def test_a_slow_car_alone_at_night_is_no_congestion(live):
    slow = {"average_vehicle_speed": 9.0, "occupancy": 0.1}
    flow(live, T, DET1=slow | {"intensity": 60.0}, DET2=slow | {"intensity": 600.0})
    assert levels(live.changes("traffic.links", T)) == {1: 1, 2: 5}


def test_a_detector_nobody_planned_is_put_on_the_link_it_names_or_stands_on(live):
    said = {"detector_id": "X1", "observed_at": T, **JAM, "road_segment_id": "L00005"}
    stood = {"detector_id": "X2", "observed_at": T, **JAM, "longitude": 113.3, "latitude": 30.206}
    live.detectors(said, stood)
    found = set(levels(live.changes("traffic.links", T)))
    assert 5 in found
    assert found & {7, 8}


def test_probes_alone_give_a_level_once_they_are_several(live):
    probe = {"kind": "probe", "observed_at": T, "longitude": 113.295, "latitude": 30.2, "heading": 90.0, "speed": 12.0}
    live.units(*({"unit_id": f"P{n}", **probe} for n in range(3)))
    assert levels(live.changes("traffic.links", T)) == {1: 5}


def test_a_police_car_waiting_at_the_kerb_is_no_probe(live):
    parked = {"kind": "police", "observed_at": T, "longitude": 113.295, "latitude": 30.2, "heading": 90.0, "speed": 0.0}
    live.units(*({"unit_id": f"P{n}", **parked} for n in range(5)))
    assert live.changes("traffic.links", T) is None


def test_links_of_one_road_are_one_row_of_the_list(live):
    flow(live, T, DET1=JAM, DET2=JAM | {"average_vehicle_speed": 20.0}, DET5=FREE)
    live.changes("traffic.links", T)
    panel = live.panel("congestion", T)
    (row,) = panel.items
    assert (row.title.zh, row.los, row.right.zh, row.fid, row.since) == ("解放大道", 5, "9/60 km/h", 1, int(T * 1000))
    assert row.sub.zh == "城中区 · 2.0 km"
    assert panel.total == 1


def test_a_road_keeps_the_time_at_which_its_congestion_began(live):
    for k in range(3):
        flow(live, T + 60 * k, DET1=JAM)
        live.changes("traffic.links", T + 60 * k)
    assert live.panel("congestion", T + 120).items[0].since == int(T * 1000)


def test_a_severe_congestion_is_in_the_news_once_it_lasts(live):
    news = []
    for k in range(6):
        when = T + k * SPOKEN_AFTER_S / 2
        flow(live, when, DET1=JAM)
        live.changes("traffic.links", when)
        news += live.notices(when)
    assert [notice.text.zh for notice in news] == ["城中区解放大道严重拥堵,平均车速 9 km/h"]
    assert news[0].at == int((T + SPOKEN_AFTER_S) * 1000)


def test_key_numbers_count_what_is_known(live):
    assert [kpi.value for kpi in live.kpis(T)] == [None, None, None]
    flow(live, T, DET1=JAM, DET2=FREE, DET3=FREE)
    live.changes("traffic.links", T)
    tpi, congested, detectors = live.kpis(T)
    assert (congested.value, congested.total) == (1, 3)
    assert (detectors.value, detectors.total) == (3, 3)
    assert 0 < tpi.value <= 10
    assert tpi.updated_at == int(T * 1000)
    assert tpi.baseline is None
    assert live.kpis(T + 3600)[2].stale


def remembered(warehouse: Warehouse, *minutes: tuple[float, float]) -> None:
    """Put intervals of DET1 into the warehouse: time and speed."""
    rows = ({"detector_id": "DET1", "observed_at": when, **FREE, "average_vehicle_speed": v} for when, v in minutes)
    warehouse.insert(f"{DATABASE}.{FLOW.table}", rows_of(FLOW, rows))


@pytest.mark.engine
async def test_the_trend_shows_the_last_hour_beside_yesterdays(live, platform):
    now = T // 3600 * 3600 + 1800
    with Warehouse(platform.settings.warehouse_url) as warehouse:
        remembered(warehouse, *((now - 60 * k, 30.0) for k in range(1, 60)))
        remembered(warehouse, *((now - 86400 - 60 * k, 40.0) for k in range(-5, 60)))
    flow(live, now, DET1=FREE)
    live.changes("traffic.links", now)
    asking = AsyncWarehouse(platform.settings.warehouse_url)
    await live.remember(asking, now)
    await asking.close()
    trend = live.panel("tpi", now)
    today, yesterday = trend.series
    assert (today.style, yesterday.style) == ("solid", "dashed")
    assert today.points[-2][1] == pytest.approx(7.33, abs=0.01)  # half of free-flow speed
    assert yesterday.points[-1][1] == pytest.approx(4.0, abs=0.01)  # travel takes 1.5 times as long
    assert live.kpis(now)[0].baseline.value == pytest.approx(4.0, abs=0.01)
    assert live.panel("flow", now).points[-2:] == [
        (int((now - 5400) * 1000), 600.0),
        (int((now - 1800) * 1000), 600.0),
    ]


@pytest.mark.engine
async def test_without_history_there_is_no_baseline_and_no_empty_panel(live, platform):
    quiet = T - 400 * 86400
    asking = AsyncWarehouse(platform.settings.warehouse_url)
    await live.remember(asking, quiet)
    await asking.close()
    assert live.panel("tpi", quiet) is None
    assert live.panel("flow", quiet) is None
    flow(live, quiet, DET1=FREE)
    live.changes("traffic.links", quiet)
    assert [series.key for series in live.panel("tpi", quiet).series] == ["now"]
