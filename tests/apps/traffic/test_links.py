"""Probes find the link they drive on, and links the speed at which they are driven."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cityops.apps.traffic.links import DETECTOR_WEIGHT, PROBE_HALF_LIFE_S, LinkMatcher, LinkSpeeds
from cityops.technology.geo.coordinates import LocalPlane

PLANE = LocalPlane(113.3, 30.2)


def line(*metres: tuple[float, float]) -> shapely.LineString:
    x, y = zip(*metres, strict=True)
    return shapely.LineString(np.column_stack(PLANE.to_degrees(x, y)))


# 0 east, 1 the same street west, 2 north, 3 bends from east to north
LINES = np.array(
    [line((0, 0), (500, 0)), line((500, 0), (0, 0)), line((500, 0), (500, 500)), line((0, 100), (200, 100), (200, 300))]
)
MATCHER = LinkMatcher(LINES, PLANE)


def match(x: float, y: float, heading: float) -> int:
    lon, lat = PLANE.to_degrees([x], [y])
    return int(MATCHER.match(lon, lat, np.array([heading]))[0])


def test_heading_tells_the_two_directions_of_a_street_apart():
    assert match(250, 3, 88) == 0
    assert match(250, 3, 272) == 1


def test_a_bend_is_matched_by_the_part_that_is_near():
    assert match(100, 105, 90) == 3
    assert match(203, 200, 5) == 3


def test_a_probe_off_the_road_is_on_no_link():
    assert match(250, 21, 90) == -1


def test_a_probe_across_the_road_or_without_heading_is_on_no_link():
    assert match(250, 3, 0) == -1
    assert match(250, 3, np.nan) == -1


def test_many_points_are_matched_as_they_are_alone():
    rng = np.random.default_rng(7)
    x, y, heading = rng.uniform(-50, 550, 300), rng.uniform(-50, 350, 300), rng.uniform(0, 360, 300)
    lon, lat = PLANE.to_degrees(x, y)
    alone = [match(*point) for point in zip(x, y, heading, strict=True)]
    assert MATCHER.match(lon, lat, heading).tolist() == alone


@given(st.floats(1, 499), st.floats(-9, 9), st.floats(-40, 40))
def test_a_probe_on_the_road_is_found_whatever_its_errors(x, off, turn):
    assert match(x, off, 90 + turn) in (0, 2)  # at the east end it may be on the crossing street


def speeds_of(fusion: LinkSpeeds, now: float) -> list[float]:
    return fusion.speeds(now).tolist()


def test_a_link_nobody_reports_on_has_no_speed():
    assert np.isnan(LinkSpeeds(1, 180).speeds(0)).all()


def test_one_probe_alone_says_nothing_and_several_say_their_mean():
    fusion = LinkSpeeds(2, 180)
    for when in range(90, 101):  # it may wait at a red light
        fusion.add_probes(np.array([0]), np.array([7]), np.array([0.0]), np.array([float(when)]))
    assert np.isnan(fusion.speeds(100)).all()
    fusion = LinkSpeeds(2, 180)
    fusion.add_probes(np.array([0, 0, 0]), np.array([7, 8, 9]), np.array([30.0, 0.0, 60.0]), np.full(3, 100.0))
    assert fusion.speeds(100)[0] == pytest.approx(30)


def test_probes_fade_until_they_say_nothing():
    fusion = LinkSpeeds(1, 180)
    fusion.add_probes(np.zeros(3, np.int64), np.arange(3), np.full(3, 40.0), np.full(3, 100.0))
    assert fusion.speeds(100 + PROBE_HALF_LIFE_S * 0.9)[0] == pytest.approx(40)
    assert np.isnan(fusion.speeds(100 + PROBE_HALF_LIFE_S * 1.1)[0])


def test_a_later_reading_weighs_more_than_an_older_one():
    fusion = LinkSpeeds(1, 180)
    fusion.add_probes(np.zeros(3, np.int64), np.arange(3), np.full(3, 60.0), np.zeros(3))
    fusion.add_probes(np.zeros(3, np.int64), np.arange(3), np.zeros(3), np.full(3, PROBE_HALF_LIFE_S))
    assert fusion.speeds(PROBE_HALF_LIFE_S)[0] == pytest.approx(20)


def test_readings_may_come_late_and_out_of_order():
    one, other = LinkSpeeds(1, 180), LinkSpeeds(1, 180)
    speed, at = np.array([10.0, 50.0, 30.0]), np.array([0.0, 60.0, 90.0])
    one.add_probes(np.zeros(3, np.int64), np.arange(3), speed, at)
    for n in (2, 0, 1):
        other.add_probes(np.zeros(1, np.int64), np.array([n]), speed[[n]], at[[n]])
    assert one.speeds(100)[0] == pytest.approx(other.speeds(100)[0])


def test_detectors_of_a_link_weigh_by_their_flow():
    fusion = LinkSpeeds(1, 180)
    fusion.set_detectors(np.array([0, 0]), np.array([60.0, 20.0]), np.array([300.0, 100.0]), np.array([50.0, 60.0]))
    assert fusion.speeds(60)[0] == pytest.approx(50)


def test_a_stale_detector_says_nothing():
    fusion = LinkSpeeds(1, 180)
    fusion.set_detectors(np.array([0]), np.array([60.0]), np.array([300.0]), np.array([0.0]))
    assert fusion.speeds(180)[0] == pytest.approx(60)
    assert np.isnan(fusion.speeds(180.1)[0])


def test_detector_and_probes_are_fused_by_weight():
    fusion = LinkSpeeds(1, 180)
    fusion.set_detectors(np.array([0]), np.array([60.0]), np.array([300.0]), np.array([100.0]))
    fusion.add_probes(np.array([0]), np.array([7]), np.array([10.0]), np.array([100.0]))
    assert fusion.speeds(100)[0] == pytest.approx(60)  # one probe alone may wait at a light
    fusion.add_probes(np.array([0]), np.array([8]), np.array([20.0]), np.array([100.0]))
    assert fusion.speeds(100)[0] == pytest.approx((DETECTOR_WEIGHT * 60 + 10 + 20) / (DETECTOR_WEIGHT + 2))
