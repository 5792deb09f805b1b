from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.engines import until

from cityops.twin.simulation.city import SimulatedCity
from cityops.twin.simulation.demand import Demand, Trip
from cityops.twin.simulation.incidents import Incident
from cityops.twin.simulation.traffic import Traffic, TrafficError

pytestmark = pytest.mark.engine

EIGHT = 1_795_132_800  # Friday 2026-11-20, 08:00 in Beijing
MIDNIGHT = EIGHT - 8 * 3600


@pytest.fixture
def traffic(city: SimulatedCity) -> Iterator[Traffic]:
    lights = [str(site.attrs["node_id"]) for site in city.sites_of("signal")]
    lights.append("a light that is not there")
    started = Traffic(city, city.loops, lights, begin=EIGHT, midnight=MIDNIGHT, seed=1)
    yield started
    started.close()


def run_until(traffic: Traffic, done: Callable[[list[str]], bool], most: int) -> int:
    """Step until `done(ended vehicles)` and return how many steps that took."""
    for step in range(1, most + 1):
        if done(traffic.step()):
            return step
    raise AssertionError(f"not done after {most} steps")


def primary(city: SimulatedCity) -> list[int]:
    return [int(row) for row in np.flatnonzero(city.streets.highway == "primary")]


def test_cars_set_out_drive_and_arrive(city: SimulatedCity, traffic: Traffic) -> None:
    demand = Demand(city.zones, city.streets, city.zone, seed=1)
    traffic.add(demand.trips(EIGHT, EIGHT + 60))
    run_until(traffic, lambda _: traffic.vehicles > 5, 10)
    run_until(traffic, lambda _: traffic.vehicles == 0, 900)
    assert traffic.teleports == 0


def test_a_followed_vehicle_moves_and_its_end_is_told(city: SimulatedCity, traffic: Traffic) -> None:
    links = primary(city)
    assert traffic.send("U1/1", "police", links[0], links[-1], stops=False)
    assert traffic.fix_of("U1/1") is None
    traffic.step()
    first = traffic.fix_of("U1/1")
    for _ in range(20):
        traffic.step()
    later = traffic.fix_of("U1/1")
    assert first is not None
    assert later is not None
    assert 20 < np.hypot(later.x - first.x, later.y - first.y) < 400
    assert 0 < later.speed < 25
    run_until(traffic, lambda ended: ended == ["U1/1"], 600)
    assert traffic.fix_of("U1/1") is None


def test_a_bus_takes_longer_for_its_stops(city: SimulatedCity, traffic: Traffic) -> None:
    links = primary(city)
    took = {}
    for name, stops in (("B1/1", True), ("B2/1", False)):
        assert traffic.send(name, "bus", links[0], links[len(links) // 2 - 1], stops=stops)
    for step in range(600):
        for ended in traffic.step():
            took[ended] = step
    assert took["B1/1"] > took["B2/1"] + 10


def test_a_blocked_street_makes_a_queue_that_dissolves(city: SimulatedCity, traffic: Traffic) -> None:
    link = primary(city)[1]
    before = int(city.streets.leads_to[city.streets.leads_to[:, 1] == link][0, 0])
    lanes = tuple(range(int(city.streets.lanes[link])))
    incident = Incident("ACC-1", link, 150.0, lanes, EIGHT, EIGHT + 150, "II")
    traffic.block(incident)
    for number in range(15):
        traffic.add([Trip(str(number), EIGHT, before, link)])
    for _ in range(120):
        traffic.step()
    queued = traffic.view(link)
    assert queued.standing >= 8
    assert queued.speed_ratio < 0.1
    traffic.clear("ACC-1")
    run_until(traffic, lambda _: traffic.vehicles == 0, 400)


def test_loops_count_every_car_that_passes(city: SimulatedCity, traffic: Traffic) -> None:
    link = primary(city)[1]
    before = int(city.streets.leads_to[city.streets.leads_to[:, 1] == link][0, 0])
    site = next(site for site in city.sites_of("detector") if site.link == city.streets.ids[link])
    traffic.add([Trip(str(number), EIGHT, before, link) for number in range(12)])
    passed = 0
    for _ in range(240):
        traffic.step()
        if traffic.now % 5 == 0:
            counts = traffic.loop_counts()
            assert len(counts) == len(city.loops)
            passed += sum(count.vehicles for count in counts if count.loop.startswith(f"{site.id}_"))
    assert passed == 12


def test_cars_on_a_link_give_off_exhaust(city: SimulatedCity, traffic: Traffic) -> None:
    link = primary(city)[1]
    assert traffic.sample(link).vehicles == 0
    traffic.add([Trip(str(number), EIGHT, link, primary(city)[-1]) for number in range(4)])
    for _ in range(3):
        traffic.step()
    sample = traffic.sample(link)
    assert sample.vehicles >= 2
    assert sample.nox > 0
    assert sample.co > 0


def test_lights_change(city: SimulatedCity, traffic: Traffic) -> None:
    seen: dict[str, set[str]] = {str(site.attrs["node_id"]): set() for site in city.sites_of("signal")}
    for _ in range(120):
        traffic.step()
        for light, (_, state) in traffic.signals().items():
            seen[light].add(state)
    assert all(len(states) >= 3 for states in seen.values())


def test_a_way_that_does_not_exist_is_refused_and_leaves_nothing_behind(city: SimulatedCity, traffic: Traffic) -> None:
    assert not traffic.send("U1/1", "no such kind", 0, 1, stops=False)
    for _ in range(3):
        traffic.step()
    assert traffic.vehicles == 0


def test_the_end_of_sumo_is_an_error_that_says_so(traffic: Traffic) -> None:
    psutil.Process(traffic.pid).kill()
    psutil.Process(traffic.pid).wait(5)
    with pytest.raises(TrafficError, match="SUMO"):
        traffic.step()


def test_nothing_is_left_of_a_closed_simulation(city: SimulatedCity) -> None:
    traffic = Traffic(city, [], begin=EIGHT, midnight=MIDNIGHT, seed=1)
    traffic.close()
    assert not psutil.pid_exists(traffic.pid)


def test_sumo_does_not_outlive_the_process_that_started_it(town_folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from cityops.twin.simulation.city import open_city; from cityops.twin.simulation.traffic import Traffic;"
        f"t = Traffic(open_city(Path({str(town_folder)!r})), [], begin={EIGHT}, midnight={MIDNIGHT}, seed=1);"
        "print(t.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert psutil.pid_exists(pid)
        process.kill()
    until(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, also where nobody has fetched its exit code yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
