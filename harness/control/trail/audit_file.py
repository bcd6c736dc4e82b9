"""The file of the records: lines of JSON, only ever added to, on the disk before whoever asked has an answer.

It is bounded: a file that would grow over LARGEST becomes FILE.1, in the place of an earlier one, and a new one is
begun. So there are at most twice LARGEST bytes, and what is dropped has LARGEST of later ones behind it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from halfsilver.harness.control.state.private_files import make_private, sync_folder
from halfsilver.harness.errors import UsageError

__all__ = ["LARGEST", "AuditFile"]

LARGEST = 64 << 20
"""Bytes of one file: about fifty thousand requests."""
_BLOCK = 1 << 20


class AuditFile:
    """A file of mode 0600, made if it is not there. Threads may share it; processes may not.

    UsageError: it cannot be opened, is no plain file, or another server writes to it.
    """

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is no plain file; records are written to one")
        self._path = path
        self._earlier = path.with_name(f"{path.name}.1")
        self._largest = largest
        self._lock = threading.Lock()
        self._file = self._open()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line; it is on the disk when this returns. OSError, and then there is no part of it."""
        line = json.dumps(record).encode() + b"\n"
        with self._lock:
            size = os.fstat(self._file).st_size
            if size and size + len(line) > self._largest:
                self._begin_another()
                size = 0
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
                os.fdatasync(self._file)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._file, size)
                raise

    def newest_first(self, having: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
        """The records that there are now, of those whose line has all these texts."""
        wanted = [json.dumps(text)[1:-1].encode() for text in having]
        with ExitStack() as stack:
            with self._lock:
                paths = [path for path in (self._path, self._earlier) if path.exists()]
                files = [stack.enter_context(open(path, "rb")) for path in paths]
                ends = [os.fstat(file.fileno()).st_size for file in files]
            for file, end in zip(files, ends, strict=True):
                for line in _lines_backwards(file, end):
                    if all(text in line for text in wanted):
                        with suppress(ValueError):  # what a cut in the power left
                            yield json.loads(line)

    def close(self) -> None:
        os.close(self._file)

    def _open(self) -> int:
        make_private(self._path)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{self._path}: cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, 0) != b"{":
                raise UsageError(f"{self._path}: has something else than records; name a file of its own")
            if size and os.pread(file, 1, size - 1) != b"\n":
                os.write(file, b"\n")
            sync_folder(self._path.parent)
        except BaseException as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                raise UsageError(f"{self._path}: is another server's audit file; name another one") from None
            if isinstance(error, OSError):
                raise UsageError(f"{self._path}: cannot be written: {error.strerror}") from None
            raise
        return file

    def _begin_another(self) -> None:
        os.replace(self._path, self._earlier)
        full, self._file = self._file, self._open()
        os.close(full)


def _lines_backwards(file: BinaryIO, end: int) -> Iterator[bytes]:
    """The lines before a position, the last one first."""
    rest = b""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from (line for line in reversed(lines) if line)
        end = start
    if rest:
        yield rest
