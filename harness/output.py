"""Output files that appear whole or not at all."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from halfsilver.harness.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

__all__ = ["atomic_output", "refuse_overwriting_input"]


class _Named(io.FileIO):
    """A file whose errors say which one it is, by the name that people gave it."""

    def __init__(self, file: Path | int, path: str) -> None:
        super().__init__(file, "wb")
        self._path = path

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None


@contextmanager
def atomic_output(path: str) -> Iterator[BinaryIO]:
    """A binary file to write; it takes the name ``path`` only when the block ends without an exception.

    ``-`` is standard output; what is not a regular file (a pipe, a device) is written directly. An exception,
    Ctrl-C included, leaves an older file of that name untouched and no other file behind. An OSError names ``path``.
    """
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    if target.exists() and not target.is_file():
        with io.BufferedWriter(_Named(target, path)) as stream:
            yield stream
        return
    target = target.resolve()  # a symbolic link stays one
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with io.BufferedWriter(_Named(handle, path)) as stream:
            yield stream
        os.chmod(temporary, _mode_of(target))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _mode_of(target: Path) -> int:
    """Permissions the file should have: those it has, else those of any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def refuse_overwriting_input(option: str, output: str | None, inputs: Mapping[str, str | Sequence[str]]) -> None:
    """UsageError if ``output`` is one of the files read (``inputs``: option or name -> path or paths).

    What is directly in a folder that is read counts as read, but for files that begin with a dot.
    """
    if output is None or output == "-" or not os.path.exists(output):
        return
    for name, paths in inputs.items():
        for path in [paths] if isinstance(paths, str) else paths:
            if path != "-" and os.path.exists(path) and any(os.path.samefile(output, each) for each in _files_of(path)):
                raise UsageError(f"{option} {output} is the file that {name} reads; choose another name")


def _files_of(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    return [entry.path for entry in os.scandir(path) if entry.is_file() and not entry.name.startswith(".")]
