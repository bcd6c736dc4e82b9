"""A server that the tests of real clients share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control.kits.server_kit import Cloud, running


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The server, with whatever the test before left in it."""
    with running(tmp_path_factory.mktemp("cloud") / "state") as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud) -> Iterator[Cloud]:
    """The server with an empty store; what the test makes is deleted behind it."""
    yield running_cloud
    running_cloud.empty()
