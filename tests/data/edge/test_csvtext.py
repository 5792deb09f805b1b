"""Records of CSV text."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from cityops.data.edge.csvtext import record_ends, records


def test_a_newline_inside_quotes_does_not_end_a_record() -> None:
    assert records(b'a,"b\nc"\r\nd,"e ""f"\n\n') == [b'a,"b\nc"', b'd,"e ""f"']


def test_the_last_record_needs_no_newline() -> None:
    assert record_ends(b"a\nb").tolist() == [2, 3]
    assert record_ends(b"").tolist() == []


_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(_CELLS, min_size=2, max_size=4), min_size=1, max_size=20))
def test_what_a_writer_wrote_is_cut_where_it_ended_a_row(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    ends = record_ends(data)
    assert len(ends) == len(rows)
    assert [len(next(csv.reader(io.StringIO(r.decode(), newline="")))) for r in records(data)] == [len(r) for r in rows]
