"""Coordinates agree with independent implementations and come back from where they were sent."""

import numpy as np
import prcoords
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.technology.geo.coordinates import CoordinateError, LocalPlane, to_wgs84, wgs84_to_gcj02

LON = st.floats(75, 135)
LAT = st.floats(18, 53)
METRE = 1e-5  # degrees, roughly

pyproj = pytest.importorskip("pyproj")


@given(LON, LAT)
def test_gcj02_agrees_with_prcoords(lon: float, lat: float) -> None:
    peer = prcoords.wgs_gcj(prcoords.Coords(lat, lon), check_china=False)
    x, y = wgs84_to_gcj02(lon, lat)
    assert abs(x - peer.lon) < METRE / 10
    assert abs(y - peer.lat) < METRE / 10


@given(LON, LAT)
def test_gcj02_comes_back(lon: float, lat: float) -> None:
    x, y = to_wgs84(*wgs84_to_gcj02(lon, lat), "GCJ-02")
    assert abs(x - lon) < METRE / 100
    assert abs(y - lat) < METRE / 100


@given(LON, LAT)
def test_bd09_agrees_with_prcoords(lon: float, lat: float) -> None:
    bd = prcoords.wgs_bd(prcoords.Coords(lat, lon), check_china=False)
    x, y = to_wgs84(bd.lon, bd.lat, "BD09")
    assert abs(x - lon) < METRE
    assert abs(y - lat) < METRE


def test_outside_china_nothing_is_shifted() -> None:
    x, y = to_wgs84([24.94], [60.17], "GCJ02")
    assert (x[0], y[0]) == (24.94, 60.17)


def test_an_unknown_system_is_named() -> None:
    with pytest.raises(CoordinateError, match=r"MARS.*GCJ02"):
        to_wgs84(1, 2, "MARS")


@given(st.floats(-170, 170), st.floats(-70, 70), st.floats(-1, 1), st.floats(-1, 1))
def test_plane_agrees_with_proj_and_comes_back(lon: float, lat: float, east: float, north: float) -> None:
    plane = LocalPlane(lon, lat)
    x, y = plane.to_metres(lon + east, lat + north)
    peer = pyproj.Transformer.from_crs("EPSG:4326", plane.proj, always_xy=True).transform(lon + east, lat + north)
    np.testing.assert_allclose([x, y], peer, atol=0.001)
    np.testing.assert_allclose(plane.to_degrees(x, y), [lon + east, lat + north], atol=1e-8)
