"""The IOC's HTTP API: the city, its panels and layers, newest rows, history, health."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from cityops.apps.live import Questions
from cityops.apps.panels import Text
from cityops.data.contract import Contract
from cityops.ioc import questions
from cityops.ioc.assets import ASK_FIRST, FOREVER, unless_known
from cityops.ioc.feed import UnknownTopicError
from cityops.ioc.problems import ProblemError
from cityops.ioc.screen import TILES_URL, Screen
from cityops.ioc.shapes import CityInfo, Health, ImageInfo, LatestRows, PanelInfo, PlaceInfo, Problem, SeriesPoints

TILES = TILES_URL.removeprefix("/v1")
_encode = msgspec.json.encode
NO_CITY = "there is no city yet: `cityops up` makes one, `cityops city import` brings one in"
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": meaning}
    for code, meaning in ((404, "no such thing; the answer lists what there is"), (503, "an engine is not there yet"))
}

Limit = Annotated[int, Query(ge=1, le=10_000)]
Name = Annotated[str, Query(min_length=1, max_length=128)]


def json(data: object, status: int = 200) -> Response:
    """Return `data` as JSON, not to be kept."""
    return Response(_encode(data), status, {"Cache-Control": "no-store"}, "application/json")


def state_routes(screen: Screen) -> APIRouter:  # noqa: C901  # one short function a route
    """Return the routes that say how the city is set up and how it stands."""
    routes = APIRouter(prefix="/v1", responses=ERRORS)

    @routes.get("/health", response_model=Health, operation_id="health")
    async def health() -> Response:
        """Say whether all is there; 200 whenever the IOC serves."""
        return json(screen.health(version("cityops")))

    @routes.get("/city", response_model=CityInfo, operation_id="city")
    async def city() -> Response:
        """Return the city: where it is, its districts, map layers and feed topics."""
        info = screen.city_info()
        if info is None:
            raise ProblemError(503, NO_CITY)
        return json(info)

    @routes.get("/panels", response_model=list[PanelInfo], operation_id="panels")
    async def panels() -> Response:
        """Return the panels of the big screen; their data come on the feed."""
        return json(screen.panels())

    @routes.get("/places", response_model=list[PlaceInfo], operation_id="places")
    async def places(kind: Annotated[list[Name], Query(min_length=1, max_length=20)], limit: Limit = 1000) -> Response:
        """Return places of the given kinds."""
        if screen.city is None:
            raise ProblemError(503, NO_CITY)
        rows = screen.city.places_of(*kind).slice(0, limit).to_pylist()
        found = [
            PlaceInfo(
                row["place_id"],
                row["kind"],
                Text(row["name_zh"], row["name_en"]),
                row["lon"],
                row["lat"],
                row["district_id"],
            )
            for row in rows
        ]
        return json(found)

    @routes.get("/topics/{topic}", operation_id="topic")
    async def topic(topic: str) -> Response:
        """Return the whole state of a feed topic, as the feed would send it to a new client."""
        try:
            state = screen.feed.state(topic)
        except UnknownTopicError as error:
            raise ProblemError(404, f"no topic {topic!r}", topics=sorted(screen.feed.topics)) from error
        if state is None:
            raise ProblemError(503, f"topic {topic!r} has no state yet")
        return Response(state, 200, {"Cache-Control": "no-store"}, "application/json")

    @routes.get("/map/{layer}.json", response_model=ImageInfo, operation_id="layerImage")
    async def layer_image(layer: str) -> Response:
        """Return where the newest picture of an image layer is and what it covers."""
        image = _image(screen, layer)
        return json(ImageInfo(f"/v1/map/{layer}.png?v={image.at}", image.bounds, image.at))

    @routes.get(
        "/map/{layer}.png",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
        operation_id="layerPng",
    )
    async def layer_png(layer: str, v: int | None = None) -> Response:
        """Return the newest picture of an image layer; with its time as `v` it may be kept."""
        image = _image(screen, layer)
        kept = FOREVER if v == image.at else ASK_FIRST
        return Response(image.png, 200, {"Cache-Control": kept}, "image/png")

    @routes.head(TILES, include_in_schema=False)
    @routes.get(TILES, response_class=FileResponse, operation_id="tiles")
    async def tiles(request: Request) -> Response:
        """Return the city's PMTiles archive; ranges are how it is read."""
        if screen.city is None or not screen.city.tiles.is_file():
            raise ProblemError(503, NO_CITY)
        kept = FOREVER if "v" in request.query_params else ASK_FIRST
        return unless_known(request.headers, screen.city.tiles, {"Cache-Control": kept}, "application/vnd.pmtiles")

    return routes


def history_routes(screen: Screen, warehouse: Questions) -> APIRouter:
    """Return the routes that ask `warehouse`."""
    routes = APIRouter(prefix="/v1", responses=ERRORS)

    def contract_of(name: str) -> Contract:
        if name not in screen.contracts:
            raise ProblemError(404, f"no contract {name!r}", contracts=sorted(screen.contracts))
        return screen.contracts[name]

    @routes.get("/rows/{contract}", response_model=LatestRows, operation_id="rows")
    async def rows(contract: str, limit: Limit = 100, entity: Name | None = None) -> Response:
        """Return the newest row of every entity of a contract (or of one), newest first."""
        return json(await questions.latest(warehouse, contract_of(contract), limit, entity))

    @routes.get("/series/{contract}/{entity}", response_model=SeriesPoints, operation_id="series")
    async def series(
        contract: str,
        entity: str,
        property: Name,  # noqa: A002  # the parameter's public name
        from_: Annotated[datetime | None, Query(alias="from")] = None,
        to: datetime | None = None,
    ) -> Response:
        """Return the history of one property: rows for hours, rollups for days and years; the last hour by default."""
        asked = contract_of(contract)
        known = questions.numbers(asked)
        if property not in known:
            raise ProblemError(404, f"{contract} has no number {property!r}", properties=sorted(known))
        until = _utc(to) if to else datetime.fromtimestamp(screen.feed.now(), UTC)
        since = _utc(from_) if from_ else until - questions.LAST_HOUR
        if since >= until:
            raise ProblemError(
                422, "`from` must be before `to`", **{"from": since.isoformat(), "to": until.isoformat()}
            )
        try:
            return json(await questions.series(warehouse, asked, entity, known[property], since, until))
        except ValueError as error:
            raise ProblemError(422, str(error)) from error

    return routes


def _image(screen: Screen, layer: str) -> Any:
    try:
        image = screen.image(layer)
    except KeyError as error:
        known = sorted(own.id for app in screen.apps for own in app.layers if own.kind == "image")
        raise ProblemError(404, f"no image layer {layer!r}", layers=known) from error
    if image is None:
        raise ProblemError(503, f"layer {layer!r} has no picture yet")
    return image


def _utc(time: datetime) -> datetime:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
