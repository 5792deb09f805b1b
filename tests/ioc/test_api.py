"""The API says what there is, refuses what there is not in words, and breaks on nothing it is asked."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.rows import Told

from cityops.ioc import openapi
from cityops.ioc.assets import Assets
from cityops.ioc.middleware import SECURITY_HEADERS
from cityops.ioc.screen import Screen
from cityops.ioc.server import create_app, load_screen

T = 1_800_000_000.0


async def refused(client: httpx.AsyncClient, path: str, status: int) -> dict:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["detail"]
    return said


async def test_the_city_names_its_districts_layers_and_topics(client):
    city = (await client.get("/v1/city")).json()
    assert city["name"] == {"zh": "小城", "en": "Small Town"}
    assert [d["name"]["zh"] for d in city["districts"]] == ["城中区", "高新区"]
    assert {layer["id"] for layer in city["layers"]} >= {"traffic", "air", "air_stations", "units", "alerts"}
    assert set(city["topics"]) >= {"traffic.links", "units", "air", "alerts", "link", "clock", "ticker"}
    assert city["tiles"].startswith("/v1/tiles/tiles.pmtiles?v=")


async def test_every_panel_has_its_topic(client, screen):
    panels = (await client.get("/v1/panels")).json()
    assert [p["id"] for p in panels if p["column"] == "left"] == ["vitals", "tpi", "air"]
    assert [p["id"] for p in panels if p["column"] == "right"] == ["alerts", "congestion", "flow", "link"]
    assert {p["topic"] for p in panels} <= set(screen.feed.topics)


async def test_without_a_city_the_api_says_how_to_get_one(ui):
    transport = httpx.ASGITransport(create_app(load_screen(), None, Assets(ui)))
    async with httpx.AsyncClient(transport=transport, base_url="http://ioc") as client:
        for path in ("/v1/city", "/v1/tiles/tiles.pmtiles", "/v1/places?kind=hospital"):
            assert "cityops up" in (await refused(client, path, 503))["detail"]
        health = (await client.get("/v1/health")).json()
    assert (health["status"], health["checks"]["city"]["ok"]) == ("degraded", False)


async def test_tiles_are_read_by_ranges(client):
    whole = await client.get("/v1/tiles/tiles.pmtiles")
    part = await client.get("/v1/tiles/tiles.pmtiles", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole.content)}"
    assert (await client.get("/v1/tiles/tiles.pmtiles", headers={"Range": "bytes=9999-"})).status_code == 416
    known = {"If-None-Match": whole.headers["etag"]}
    assert (await client.get("/v1/tiles/tiles.pmtiles", headers=known)).status_code == 304
    assert (await client.head("/v1/tiles/tiles.pmtiles")).headers["content-length"] == str(len(whole.content))


async def test_tiles_with_their_version_may_be_kept(client):
    address = (await client.get("/v1/city")).json()["tiles"]
    assert "immutable" in (await client.get(address)).headers["cache-control"]
    assert (await client.get("/v1/tiles/tiles.pmtiles")).headers["cache-control"] == "no-cache"


async def test_a_topic_can_be_asked_for_without_the_feed(client, screen):
    flow = screen.contracts["TrafficFlowObserved"]
    row = {"detector_id": "DET1", "observed_at": screen.feed.now(), "intensity": 60.0, "average_vehicle_speed": 60.0}
    Told(flow, screen.receive)(row)
    state = (await client.get("/v1/topics/traffic.links")).json()
    assert (state["full"], state["set"]) == (True, [1, 1])
    assert "traffic.links" in (await refused(client, "/v1/topics/nope", 404))["topics"]
    await refused(client, "/v1/topics/panel.flow", 503)


async def test_places_are_found_by_kind(client):
    places = (await client.get("/v1/places", params={"kind": ["air_station", "detector"], "limit": 10})).json()
    assert {p["kind"] for p in places} == {"air_station", "detector"}
    assert len(places) == 10
    await refused(client, "/v1/places", 422)


async def test_the_picture_of_a_layer_comes_with_its_bounds(client, screen):
    await refused(client, "/v1/map/air.png", 503)
    assert (await refused(client, "/v1/map/nope.png", 404))["layers"] == ["air"]
    contract = screen.contracts["AirQualityObserved"]
    now = screen.feed.now()
    rows = [{"station_id": f"AIR{n}", "observed_at": now, "pm25": 50.0 * n} for n in (1, 2, 3)]
    Told(contract, screen.receive)(*rows)
    screen.feed.tick(1)
    said = (await client.get("/v1/map/air.json")).json()
    assert said["bounds"] == [113.29, 30.19, 113.31, 30.21]
    picture = await client.get(said["url"])
    assert picture.content.startswith(b"\x89PNG")
    assert "immutable" in picture.headers["cache-control"]
    assert (await client.get("/v1/map/air.png?v=1")).headers["cache-control"] == "no-cache"


async def test_a_warehouse_that_is_away_is_said_so(client):
    assert "warehouse" in (await refused(client, "/v1/rows/Alert", 503))["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/nope", 404),
        ("/v1/rows/Nope", 404),
        ("/v1/rows/Alert?limit=0", 422),
        ("/v1/rows/Alert?limit=x", 422),
        ("/v1/series/TrafficFlowObserved/D1", 422),
        ("/v1/series/TrafficFlowObserved/D1?property=nope", 404),
        ("/v1/series/TrafficFlowObserved/D1?property=intensity&from=x", 422),
        ("/v1/series/TrafficFlowObserved/D1?property=intensity&from=2026-01-02&to=2026-01-01", 422),
        ("/v1/feed", 400),
        ("/v1/feed?topics=nope", 404),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(client, path, status):
    await refused(client, path, status)


async def test_writing_is_refused(client):
    assert (await client.post("/v1/health")).status_code == 405
    assert (await client.post("/")).status_code == 405


async def test_every_answer_carries_the_security_headers(client):
    for path in ("/", "/v1/health", "/v1/nope", "/assets/app-1a2b.js", "/v1/feed?topics=nope"):
        headers = (await client.get(path)).headers
        for name, value in SECURITY_HEADERS:
            assert headers[name.decode()] == value.decode()


async def test_large_answers_are_compressed(client):
    assert (await client.get("/openapi.json")).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in (await client.get("/v1/tiles/tiles.pmtiles")).headers


async def test_built_assets_are_kept_for_ever_and_the_index_is_asked_for(client):
    asset = await client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert (asset.text, "immutable" in asset.headers["cache-control"]) == ("console.log('plain')", True)
    index = await client.get("/")
    assert (index.headers["cache-control"], "UI" in index.text) == ("no-cache", True)
    assert (await client.get("/", headers={"If-None-Match": index.headers["etag"]})).status_code == 304


async def test_a_compressed_copy_is_sent_to_who_can_read_it(client):
    async with client.stream("GET", "/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip, br;q=0.9"}) as answer:
        assert answer.headers["content-encoding"] == "br"
        assert answer.headers["content-type"].startswith("text/javascript")
        assert b"".join([part async for part in answer.aiter_raw()]) == b"squeezed"


async def test_a_page_of_the_ui_is_its_index_and_a_missing_file_is_not(client):
    assert "UI" in (await client.get("/data/quality")).text
    await refused(client, "/assets/gone-9.js", 404)


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/%2e%2e/city/city.json", "/assets/..%2f..%2fcity/city.json"]
)
async def test_nothing_outside_the_ui_is_served(client, path):
    answer = await client.get(path)
    assert "UI" in answer.text or answer.status_code == 404
    assert "Small Town" not in answer.text


async def test_an_unbuilt_ui_is_a_page_that_says_so(screen, tmp_path):
    transport = httpx.ASGITransport(create_app(screen, None, Assets(tmp_path / "none")))
    async with httpx.AsyncClient(transport=transport, base_url="http://ioc") as client:
        page = await client.get("/")
        assert page.status_code == 503
        assert "make up" in page.text
        assert (await client.get("/v1/health")).json()["checks"]["ui"]["ok"] is False


def test_the_description_has_the_shape_of_every_topic(screen: Screen):
    document = json.loads(openapi.text(create_app(screen, None)))
    schemas = document["components"]["schemas"]
    topics = schemas["FeedTopics"]["properties"]
    assert set(topics) == set(screen.feed.topics)
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas, f"{name} is named but not described"
    stamp, shape = topics["units"]["allOf"]
    assert set(stamp["required"]) == {"t", "full"}
    assert "set" in json.dumps(schemas[shape["$ref"].rsplit("/", 1)[1]])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_question_breaks_the_server(client, data):
    words = st.text(max_size=20) | st.sampled_from(
        ["TrafficFlowObserved", "units", "air", "0", "-1", "1e999", "null", "'--"]
    )
    parts = data.draw(st.lists(words, max_size=3))
    root = data.draw(
        st.sampled_from(["/v1/rows", "/v1/series", "/v1/topics", "/v1/map", "/v1/places", "/v1", "", "/v1/feed"])
    )
    path = "/".join([root, *(quote(part, safe="") for part in parts)]) or "/"
    names = st.sampled_from(["limit", "kind", "entity", "property", "from", "to", "topics", "v"])
    query = data.draw(st.lists(st.tuples(names, words), max_size=4))
    if root == "/v1/feed" and not parts:
        query = [(name, value) for name, value in query if name != "topics"]  # a stream has no end to wait for
    answer = await client.get(path, params=query)
    assert answer.status_code != 500, (path, query, answer.text)
    assert answer.status_code < 500 or answer.status_code == 503


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
async def test_a_link_out_of_the_ui_is_not_followed(client, ui, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (ui / "assets" / "out.txt").symlink_to(tmp_path / "secret.txt")
    await refused(client, "/assets/out.txt", 404)
