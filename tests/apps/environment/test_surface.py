"""The air between stations: kriging passes through them, the picture is a PNG that fades out."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityops.apps.environment.png import png
from cityops.apps.environment.surface import Grid, interpolate, picture

BOUNDS = (113.2, 30.1, 113.4, 30.3)
GRID = Grid.over(BOUNDS)


def decoded(data: bytes) -> np.ndarray:
    """Read back a PNG without filters."""
    width, height = struct.unpack(">II", data[16:24])
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        assert zlib.crc32(data[at + 4 : at + 8 + size]) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        body += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + 4 * width)
    return rows[:, 1:].reshape(height, width, 4)


def test_a_png_gives_back_its_pixels():
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    assert np.array_equal(decoded(png(pixels)), pixels)


def test_the_surface_has_a_stations_value_at_the_station():
    lon, lat = np.array([113.25, 113.35, 113.3, 113.28]), np.array([30.15, 30.16, 30.25, 30.2])
    value = np.array([40.0, 160.0, 90.0, 70.0])
    surface = interpolate(GRID, lon, lat, value)
    for x, y, v in zip(lon, lat, value, strict=True):
        cell = surface[np.abs(GRID.lat - y).argmin(), np.abs(GRID.lon - x).argmin()]
        assert cell == pytest.approx(v, abs=8)  # the nugget lets a cell beside the station differ a little


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(113.2, 113.4), st.floats(30.1, 30.3), st.floats(0, 500)),
        min_size=3,
        max_size=12,
        unique_by=lambda p: (round(p[0], 4), round(p[1], 4)),
    )
)
def test_the_surface_stays_within_what_was_measured(points):
    lon, lat, value = (np.array(v) for v in zip(*points, strict=True))
    surface = interpolate(GRID, lon, lat, value)
    assert surface.min() >= value.min()
    assert surface.max() <= value.max()


def test_two_stations_at_one_place_are_averaged():
    lon, lat = np.array([113.25, 113.25, 113.35, 113.3]), np.array([30.15, 30.15, 30.16, 30.25])
    surface = interpolate(GRID, lon, lat, np.array([40.0, 60.0, 50.0, 50.0]))
    assert surface == pytest.approx(np.full(surface.shape, 50.0))


def test_two_places_are_too_few():
    with pytest.raises(ValueError, match="at least 3"):
        interpolate(GRID, np.array([113.25, 113.3, 113.3]), np.array([30.15, 30.2, 30.2]), np.ones(3))


def test_good_air_is_transparent_and_bad_air_fades_at_the_edge():
    good = decoded(picture(GRID, np.full((len(GRID.lat), len(GRID.lon)), 40.0)))
    assert good[..., 3].max() == 0
    bad = decoded(picture(GRID, np.full((len(GRID.lat), len(GRID.lon)), 250.0)))
    assert bad[..., 3].max() > 100
    edge = np.concatenate([bad[0, :, 3], bad[-1, :, 3], bad[:, 0, 3], bad[:, -1, 3]])
    assert edge.max() == 0


def test_rows_run_from_north_to_south_in_equal_mercator_steps():
    assert GRID.lat[0] > GRID.lat[-1]
    y = np.log(np.tan(np.pi / 4 + np.radians(GRID.lat) / 2))
    assert np.diff(y) == pytest.approx(np.full(len(y) - 1, y[1] - y[0]))
