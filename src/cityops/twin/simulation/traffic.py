"""Traffic itself: Eclipse SUMO as a child process, stepped second by second over TraCI."""

from __future__ import annotations

import contextlib
import importlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sumo

from cityops.twin.plan.sumo import binary
from cityops.twin.simulation.city import Loop, SimulatedCity
from cityops.twin.simulation.demand import Trip
from cityops.twin.simulation.devices.cameras import View
from cityops.twin.simulation.devices.detectors import LoopCount
from cityops.twin.simulation.devices.signals import Shown
from cityops.twin.simulation.emissions import StreetSample
from cityops.twin.simulation.en_route import EnRoute
from cityops.twin.simulation.fleet import Fix
from cityops.twin.simulation.incidents import Incident
from cityops.twin.simulation.loops import LoopReader
from cityops.twin.simulation.vehicles import CAR, GUIDED_CAR, GUIDED_SHARE, WRECK, write_types

OPTIONS = (
    "--step-length=1",
    "--no-step-log=true",
    "--no-warnings=true",
    "--xml-validation=never",
    "--routing-algorithm=astar",
    "--weights.random-factor=1.3",  # drivers judge times differently: not all take the same street
    "--device.rerouting.adaptation-interval=20",
    "--device.rerouting.adaptation-steps=9",  # all ways are chosen by the speeds of the last three minutes
    "--device.rerouting.pre-period=0",
    "--time-to-teleport=180",  # a knot of vehicles that block one another is cut after three minutes
    "--time-to-teleport.highways=90",
    "--ignore-junction-blocker=15",
    "--max-depart-delay=240",  # who cannot get into the street for four minutes gives up the trip
    "--collision.action=none",
    "--default.carfollowmodel=Krauss",
)
_START_S = 90.0
_BUS_STOP_EVERY_M, _BUS_STOP_S = 600.0, 16.0


class TrafficError(RuntimeError):
    """SUMO did not start or ended; carries what it said last."""


def _traci() -> Any:  # TraCI has no types
    """Return the TraCI library that lies inside SUMO's wheel."""
    tools = str(Path(sumo.SUMO_HOME) / "tools")
    if tools not in sys.path:
        sys.path.append(tools)
    return importlib.import_module("traci")


class Traffic:
    """Vehicles on the streets of a city; times are whole seconds since the epoch. Not for several threads at once."""

    def __init__(
        self,
        city: SimulatedCity,
        loops: Sequence[Loop],
        lights: Iterable[str] = (),
        *,
        begin: int,
        midnight: int,
        seed: int,
    ) -> None:
        """Start SUMO at `begin`; its own clock counts from `midnight`. `lights` are the traffic lights to follow.

        Lights that the network does not have are passed over. Raises TrafficError.
        """
        self._traci = _traci()
        tc = self._traci.constants
        self._of_fix = (tc.VAR_SPEED, tc.VAR_POSITION, tc.VAR_ANGLE)
        self._of_signal = (tc.TL_CURRENT_PHASE, tc.TL_RED_YELLOW_GREEN_STATE)
        self._teleporting = tc.VAR_TELEPORT_STARTING_VEHICLES_NUMBER
        self._city, self._midnight = city, midnight
        self._ids = [str(link) for link in city.streets.ids]
        self._guided = np.random.default_rng(seed)
        self._folder = tempfile.TemporaryDirectory(prefix="cityops-sumo-")
        self._loops = LoopReader(loops)
        self._routes: set[int] = set()
        self._followed: set[str] = set()
        self._fixes: dict[str, Any] = {}
        self._wrecks: dict[str, list[str]] = {}
        self.now = begin
        self.teleports = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._sumo: Any = None
        try:
            self._process, self._sumo = self._start(begin - midnight, seed)
            with self._guarded():
                self._sumo.simulation.subscribe([self._teleporting])
                known = set(self._sumo.trafficlight.getIDList())
                for light in (light for light in lights if light in known):
                    self._sumo.trafficlight.subscribe(light, self._of_signal)
        except BaseException:
            self.close()
            raise

    def step(self) -> list[str]:
        """Go on by one second; return the followed vehicles whose drive has ended. Raises TrafficError."""
        with self._guarded():
            self._sumo.simulationStep()
            self._fixes = self._sumo.vehicle.getAllSubscriptionResults()
            self.teleports += self._sumo.simulation.getSubscriptionResults()[self._teleporting]
        self.now += 1
        ended = [vehicle for vehicle in self._followed if vehicle not in self._fixes]
        self._followed.difference_update(ended)
        return ended

    def add(self, trips: Iterable[Trip]) -> None:
        """Let cars set out."""
        for trip in trips:
            self._insert(f"car/{trip.id}", self._car(), trip.origin, trip.destination)

    def add_en_route(self, trips: Iterable[EnRoute]) -> None:
        """Put cars into the middle of their trips."""
        for trip in trips:
            with self._guarded(), contextlib.suppress(self._traci.TraCIException):
                name = f"car/{trip.id}"
                self._sumo.route.add(name, [self._ids[link] for link in trip.links])
                self._sumo.vehicle.add(
                    name, name, self._car(), departLane="best", departPos="random_free", departSpeed="avg"
                )

    def send(self, vehicle: str, kind: str, origin: int, destination: int, *, stops: bool) -> bool:
        """Let a vehicle set out and follow it; False when it has no way. Links are rows of Streets."""
        if not self._insert(vehicle, kind, origin, destination):
            return False
        with self._guarded():
            if stops:
                self._plan_stops(vehicle)
            self._sumo.vehicle.subscribe(vehicle, self._of_fix)
        self._fixes[vehicle] = {}
        self._followed.add(vehicle)
        return True

    def fix_of(self, vehicle: str) -> Fix | None:
        """Return where a followed vehicle is, None while it waits to get into the street."""
        speed, place, angle = (self._fixes.get(vehicle, {}).get(variable) for variable in self._of_fix)
        if place is None or place[0] < -1e9:
            return None
        return Fix(place[0], place[1], max(0.0, speed), angle)

    def middle_of(self, link: int) -> Fix:
        """Return the middle of a link, at rest."""
        streets = self._city.streets
        heading = float(np.degrees(np.arctan2(*streets.toward[link])) % 360)
        return Fix(float(streets.x[link]), float(streets.y[link]), 0.0, heading)

    def block(self, incident: Incident) -> None:
        """Put wrecks across the lanes of an incident; traffic finds its way around them or queues."""
        link = self._ids[incident.link]
        wrecks = self._wrecks.setdefault(incident.id, [])
        for lane in incident.lanes:
            name = f"wreck/{incident.id}/{lane}"
            with self._guarded(), contextlib.suppress(self._traci.TraCIException):
                self._sumo.vehicle.add(
                    name, self._route(incident.link), WRECK, departLane=str(lane), departPos=f"{incident.at:.1f}"
                )
                self._sumo.vehicle.setStop(name, link, incident.at + 1.0, lane, incident.end - self.now)
                wrecks.append(name)

    def clear(self, incident_id: str) -> None:
        """Take the wrecks of an incident away."""
        for name in self._wrecks.pop(incident_id, []):
            with self._guarded(), contextlib.suppress(self._traci.TraCIException):
                self._sumo.vehicle.remove(name)

    def signals(self) -> dict[str, Shown]:
        """Return what the followed traffic lights show."""
        with self._guarded():
            results = self._sumo.trafficlight.getAllSubscriptionResults()
        phase, state = self._of_signal
        return {light: (result[phase], result[state]) for light, result in results.items()}

    def loop_counts(self) -> list[LoopCount]:
        """Return what the loops counted in the slice that ends now; [] between slices."""
        return self._loops.take(self.now - self._midnight)

    def sample(self, link: int) -> StreetSample:
        """Return what is on a link now, and what it gives off."""
        edge, name = self._sumo.edge, self._ids[link]
        with self._guarded():
            vehicles = edge.getLastStepVehicleNumber(name)
            if not vehicles:
                return StreetSample(0, 0.0, 0.0, 0.0, 0.0)
            return StreetSample(
                vehicles,
                edge.getLastStepMeanSpeed(name),
                edge.getNOxEmission(name),
                edge.getCOEmission(name),
                edge.getPMxEmission(name),
            )

    def view(self, link: int) -> View:
        """Return what a camera sees of a link."""
        edge, name = self._sumo.edge, self._ids[link]
        with self._guarded():
            standing = edge.getLastStepHaltingNumber(name)
            speed = edge.getLastStepMeanSpeed(name) if standing else self._city.streets.speed[link]
        return View(standing, float(speed / self._city.streets.speed[link]))

    @property
    def vehicles(self) -> int:
        """How many vehicles are on the streets."""
        with self._guarded():
            return int(self._sumo.vehicle.getIDCount())

    @property
    def pid(self) -> int:
        """Process id of SUMO, 0 when there is none."""
        return self._process.pid if self._process else 0

    def close(self) -> None:
        """End SUMO and remove its files."""
        with contextlib.suppress(Exception):  # it may be gone, or in the middle of an answer
            self._sumo.close(False)
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._loops.close()
        self._folder.cleanup()

    def _start(self, begin: int, seed: int) -> tuple[subprocess.Popen[bytes], Any]:
        folder = Path(self._folder.name)
        types, loops = folder / "types.add.xml", folder / "loops.add.xml"
        write_types(types)
        self._loops.write_additional(loops)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [str(binary("sumo")), "-n", str(self._city.network.resolve()), "-a", f"{types},{loops}", *OPTIONS]
        command += [f"--begin={begin}", f"--seed={seed % 2**31}", f"--remote-port={port}"]
        with (folder / "sumo.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                label = f"{port}.{process.pid}"
                return process, self._traci.connect(port=port, numRetries=0, proc=process, label=label)
            except (OSError, self._traci.FatalTraCIError):
                time.sleep(0.1)
        process.kill()
        process.wait()
        raise TrafficError(f"SUMO did not start within {_START_S:.0f} s: {self._last_words()}")

    def _insert(self, vehicle: str, kind: str, origin: int, destination: int) -> bool:
        with self._guarded():
            try:
                self._sumo.vehicle.add(vehicle, self._route(origin), kind, departLane="best", departPos="random_free")
                self._sumo.vehicle.setRoutingMode(vehicle, self._traci.constants.ROUTING_MODE_AGGREGATED)
                self._sumo.vehicle.changeTarget(vehicle, self._ids[destination])
            except self._traci.TraCIException:
                with contextlib.suppress(self._traci.TraCIException):
                    self._sumo.vehicle.remove(vehicle)
                return False
        return True

    def _route(self, link: int) -> str:
        """Return the name of the route that is this link alone: SUMO keeps routes for ever, so there is one a link."""
        name = f"from/{self._ids[link]}"
        if link not in self._routes:
            self._sumo.route.add(name, [self._ids[link]])
            self._routes.add(link)
        return name

    def _plan_stops(self, vehicle: str) -> None:
        streets, index, gone = self._city.streets, self._city.streets.index, 0.0
        in_a_bay = self._traci.constants.STOP_PARKING
        for link in self._sumo.vehicle.getRoute(vehicle)[1:-1]:
            length = float(streets.length[index[link]])
            gone += length
            if gone >= _BUS_STOP_EVERY_M and length > 60:
                gone = 0.0
                with contextlib.suppress(self._traci.TraCIException):  # lanes closed to buses
                    self._sumo.vehicle.setStop(vehicle, link, length * 0.6, 0, _BUS_STOP_S, in_a_bay)

    def _car(self) -> str:
        return GUIDED_CAR if self._guided.random() < GUIDED_SHARE else CAR

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (OSError, self._traci.FatalTraCIError) as error:
            raise TrafficError(f"SUMO ended: {self._last_words() or error}") from error

    def _last_words(self) -> str:
        try:
            return (Path(self._folder.name) / "sumo.log").read_text("utf-8", "replace").strip()[-1000:]
        except OSError:
            return ""
