from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityops.twin.simulation.city import Loop, Site
from cityops.twin.simulation.devices.detectors import SLICE_S, Detectors, LoopCount, chosen
from cityops.twin.simulation.timing import iso

START = 1_795_132_800


def site(number: int, link: str = "L1") -> Site:
    return Site(f"DET{number}", "detector", "", 113.3, 30.2, 0.0, 0.0, link, "421402", {})


def one_detector(lanes: int = 2) -> Detectors:
    return Detectors(
        [site(1)], [Loop(f"DET1_{lane}", f"L1_{lane}", 50.0) for lane in range(lanes)], {"DET1": "cabinet-01"}
    )


def minutes(detectors: Detectors, slices: list[list[LoopCount]]) -> list[dict[str, object]]:
    reports = []
    for number, counts in enumerate(slices):
        detectors.record(START + SLICE_S * (number + 1), counts)
        reports += [dict(report.body) for report in detectors.reports()]
    return reports


loop_slices = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0, 1), st.floats(1, 25)).map(lambda c: LoopCount("DET1_0", *c)),
    min_size=24,
    max_size=24,
)


@given(loop_slices)
@settings(max_examples=30, deadline=None)
def test_a_report_is_what_passed_in_its_minute(counts: list[LoopCount]) -> None:
    detectors = one_detector(lanes=1)
    said = minutes(detectors, [[count] for count in counts])
    assert 1 <= len(said) <= 2
    for report in said:
        number = next(n for n in range(24) if report["observed_at"] == iso_of(n))
        minute = counts[number - 11 : number + 1]
        vehicles = sum(count.vehicles for count in minute)
        assert report["intensity"] == pytest.approx(vehicles * 60)
        assert report["occupancy"] == pytest.approx(np.mean([count.occupancy for count in minute]), abs=1e-3)
        assert ("average_vehicle_speed" in report) == (vehicles > 0)


def iso_of(number: int) -> str:
    return iso(START + SLICE_S * (number + 1))


def test_an_empty_road_has_no_speed() -> None:
    empty = [LoopCount("DET1_0", 0, 0.0, -1.0), LoopCount("DET1_1", 0, 0.0, -1.0)]
    (report,) = minutes(one_detector(), [empty] * 24)[:1]
    assert report["intensity"] == 0
    assert report["occupancy"] == 0
    assert "average_vehicle_speed" not in report


def test_lanes_are_added_up_and_speeds_weighed_by_vehicles() -> None:
    slice_ = [LoopCount("DET1_0", 1, 0.1, 10.0), LoopCount("DET1_1", 3, 0.3, 20.0)]
    (report,) = minutes(one_detector(), [slice_] * 24)[:1]
    assert report["intensity"] == 4 * 12 * 60
    assert report["occupancy"] == pytest.approx(0.2)
    assert report["average_vehicle_speed"] == pytest.approx(17.5 * 3.6)


def test_a_minute_that_was_not_observed_from_end_to_end_is_not_reported() -> None:
    detectors, count = one_detector(1), [LoopCount("DET1_0", 1, 0.1, 10.0)]
    said = []
    for number in [*range(8), *range(9, 20)]:  # one slice is lost
        detectors.record(START + SLICE_S * number, count)
        said += detectors.reports()
    assert said == []


def test_detectors_do_not_all_speak_at_once() -> None:
    sites = [site(n) for n in range(240)]
    loops = [Loop(f"DET{n}_0", "L1_0", 1.0) for n in range(240)]
    detectors = Detectors(sites, loops, {s.id: "cabinet-01" for s in sites})
    counts = [LoopCount(loop.id, 0, 0.0, -1.0) for loop in loops]
    per_slice = []
    for number in range(24):
        detectors.record(START + SLICE_S * number, counts)
        per_slice.append(len(detectors.reports()))
    assert sum(per_slice[12:]) == 240
    assert max(per_slice[12:]) < 60


def test_few_detectors_stay_and_great_roads_are_watched_closest() -> None:
    sites = [site(n, f"L{n}") for n in range(1000)]
    highway = {f"L{n}": "trunk" if n < 50 else "primary" if n < 300 else "tertiary" for n in range(1000)}
    few = chosen(sites, highway, 300)
    assert len(few) == pytest.approx(300, abs=2)
    share = {
        kind: sum(highway[s.link] == kind for s in few) / list(highway.values()).count(kind)
        for kind in ("trunk", "primary", "tertiary")
    }
    assert share["trunk"] == 1
    assert share["trunk"] > share["primary"] > share["tertiary"] > 0
    assert chosen(sites, highway, 2000) == sites
