"""The registry of events is whole, true to the code, and its page is fresh."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cityops.technology import events

PAGE = Path(__file__).resolve().parents[2] / "docs" / "flow.md"
OUTSIDE = {"devices"}


def test_the_page_of_events_is_what_the_registry_says() -> None:
    assert PAGE.read_text("utf-8") == events.render(), "stale: run `cityops docs flow`"


@pytest.mark.parametrize("end", ["producers", "consumers"])
def test_an_event_without_an_end_fails(end: str) -> None:
    with pytest.raises(events.RegistryError, match=end[:-1]):
        events.check((replace(events.EVENTS[0], **{end: ()}),))


def test_two_events_do_not_share_a_subject() -> None:
    with pytest.raises(events.RegistryError, match="share the subject"):
        events.check((events.EVENTS[0], replace(events.EVENTS[0], name="another")))


@pytest.mark.parametrize("event", events.EVENTS, ids=lambda event: event.subject)
def test_every_end_is_a_module_of_ours_or_a_device(event: events.Event) -> None:
    ends = {*event.producers, *event.consumers} - OUTSIDE
    assert [end for end in ends if find_spec(f"cityops.{end}") is None] == []
