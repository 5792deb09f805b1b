"""A mapping applied to columns."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import prcoords
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.contract.installed import installed_contracts
from cityops.data.edge.mapping import parse_mapping
from cityops.data.edge.transform import transform

CONTRACTS = installed_contracts()


def apply(contract: str, fields: str, rows: dict[str, list[Any]], head: str = "") -> tuple[pa.Table, list[str | None]]:
    text = f"id: t\ncontract: {contract}\n{head}fields:\n" + "".join(f"  {line}\n" for line in fields.splitlines())
    mapping = parse_mapping(text, Path("t.yaml"), CONTRACTS)
    table, rules = transform(mapping, CONTRACTS[contract], pa.table(rows))
    return table, rules.to_pylist()


AIR = "station_id: s\nobserved_at: t\n"
ISO = "2026-01-01T00:00:00Z"
HERE, THERE = "time_zone: Asia/Shanghai\n", "time_zone: Europe/Helsinki\n"


def test_units_nulls_and_text_numbers() -> None:
    table, rules = apply(
        "AirQualityObserved",
        AIR + "co: {from: CO, unit: ug/m3}\ntemperature: {from: F, unit: '[degF]'}",
        {"s": ["a"] * 4, "t": [ISO] * 4, "CO": ["300", " NA ", "", "x"], "F": ["212", "32", "NA", "50"]},
        'nulls: [NA, ""]\n',
    )
    assert table["co"].to_pylist() == pytest.approx([0.3, None, None, None])
    assert table["temperature"].to_pylist() == pytest.approx([100.0, 0.0, None, 10.0])
    assert rules == [None, None, None, "type:co"]


def test_compass_words_become_degrees_and_unknown_ones_are_set_aside() -> None:
    words = ["N", "nne", "W", "西北", "东北风", "静风", "CV", "Q", None]
    table, rules = apply(
        "AirQualityObserved",
        AIR + "wind_direction: {from: wd, compass: true}",
        {"s": ["a"] * len(words), "t": [ISO] * len(words), "wd": words},
    )
    assert table["wind_direction"].to_pylist() == [0.0, 22.5, 270.0, 315.0, 45.0, None, None, None, None]
    assert rules == [None] * 7 + ["code:wind_direction", None]


def test_code_tables_take_numbers_and_texts() -> None:
    fields = """signal_id: s
observed_at: t
phase: {from: p, codes: {1: 10, 2: 20}}
state: {from: st, codes: {R: r, G: g}, otherwise: 'null'}"""
    rows = {"s": ["a"] * 3, "t": [ISO] * 3, "p": [1.0, 2.0, 3.0], "st": ["R", "G", "?"]}
    table, rules = apply("TrafficSignalObserved", fields, rows)
    assert table["phase"].to_pylist() == [10, 20, None]
    assert table["state"].to_pylist() == ["r", "g", None]
    assert rules == [None, None, "code:phase"]


def test_a_column_the_source_lacks_is_said() -> None:
    _, rules = apply("AirQualityObserved", AIR + "pm25: PM", {"s": ["a"], "t": [ISO]})
    assert rules == ["column:PM"]


def test_nested_fields_are_reached_by_path() -> None:
    rows = {"s": ["a"], "t": [ISO], "data": [{"pm": {"v": 7.0}}]}
    table, rules = apply("AirQualityObserved", AIR + "pm25: data.pm.v", rows)
    assert (table["pm25"].to_pylist(), rules) == ([7.0], [None])


@pytest.mark.parametrize(
    ("rule", "head", "columns", "wanted"),
    [
        ('{from: [d, h], format: "%Y %m %d %H"}', HERE, {"d": ["2013 3 1"], "h": ["0"]}, "2013-02-28T16:00:00"),
        ("{from: d, time_zone: Asia/Shanghai}", "", {"d": ["2026-01-01 08:00:00.250"]}, "2026-01-01T00:00:00.250"),
        ("{from: d, time_zone: Asia/Shanghai}", "", {"d": ["2026-01-01T08:00:00+09:00"]}, "2025-12-31T23:00:00"),
        ("{from: d, format: epoch_s}", "", {"d": ["1767225600"]}, "2026-01-01T00:00:00"),
        ("{from: d, format: epoch_ms}", "", {"d": [1767225600123.0]}, "2026-01-01T00:00:00.123"),
        ('{from: d, format: "%d/%m/%Y %H:%M"}', THERE, {"d": ["25/10/2026 03:30"]}, "2026-10-25T00:30:00"),
    ],
)  # fmt: skip
def test_times_become_utc(rule: str, head: str, columns: dict[str, list[Any]], wanted: str) -> None:
    table, rules = apply("AirQualityObserved", f"station_id: s\nobserved_at: {rule}", {"s": ["a"], **columns}, head)
    assert rules == [None]
    assert table["observed_at"].to_pylist()[0] == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ('{from: d, format: "%Y-%m-%d", time_zone: Asia/Shanghai}', "2026-02-30", "2026-02-28"),
        ('{from: d, format: "%Y-%m-%d", time_zone: Asia/Shanghai}', "2026-13-01", "2026-12-01"),
        ("{from: d, time_zone: Asia/Shanghai}", "2026-02-30 00:00:00", "2026-02-28 00:00:00"),
        ("{from: d, time_zone: Asia/Shanghai}", "yesterday", "2026-02-28T00:00:00Z"),
        ("{from: d, format: epoch_s}", "1e30", "1e9"),
        ("{from: d, format: epoch_s}", "soon", "1e9"),
        (
            "{from: d, time_zone: Europe/Helsinki}",
            "2026-03-29 03:30:00",
            "2026-03-29 04:30:00",
        ),  # an hour that never was
    ],
)
def test_a_time_that_cannot_be_is_set_aside_and_spoils_no_other(rule: str, bad: str, good: str) -> None:
    rows = {"s": ["a"] * 3, "d": [good, bad, good]}
    table, rules = apply("AirQualityObserved", f"station_id: s\nobserved_at: {rule}", rows)
    assert rules == [None, "type:observed_at", None]
    times = table["observed_at"].to_pylist()
    assert times[0] is not None
    assert times[0] == times[2]
    assert times[1] is None


CHINA = st.tuples(st.floats(75.0, 134.0), st.floats(18.0, 53.0))


@given(st.lists(CHINA, min_size=1, max_size=20), st.sampled_from(["GCJ02", "BD09"]))
def test_shifted_coordinates_agree_with_prcoords(points: list[tuple[float, float]], system: str) -> None:
    shift = prcoords.wgs_gcj if system == "GCJ02" else prcoords.wgs_bd
    sent = [shift((lat, lon)) for lon, lat in points]
    table, rules = apply(
        "AirQualityObserved",
        AIR + f"location: {{longitude: x, latitude: y, system: {system}}}",
        {"s": ["a"] * len(sent), "t": [ISO] * len(sent), "x": [p[1] for p in sent], "y": [p[0] for p in sent]},
    )
    assert rules == [None] * len(sent)
    for (lon, lat), x, y in zip(points, table["longitude"].to_pylist(), table["latitude"].to_pylist(), strict=True):
        assert x == pytest.approx(lon, abs=2e-5)  # 2 m: BD-09's published inverse is no closer
        assert y == pytest.approx(lat, abs=2e-5)


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=12), st.floats(allow_nan=False).map(str)), min_size=1, max_size=30)
)
def test_no_row_is_lost_and_every_null_number_has_a_reason(values: list[str | None]) -> None:
    rows = {"s": ["a"] * len(values), "t": [ISO] * len(values), "PM": pa.array(values, pa.string())}
    table, rules = apply("AirQualityObserved", AIR + "pm25: PM", rows)
    assert table.num_rows == len(values) == len(rules)
    for value, number, rule in zip(values, table["pm25"].to_pylist(), rules, strict=True):
        if rule is None and number is None:
            assert value is None or not value.strip()
        if rule is not None:
            assert number is None


@given(st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001  # local to the zone below
def test_local_times_of_shanghai_are_eight_hours_ahead(local: datetime) -> None:
    local = local.replace(microsecond=0)
    if local.year < 1992:
        return  # summer time was tried until 1991
    rows = {"s": ["a"], "d": [f"{local:%Y-%m-%d %H:%M:%S}"]}
    fields = 'station_id: s\nobserved_at: {from: d, format: "%Y-%m-%d %H:%M:%S", time_zone: Asia/Shanghai}'
    table, rules = apply("AirQualityObserved", fields, rows)
    assert rules == [None]
    assert table["observed_at"].to_pylist()[0] == (local - timedelta(hours=8)).replace(tzinfo=UTC)
