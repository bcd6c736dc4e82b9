"""A PostgreSQL server of the test's own: Debian's programs, a directory in /tmp, a socket and no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
PROGRAMS = INSTALLED[-1] if INSTALLED else Path("/usr/lib/postgresql")
"""Of the newest version that is here; Debian and Ubuntu put no server's programs on PATH."""
USER = "postgres"


def _why_not() -> str | None:
    if not (PROGRAMS / "postgres").exists():
        return f"PostgreSQL is not in {PROGRAMS} (apt install postgresql)"
    if os.geteuid() != 0:
        return None
    if shutil.which("runuser") is None:
        return "PostgreSQL does not run as root, and there is no runuser"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return f"PostgreSQL does not run as root, and there is no user {USER}"
    return None


needs_postgresql = [pytest.mark.tools, pytest.mark.skipif(_why_not() is not None, reason=str(_why_not()))]


def _run(*arguments: str) -> None:
    before = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*before, *arguments], capture_output=True, text=True, timeout=60, cwd="/", stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database; the server ends with the block."""
    # Not pytest's directory: the name of a socket has at most 107 characters, and USER must reach it.
    folder = Path(tempfile.mkdtemp(prefix="halfsilver-pg-"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        _run(str(PROGRAMS / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        control = str(PROGRAMS / "pg_ctl")
        _run(control, "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "-t", "30", "start")
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            _run(control, "-D", str(data), "-m", "immediate", "-w", "-t", "30", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart(url: str) -> None:
    """Restart the server of such a URL as after a loss of power: connections are cut, and it reads its log again."""
    folder = Path(url.rpartition("host=")[2])
    options = ("-D", str(folder / "data"), "-l", str(folder / "log"), "-m", "immediate", "-w", "-t", "30")
    _run(str(PROGRAMS / "pg_ctl"), *options, "restart")
