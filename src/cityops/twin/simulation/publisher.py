"""All gateways of the city, and the way of an observation to the right one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from cityops.twin.simulation.devices.observation import Observation
from cityops.twin.simulation.gateway import Gateway


class Publisher:
    """Opens a gateway's connection when it first has something to say, and keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._gateways: dict[str, Gateway] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def publish(self, observations: Iterable[Observation]) -> None:
        """Hand observations to their gateways; returns at once."""
        for observation in observations:
            gateway = self._gateways.get(observation.gateway) or self._open(observation.gateway)
            gateway.publish(observation.topic, observation.payload)

    @property
    def backlog(self) -> int:
        """Messages that are not confirmed yet."""
        return sum(len(gateway.outbox) for gateway in self._gateways.values())

    def state(self) -> Mapping[str, float]:
        """Return figures for telemetry: connections, messages confirmed, dropped and not yet confirmed."""
        gateways = self._gateways.values()
        return {
            "connections": sum(gateway.is_connected for gateway in gateways),
            "confirmed": sum(gateway.outbox.confirmed for gateway in gateways),
            "dropped": sum(gateway.outbox.dropped for gateway in gateways),
            "backlog": self.backlog,
        }

    async def close(self, within_s: float = 3.0) -> None:
        """Wait a little for confirmations, then close all connections."""
        for _ in range(round(within_s / 0.05)):
            if self.backlog:
                await asyncio.sleep(0.05)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _open(self, name: str) -> Gateway:
        gateway = self._gateways[name] = Gateway(name, self._host, self._port)
        self._tasks[name] = asyncio.get_running_loop().create_task(gateway.run(), name=f"gateway {name}")
        return gateway
