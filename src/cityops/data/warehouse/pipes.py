"""Pipes to the engine: it reads and writes every format itself, while memory holds only what is on its way.

chDB's own streaming insert (`send_insert`) is not used: it reports success when the write failed after parsing (full
disk, constraint, materialised view). A statement that reads or writes `/dev/fd/N` reports everything.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Mapping

from cityops.data.warehouse.engine import Engine, EngineConnection, Tally, quote
from cityops.data.warehouse.errors import EngineError

PIECE = 1 << 20


class _Run:
    """A statement on a thread of its own, which closes `end`, our copy of the engine's end, when it is over."""

    def __init__(self, connection: EngineConnection, sql: str, parameters: Mapping[str, str], end: int) -> None:
        self._given = (connection, sql, parameters)
        self._end = end
        self.tally = Tally()
        self.error: EngineError | None = None
        self._thread = threading.Thread(target=self._work, name="warehouse-pipe", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        connection, sql, parameters = self._given
        try:
            _, self.tally = connection.run(sql, "Null", parameters)
        except EngineError as error:
            self.error = error
        finally:
            os.close(self._end)

    def wait(self) -> None:
        """Wait for the end. Raises the statement's EngineError."""
        self._thread.join()
        if self.error is not None:
            raise self.error


def _pipe() -> tuple[int, int, int]:
    """Return a pipe's read end, write end and how many bytes it holds."""
    read, write = os.pipe()
    size = 65536 if hasattr(fcntl, "F_SETPIPE_SZ") else 4096
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # more than this user may have
            size = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIECE)
    return read, write, size


class PipeAnswer:
    """A SELECT's answer in any format: the engine writes INTO OUTFILE our pipe, `read` takes it from there."""

    def __init__(self, connection: EngineConnection, text: str, ending: str, parameters: Mapping[str, str]) -> None:
        self._read, write, _ = _pipe()
        sql = f"{text}\nINTO OUTFILE {quote(f'/dev/fd/{write}')} TRUNCATE {ending}"
        self._run = _Run(connection, sql, parameters, write)

    @property
    def tally(self) -> Tally:
        """What was read, once the answer has ended."""
        return self._run.tally

    def read(self) -> bytes:
        """Return what the engine has written, at most PIECE bytes; b"" at the end. Raises EngineError."""
        data = os.read(self._read, PIECE) if self._read >= 0 else b""
        if not data:
            self._run.wait()
        return data

    def close(self) -> None:
        """Close our end, which stops a writer, and wait for it."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1
        with contextlib.suppress(EngineError):
            self._run.wait()


class Insert:
    """An INSERT whose rows come as bytes of `fmt`: they exist once `finish` has returned.

    `text` is the statement up to its SETTINGS, `settings` that clause; `tag` is a comment that marks the statement.
    """

    def __init__(
        self, engine: Engine, connection: EngineConnection, text: str, settings: str, fmt: str, tag: str
    ) -> None:
        self._engine, self._connection, self._tag = engine, connection, tag
        self._read, self._write, self._room = _pipe()
        self._sql = f"{text}\n{tag}\nFROM INFILE '/dev/fd/{self._read}' COMPRESSION 'none' {settings}\nFORMAT {fmt}"
        self._run: _Run | None = None

    def append(self, data: bytes) -> None:
        """Hand on `data`, waiting while the engine is behind. Raises EngineError when the statement has failed."""
        if self._run is None and len(data) <= self._room:
            self._room -= len(data)  # short inserts wait in the pipe and need no thread
        elif self._run is None:
            self._run = _Run(self._connection, self._sql, {}, self._read)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._write, view) :]
        except BrokenPipeError:
            self._close_write()
            if self._run is not None:
                self._run.wait()
            raise

    def finish(self) -> Tally:
        """Commit, and return what was written. Raises EngineError."""
        self._close_write()
        if self._run is None:
            try:
                return self._connection.run(self._sql, "Null")[1]
            finally:
                self._close_read()
        self._run.wait()
        return self._run.tally

    def cancel(self) -> None:
        """Give up what is not finished; without effect on what is."""
        if self._write < 0:
            return
        if self._run is None:
            self._close_read()
        else:
            # The mark first: an end of the rows would commit those that came.
            with contextlib.suppress(EngineError):
                self._engine.cancel(self._tag)
        self._close_write()
        if self._run is not None:
            with contextlib.suppress(EngineError):
                self._run.wait()

    def _close_write(self) -> None:
        if self._write >= 0:
            os.close(self._write)
            self._write = -1

    def _close_read(self) -> None:
        if self._read >= 0:
            os.close(self._read)
            self._read = -1
