"""An empty database for a test of the store: a file of SQLite, and one on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.control.kits.postgresql_kit import needs_postgresql, postgresql

_NAMES = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: a file of SQLite, or on a real PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "state.sqlite")
    url, name = request.getfixturevalue("postgresql_server"), f"test{next(_NAMES)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")
