"""One driver per card: a lock that goes when its process does, and who has it (flock(2), proc(5) of /proc/locks)."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from halfsilver.harness.errors import CardUnreachable

__all__ = ["claim", "in_use"]

_LOCKS = Path("/proc/locks")


def claim(name: str) -> int:
    """Take what has no file of its own, by its name, for all users of this machine.

    Returns a file descriptor; to close it gives back. CardUnreachable if another driver has it.
    """
    path = os.path.join(tempfile.gettempdir(), f"halfsilver-{quote(name, safe='')}.lock")
    lock = _open(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise in_use(name, path) from None
    return lock


def in_use(name: str, path: str) -> CardUnreachable:
    """The error for a port that somebody else has, who is named if this machine tells."""
    return CardUnreachable(f"{name} is in use by {_holder(path)}: a card has one driver at a time; end that one first")


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except PermissionError:  # somebody else's, which Linux lets nobody create in a folder for all (protected_regular)
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _holder(path: str) -> str:
    """The process that has the file locked, or else one that has it open; "another program" if nobody says."""
    process = _locking(path) or _opening(path)
    if process is None:
        return "another program"
    try:
        command = Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return f"process {process}"
    return f"{command} (process {process})"


def _locking(path: str) -> int | None:
    try:
        inode = os.stat(path).st_ino
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 708 08:01:2097 0 EOF
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode) and int(fields[4]) > 0:
            return int(fields[4])
    return None


def _opening(path: str) -> int | None:
    """Of this user's processes, or for root of all."""
    device = os.path.realpath(path)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == device and int(link.parts[2]) != os.getpid():
                return int(link.parts[2])
        except OSError:  # not ours, or gone
            continue
    return None
