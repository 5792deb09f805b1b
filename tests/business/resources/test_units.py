"""The fleet shows what moved, grey what fell silent, and never more than a screen's line carries."""

from __future__ import annotations

import pytest
from tests.rows import Told

from cityops.business.resources.units import FORGOTTEN_AFTER_S, MOST_PER_EVENT, Fleet
from cityops.data.contract.installed import installed_contracts

CONTRACT = installed_contracts()["UnitPosition"]
T = 1_800_000_000.0


class Positions(Fleet):
    """A fleet that takes tuples (unit_id, time, lon, lat[, heading, speed])."""

    def __init__(self) -> None:
        super().__init__(fresh_s=30)
        self._told = Told(CONTRACT, self.receive)

    def at(self, *rows: tuple) -> None:
        names = ("unit_id", "observed_at", "longitude", "latitude", "heading", "speed")
        self._told(*({"kind": "police", **dict(zip(names, row, strict=False))} for row in rows))


@pytest.fixture
def fleet() -> Positions:
    return Positions()


def test_a_new_unit_is_shown_rounded_to_what_can_be_seen(fleet):
    fleet.at(("P1", T, 113.123456789, 30.2, 359.6, 41.7))
    assert fleet.changes(T) == {"set": [("P1", "police", 113.12346, 30.2, 0, 42, False)], "del": []}
    assert fleet.changes(T + 0.2) is None


def test_a_move_one_cannot_see_is_not_sent(fleet):
    fleet.at(("P1", T, 113.1, 30.2, 90, 10))
    fleet.changes(T)
    fleet.at(("P1", T + 2, 113.100004, 30.2, 92, 11))
    assert fleet.changes(T + 2) is None
    fleet.at(("P1", T + 3, 113.1005, 30.2, 92, 11))
    assert fleet.changes(T + 3)["set"][0][2] == 113.1005


def test_a_unit_is_shown_at_most_once_a_second_with_its_newest_place(fleet):
    for n in range(4):
        fleet.at(("P1", T + n * 0.3, 113.1 + n / 1000, 30.2))
        shown = fleet.changes(T + n * 0.3)
        assert (shown is not None) == (n == 0)
    assert fleet.changes(T + 1.0)["set"][0][2] == 113.103


def test_a_row_that_comes_late_changes_nothing(fleet):
    fleet.at(("P1", T, 113.1, 30.2))
    fleet.at(("P1", T - 5, 113.5, 30.2))
    assert fleet.changes(T)["set"][0][2] == 113.1


def test_a_silent_unit_turns_stale_and_is_then_forgotten(fleet):
    fleet.at(("P1", T, 113.1, 30.2))
    fleet.changes(T)
    assert fleet.changes(T + 31)["set"][0][6] is True
    assert fleet.online(T + 31) == (0, 1)
    assert fleet.changes(T + FORGOTTEN_AFTER_S + 1) == {"set": [], "del": ["P1"]}
    assert fleet.online(T + FORGOTTEN_AFTER_S + 1) == (0, 0)


def test_a_flood_is_spread_over_events_and_everyone_has_a_turn(fleet):
    count = 3 * MOST_PER_EVENT
    fleet.at(*((f"P{n}", T, 113.1, 30.2) for n in range(count)))
    shown = [row[0] for k in range(4) for row in (fleet.changes(T + k * 0.2) or {"set": []})["set"]]
    assert sorted(shown) == sorted(f"P{n}" for n in range(count))


def test_probe_vehicles_are_counted_apart(fleet):
    fleet._told({"unit_id": "T1", "kind": "probe", "observed_at": T, "longitude": 113.1, "latitude": 30.2})
    fleet.at(("P1", T, 113.1, 30.2), ("P2", T - 60, 113.1, 30.2))
    assert fleet.online(T) == (1, 2)
    assert fleet.online(T, probes=True) == (1, 1)


def test_the_snapshot_has_everyone(fleet):
    fleet.at(("P1", T, 113.1, 30.2), ("P2", T - 60, 113.2, 30.3))
    assert [(row[0], row[6]) for row in fleet.snapshot(T)["set"]] == [("P1", False), ("P2", True)]
