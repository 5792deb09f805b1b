"""Observations and messages for the pipeline's tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from cityops.data.contract.installed import installed_contracts
from cityops.data.pipeline.message import Message
from cityops.technology.bus import NDJSON

CONTRACTS = installed_contracts()
FLOW = CONTRACTS["TrafficFlowObserved"]
NOW_MS = 1_767_225_600_000  # 2026-01-01


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def flow(detector: str = "D1", ms: int = NOW_MS, **more: Any) -> dict[str, Any]:
    return {"detector_id": detector, "observed_at": iso(ms), "intensity": 600, "occupancy": 0.2} | more


def message(
    payload: bytes | list[dict[str, Any]] | dict[str, Any],
    seq: int = 1,
    *,
    contract: str = "TrafficFlowObserved",
    source: str = "s",
    content_type: str = NDJSON,
    mapping: str | None = None,
    rows: int | None = None,
    ms: int = NOW_MS,
) -> Message:
    if isinstance(payload, list):
        rows = len(payload) if rows is None else rows
        payload = b"\n".join(json.dumps(row).encode() for row in payload)
    elif isinstance(payload, dict):
        payload = json.dumps(payload).encode()
    return Message(seq, ms * 1_000_000, contract, source, content_type, mapping, rows, payload)
