"""What a gateway has to say and nobody has confirmed yet: bounded, oldest dropped first and counted."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Outgoing(NamedTuple):
    """One message."""

    topic: str
    payload: bytes


class Outbox:
    """Messages in the order in which they came; at most `window` of them may be under way unconfirmed."""

    def __init__(self, most: int = 3000, window: int = 100) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._under_way: set[int] = set()
        self._most, self._window = most, window
        self.dropped = 0
        self.confirmed = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def put(self, message: Outgoing) -> None:
        """Keep a message until it is confirmed, or until there are too many younger ones."""
        self._waiting.append(message)
        if len(self._waiting) > self._most:
            self._waiting.popleft()
            self.dropped += 1

    def next(self) -> Outgoing | None:
        """Return the message to send now, None when there is none or too many are unconfirmed."""
        return self._waiting.popleft() if self._waiting and len(self._under_way) < self._window else None

    def sent(self, number: int) -> None:
        """Say that the message taken last went out as packet `number`."""
        self._under_way.add(number)

    def confirm(self, number: int) -> None:
        """Say that packet `number` was confirmed."""
        if number in self._under_way:
            self._under_way.remove(number)
            self.confirmed += 1
