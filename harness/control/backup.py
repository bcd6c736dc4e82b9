"""A copy of a state directory as one file, made while a server uses it; and a state directory from such a file.

The copy is a tar archive of mode 0600, for it has the secrets of the access keys: ``state.sqlite`` as it was at one
moment (SQLite's online backup), ``keys.json``, ``sessions.key``, ``credentials`` and, for a server with a mirror file,
what that was when the server wrote it last.
"""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from halfsilver.harness.control.directory import StateDirectory
from halfsilver.harness.control.state.private_files import read_private, write_private
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.errors import UsageError

__all__ = ["back_up", "restore_state"]


def back_up(state: Path, copy: Path) -> None:
    """Write a copy of the state. UsageError if there is no state, or a file of that name already."""
    directory = StateDirectory(state) if state.is_dir() else None
    if directory is None or not directory.database.exists():
        raise UsageError(f"{state}: has no state to copy; name the directory that a server was started with, --state")
    if copy.exists():
        raise UsageError(f"{copy}: is there already; a copy is never written over another")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in _kept(directory):
            if path.exists():
                _add(archive, path.name, _snapshot(path) if path == directory.database else read_private(path))
    write_private(copy, content.getvalue())


def restore_state(copy: Path, state: Path) -> None:
    """Make a state directory of a copy. UsageError if one is there that has been used, or for what is no copy."""
    if state.exists() and any(state.iterdir() if state.is_dir() else (state,)):
        raise UsageError(f"{state}: is not empty; a copy is put into a new directory, --state")
    directory = StateDirectory(state)
    known = {path.name: path for path in _kept(directory)}
    with directory.kept_if_used() as used:
        for name, content in _read(copy, tuple(known)).items():
            write_private(known[name], content)
        Store(str(directory.database)).close()  # it can be read, and by this program
        used()


def _read(copy: Path, known: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a copy by their names, of which the first must be there."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(read_private(copy)), mode="r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name in known else None
                if file is None:
                    raise UsageError(f"{copy}: is no copy of a state: it has {member.name[:100]}")
                found[member.name] = file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UsageError(f"{copy}: is no copy of a state: {error}") from None
    if known[0] not in found:
        raise UsageError(f"{copy}: is no copy of a state: it has no {known[0]}")
    return found


def _kept(directory: StateDirectory) -> tuple[Path, ...]:
    return (directory.database, directory.keys, directory.seal, directory.credentials, directory.digests)


def _snapshot(database: Path) -> bytes:
    """The database at one moment, whoever writes to it meanwhile."""
    with tempfile.TemporaryDirectory(dir=database.parent, prefix="backup.") as folder:
        path = Path(folder) / database.name
        path.touch(0o600)
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return path.read_bytes()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o600, os.geteuid(), os.getegid()
    archive.addfile(entry, io.BytesIO(content))
