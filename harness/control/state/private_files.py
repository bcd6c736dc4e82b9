"""Files that hold secrets: made readable by their owner alone, and refused when anybody else may read them."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from halfsilver.harness.errors import UsageError

__all__ = ["locked_folder", "make_private", "read_private", "sync_folder", "write_private"]


def read_private(path: Path) -> bytes:
    """The whole file; UsageError when it cannot be read, is not a plain file of this user, or is open to others.

    What is checked is the file that was opened, so it cannot be exchanged between the check and the reading.
    """
    try:
        # Without O_NONBLOCK a pipe of this name would keep the server waiting for ever.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            _check_private(os.fstat(file.fileno()), path)
            return file.read()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _check_private(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: holds secrets and must be a plain file")
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{path}: belongs to user {status.st_uid}, but this is user {os.geteuid()}: "
            "only the owner of a file of secrets may use it"
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"{path}: group or others may use it (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
        )


def write_private(path: Path, content: bytes) -> None:
    """Make or replace the file with mode 0600, whole or not at all; UsageError when the folder does not take it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask took away
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None


def make_private(path: Path) -> None:
    """An empty file if there is none, and nobody but its owner may use it; UsageError when that cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"{path}: cannot be made its owner's alone: {error.strerror}") from None


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """One process at a time changes files of this folder (read, change, write again); the others wait."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be used as a folder: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Names that were given in the folder are on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
