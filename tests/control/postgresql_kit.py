"""A PostgreSQL server of the tests' own, from Debian's package, in a folder of its own and without a network.

A test module gets the fixtures by ``pytest_plugins = ["postgresql_kit"]``.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

_NAMES = itertools.count(1)


def _programs():
    """Where initdb and postgres are; skips where they are not."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    return found[-1].parent if found else Path(on_path).parent


def _user():
    """PostgreSQL refuses to run as root; then it runs as Debian's user for it."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root and there is no user postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgresql_server():
    """The URL of the server, with {} for the name of a database."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs, user = _programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="halfsilver-pg-"))
    server = None
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        data = folder / "data"
        subprocess.run([programs / "initdb", "-D", data, "-U", "halfsilver", "-A", "trust", "--no-sync", "-E", "UTF8"],
                       check=True, capture_output=True, timeout=120, cwd=folder, **user)
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off",
             "-c", "shared_buffers=16MB", "-c", "max_connections=20"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(host=str(folder), user="halfsilver", dbname="postgres").close()
                break
            except psycopg.OperationalError:
                assert server.poll() is None and time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.1)
        yield f"postgresql://halfsilver@/{{}}?host={folder}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(postgresql_server):
    """The URL of an empty database."""
    psycopg = pytest.importorskip("psycopg")
    name = f"test{next(_NAMES)}"
    with psycopg.connect(postgresql_server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.format(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The URL of an empty database: a file of SQLite, or on a real PostgreSQL."""
    return str(tmp_path / "state.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgresql")
