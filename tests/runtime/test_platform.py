"""The whole platform without the demo city: messages go from the wire to the warehouse, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import paho.mqtt.client as mqtt
import pytest
from tests.engines import until
from tests.runtime.up_process import Up

from cityops.runtime.roles import ROLES
from cityops.settings import Settings
from cityops.technology import bus

pytestmark = [pytest.mark.engine, pytest.mark.fault, pytest.mark.slow]

WITHOUT_TWIN = [role.name for role in ROLES if role.name not in ("city", "twin")]
CONTRACT = "AirQualityObserved"
ACCEPTED, INSUFFICIENT_STORAGE = 202, 507


def reading(n: int) -> bytes:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"station_id": f"s{n}", "observed_at": now, "pm25": float(n)}).encode()


def post(settings: Settings, n: int) -> int:
    """Return the edge's answer to reading `n`, 0 when it gave none."""
    url = f"http://{settings.edge_host}:{settings.edge_port}/v1/ingest/{CONTRACT}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"reading-{n}"}
    try:
        with urlopen(Request(url, reading(n), headers), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


def stored(settings: Settings) -> list[str]:
    """Return the stations in the warehouse, None answered as nothing while it is away."""
    query = b"SELECT station_id FROM cityops.air_quality_observed FORMAT TSV"
    try:
        with urlopen(Request(settings.warehouse_url, query), timeout=5) as answer:
            return sorted(answer.read().decode().split())
    except OSError:
        return []


def well(folder: Path, restarts: dict[str, int]) -> bool:
    states = json.loads((folder / "run" / "status.json").read_text("utf-8"))
    return all(said["state"] in ("healthy", "done") for said in states.values()) and all(
        states[role]["restarts"] >= times for role, times in restarts.items()
    )


def test_each_role_killed_in_turn_comes_back_and_no_message_is_lost_or_doubled(start: type[Up], tmp_path: Path) -> None:
    one = start(tmp_path, roles=WITHOUT_TWIN)
    settings = one.wait()
    device = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
    device.reconnect_delay_set(1, 1)
    device.connect(settings.mqtt_host, settings.mqtt_port)
    device.loop_start()
    acknowledged: list[int] = []
    device.on_publish = lambda client, data, number, reason, properties: acknowledged.append(number)
    victims = [role for role in WITHOUT_TWIN if role != "migrate"]
    for n, role in enumerate(victims):
        until(lambda n=n: post(settings, n) == ACCEPTED)
        os.kill(one.children()[role].pid, signal.SIGKILL)
        device.publish(bus.mqtt_topic(CONTRACT, "device"), reading(100 + n), qos=1)  # kept and sent again by itself
        until(lambda n=n: post(settings, 200 + n) == ACCEPTED)
        until(lambda role=role: well(tmp_path, {role: 1}), seconds=60)
    until(lambda: len(acknowledged) >= len(victims))
    device.loop_stop()
    expected = sorted(f"s{base + n}" for base in (0, 100, 200) for n in range(len(victims)))
    until(lambda: len(stored(settings)) >= len(expected))
    assert stored(settings) == expected
    assert one.end() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(file: Path, leave: int) -> None:
    with file.open("wb") as out, contextlib.suppress(OSError):
        while shutil.disk_usage(file.parent).free > leave:
            out.write(b"\0" * 1_000_000)
            out.flush()


def test_a_full_disk_refuses_new_data_and_takes_it_again_once_there_is_room(
    start: type[Up], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYOPS_DISK_RESERVE_MB", "300")
    one = start(small_disk / "data", roles=WITHOUT_TWIN)
    settings = one.wait()
    until(lambda: post(settings, 0) == ACCEPTED)
    fill(small_disk / "filler", leave=200_000_000)
    until(lambda: post(settings, 1) == INSUFFICIENT_STORAGE)
    until(lambda: "s0" in stored(settings))  # what was accepted goes on its way
    fill(small_disk / "more", leave=0)
    assert post(settings, 2) == INSUFFICIENT_STORAGE
    (small_disk / "filler").unlink()
    (small_disk / "more").unlink()
    until(lambda: post(settings, 3) == ACCEPTED)
    until(lambda: "s3" in stored(settings))
    assert one.end() == 0
