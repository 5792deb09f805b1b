"""The board knows how every alert stands, where it is, and what is news."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rows import Told, at
from tests.small_city import small_city

from cityops.business.rules.alerts import CLEARED_SHOWN_S, AlertBoard, AlertRow
from cityops.data.contract.installed import installed_contracts

CONTRACT = installed_contracts()["Alert"]
T = 1_800_000_000.0


USUAL = {"observed_at": T, "category": "traffic", "alert_source": "rule:jam", "status": "open", "severity": "III"}


class Board(AlertBoard):
    """A board that takes what differs from the usual alert."""

    def __init__(self, folder: Path) -> None:
        super().__init__(small_city(folder))
        self._told = Told(CONTRACT, self.receive)

    def hear(self, *rows: dict) -> list[AlertRow]:
        return self._told(*(USUAL | row for row in rows))


@pytest.fixture
def board(tmp_path) -> Board:
    return Board(tmp_path)


def test_an_alert_is_placed_in_its_street_and_district(board):
    board.hear({"alert_id": "A", "longitude": 113.305, "latitude": 30.2001, "description": "Jam"})
    (alert,) = board.changes(T)["set"]
    assert (alert.place["zh"], alert.district["zh"], alert.title, alert.severity) == ("解放大道", "高新区", "Jam", 3)


def test_an_alert_without_place_or_words_still_has_a_title(board):
    board.hear({"alert_id": "A", "sub_category": "trafficJam"})
    (alert,) = board.changes(T)["set"]
    assert (alert.title, alert.place, alert.district) == ("trafficJam", None, None)


def test_only_what_opens_changes_or_ends_is_news(board):
    assert [a.id for a in board.hear({"alert_id": "A"})] == ["A"]
    assert board.hear({"alert_id": "A", "observed_at": T + 60}) == []
    assert [a.severity for a in board.hear({"alert_id": "A", "observed_at": T + 90, "severity": "I"})] == [1]
    cleared = board.hear({"alert_id": "A", "observed_at": T + 120, "severity": "I", "status": "cleared"})
    assert [a.status for a in cleared] == ["cleared"]


def test_an_older_word_does_not_undo_a_newer(board):
    board.hear({"alert_id": "A", "observed_at": T + 60, "status": "cleared"})
    board.hear({"alert_id": "A", "observed_at": T})
    assert board.standing(T + 60) == []


def test_standing_alerts_come_gravest_first_then_newest(board):
    rows = ({"alert_id": "old", "severity": "III"}, {"alert_id": "new", "severity": "III", "observed_at": T + 9})
    board.hear(*rows, {"alert_id": "grave", "severity": "I"})
    assert [alert.id for alert in board.standing(T + 10)] == ["grave", "new", "old"]


def test_a_cleared_alert_stays_in_sight_for_a_while(board):
    board.hear({"alert_id": "A", "status": "cleared"})
    assert [a.status for a in board.changes(T)["set"]] == ["cleared"]
    assert board.changes(T + CLEARED_SHOWN_S + 1) == {"set": [], "del": ["A"]}
    assert board.snapshot(T + CLEARED_SHOWN_S + 1)["set"] == []


def test_an_alert_that_has_run_out_is_no_longer_open(board):
    board.hear({"alert_id": "A", "valid_to": at(T + 60)})
    assert len(board.standing(T + 59)) == 1
    board.changes(T + 59)
    assert [a.status for a in board.changes(T + 61)["set"]] == ["expired"]
    assert board.standing(T + 61) == []
