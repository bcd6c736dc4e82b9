"""Servers that begin at once in one new state directory, each with its database elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path
from threading import Barrier

import pytest

from halfsilver.harness.control.directory import StateDirectory

ACCOUNTS = ("123456789012", "210987654321")
SERVERS = 8


def test_who_begins_together_has_the_same_keys(tmp_path: Path) -> None:
    together = Barrier(SERVERS)

    def begin(_: int) -> None:
        directory = StateDirectory(tmp_path / "state")
        with directory.share(), directory.kept_if_used() as used:
            together.wait(10)
            keys = directory.add_users(ACCOUNTS, "aws")
            used()
            profiles = ConfigParser()
            profiles.read(directory.credentials)
            assert profiles.sections() == ["default", *ACCOUNTS]
            for account in ACCOUNTS:
                found = keys.find(profiles[account]["aws_access_key_id"])
                assert found is not None and found.secret == profiles[account]["aws_secret_access_key"]

    with ThreadPoolExecutor(SERVERS) as servers:
        list(servers.map(begin, range(SERVERS)))


def test_who_fails_leaves_a_directory_that_others_use(tmp_path: Path) -> None:
    maker, other = (StateDirectory(tmp_path / "state") for _ in range(2))

    def fail() -> None:
        with pytest.raises(RuntimeError), maker.share(), maker.kept_if_used():
            raise RuntimeError

    with other.share():
        fail()
        assert maker.path.exists()
    fail()
    assert not maker.path.exists()
