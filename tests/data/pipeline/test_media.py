"""What quarantine keeps of a row's form is enough to read it again."""

from hypothesis import given
from hypothesis import strategies as st

from cityops.data.pipeline.media import Media, csv_type, parse_media, with_mapping
from cityops.technology.bus import CSV, NDJSON


@given(st.binary(max_size=60), st.sampled_from([None, "beijing-air-quality", "a_b-1"]))
def test_header_and_mapping_come_back(header: bytes, mapping: str | None) -> None:
    assert parse_media(with_mapping(csv_type(header), mapping)) == Media(CSV, header, mapping or "")


def test_other_parameters_are_let_be() -> None:
    assert parse_media("Application/X-NDJSON; charset=utf-8") == Media(NDJSON)
