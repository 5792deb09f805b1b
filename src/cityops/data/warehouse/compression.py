"""Content encodings of the HTTP protocol: gzip, deflate, lz4 (frame) and zstd, both ways, in pieces."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import lz4.frame  # type: ignore[import-untyped]  # the wheel has no types

from cityops.data.warehouse.errors import UNKNOWN_COMPRESSION_METHOD, EngineError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Encoder(Protocol):
    """Compresses a stream piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what `data` adds to the stream, maybe nothing yet."""
        ...

    def flush(self) -> bytes:
        """Return the end of the stream."""
        ...


class _Lz4Encoder:
    def __init__(self) -> None:
        self._inner = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head = b"" if self._begun else bytes(self._inner.begin())
        self._begun = True
        return head + bytes(self._inner.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._inner.flush())


# In order of preference: cheapest for the CPU first.
_ENCODERS: dict[str, Callable[[], Any]] = {
    "lz4": _Lz4Encoder,
    "zstd": lambda: zstd.ZstdCompressor(level=1),
    "gzip": lambda: zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW),
    "deflate": lambda: zlib.compressobj(1),
}


def choose(accept_encoding: str) -> tuple[str, Encoder] | None:
    """Return the encoding an answer takes of those the client accepts, or None for none."""
    accepted = {
        name.strip().lower()
        for name, _, weight in (part.partition(";") for part in accept_encoding.split(","))
        if weight.replace(" ", "") not in {"q=0", "q=0.0"}
    }
    for name, make in _ENCODERS.items():
        if name in accepted:
            return name, make()
    return None


class Decoder:
    """Inflates a request body piece by piece; a piece of `limit` bytes at most comes out at a time."""

    def __init__(self, encoding: str, limit: int = 4 << 20) -> None:
        self._encoding = encoding
        self._limit = limit
        self._inner: Any = self._open()
        self._full = False

    def _open(self) -> Any:
        match self._encoding:
            case "gzip" | "x-gzip":
                return zlib.decompressobj(_GZIP_WINDOW)
            case "deflate":
                return zlib.decompressobj()
            case "lz4":
                return lz4.frame.LZ4FrameDecompressor()
            case "zstd":
                return zstd.ZstdDecompressor()
            case other:
                raise EngineError.make(
                    UNKNOWN_COMPRESSION_METHOD,
                    "UNKNOWN_COMPRESSION_METHOD",
                    f"Content-Encoding '{other}' is not served here: send gzip, deflate, lz4, zstd or none.",
                )

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the pieces `data` inflates to. Raises EngineError for a broken stream."""
        try:
            while data or self._pending():
                if self._inner.eof:  # several frames may follow each other
                    self._inner = self._open()
                piece = self._inner.decompress(data, self._limit)
                self._full = len(piece) >= self._limit
                data = self._inner.unused_data if self._inner.eof else getattr(self._inner, "unconsumed_tail", b"")
                if piece:
                    yield piece
        except (zlib.error, RuntimeError, zstd.ZstdError, EOFError) as error:
            raise EngineError.make(354, "INFLATE_FAILED", f"The body is not {self._encoding}: {error}.") from error

    def _pending(self) -> bool:
        """Return whether the last piece was cut at the limit, so that more may come without more input."""
        return self._full and not self._inner.eof

    def finish(self) -> None:
        """Raise EngineError when the stream stopped before its end."""
        if not self._inner.eof:
            raise EngineError.make(354, "INFLATE_FAILED", f"The {self._encoding} body is cut short.")
