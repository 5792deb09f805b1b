"""`cityops load` with real engines and real files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.engines import Engines, any_ports, engines

from cityops.data.contract import DATABASE, UnknownContractError
from cityops.data.edge import chunks, files
from cityops.data.edge.chunks import FileError
from cityops.data.edge.files import LoadError, Outcome
from cityops.data.warehouse.client import Warehouse

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    roles = ["nats", "postgres", "warehouse", "migrate", "pipeline"]
    with engines(any_ports(tmp_path_factory.mktemp("load")), roles) as started:
        yield started


def load(running: Engines, paths: list[Path], contract: str, mapping: str | None = None) -> list[Outcome]:
    return files.load(running.settings, paths, contract, mapping, Console(file=io.StringIO(), width=200))


def ask(running: Engines, sql: str) -> list[dict[str, object]]:
    with Warehouse(running.settings.warehouse_url) as warehouse:
        return warehouse.query(sql).to_pylist()


@pytest.mark.slow
def test_the_beijing_files_are_stored_to_the_last_row_and_their_sums_agree(running: Engines, shared_data: Path) -> None:
    paths = sorted((shared_data / "air-quality-beijing").glob("*.csv"))
    outcomes = load(running, paths, "AirQualityObserved", "beijing-air-quality")
    assert sum(o.rows for o in outcomes) == 315_648
    assert all(o.agrees for o in outcomes)
    stored = {
        _text(row["station"]): row
        for row in ask(
            running,
            "SELECT toString(station_id) AS station, count() AS rows, sum(pm25) AS pm25, sum(co) AS co, "
            "count(wind_direction) AS winds, min(observed_at) AS first, any(longitude) AS lon "
            f"FROM {DATABASE}.air_quality_observed WHERE startsWith(_source, 'load:') GROUP BY station",
        )
    }
    for path, outcome in zip(paths, outcomes, strict=True):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        mine = stored[rows[0]["station"]]
        assert mine["rows"] == outcome.stored
        assert outcome.quarantined == {}
        assert mine["pm25"] == pytest.approx(sum(float(r["PM2.5"]) for r in rows if r["PM2.5"] != "NA"), rel=1e-12)
        assert mine["co"] == pytest.approx(sum(float(r["CO"]) for r in rows if r["CO"] != "NA") / 1000, rel=1e-12)
        assert mine["winds"] == sum(r["wd"] != "NA" for r in rows)
        assert str(mine["first"]).startswith("2013-02-28 16:00")  # midnight in Beijing
        assert 116 < float(str(mine["lon"])) < 117
    again = load(running, paths[:1], "AirQualityObserved", "beijing-air-quality")
    assert again[0].before
    assert again[0].stored == outcomes[0].stored


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def write(path: Path, rows: int, bad: int = 0, *, name: str) -> None:
    lines = [
        json.dumps({"detector_id": f"{name}-{n}", "observed_at": "2026-11-01T00:00:00Z", "intensity": 1})
        for n in range(rows)
    ]
    lines += ['{"detector_id":'] * bad
    path.write_text("\n".join(lines))


def test_bad_rows_are_counted_by_rule(running: Engines, tmp_path: Path) -> None:
    write(tmp_path / "f.ndjson", 30, 3, name="counted")
    (outcome,) = load(running, [tmp_path / "f.ndjson"], "TrafficFlowObserved")
    assert (outcome.rows, outcome.stored, outcome.quarantined) == (33, 30, {"json:": 3})


def test_rows_of_another_file_that_are_there_already_are_doubles(running: Engines, tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", 10, name="twice")
    write(tmp_path / "b.ndjson", 15, name="twice")
    load(running, [tmp_path / "a.ndjson"], "TrafficFlowObserved")
    (outcome,) = load(running, [tmp_path / "b.ndjson"], "TrafficFlowObserved")
    assert (outcome.stored, outcome.quarantined) == (5, {"unique": 10})


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "sent but not noted"])
def test_a_load_that_was_cut_off_goes_on(
    running: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 5_000)
    path = tmp_path / f"{noted}.ndjson"
    write(path, 2_000, name=f"cut-{noted}")
    real, calls = files._Load._note, []

    def cut(self: object, *given: object) -> None:
        calls.append(1)
        if len(calls) == 20:
            if noted:
                real(self, *given)  # type: ignore[arg-type]
            raise KeyboardInterrupt
        real(self, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(files._Load, "_note", cut)
        with pytest.raises(KeyboardInterrupt):
            load(running, [path], "TrafficFlowObserved")
    sent: list[int] = []
    publish = files._Load._publish

    async def counted(self: files._Load, js: object, job: object, chunk: chunks.Chunk) -> None:
        sent.append(chunk.rows)
        await publish(self, js, job, chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(files._Load, "_publish", counted)
    (outcome,) = load(running, [path], "TrafficFlowObserved")
    assert (outcome.rows, outcome.stored, outcome.quarantined) == (2_000, 2_000, {})
    assert 0 < sum(sent) < 1_400


def test_sums_that_differ_are_an_error(running: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "f.ndjson", 5, name="lost")
    monkeypatch.setattr(Outcome, "agrees", property(lambda self: self.stored == 6))
    with pytest.raises(LoadError, match=r"f\.ndjson: 5 read, 5 stored, 0 set aside"):
        load(running, [tmp_path / "f.ndjson"], "TrafficFlowObserved")


def test_what_cannot_be_loaded_is_said_before_anything_is_sent(running: Engines, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnknownContractError, match="did you mean TrafficFlowObserved"):
        load(running, [tmp_path / "f.csv"], "TraficFlowObserved")
    with pytest.raises(FileError, match="no column"):
        load(running, [tmp_path / "f.csv"], "AirQualityObserved", "beijing-air-quality")
