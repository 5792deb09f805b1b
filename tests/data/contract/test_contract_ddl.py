"""Tables on the real engine: accepted, fed, exact after redelivery, and quick enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.contract.chdb_worker import Engine, EngineError
from tests.data.contract.strategies import ARRIVED, contract_texts, rows

from cityops.data.contract import (
    TIMESTAMP,
    Contract,
    Contracts,
    broken_rules,
    common_ddl,
    ddl,
    load_contract,
)
from cityops.data.contract.tables import relations

pytestmark = pytest.mark.engine
Example = Callable[..., Contract]
MEASURES = ("intensity", "occupancy", "average_vehicle_speed")


@pytest.fixture(scope="module")
def made(engine: Engine, contracts: Contracts) -> Engine:
    """The engine with the tables of all the project's contracts."""
    engine.command(common_ddl())
    for contract in contracts.values():
        engine.command(ddl(contract))
    return engine


@pytest.fixture
def flow(made: Engine, contracts: Contracts) -> Iterator[Contract]:
    contract = contracts["TrafficFlowObserved"]
    yield contract
    tables = made.rows("SELECT name FROM system.tables WHERE database = 'cityops' AND engine LIKE '%MergeTree'")
    made.command(f"TRUNCATE TABLE cityops.`{name}`" for (name,) in tables)


def flows(count: int, *, seed: int = 0, detectors: int = 50, span_s: int = 7200, day: datetime = ARRIVED) -> pa.Table:
    """Rows of random detectors and times from 15:00Z (23:00 in Shanghai) on, a tenth of the values null."""
    chance = np.random.default_rng(seed)
    start = int(day.replace(hour=15).timestamp() * 1000)
    ids = chance.integers(0, detectors, count)
    times = start + chance.permutation(span_s * 1000)[:count]
    null = chance.random((len(MEASURES), count)) < 0.1
    columns: dict[str, pa.Array] = {
        "detector_id": pa.array([f"D{i:05d}" for i in ids]),
        "observed_at": pa.array(times).cast(TIMESTAMP),
        **{m: pa.array(chance.integers(0, 100, count) / 4, mask=null[i]) for i, m in enumerate(MEASURES)},
        "road_segment_id": pa.array([f"L{i:05d}" for i in ids]),
        "longitude": pa.array(114 + ids / 1e5),
        "latitude": pa.array(30 + ids / 1e5),
    }
    return with_system(pa.table(columns), seed)


def with_system(table: pa.Table, seq: int = 1) -> pa.Table:
    count = table.num_rows
    for name, values in {
        "_arrived_at": pa.array([ARRIVED] * count, TIMESTAMP),
        "_source": pa.array(["http-1"] * count, pa.string()),
        "_stream": pa.array(["INGEST"] * count, pa.string()),
        "_seq": pa.array([seq] * count, pa.uint64()),
    }.items():
        table = table.append_column(name, values)
    return table


def summed(table: pa.Table, seconds: int, offset_h: int = 0) -> dict[tuple[str, datetime], list[Any]]:
    """Sum rows up in plain Python: (entity, interval) → n, then sum, count, minimum, maximum of each measure."""
    groups: dict[tuple[str, datetime], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        at = row["observed_at"].timestamp() + offset_h * 3600
        start = datetime.fromtimestamp(at // seconds * seconds - offset_h * 3600, UTC)
        groups.setdefault((row["detector_id"], start), []).append(row)
    found = {}
    for key, group in groups.items():
        found[key] = [len(group)]
        for measure in MEASURES:
            values = [row[measure] for row in group if row[measure] is not None]
            found[key] += [sum(values), len(values), min(values, default=None), max(values, default=None)]
    return found


def stored(engine: Engine, step: str) -> dict[tuple[str, datetime], list[Any]]:
    columns = ["n"] + [f"{m}_{suffix}" for m in MEASURES for suffix in ("sum", "n", "min", "max")]
    merged = ", ".join(f"{c.split('_')[-1] if c.endswith(('min', 'max')) else 'sum'}({c}) AS `{c}`" for c in columns)
    query = (
        f"SELECT detector_id, toUnixTimestamp(observed_at) AS t, {merged} FROM cityops.traffic_flow_observed_{step} "
        "GROUP BY detector_id, t SETTINGS output_format_json_quote_64bit_integers = 0, prefer_column_name_to_alias = 1"
    )
    return {(entity, datetime.fromtimestamp(t, UTC)): values for entity, t, *values in engine.rows(query)}


def test_rollups_are_the_sums_of_the_rows(made: Engine, flow: Contract) -> None:
    batches = [flows(1_000, seed=seed) for seed in range(3)]
    for number, batch in enumerate(batches):
        made.insert(flow.table, batch, f"batch-{number}")
    everything = pa.concat_tables(batches)
    assert stored(made, "1m") == summed(everything, 60)
    assert stored(made, "1h") == summed(everything, 3600)
    assert stored(made, "1d") == summed(everything, 86400, offset_h=8)


def test_a_day_is_the_citys_day(made: Engine, flow: Contract) -> None:
    made.insert(flow.table, flows(800), "days")
    starts = {start for _, start in stored(made, "1d")}
    midnight = ARRIVED.replace(hour=16)
    assert starts == {midnight - timedelta(days=1), midnight}


def test_an_insert_repeated_doubles_nothing(made: Engine, flow: Contract) -> None:
    first, second = flows(800, seed=1), flows(800, seed=2)
    for batch, token in ((first, "a"), (first, "a"), (second, "b"), (first, "a"), (second, "b")):
        made.insert(flow.table, batch, token)
    assert made.one(f"SELECT toInt32(count()) FROM cityops.{flow.table}") == 1_600
    assert stored(made, "1m") == summed(pa.concat_tables([first, second]), 60)
    assert stored(made, "1d") == summed(pa.concat_tables([first, second]), 86400, offset_h=8)
    assert made.one(f"SELECT toInt32(count()) FROM cityops.{flow.table}_now") == 50


def test_a_block_over_new_year_is_repeated_without_doubling(made: Engine, flow: Contract) -> None:
    """In Shanghai the year ends eight hours before the rows' month does: one block, two partitions of days."""
    batch = flows(800, day=datetime(ARRIVED.year - 1, 12, 31, 12, tzinfo=UTC))
    for _ in range(3):
        made.insert(flow.table, batch, "new-year")
    days = stored(made, "1d")
    assert len({start for _, start in days}) == 2
    assert days == summed(batch, 86400, offset_h=8)


def test_two_batches_of_equal_rows_are_two_batches(made: Engine, flow: Contract) -> None:
    """The token decides, not the bytes: a block equal in some rollup must not be taken for a repetition."""
    batch = flows(500)
    made.insert(flow.table, batch, "one")
    made.insert(flow.table, batch, "two")
    assert made.one(f"SELECT toInt32(sum(n)) FROM cityops.{flow.table}_1h") == 1_000


def test_now_is_the_newest_row_of_every_entity(made: Engine, flow: Contract) -> None:
    batches = [flows(800, seed=seed) for seed in range(4)]
    for number in (2, 0, 3, 1):  # out of order: an old row must not replace a newer one
        made.insert(flow.table, batches[number], f"now-{number}")
    rows = pa.concat_tables(batches).to_pylist()
    newest: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["observed_at"]):
        newest[row["detector_id"]] = row
    found = made.table(f"SELECT * FROM cityops.{flow.table}_now").cast(flow.table_schema).to_pylist()
    assert {row["detector_id"]: row for row in found} == newest


def test_quarantine_takes_what_broke(made: Engine, flow: Contract) -> None:
    raw = b'not {"json\xff\x00'
    broken = pa.table(
        {
            "contract": [flow.name],
            "rule": ["json:"],
            "reason": ["position 3: …"],
            "raw": pa.array([raw], pa.binary()),
            "content_type": ["application/x-ndjson"],
            "_row": pa.array([7], pa.uint32()),
        }
    )
    made.insert("quarantine", with_system(broken), "q")
    made.insert("quarantine", with_system(broken), "q")
    assert made.rows("SELECT contract, rule, hex(raw), _row FROM cityops.quarantine") == [
        [flow.name, "json:", raw.hex().upper(), 7]
    ]


def test_making_tables_again_changes_nothing(made: Engine, flow: Contract) -> None:
    made.insert(flow.table, flows(100, detectors=1), "kept")
    made.command([*common_ddl(), *ddl(flow)])
    assert made.one(f"SELECT toInt32(count()) FROM cityops.{flow.table}") == 100
    assert made.one(f"SELECT toInt32(count()) FROM cityops.{flow.table}_now") == 1


def test_a_series_of_thirteen_years_is_kept(made: Engine, flow: Contract, contracts: Contracts) -> None:
    contract = contracts["AirQualityObserved"]
    old = pa.table({"station_id": ["Dongsi"], "observed_at": pa.array([datetime(2013, 3, 1, tzinfo=UTC)], TIMESTAMP)})
    made.insert(contract.table, with_system(old), "old")
    made.command(
        [f"OPTIMIZE TABLE cityops.{contract.table} FINAL", f"OPTIMIZE TABLE cityops.{contract.table}_1h FINAL"]
    )
    assert made.one(f"SELECT toInt32(count()) FROM cityops.{contract.table}") == 1
    assert made.one(f"SELECT toInt32(sum(n)) FROM cityops.{contract.table}_1h") == 1


def test_a_cluster_gets_replicated_tables_that_parse(made: Engine, contracts: Contracts) -> None:
    """Parsed only: no cluster is at hand to run them."""
    for contract in contracts.values():
        statements = [*common_ddl(cluster="city"), *ddl(contract, cluster="city")]
        for statement in statements:
            assert "ON CLUSTER 'city'" in statement
            made.command([f"EXPLAIN AST {statement}"])
        text = "\n".join(statements)
        assert f"cityops.`{contract.table}_local`" in text
        assert f"Distributed('city', 'cityops', '{contract.table}_local', cityHash64(`{contract.entity}`))" in text
        assert "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/cityops/" in text
        assert " ENGINE = MergeTree" not in text


def test_the_engine_would_notice_nonsense(made: Engine) -> None:
    with pytest.raises(EngineError, match="yntax error"):
        made.command(["EXPLAIN AST CREATE TABLE x (a Float64 ENGINE"])


def test_inserts_are_cheap(made: Engine, flow: Contract) -> None:
    """With rollups and latest about 2 µs of CPU a row are measured; the limit is one core for 150,000 rows/s."""
    batches = [flows(100_000, seed=seed, detectors=2_000, span_s=120) for seed in range(3)]
    seconds = [made.insert(flow.table, batch, f"quick-{seed}") for seed, batch in enumerate(batches)]
    assert min(seconds) / 100_000 < 1 / 150_000


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), text=contract_texts())
def test_any_contract_has_tables_that_take_its_rows(
    data: st.DataObject, text: str, made: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "generated.odcs.yaml"
    path.write_text(text, "utf-8")
    contract = load_contract(path)
    drawn = data.draw(st.lists(rows(contract), max_size=20))
    listed = [row | {contract.time: ARRIVED + timedelta(milliseconds=i)} for i, row in enumerate(drawn)]
    table = pa.table(
        {f.name: pa.array([row[f.name] for row in listed], f.type) for f in contract.arrow_schema},
        schema=contract.arrow_schema,
    )
    broken = broken_rules(contract, table, pa.array([ARRIVED] * len(listed), TIMESTAMP))
    kept = table.filter(broken.is_null())
    try:
        made.command(ddl(contract))
        made.insert(contract.table, with_system(kept), "all")
        found = made.table(f"SELECT * FROM cityops.{contract.table} ORDER BY `{contract.time}`")
        assert found.select(contract.arrow_schema.names).cast(contract.arrow_schema).to_pylist() == kept.to_pylist()
        entities = len(set(kept.column(contract.entity).to_pylist()))
        assert made.one(f"SELECT toInt32(count()) FROM cityops.{contract.table}_now") == entities
        for step in contract.rollups:
            assert made.one(f"SELECT toInt32(sum(n)) FROM cityops.{contract.table}_{step}") == kept.num_rows
    finally:
        made.command(f"DROP TABLE IF EXISTS cityops.`{name}` SYNC" for name in reversed(relations(contract)))
