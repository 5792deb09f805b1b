"""The environment app: readings of stations become hourly reports, districts, a city index and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.rows import Told, rows_of
from tests.small_city import small_city

from cityops.apps.environment.live import IMAGE_EVERY_S, EnvironmentLive
from cityops.data.contract import DATABASE
from cityops.data.contract.installed import installed_contracts
from cityops.data.warehouse.client import AsyncWarehouse, Warehouse

CONTRACTS = installed_contracts()
AIR = CONTRACTS["AirQualityObserved"]
FRESH_S = AIR.freshness.total_seconds()
T = 1_800_000_000.0


class Watched(EnvironmentLive):
    """The live part with the live table it is told of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(small_city(folder), CONTRACTS)
        self.stations = Told(AIR, self.receive)


@pytest.fixture
def live(tmp_path) -> Watched:
    return Watched(tmp_path)


def air(live: Watched, when: float, **stations: Mapping[str, float] | float) -> None:
    live.stations(
        *(
            {"station_id": name, "observed_at": when, **(said if isinstance(said, dict) else {"pm25": said})}
            for name, said in stations.items()
        )
    )


def test_a_station_reports_the_mean_of_its_last_hour(live):
    for minute, value in ((0, 10.0), (30, 50.0), (59, 90.0)):
        air(live, T + 60 * minute, AIR1=value)
    (station,) = live.changes("air", T + 3540).set
    assert (station.pm25, station.aqi, station.level) == (50.0, 80, 2)
    air(live, T + 60 * 75, AIR1=70.0)  # the reading of minute 0 is now older than an hour
    assert live.changes("air", T + 60 * 75).set[0].pm25 == 70.0


def test_a_station_that_sends_hourly_means_reports_them_as_they_are(live):
    for hour, value in enumerate((35.0, 115.0)):
        air(live, T + 3600 * hour, AIR1=value)
    (station,) = live.changes("air", T + 3600).set
    assert (station.pm25, station.aqi, station.primary) == (115.0, 150, ("pm25",))


def test_only_stations_with_news_are_sent_and_one_that_falls_silent_turns_stale(live):
    air(live, T, AIR1=35.0, AIR2=60.0)
    assert {station.id for station in live.changes("air", T).set} == {"AIR1", "AIR2"}
    assert live.changes("air", T + 1) is None
    air(live, T + 60, AIR2=61.0)
    assert [station.id for station in live.changes("air", T + 60).set] == ["AIR2"]
    assert [(s.id, s.stale) for s in live.changes("air", T + FRESH_S + 1).set] == [("AIR1", True)]


def test_a_station_nobody_planned_is_shown_where_it_says_it_is_and_hidden_when_it_does_not(live):
    air(live, T, NEW={"pm25": 10.0, "longitude": 113.306, "latitude": 30.2}, LOST=10.0)
    (station,) = live.changes("air", T).set
    assert (station.id, station.lon, station.name.zh) == ("NEW", 113.306, "NEW")


def test_districts_are_judged_by_the_mean_of_their_stations_worst_first(live):
    air(live, T, AIR1=35.0, AIR3=85.0, AIR2=150.0)
    bars = live.panel("air", T)
    assert [(bar.label.zh, bar.value, bar.level) for bar in bars.items] == [("高新区", 200, 2), ("城中区", 100, None)]
    assert bars.max >= 200


def test_the_citys_number_names_the_primary_pollutant(live):
    air(live, T, AIR1={"pm25": 60.0, "pm10": 60.0})
    (kpi,) = live.kpis(T)
    assert (kpi.value, kpi.sub.zh, kpi.stale) == (100, "良 · 细颗粒物 PM2.5", False)
    (silent,) = live.kpis(T + FRESH_S + 1)
    assert (silent.value, silent.stale) == (None, True)


def test_nothing_known_is_no_panel(live):
    assert live.panel("air", T) is None
    assert live.image("air") is None


def test_a_picture_is_drawn_from_three_stations_on_and_not_too_often(live):
    air(live, T, AIR1=35.0, AIR2=150.0)
    assert live.changes("air", T).image is None
    air(live, T + 1, AIR3=250.0)
    first = live.changes("air", T + 1)
    image = live.image("air")
    assert first.image == image.at == int((T + 1) * 1000)
    assert image.png.startswith(b"\x89PNG")
    air(live, T + 2, AIR4=80.0)
    live.changes("air", T + 2)
    assert live.image("air") is image
    assert live.changes("air", T + 1 + IMAGE_EVERY_S).image == int((T + 1 + IMAGE_EVERY_S) * 1000)


def test_a_change_of_the_citys_level_is_news(live):
    air(live, T, AIR1=30.0)
    assert live.notices(T) == ()
    air(live, T + 3600, AIR1=100.0)
    (notice,) = live.notices(T + 3600)
    assert notice.text.zh == "全市空气质量转为轻度污染,AQI 137"
    assert notice.level == 3
    assert live.notices(T + 3601) == ()


@pytest.mark.engine
async def test_history_completes_the_hour_and_gives_the_baseline(live, platform):
    now = T // 3600 * 3600 + 1800
    with Warehouse(platform.settings.warehouse_url) as warehouse:
        before = ((now - 1200, 10.0), (now - 600, 20.0), (now - 86400, 115.0))
        rows = ({"station_id": "AIR1", "observed_at": when, "pm25": value} for when, value in before)
        warehouse.insert(f"{DATABASE}.{AIR.table}", rows_of(AIR, rows))
    air(live, now, AIR1=60.0)
    asking = AsyncWarehouse(platform.settings.warehouse_url)
    await live.remember(asking, now)
    await asking.close()
    (station,) = live.changes("air", now).set
    assert station.pm25 == 30.0
    assert live.kpis(now)[0].baseline.value == 150
