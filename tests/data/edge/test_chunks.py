"""Files cut into messages."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cityops.data.contract.installed import installed_contracts
from cityops.data.edge import chunks
from cityops.data.edge.chunks import FileError, open_source
from cityops.data.edge.csvtext import records
from cityops.data.edge.mapping import read_mapping


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)


def write_csv(path: Path, rows: int) -> list[list[str]]:
    written = [[str(n), 'a\n"b"' if n % 7 == 0 else "plain", "字" * (n % 5)] for n in range(rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["n", "text", "更多"], *written])
    return written


def test_a_csv_file_is_cut_between_records_and_every_chunk_has_the_header(tmp_path: Path) -> None:
    written = write_csv(tmp_path / "f.csv", 500)
    source = open_source(tmp_path / "f.csv", None)
    assert source.columns() == ["n", "text", "更多"]
    read: list[list[str]] = []
    for chunk in source.chunks(0):
        header, *rows = records(chunk.payload)
        assert header.decode() == "n,text,更多"
        assert chunk.rows == len(rows)
        read += [next(csv.reader([row.decode()], strict=True)) if b"\n" not in row else ["?"] for row in rows]
    assert len(read) == len(written)
    assert chunk.position == source.end


@pytest.mark.parametrize("name", ["f.csv", "f.ndjson", "f.parquet"])
def test_reading_goes_on_at_any_position(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [{"n": n, "text": "x" * (n % 50)} for n in range(3000)]
    match path.suffix:
        case ".csv":
            write_csv(path, 3000)
        case ".ndjson":
            path.write_text("\n".join(json.dumps(row) for row in rows))
        case _:
            pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=700)
    source = open_source(path, None)
    whole = list(source.chunks(0))
    assert len(whole) > 3
    assert sum(chunk.rows for chunk in whole) == 3000
    assert whole[-1].position == source.end
    for number in (0, 1, len(whole) // 2, len(whole) - 1):
        rest = list(source.chunks(whole[number].position))
        assert rest == whole[number + 1 :]


def test_a_column_the_mapping_needs_is_missed_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("station,year\nA,2013\n")
    mapping = read_mapping("beijing-air-quality", installed_contracts())
    with pytest.raises(FileError, match=r"no column month, day, .* which mapping beijing-air-quality reads"):
        open_source(tmp_path / "f.csv", mapping)


@pytest.mark.parametrize(("name", "content"), [("f.xlsx", b"x"), ("f.csv", b""), ("f.parquet", b"PAR1junk")])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=name):
        open_source(tmp_path / name, None)
