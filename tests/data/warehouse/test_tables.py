"""The contracts' tables are made, upgraded and asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.data.warehouse.serving import Served, serving

from cityops.data.contract import DATABASE, Contract, Contracts, load_contracts
from cityops.data.contract.installed import contract_folders, installed_contracts
from cityops.data.warehouse import questions
from cityops.data.warehouse.migrate import RECORD, migrate, upgrade
from cityops.settings import Settings

pytestmark = pytest.mark.engine

T0 = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A warehouse of this module's own: the database has one name."""
    with serving(tmp_path_factory.mktemp("tables") / "w") as process:
        migrate(Settings(Path(), warehouse_url=process.url))
        yield process


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return installed_contracts()


@pytest.fixture(scope="module")
def flow(contracts: Contracts) -> Contract:
    return contracts["TrafficFlowObserved"]


def rows(contract: Contract, entity: str, start: dt.datetime, values: list[float | None], *, seq: int = 0) -> pa.Table:
    """Return one row a minute of `intensity`, other numbers absent."""
    found = []
    for n, value in enumerate(values):
        row = dict.fromkeys(contract.table_schema.names) | {
            contract.entity: entity,
            contract.time: start + dt.timedelta(minutes=n),
            "intensity": value,
            "longitude": 114.3,
            "latitude": 30.6,
            "_arrived_at": start + dt.timedelta(minutes=n, seconds=1),
            "_source": "test",
            "_stream": entity,
            "_seq": seq + n,
        }
        found.append(row)
    return pa.Table.from_pylist(found, contract.table_schema)


def test_every_folder_of_contracts_is_found() -> None:
    assert {"traffic", "environment", "resources", "rules"} <= {folder.parent.name for folder in contract_folders()}


def test_migrating_again_changes_nothing(own: Served, contracts: Contracts) -> None:
    record = f"SELECT count(), uniqExact(contract) FROM {DATABASE}.{RECORD}"
    before = own.warehouse.query(record)

    assert upgrade(own.warehouse, contracts.values()) == []

    assert own.warehouse.query(record).equals(before)
    assert before.to_pylist()[0]["uniqExact(contract)"] == len(contracts) + 1


def test_a_new_property_becomes_a_column_and_is_recorded(own: Served, contracts: Contracts, tmp_path: Path) -> None:
    source = contracts["Alert"].path
    text = source.read_text("utf-8")
    changed = text.replace(
        "    properties:\n", "    properties:\n      - name: wave_height\n        logicalType: number\n", 1
    )
    assert changed != text
    (tmp_path / source.name).write_text(changed, "utf-8")
    newer = load_contracts([tmp_path])

    ran = upgrade(own.warehouse, newer.values())

    assert any("wave_height" in statement for statement in ran)
    described = own.warehouse.query(f"DESCRIBE TABLE {DATABASE}.{newer['Alert'].table}")
    assert "wave_height" in described["name"].to_pylist()
    assert upgrade(own.warehouse, newer.values()) == []


def test_the_latest_rows_rebuild_a_live_table(own: Served, flow: Contract) -> None:
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "L1", T0, [1, 2, 3]))
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "L2", T0, [7]))
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "L1", T0 - dt.timedelta(hours=1), [9]))

    found = own.warehouse.query(*questions.latest(flow)).cast(flow.table_schema)

    newest = {row[flow.entity]: row["intensity"] for row in found.to_pylist()}
    assert (newest["L1"], newest["L2"]) == (3, 7)
    later = own.warehouse.query(*questions.latest(flow, T0 + dt.timedelta(minutes=1)))
    assert "L2" not in later[flow.entity].to_pylist()


@pytest.mark.parametrize(
    ("span", "step", "points"),
    [
        (dt.timedelta(hours=2), "raw", 119),
        (dt.timedelta(hours=24), "1m", 119),
        (dt.timedelta(days=30), "1h", 2),
        (dt.timedelta(days=4000), "1d", 1),
    ],
)
def test_a_series_comes_from_the_step_that_fits_its_span(
    own: Served, flow: Contract, span: dt.timedelta, step: str, points: int
) -> None:
    entity = f"S{step}"
    values: list[float | None] = [float(n) for n in range(120)]
    values[60] = None
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, entity, T0, values))

    assert questions.step_for(flow, span) == step
    found = own.warehouse.query(*questions.series(flow, entity, "intensity", T0, T0 + span)).to_pylist()

    assert len(found) == points
    assert found[0]["t"] >= T0 - dt.timedelta(days=1)
    assert sum(row["n"] for row in found) == 119
    assert (min(row["min"] for row in found), max(row["max"] for row in found)) == (0, 119)
    mean = sum(row["value"] * row["n"] for row in found) / 119
    assert mean == pytest.approx(sum(v for v in values if v is not None) / 119)


def test_stored_rows_are_found_by_stream_and_sequence(own: Served, flow: Contract) -> None:
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "Q", T0, [1, 2, 3, 4], seq=10))
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "Q", T0, [5], seq=11))

    for partition in (None, 202603):
        found = own.warehouse.query(*questions.stored_rows(flow.table, "Q", 11, 12, partition=partition))
        assert found.to_pylist() == [{"_seq": 11, "rows": 2}, {"_seq": 12, "rows": 1}]
    assert own.warehouse.query(*questions.stored_rows(flow.table, "Q", 11, 12, partition=202602)).num_rows == 0
    assert own.warehouse.query(*questions.stored_rows("quarantine", "Q", 0, 99)).num_rows == 0


def test_keys_are_found_by_arrival_and_by_value(own: Served, flow: Contract) -> None:
    start = T0 + dt.timedelta(days=20)
    own.warehouse.insert(f"{DATABASE}.{flow.table}", rows(flow, "K", start, [1, 2, 3]))

    since = start + dt.timedelta(minutes=1)
    arrived = own.warehouse.query(*questions.arrived_since(flow, since)).to_pylist()
    known = own.warehouse.query(*questions.known_keys(flow, ["K", "K", "other"], [start, T0, start])).to_pylist()

    assert [row[flow.time] for row in arrived if row[flow.entity] == "K"] == [since, since + dt.timedelta(minutes=1)]
    assert known == [{flow.entity: "K", flow.time: start}]
