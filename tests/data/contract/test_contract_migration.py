"""A contract grows while its tables hold data: what is added, what is filled, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.data.contract.chdb_worker import Engine
from tests.data.contract.strategies import ARRIVED
from tests.data.contract.test_contract_ddl import with_system

from cityops.data.contract import (
    EXISTING_QUERY,
    TIMESTAMP,
    Contract,
    Existing,
    MigrationError,
    common_ddl,
    existing_tables,
    load_contract,
    migration,
)

pytestmark = pytest.mark.engine
Change = tuple[str, str]
Example = Callable[..., Contract]

PM = "      - {name: pm25, logicalType: number}\n"
NEW_PROPERTY: Change = ("      - {name: location", PM + "      - {name: location")
DICTIONARY = "customProperties: [{property: lowCardinality, value: true}]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("migration")) as started:
        yield started


@pytest.fixture
def empty(server: Engine) -> Engine:
    server.command(["DROP DATABASE IF EXISTS cityops SYNC", *common_ddl()])
    return server


def existing(engine: Engine) -> dict[str, Existing]:
    return existing_tables([tuple(row) for row in engine.rows(EXISTING_QUERY)])


def migrate(engine: Engine, contract: Contract) -> list[str]:
    statements = migration(contract, existing(engine))
    engine.command(statements)
    return statements


def observe(engine: Engine, contract: Contract, first: int, count: int, **values: float) -> None:
    """Insert `count` rows of one station, a minute apart, from minute `first` on."""
    moments = [ARRIVED + timedelta(minutes=first + i) for i in range(count)]
    columns = {
        "station_id": pa.array(["S1"] * count),
        "observed_at": pa.array(moments, TIMESTAMP),
        **{name: pa.array([value] * count) for name, value in values.items()},
    }
    engine.insert(contract.table, with_system(pa.table(columns)), f"{first}-{count}")


def total(engine: Engine, expression: str, table: str) -> int:
    return int(engine.one(f"SELECT toInt64({expression}) FROM cityops.{table}"))


def test_tables_that_are_up_to_date_are_left_alone(empty: Engine, example: Example) -> None:
    assert migrate(empty, example())
    assert migrate(empty, example()) == []


def test_a_new_property_is_stored_summed_and_shown(empty: Engine, example: Example) -> None:
    before, after = example(), example(NEW_PROPERTY)
    migrate(empty, before)
    observe(empty, before, 0, 10, laeq=50.0)
    assert migrate(empty, after)
    assert migration(after, existing(empty)) == []
    observe(empty, after, 10, 5, laeq=60.0, pm25=35.0)
    assert total(empty, "count()", "noise_observed") == 15
    for step in ("1m", "1h", "1d"):
        assert total(empty, "sum(n)", f"noise_observed_{step}") == 15
        assert total(empty, "sum(pm25_n)", f"noise_observed_{step}") == 5
        assert total(empty, "sum(laeq_sum)", f"noise_observed_{step}") == 800
    assert empty.rows("SELECT laeq, pm25 FROM cityops.noise_observed_now") == [[60, 35]]


@pytest.mark.parametrize("declared", ["[]", "[1h]", "[1d]", "[1m, 1d]"])
def test_a_new_rollup_is_filled_from_the_rows_there_are(empty: Engine, example: Example, declared: str) -> None:
    before, after = example(("[1m, 1h, 1d]", declared)), example()
    migrate(empty, before)
    observe(empty, before, 0, 90, laeq=50.0)
    migrate(empty, after)
    assert migration(after, existing(empty)) == []
    observe(empty, after, 90, 30, laeq=50.0)
    for step in ("1m", "1h", "1d"):
        assert total(empty, "sum(n)", f"noise_observed_{step}") == 120, step
        assert total(empty, "sum(laeq_sum)", f"noise_observed_{step}") == 6000, step


@pytest.mark.parametrize("done", range(16))
def test_a_migration_cut_short_is_taken_up_again(empty: Engine, example: Example, done: int) -> None:
    before, after = example(("[1m, 1h, 1d]", "[1d]")), example(NEW_PROPERTY)
    migrate(empty, before)
    observe(empty, before, 0, 90, laeq=50.0)
    statements = migration(after, existing(empty))
    assert len(statements) == 16
    empty.command(statements[:done])
    migrate(empty, after)
    observe(empty, after, 90, 30, laeq=50.0, pm25=1.0)
    for step in ("1m", "1h", "1d"):
        assert total(empty, "sum(n)", f"noise_observed_{step}") == 120, step
        assert total(empty, "sum(pm25_n)", f"noise_observed_{step}") == 30, step
    assert empty.rows("SELECT pm25 FROM cityops.noise_observed_now") == [[1]]


@pytest.mark.parametrize("done", range(9))
def test_tables_half_made_are_made_whole(empty: Engine, example: Example, done: int) -> None:
    contract = example()
    statements = migration(contract, existing(empty))
    assert len(statements) > done
    empty.command(statements[:done])
    migrate(empty, contract)
    observe(empty, contract, 0, 10, laeq=50.0)
    for step in ("1m", "1h", "1d"):
        assert total(empty, "sum(n)", f"noise_observed_{step}") == 10
    assert total(empty, "count()", "noise_observed_now") == 1


def test_a_lost_view_of_now_comes_back(empty: Engine, example: Example) -> None:
    migrate(empty, example())
    empty.command(["DROP VIEW cityops.noise_observed_now"])
    migrate(empty, example())
    assert total(empty, "count()", "noise_observed_now") == 0


def test_another_retention_moves_the_end_of_the_rows(empty: Engine, example: Example) -> None:
    migrate(empty, example())
    after = example(("value: 30, unit: d", "value: 60, unit: d"))
    assert len(migrate(empty, after)) > 0
    engines = {name: table.engine for name, table in existing(empty).items()}
    assert "toIntervalDay(60)" in engines["noise_observed"]
    assert "toIntervalDay(60)" in engines["noise_observed_1m"]
    assert "toIntervalDay(60)" in engines["noise_observed_latest"]
    assert "TTL" not in engines["noise_observed_1d"]
    assert migration(after, existing(empty)) == []


def test_a_property_may_become_optional_or_get_a_dictionary(empty: Engine, example: Example) -> None:
    strict = ("logicalType: integer}", "logicalType: string, required: true}")
    loose = (
        "logicalType: integer}",
        "logicalType: string, customProperties: [{property: lowCardinality, value: true}]}",
    )
    migrate(empty, example(strict))
    migrate(empty, example(loose))
    observe(empty, example(loose), 0, 3, laeq=1.0)
    assert existing(empty)["noise_observed"].columns["events"] == "LowCardinality(Nullable(String))"
    assert migration(example(loose), existing(empty)) == []


REFUSED: dict[str, tuple[tuple[Change, ...], str]] = {
    "a property dropped": ((("      - {name: events, logicalType: integer}\n", ""),), "column events is no longer"),
    "a type changed": (
        (("name: events, logicalType: integer", "name: events, logicalType: string"),),
        r"column events is stored as Nullable\(Int64\) and cannot become Nullable\(String\)",
    ),
    "an optional property required": (
        (("name: events, logicalType: integer", "name: events, logicalType: integer, required: true"),),
        "cannot become Int64",
    ),
    "a new property required": (
        ((NEW_PROPERTY[0], NEW_PROPERTY[1].replace("number}", "number, required: true}")),),
        "new property pm25 must be optional",
    ),
    "the entity renamed": ((("name: station_id", "name: meter_id"),), "station_id is no longer"),
    "a rollup dropped": ((("[1m, 1h, 1d]", "[1m, 1d]"),), "rollup 1h is no longer declared"),
    "a number no longer summed": (
        (("{property: unit, value: dB}", "{property: rollup, value: false}"),),
        "column laeq_(max|min|n|sum) is no longer",
    ),
    "the entity with a dictionary": (
        (
            (
                "logicalType: string,",
                "logicalType: string, customProperties: [{property: lowCardinality, value: true}],",
            ),
        ),
        r"station_id is stored as String and cannot become LowCardinality\(String\)",
    ),
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_would_lose_or_falsify_data_is_refused(empty: Engine, example: Example, change: str) -> None:
    changes, problem = REFUSED[change]
    migrate(empty, example())
    with pytest.raises(MigrationError, match=rf"NoiseObserved: .*{problem}"):
        migration(example(*changes), existing(empty))


def test_days_of_another_zone_are_refused(empty: Engine, example: Example) -> None:
    migrate(empty, example())
    with pytest.raises(MigrationError, match="Europe/Helsinki"):
        migration(example(), existing(empty), timezone="Europe/Helsinki")


def test_a_cluster_migration_parses(empty: Engine, example: Example, write: Callable[..., Path]) -> None:
    before, after = example(("[1m, 1h, 1d]", "[1d]")), load_contract(write(NEW_PROPERTY))
    migrate(empty, before)
    found = existing(empty)
    statements = migration(after, found, cluster="city")
    assert statements
    for statement in statements:
        empty.command([f"EXPLAIN AST {statement}"])
        assert "ON CLUSTER 'city'" in statement or statement.startswith("INSERT INTO cityops.")
