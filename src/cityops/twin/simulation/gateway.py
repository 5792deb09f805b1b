"""One gateway's MQTT connection: QoS 1, in order, reconnecting for ever; what is unconfirmed is sent again."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from cityops.technology.telemetry import Log
from cityops.twin.simulation.outbox import Outbox, Outgoing

KEEP_ALIVE_S = 30
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 20.0
_WINDOW = 100
_ANSWER_S = 10.0

log = Log(__name__)


class Gateway:
    """A paho client on the running asyncio loop, without a thread of its own."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self._address = name, (host, port)
        self.outbox = Outbox(window=_WINDOW)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._changed = asyncio.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, f"cityops-twin-{name}", protocol=mqtt.MQTTv311)
        client.max_inflight_messages_set(_WINDOW)
        client.connect_timeout = _ANSWER_S
        client.on_socket_open = lambda _c, _u, sock: self._here(lambda: self._loop.add_reader(sock, client.loop_read))
        client.on_socket_close = lambda _c, _u, sock: self._here(lambda: self._loop.remove_reader(sock))
        client.on_socket_register_write = lambda _c, _u, sock: self._here(
            lambda: self._loop.add_writer(sock, client.loop_write)
        )
        client.on_socket_unregister_write = lambda _c, _u, sock: self._here(lambda: self._loop.remove_writer(sock))
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self._changed.set()
        client.on_publish = self._on_publish
        self._client = client
        client.connect_async(host, port, KEEP_ALIVE_S)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has answered and has not gone since."""
        return bool(self._client.is_connected())

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message as soon as there is a connection; returns at once."""
        self.outbox.put(Outgoing(topic, payload))
        self._pump()

    async def run(self) -> None:
        """Connect, keep the connection alive, connect again; until cancelled."""
        wait = FIRST_WAIT_S
        try:
            while True:
                if await self._connect():
                    wait = FIRST_WAIT_S
                    self._pump()  # after paho has sent again what was unconfirmed, so that order is kept
                    while self.is_connected:
                        await self._change(within=1.0)
                        self._client.loop_misc()
                    log.warning("gateway lost its connection", gateway=self.name, unconfirmed=len(self.outbox))
                await asyncio.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311  # all came down together
                wait = min(2 * wait, LONGEST_WAIT_S)
        finally:
            self._client.disconnect()
            self._client.loop_misc()

    async def _connect(self) -> bool:
        try:
            await asyncio.to_thread(self._client.reconnect)
        except (OSError, ValueError) as error:
            log.debug("gateway has no connection", gateway=self.name, error=repr(error))
            return False
        ends = self._loop.time() + _ANSWER_S
        while not self.is_connected and self._loop.time() < ends and self._client.socket() is not None:
            await self._change(within=0.5)
        return self.is_connected

    async def _change(self, within: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(within):
                await self._changed.wait()
        except TimeoutError:
            return

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            log.warning("gateway was refused", gateway=self.name, reason=str(reason))
        self._changed.set()

    def _on_publish(self, _client: object, _data: object, number: int, _reason: object, _properties: object) -> None:
        self.outbox.confirm(number)
        self._pump()

    def _pump(self) -> None:
        while self.is_connected and (message := self.outbox.next()):
            self.outbox.sent(self._client.publish(message.topic, message.payload, qos=1).mid)

    def _here(self, act: Callable[[], object]) -> None:
        """Do something on the loop: at once there, from paho's connecting thread by a call."""
        if threading.get_ident() == self._thread:
            act()
        else:
            self._loop.call_soon_threadsafe(act)
