"""The peer: django-ogc-sensorthings on PostgreSQL under uvicorn, bulk inserts by its dataArray extension.

Run as a program with the database's address it migrates and serves; as a module it measures that program.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy.engine import make_url

PREFIX = "/sensorthings/v1.1"


def application(postgres_url: str) -> Any:
    """Return the peer's ASGI application on the database at `postgres_url`, migrated."""
    import django  # noqa: PLC0415  # only the peer's process needs it
    from django.conf import settings  # noqa: PLC0415

    url = make_url(postgres_url)
    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "sensorthings.versions.v1_1",
            "sensorthings.versions.v1_1.backends.django",
            "sensorthings.versions.v1_1.extensions.dataarray",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.database,
                "USER": url.username,
                "PASSWORD": url.password or "",
                "HOST": url.host,
                "PORT": url.port,
            }
        },
        DATA_UPLOAD_MAX_MEMORY_SIZE=None,
        SENSORTHINGS_V1_1_SERVICE_URL="http://127.0.0.1/sensorthings",
        SENSORTHINGS_V1_1_BACKEND_ADAPTER="sensorthings.versions.v1_1.backends.django.adapter.DjangoBackendAdapter",
        SENSORTHINGS_V1_1_ID_TYPE=UUID,
        SENSORTHINGS_V1_1_ID_DELIMITER="'",
    )
    django.setup()
    from django.core.asgi import get_asgi_application  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.urls import include, path  # noqa: PLC0415

    globals()["urlpatterns"] = [path("sensorthings/", include("sensorthings.versions.v1_1.urls"))]
    call_command("migrate", verbosity=0)
    return get_asgi_application()


async def measure(port: int, *, seconds: float, size: int, connections: int) -> float:
    """Return the peer's observations a second with batches of `size` from `connections` clients for `seconds`."""
    base = f"http://127.0.0.1:{port}{PREFIX}"
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=connections)) as client:
        deadline = time.perf_counter() + 60
        while True:
            try:
                if (await client.get(f"{base}/")).status_code == 200:
                    break
            except httpx.TransportError:
                if time.perf_counter() > deadline:
                    raise
            await asyncio.sleep(0.2)
        stream = await datastream(client, base)
        stored = 0

        async def post(worker: int, until: float, turn: int = 0) -> None:
            nonlocal stored
            while time.perf_counter() < until:
                stamp = f"2026-01-{1 + worker % 28:02d}T{turn // 3600 % 24:02d}:{turn // 60 % 60:02d}:{turn % 60:02d}"
                rows = [[f"{stamp}.{row:03d}Z", row / 10] for row in range(size)]
                body = [
                    {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}
                ]
                answer = await client.post(f"{base}/CreateObservations", json=body)
                if answer.status_code != 201 or "error" in answer.text:
                    raise RuntimeError(f"the peer refused: {answer.status_code} {answer.text[:300]}")
                stored += size
                turn += 1

        # Alone at first: its feature of interest is made by the first post, and two at once would make two.
        await post(connections, time.perf_counter() + 0.5)
        stored, begin = 0, time.perf_counter()
        await asyncio.gather(*(post(worker, begin + seconds) for worker in range(connections)))
        return stored / (time.perf_counter() - begin)


async def datastream(client: httpx.AsyncClient, base: str) -> str:
    """Return the id of a new Datastream with its Thing, Sensor, ObservedProperty and place."""
    body = {
        "name": "bench",
        "description": "bench",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "vehicles per hour", "symbol": "veh/h", "definition": "ucum:{veh}/h"},
        "Thing": {
            "name": "bench",
            "description": "bench",
            "Locations": [
                {
                    "name": "bench",
                    "description": "bench",
                    "encodingType": "application/geo+json",
                    "location": {"type": "Point", "coordinates": [114.3, 30.6]},
                }
            ],
        },
        "Sensor": {"name": "bench", "description": "bench", "encodingType": "text/html", "metadata": "bench"},
        "ObservedProperty": {
            "name": "intensity",
            "definition": "https://smartdatamodels.org/intensity",
            "description": "bench",
        },
    }
    answer = await client.post(f"{base}/Datastreams", json=body)
    answer.raise_for_status()
    location = answer.headers.get("location", "")
    return location.rsplit("(", 1)[1].strip("')") if location else str(answer.json()["@iot.id"])


def run(postgres_url: str, *, seconds: float, size: int, connections: int, port: int) -> float:
    """Start the peer on `port`, measure it, end it; return its observations a second."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.peer_sensorthings", postgres_url, str(port)], env=environment
    )
    try:
        return asyncio.run(measure(port, seconds=seconds, size=size, connections=connections))
    finally:
        child.terminate()
        child.wait(20)


if __name__ == "__main__":
    import uvicorn

    sys.modules["bench.peer_sensorthings"] = sys.modules[__name__]
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    uvicorn.run(
        application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False
    )
