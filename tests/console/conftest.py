"""A server that the tests of the console share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.console_kit import Client, key_of, sign_in
from tests.control.kits.server_kit import Cloud, running


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("console") / "state") as cloud:
        yield cloud


@pytest.fixture
def owner(cloud: Cloud) -> Client:
    """The administrator of the first account, signed in."""
    return sign_in(cloud.url, key_of(cloud.server))


@pytest.fixture
def ec2(cloud: Cloud) -> Iterator[Any]:
    """The same one's client of the API; what there is is deleted behind the test."""
    yield cloud.client()
    cloud.empty()
