from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cityops.twin.simulation.outbox import Outbox, Outgoing


def message(number: int) -> Outgoing:
    return Outgoing("cityops/Test/device", b"%d" % number)


@given(st.lists(st.sampled_from(["put", "take", "confirm"]), max_size=300), st.integers(1, 10), st.integers(1, 5))
def test_every_message_is_waiting_under_way_confirmed_or_counted_as_dropped(
    acts: list[str], most: int, window: int
) -> None:
    box, put, under_way, taken = Outbox(most, window), 0, [], []
    for act in acts:
        if act == "put":
            box.put(message(put))
            put += 1
        elif act == "take" and (found := box.next()):
            taken.append(found)
            under_way.append(len(taken))
            box.sent(len(taken))
        elif act == "confirm" and under_way:
            box.confirm(under_way.pop(0))
        assert len(under_way) <= window
        assert put == len(box) + box.confirmed + box.dropped
    numbers = [int(found.payload) for found in taken]
    assert numbers == sorted(numbers)


def test_the_oldest_go_first_when_there_is_no_room() -> None:
    box = Outbox(most=3, window=1)
    for number in range(5):
        box.put(message(number))
    assert box.dropped == 2
    assert box.next() == message(2)


def test_a_confirmation_nobody_waits_for_counts_for_nothing() -> None:
    box = Outbox()
    box.confirm(17)
    assert box.confirmed == 0
