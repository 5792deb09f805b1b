"""What every app must keep to: these tests run for each installed one, and need no change when one is added."""

from __future__ import annotations

import time
from collections import Counter

import msgspec
import pytest
from pydantic import TypeAdapter
from tests.rows import Told
from tests.small_city import EAST, SOUTH, small_city

from cityops.apps.manifest import App, ManifestError, installed
from cityops.apps.panels import SHAPES, aged
from cityops.data.contract import Contract
from cityops.data.contract.installed import installed_contracts
from cityops.ioc.platform import PLATFORM
from cityops.ioc.screen import OWN_PANELS, OWN_TOPICS

APPS = [PLATFORM, *installed()]
CONTRACTS = installed_contracts()
each_app = pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)


def plausible(contract: Contract, n: int, when: float) -> dict[str, object]:
    """Return a row with a value for everything the contract knows."""
    row: dict[str, object] = {}
    for p in contract.properties:
        if p.type == "point":
            row |= dict(zip(p.columns, (EAST - n / 1000, SOUTH + n / 1000), strict=True))
        elif p.name == contract.time:
            row[p.name] = when
        elif p.type in ("number", "integer"):
            low, high = p.minimum or 0, p.maximum or 100
            row[p.name] = low + (high - low) * (n + 1) / 50
        elif p.type == "string":
            row[p.name] = p.enum[n % len(p.enum)] if p.enum else f"{p.name[:3]}{n}"
    return row


@each_app
def test_everything_it_reads_is_a_contract(app: App):
    assert set(app.reads) <= set(CONTRACTS)
    assert all(set(topic.contracts) <= set(app.reads) for topic in app.topics)


@each_app
def test_its_layers_are_fed_by_topics_that_exist(app: App):
    known = {topic.name for each in APPS for topic in each.topics}
    assert {layer.topic for layer in app.layers} <= known


def test_no_name_is_taken_twice():
    for names in (
        [app.name for app in APPS],
        [topic.name for app in APPS for topic in app.topics] + list(OWN_TOPICS),
        [panel.id for app in APPS for panel in app.panels] + [panel.id for panel in OWN_PANELS],
        [layer.id for app in APPS for layer in app.layers],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@each_app
def test_every_text_is_there_in_both_languages(app: App):
    texts = [app.title, *(p.title for p in app.panels), *(layer.title for layer in app.layers)]
    texts += [item.label for layer in app.layers for item in layer.legend]
    assert all(text.zh and text.en for text in texts)


@each_app
def test_what_it_says_has_the_shapes_it_declares(app: App, tmp_path):
    kind = app.live_class()
    assert kind is not None
    live = kind(small_city(tmp_path), CONTRACTS)
    now = time.time()
    for topic in app.topics:
        live.snapshot(topic.name, now)  # before anything is known too
    for panel in app.panels:
        live.panel(panel.id, now)
    for name in app.reads:
        Told(CONTRACTS[name], live.receive)(*(plausible(CONTRACTS[name], n, now) for n in range(8)))
    for topic in app.topics:
        for event in (live.changes(topic.name, now), live.snapshot(topic.name, now)):
            assert event is not None, f"{topic.name} says nothing of rows it should show"
            TypeAdapter(topic.shape).validate_json(msgspec.json.encode(event))
    for panel in app.panels:
        data = live.panel(panel.id, now)
        if data is not None:
            TypeAdapter(SHAPES[panel.kind]).validate_json(msgspec.json.encode(aged(data, now)))
    for kpi in live.kpis(now):
        assert kpi.updated_at is None or kpi.updated_at <= now * 1000 + 1000
    msgspec.json.encode([*live.kpis(now), *live.notices(now)])


@each_app
def test_it_refuses_topics_and_panels_that_are_not_its_own(app: App, tmp_path):
    kind = app.live_class()
    assert kind is not None
    live = kind(small_city(tmp_path), CONTRACTS)
    for asked in (lambda: live.panel("nobody's", 0.0), lambda: live.image("nobody's")):
        with pytest.raises(KeyError):
            asked()


def test_a_live_part_that_is_not_there_is_named():
    with pytest.raises(ManifestError, match=r"app lost: .*no\.such:Part"):
        App("lost", PLATFORM.title, live="no.such:Part").live_class()
