"""The lists of map objects: searched by name in both languages and by number, paged, links also by feature number."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from cityops.ioc.screen import Screen
from cityops.ioc.server import create_app


async def asked(client: httpx.AsyncClient, path: str, **params: Any) -> tuple[int, list[str]]:
    answer = await client.get(f"/v1/objects/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["total"], [item["id"] for item in answer.json()["items"]]


async def test_links_come_in_pages_in_their_order(client):
    assert await asked(client, "links", limit=3) == (8, ["L00001", "L00002", "L00003"])
    assert await asked(client, "links", limit=3, offset=6) == (8, ["L00007", "L00008"])
    assert await asked(client, "links", offset=100) == (8, [])


@pytest.mark.parametrize("wanted", ["长江", "changjiang", " Changjiang Road "])
async def test_links_are_found_by_either_name(client, wanted):
    assert await asked(client, "links", q=wanted) == (4, ["L00005", "L00006", "L00007", "L00008"])


async def test_links_are_found_by_number(client):
    assert await asked(client, "links", q="l00003") == (1, ["L00003"])


async def test_links_asked_for_by_feature_number_keep_the_order_asked_for_and_skip_the_unknown(client):
    assert await asked(client, "links", fid=[7, 0, 2, 99]) == (2, ["L00007", "L00002"])


async def test_a_link_says_where_its_middle_is(client):
    link = (await client.get("/v1/objects/links", params={"fid": 1})).json()["items"][0]
    assert (link["lon"], link["lat"]) == (113.2955, 30.2)
    assert link["name"] == {"zh": "解放大道", "en": "Jiefang Avenue"}
    assert (link["highway"], link["lanes"], link["free_speed_kmh"], link["oneway"]) == ("primary", 2, 60.0, False)


async def test_places_are_found_by_kind_and_name(client):
    assert await asked(client, "places", kind="air_station") == (4, ["AIR1", "AIR2", "AIR3", "AIR4"])
    assert await asked(client, "places", kind=["air_station", "detector"], q="3") == (2, ["DET3", "AIR3"])
    assert (await asked(client, "places"))[0] == 12


async def test_what_cannot_be_asked_is_refused(client):
    for params in ({"limit": 501}, {"offset": -1}, {"q": "x" * 65}):
        assert (await client.get("/v1/objects/links", params=params)).status_code == 422


async def test_without_a_city_it_says_so(client, screen: Screen):
    screen.city = None
    answer = await client.get("/v1/objects/places")
    assert answer.status_code == 503
    assert "cityops up" in answer.json()["detail"]


def test_the_lists_are_described(screen: Screen):
    paths = create_app(screen, None).openapi()["paths"]  # type: ignore[arg-type]  # nothing is asked of it
    assert {"/v1/objects/links", "/v1/objects/places"} <= set(paths)
