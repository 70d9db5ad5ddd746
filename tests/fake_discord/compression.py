"""How a gateway connection compresses: one context for its whole life, flushed after every message."""

import zlib
from typing import Protocol

import zstandard


class Compression(Protocol):
    """Makes a frame of a message: text goes out as a text frame, bytes as a binary one."""

    def frame(self, text: bytes) -> str | bytes: ...


class Plain:
    def frame(self, text: bytes) -> str | bytes:
        return text.decode("utf-8", "surrogateescape")


class Zlib:
    """`zlib-stream`: every message ends with a sync flush."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj()

    def frame(self, text: bytes) -> str | bytes:
        return self._stream.compress(text) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class Zstd:
    """`zstd-stream`: one frame that never ends, a block per message."""

    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor().compressobj()

    def frame(self, text: bytes) -> str | bytes:
        return self._stream.compress(text) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def compression(name: str) -> Compression:
    """What a connection asked for in `compress=`."""
    return Zlib() if name == "zlib-stream" else Zstd() if name == "zstd-stream" else Plain()
