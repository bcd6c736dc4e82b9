"""Compressed captures: gzip (RFC 1952), and Zstandard (RFC 8878) with Python 3.14 or its backport (extra ``zstd``)."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from types import ModuleType
from typing import BinaryIO, Protocol, cast

from halfsilver.harness.installation import missing_package

__all__ = ["LONGEST_MAGIC", "Broken", "Compression", "Unpacker", "compression_of", "compression_of_name", "packed"]

PORTION = 1 << 18
"""Bytes unpacked at a time, so that a small file that unpacks to a huge one costs no memory."""


class Broken(Exception):
    """What is compressed is damaged (message says how)."""


class _Member(Protocol):
    """One compressed stream of a file that may hold several, as Python 3.14's decompressors are."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _GzipMember:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # with gzip's header and checksum
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        unpacked = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(unpacked) < max_length
        return unpacked


def _zstd() -> ModuleType:
    """The module, under the one interface of PEP 784. EnvironmentMissing if there is none."""
    try:
        return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ModuleNotFoundError as error:
        raise missing_package("a Zstandard-compressed capture", error, "zstd") from None


def _open_gzip(stream: BinaryIO) -> BinaryIO:
    """Without a date or name inside: equal captures give equal files."""
    return cast(BinaryIO, GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))


def _open_zstd(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _zstd().ZstdFile(stream, "wb"))


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to compress: what a file of it begins with, and what its name ends in."""

    name: str
    magic: bytes
    ending: str
    member: Callable[[], _Member]
    error: Callable[[], type[Exception]]
    open_packed: Callable[[BinaryIO], BinaryIO]


_KINDS = (
    Compression("gzip", b"\x1f\x8b", ".gz", _GzipMember, lambda: zlib.error, _open_gzip),
    Compression(
        "Zstandard",
        b"\x28\xb5\x2f\xfd",
        ".zst",
        lambda: cast(_Member, _zstd().ZstdDecompressor()),
        lambda: cast(type[Exception], _zstd().ZstdError),
        _open_zstd,
    ),
)
LONGEST_MAGIC = max(len(kind.magic) for kind in _KINDS)


def compression_of(begin: bytes | bytearray) -> Compression | None:
    """How a file that begins with these bytes is compressed."""
    return next((kind for kind in _KINDS if begin.startswith(kind.magic)), None)


def compression_of_name(path: str) -> Compression | None:
    """How a file of this name is to be compressed."""
    return next((kind for kind in _KINDS if path.lower().endswith(kind.ending)), None)


@contextmanager
def packed(stream: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """What is written into it goes to ``stream``, compressed as the name ``path`` says."""
    kind = compression_of_name(path)
    if kind is None:
        yield stream
        return
    with kind.open_packed(stream) as inside:
        yield inside


class Unpacker:
    """Unpacks a compressed file portion by portion: all its members, and zeros behind them (as tar pads)."""

    def __init__(self, kind: Compression) -> None:
        self._kind = kind
        self._member: _Member | None = None
        self._rest = b""

    @property
    def hungry(self) -> bool:
        """Nothing more can be unpacked without more data."""
        return not self._rest if self._member is None else self._member.needs_input

    def unpack(self, data: bytes) -> bytes:
        """Some of what ``data`` and all before it hold, at most PORTION bytes. Broken if it is damaged."""
        data = self._rest + data
        self._rest = b""
        if self._member is None:
            data = data.lstrip(b"\0")
            if not data:
                return b""
            self._member = self._kind.member()
        try:
            unpacked = self._member.decompress(data, PORTION)
        except self._kind.error() as error:
            raise Broken(f"the {self._kind.name} data are damaged ({error})") from None
        if self._member.eof:
            self._rest, self._member = self._member.unused_data, None
        return unpacked

    def finish(self) -> None:
        """The file has ended. Broken if it ends too early."""
        if self._member is not None:
            raise Broken(f"the {self._kind.name} data end before their end mark: the file is not whole")
