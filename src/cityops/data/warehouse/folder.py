"""The engine's folder and its two configuration files: bounds, and a user that can reach nothing but the folder."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

MIB = 1 << 20
FILES_DATABASE = "_files"
_ENGINES = (
    "MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree",
    "VersionedCollapsingMergeTree", "CoalescingMergeTree", "Memory", "Log", "TinyLog", "StripeLog", "Null", "Set",
    "Join", "Buffer", "Merge", "Dictionary", "View", "MaterializedView", "GenerateRandom", "Atomic",
)  # fmt: skip
# Pools of helpers, meant for large servers (up to 128 threads each).
_POOLS = (
    "parts_killer_pool_size", "snapshot_cleaner_pool_size", "prefetch_threadpool_pool_size",
    "load_marks_threadpool_pool_size", "threadpool_writer_pool_size", "threadpool_local_fs_reader_pool_size",
)  # fmt: skip
_GRANTS = (
    "GRANT SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, SHOW, dictGet ON *.*",
    "GRANT KILL QUERY ON *.*",
    "GRANT SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM FLUSH, SYSTEM DROP CACHE, SYSTEM RELOAD DICTIONARY ON *.*",
    *(f"GRANT TABLE ENGINE ON {engine}" for engine in _ENGINES),
)


@dataclass(frozen=True)
class EngineOptions:
    """Bounds of the engine, in bytes, threads and seconds, sized for a machine it shares with the whole platform."""

    memory: int = 1536 * MIB
    query_memory: int = 1024 * MIB
    mark_cache: int = 64 * MIB
    merge_threads: int = 2
    query_threads: int = 2
    max_execution_time: float = 300.0

    def settings(self) -> dict[str, str]:
        """Return the query settings every connection starts with."""
        return {
            "implicit_select": "0",
            "max_threads": str(self.query_threads),
            "max_memory_usage": str(self.query_memory),
            "max_execution_time": str(self.max_execution_time),
        }

    def _config(self) -> dict[str, object]:
        return {
            "max_server_memory_usage": self.memory,
            "mark_cache_size": self.mark_cache,
            "index_mark_cache_size": self.mark_cache,
            "primary_index_cache_size": self.mark_cache,
            "uncompressed_cache_size": 0,
            "query_condition_cache_size": 8 * MIB,
            "compiled_expression_cache_size": 8 * MIB,
            "background_pool_size": self.merge_threads,
            "background_common_pool_size": 1,
            "background_move_pool_size": 1,
            "background_fetches_pool_size": 1,
            "background_schedule_pool_size": 2,
            "max_thread_pool_free_size": 8,
            **dict.fromkeys(_POOLS, 4),
            "mlock_executable": 0,
            # Old parts go one by one; above this number chDB would start 128 threads for them, and keep them.
            "merge_tree": {"concurrent_part_removal_threshold": 1_000_000},
            "default_database": FILES_DATABASE,
            "access_control_improvements": {"table_engines_require_grant": "true"},
        }

    def _users(self) -> dict[str, object]:
        default = {
            "password": "",
            "networks": {"ip": "::/0"},
            "profile": "default",
            "quota": "default",
            "grants": {"query": list(_GRANTS)},
        }
        return {"profiles": {"default": self.settings()}, "quotas": {"default": ""}, "users": {"default": default}}

    def write(self, folder: Path) -> str:
        """Write the configuration files into `folder` and return the parameters that make chDB read them."""
        config, users = folder / "config.xml", folder / "users.xml"
        config.write_text(_xml("clickhouse", self._config()), "utf-8")
        users.write_text(_xml("clickhouse", self._users()), "utf-8")
        return f"config-file={config}&users_config={users}"


def prepare(path: Path) -> None:
    """Make the folder `path` ready to be opened.

    chDB's own `default` database also shows files of the machine as tables. Named FILES_DATABASE (and dropped once
    the engine is open) it leaves room for an ordinary `default`, declared here; the link by which chDB would take that
    one's tables for its own goes first and is made again by the ordinary one.
    """
    metadata = path / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    link, declared = metadata / "default", metadata / "default.sql"
    known = link.readlink().name if link.is_symlink() else str(uuid.uuid4())
    if not declared.exists():
        declared.write_text(f"ATTACH DATABASE _ UUID '{known}'\nENGINE = Atomic\n", "utf-8")
    link.unlink(missing_ok=True)


def _xml(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_xml(name, item) for item in value)
    inner = "".join(_xml(key, item) for key, item in value.items()) if isinstance(value, dict) else escape(str(value))
    return f"<{name}>{inner}</{name}>\n"
