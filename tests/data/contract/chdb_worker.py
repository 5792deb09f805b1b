"""A chDB in a process of its own: `Engine` talks to it; run as a script, this is that process (never forked)."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Self

import pyarrow as pa


class EngineError(Exception):
    """What the engine refused."""


class Engine:
    """ClickHouse's engine on the folder `path`."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def command(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._ask("query", statement)

    def rows(self, query: str) -> list[list[Any]]:
        answer = self._ask("query", f"{query} FORMAT JSONCompactEachRow")
        return [json.loads(line) for line in answer.decode().splitlines()]

    def one(self, query: str) -> Any:
        ((value,),) = self.rows(query)
        return value

    def table(self, query: str) -> pa.Table:
        return pa.ipc.open_stream(self._ask("query", f"{query} FORMAT ArrowStream")).read_all()

    def insert(self, table: str, rows: pa.Table, token: str) -> float:
        """Insert and return the CPU seconds it took inside the engine's process."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        statement = (
            f"INSERT INTO cityops.`{table}` ({columns}) SETTINGS insert_deduplication_token = '{token}', "
            "deduplicate_blocks_in_dependent_materialized_views = 1, optimize_on_insert = 0"
        )
        return float(self._ask("insert", statement, sink.getvalue().to_pybytes()))

    def _ask(self, *request: object) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        good, answer = pickle.load(self._process.stdout)
        if not good:
            raise EngineError(answer)
        return answer


def _serve(path: str, requests: BinaryIO, answers: BinaryIO) -> None:
    import time  # noqa: PLC0415  # only the worker needs the engine

    import chdb  # noqa: PLC0415

    connection = chdb.connect(path)
    while True:
        try:
            kind, statement, *body = pickle.load(requests)
        except EOFError:
            break
        try:
            started = time.process_time()
            if kind == "insert":
                stream = connection.send_insert(statement, "ArrowStream")
                stream.append(body[0])
                stream.finish()
                answer = str(time.process_time() - started).encode()
            else:
                answer = connection.query(statement).bytes()
            pickle.dump((True, answer), answers)
        except Exception as error:  # noqa: BLE001  # every refusal is the test's to judge
            pickle.dump((False, str(error)), answers)
        answers.flush()
    connection.close()


if __name__ == "__main__":
    # The engine may write to stdout: answers keep a descriptor of their own.
    with os.fdopen(os.dup(1), "wb") as answering:
        os.dup2(2, 1)
        _serve(sys.argv[1], sys.stdin.buffer, answering)
