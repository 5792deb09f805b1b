"""Ports that are taken are replaced by free ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from cityops.runtime import ports
from cityops.runtime.supervisor import choose_ports
from cityops.settings import Settings, SettingsError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", ports.free_port()))
        sock.listen()
        yield sock.getsockname()[1]


def test_the_wanted_port_is_given_when_it_is_free() -> None:
    wanted = ports.free_port()
    assert ports.choose(wanted, set()) == wanted


def test_a_taken_port_gives_the_next_free_one(taken: int) -> None:
    assert taken < ports.choose(taken, set()) < taken + 100


def test_no_port_is_given_twice(taken: int) -> None:
    given: set[int] = set()
    chosen = [ports.choose(taken, given) for _ in range(5)]
    assert len(set(chosen)) == 5


def test_every_port_of_a_platform_is_free_and_its_own(settings: Settings, taken: int) -> None:
    chosen = choose_ports(replace(settings, ioc_port=taken, edge_port=taken, mqtt_port=taken))
    urls = (chosen.nats_url, chosen.warehouse_url, chosen.postgres_url)
    given = [chosen.ioc_port, chosen.edge_port, chosen.mqtt_port, *(urlsplit(url).port or 0 for url in urls)]
    assert taken not in given
    assert len(set(given)) == 6
    assert all(ports.is_free(port) for port in given)


def test_engines_elsewhere_are_not_started_here(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="cityops serve"):
        choose_ports(replace(settings, nats_url="nats://log.example:4222"))
