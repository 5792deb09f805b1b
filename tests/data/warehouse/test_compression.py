"""Bodies inflate piece by piece whatever the pieces are, and broken ones are errors."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.warehouse.compression import Decoder, choose
from cityops.data.warehouse.errors import EngineError

ENCODINGS = ["gzip", "deflate", "lz4", "zstd"]


def packed(encoding: str, data: bytes) -> bytes:
    chosen = choose(encoding)
    assert chosen is not None
    name, encoder = chosen
    assert name == encoding
    return encoder.compress(data[: len(data) // 2]) + encoder.compress(data[len(data) // 2 :]) + encoder.flush()


@given(
    st.sampled_from(ENCODINGS), st.binary(max_size=2000), st.integers(1, 50), st.integers(1, 300), st.integers(0, 40)
)
def test_what_was_packed_comes_out_again(encoding: str, data: bytes, cut: int, limit: int, times: int) -> None:
    data = data * times
    sent = packed(encoding, data)
    decoder = Decoder(encoding, limit=limit)

    found = [piece for at in range(0, len(sent), cut) for piece in decoder.feed(sent[at : at + cut])]
    decoder.finish()

    assert b"".join(found) == data


def test_a_bomb_inflates_one_bounded_piece_at_a_time() -> None:
    decoder = Decoder("gzip", limit=1 << 16)

    assert max(len(piece) for piece in decoder.feed(gzip.compress(bytes(50 << 20)))) <= 1 << 16


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_cut_or_broken_body_is_an_error(encoding: str) -> None:
    sent = packed(encoding, bytes(range(256)) * 40)

    decoder = Decoder(encoding)
    list(decoder.feed(sent[:-3]))
    with pytest.raises(EngineError, match="INFLATE_FAILED"):
        decoder.finish()
    with pytest.raises(EngineError, match="INFLATE_FAILED"):
        list(Decoder(encoding).feed(b"\x00 this is no archive" * 10))


def test_an_encoding_we_do_not_know_is_declined() -> None:
    with pytest.raises(EngineError, match="UNKNOWN_COMPRESSION_METHOD"):
        Decoder("br")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", None),
        ("br", None),
        ("gzip, deflate", "gzip"),
        ("lz4,zstd,gzip", "lz4"),
        ("lz4;q=0, zstd", "zstd"),
        ("*", None),
    ],
)
def test_the_cheapest_accepted_encoding_is_taken(accepted: str, chosen: str | None) -> None:
    found = choose(accepted)

    assert (found and found[0]) == chosen
