"""Ports: the wanted one when it is free, else another that is."""

from __future__ import annotations

import contextlib
import random
import socket

# Below the range from which Linux takes ports for outgoing connections, so that none of those gets in between.
_LOW, _HIGH = 20_000, 32_000
_NEXT_TRIED = 100


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on `host`:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError, OverflowError):
            sock.bind((host, port))
            return True
    return False


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port on which nobody listens. Raises OSError when none is found."""
    return choose(0, set(), host)


def choose(wanted: int, taken: set[int], host: str = "127.0.0.1") -> int:
    """Return a free port not in `taken`: `wanted`, else the next above it, else any; `wanted` 0 means any.

    The port is added to `taken`. Raises OSError when no port is free.
    """
    near = range(wanted, min(wanted + _NEXT_TRIED, 65_536)) if wanted else range(0)
    anywhere = random.sample(range(_LOW, _HIGH), 500)
    candidates: tuple[int, ...] = (*near, *anywhere)
    for port in candidates:
        if port not in taken and is_free(port, host):
            taken.add(port)
            return port
    raise OSError(f"no free port on {host}: neither {wanted} and the {_NEXT_TRIED} above it nor any of 500 tried")
