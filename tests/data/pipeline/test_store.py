"""A batch is in the warehouse exactly once, rollups included, whatever an earlier try left behind."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.data.pipeline.observations import CONTRACTS, FLOW, flow, message
from tests.engines import Engines

from cityops.data.contract import DATABASE, TIMESTAMP, rollup_table
from cityops.data.pipeline.batch import Batch, process
from cityops.data.pipeline.late import keys_after, stored_already
from cityops.data.pipeline.ledger import Range
from cityops.data.pipeline.store import Store, inserts, month_parts
from cityops.data.pipeline.unique import RecentRows, row_keys
from cityops.data.warehouse.client import Warehouse
from cityops.technology.telemetry import Telemetry

pytestmark = pytest.mark.engine

_NUMBERS = itertools.count(1000)
DAY = 86_400_000
NOW_MS = int(time.time()) * 1000  # quarantine forgets what is older than three months


class Place:
    """The store, and detectors of this test alone."""

    def __init__(self, engines: Engines) -> None:
        self.warehouse = Warehouse(engines.settings.warehouse_url)
        self.store = Store(self.warehouse, CONTRACTS, Telemetry("test"))
        self.name = f"T{next(_NUMBERS)}"
        self.seq = next(_NUMBERS) * 1000

    def batch(self, rows: int = 40, *, months: int = 1, skip: int = 0, bad: int = 0) -> Batch:
        """Return rows of the last minutes of as many months, some of them broken, less the first `skip`."""
        sent = [flow(f"{self.name}-{n % 4}", NOW_MS - (n % months) * 31 * DAY - n * 60_000) for n in range(rows)]
        sent += [flow(self.name, NOW_MS, intensity=-1)] * bad
        messages = [message(sent[skip:], self.seq, ms=NOW_MS), message(b"", self.seq + 9, ms=NOW_MS)]
        return process("ingest", messages, CONTRACTS, _no_mapping, RecentRows(0), _never)

    def counts(self) -> dict[str, int]:
        found = {"rows": "count()", **dict.fromkeys(FLOW.rollups, "sum(n)")}
        where = f"WHERE startsWith(detector_id, '{self.name}-')"
        return {
            name: int(self._ask(f"SELECT {what} FROM {DATABASE}.{self.table(name)} {where}"))
            for name, what in found.items()
        }

    def quarantined(self) -> int:
        return int(self._ask(f"SELECT count() FROM {DATABASE}.quarantine WHERE _seq = {self.seq}"))

    def newest(self) -> int:
        sql = f"SELECT max(toUnixTimestamp64Milli(observed_at)) FROM {DATABASE}.{FLOW.table}_now"
        return int(self._ask(f"{sql} WHERE startsWith(detector_id, '{self.name}-')"))

    def lose(self, name: str, more: str = "1") -> None:
        """Take rows away behind the back of the engine's tokens."""
        where = f"startsWith(detector_id, '{self.name}-') AND {more}"
        self.warehouse.command(
            f"ALTER TABLE {DATABASE}.{self.table(name)} DELETE WHERE {where} SETTINGS mutations_sync = 2"
        )

    @staticmethod
    def table(name: str) -> str:
        return FLOW.table if name == "rows" else rollup_table(FLOW, name)

    def _ask(self, sql: str) -> Any:
        return self.warehouse.query(sql).column(0)[0].as_py() or 0


def _no_mapping(*_: object) -> Any:
    raise AssertionError


def _never(*_: object) -> Any:
    raise AssertionError


@pytest.fixture
def place(platform: Engines) -> Place:
    return Place(platform)


def all_of(count: int) -> dict[str, int]:
    return {"rows": count, **dict.fromkeys(FLOW.rollups, count)}


async def test_a_batch_put_again_is_there_once(place: Place) -> None:
    batch = place.batch(months=3, bad=2)
    for again in (False, False, True):
        await place.store.put(batch, "ingest", "e", again=again)
        assert place.counts() == all_of(40)
        assert place.quarantined() == 2
    assert place.newest() == NOW_MS


async def test_another_epoch_of_the_stream_is_another_batch(place: Place) -> None:
    await place.store.put(place.batch(), "ingest", "e")
    await place.store.put(place.batch(), "ingest", "e.1")
    assert place.counts() == all_of(80)


async def test_rows_that_the_first_try_had_not_are_added(place: Place) -> None:
    await place.store.put(place.batch(skip=5), "ingest", "e")
    await place.store.put(place.batch(), "ingest", "e", again=True)
    assert place.counts() == all_of(40)
    await place.store.put(place.batch(), "ingest", "e", again=True)
    assert place.counts() == all_of(40)


@pytest.mark.parametrize("months", [1, 3])
async def test_a_part_that_was_noted_and_not_kept_is_brought_back(place: Place, months: int) -> None:
    await place.store.put(place.batch(months=months), "ingest", "e")
    place.lose("rows")
    assert place.counts()["rows"] == 0
    await place.store.put(place.batch(months=months), "ingest", "e", again=True)
    assert place.counts() == all_of(40)


@pytest.mark.parametrize("step", FLOW.rollups)
async def test_a_rollup_that_does_not_agree_is_made_again(place: Place, step: str) -> None:
    await place.store.put(place.batch(months=2), "ingest", "e")
    place.lose(step, f"detector_id = '{place.name}-1'")
    assert place.counts()[step] < 40
    await place.store.put(place.batch(months=2), "ingest", "e", again=True)
    assert place.counts() == all_of(40)


async def test_other_rows_of_the_same_days_stay_as_they_are(place: Place, platform: Engines) -> None:
    other = Place(platform)
    await other.store.put(other.batch(), "ingest", "e")
    await place.store.put(place.batch(), "ingest", "e")
    place.lose("1m")
    await place.store.put(place.batch(), "ingest", "e", again=True)
    assert (place.counts(), other.counts()) == (all_of(40), all_of(40))


async def test_the_warehouse_is_asked_which_rows_it_has(place: Place) -> None:
    batch = place.batch(months=3)
    await place.store.put(batch, "ingest", "e")
    (rows,) = batch.good[FLOW.name]
    keys, times = row_keys(FLOW, rows)
    assert stored_already(place.warehouse, FLOW, rows, keys, times, None).all()
    own = ("ingest", Range(batch.first, batch.last))
    assert not stored_already(place.warehouse, FLOW, rows, keys, times, own).any()
    assert stored_already(place.warehouse, FLOW, rows, keys, times, ("mqtt", own[1])).all()
    later = rows.set_column(
        rows.schema.get_field_index("observed_at"), "observed_at", pa.array(times + 1).cast(TIMESTAMP)
    )
    assert not stored_already(place.warehouse, FLOW, later, *row_keys(FLOW, later), None).any()
    after, _ = keys_after(place.warehouse, FLOW, NOW_MS - 20 * 60_000)
    assert np.isin(after, keys[times > NOW_MS - 20 * 60_000]).sum() == (times > NOW_MS - 20 * 60_000).sum()


def test_an_insert_spans_no_more_partitions_than_the_engine_takes() -> None:
    months = [(1971 + n // 12, n % 12 + 1) for n in range(200)]
    times = [np.datetime64(f"{year}-{month:02}-15T00:00:00", "ms").astype(int) for year, month in months]
    table = pa.table({"t": pa.array(times * 2, pa.int64()).cast(TIMESTAMP)})
    pieces = list(inserts(table, "t"))
    assert [len(piece) for piece in pieces] == [180, 180, 40]
    assert len(list(month_parts(table, "t"))) == 200
