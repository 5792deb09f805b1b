"""An app that declares a layer of points is on the map and in the lists though the UI has no line of code for it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.e2e.conftest import Show, Watched
from tests.e2e.recorded import FRAME, replayed

TOPIC = "water.pumps"
LAYER = {
    "id": "pumps",
    "app": "water",
    "kind": "points",
    "title": {"zh": "排水泵站", "en": "Pumping stations"},
    "topic": TOPIC,
    "legend": [{"value": 2, "label": {"zh": "超限", "en": "Over its limit"}, "color": "#f08a3c"}],
    "shown": True,
    "image": None,
}


@pytest.fixture
def with_pumps(tmp_path: Path) -> Iterator[str]:
    """The recorded frame with an app more."""
    pump = {"id": "PUMP-1", "name": {"zh": "月湖泵站", "en": "Yuehu"}, "level": 2, "stale": False, "water_level_m": 3.2}
    lines = []
    for line in FRAME.read_text("utf-8").splitlines():
        said = json.loads(line)
        if said.get("get") == "/v1/city":
            city = json.loads(base64.b64decode(said["body"]))
            pump |= {"lon": city["center"][0], "lat": city["center"][1]}
            city["layers"].append(LAYER)
            city["topics"].append(TOPIC)
            said["body"] = base64.b64encode(json.dumps(city).encode()).decode()
        lines.append(json.dumps(said))
    event = {"t": 1, "full": True, "set": [pump], "del": []}
    lines.append(json.dumps({"topic": TOPIC, "data": event}))
    recording = tmp_path / "pumps.jsonl"
    recording.write_text("\n".join(lines), "utf-8")
    shutil.copy(FRAME.with_suffix(".pmtiles"), recording.with_suffix(".pmtiles"))
    with replayed(recording, tmp_path) as address:
        yield address


def test_its_points_are_on_the_map_in_the_lists_and_among_the_layers(with_pumps: str, show: Show, watched: Watched):
    page = show(with_pumps)
    page.get_by_role("button", name="图层").click()
    expect(page.get_by_role("checkbox", name="排水泵站")).to_be_checked()
    page.get_by_role("button", name="图上对象列表").click()
    page.get_by_role("button", name="其他").click()
    page.get_by_role("button", name="月湖泵站").click()
    card = page.get_by_role("article", name="月湖泵站")
    expect(card).to_contain_text("water_level_m")
    expect(card).to_contain_text("3.2")
    assert watched.complaints == []
