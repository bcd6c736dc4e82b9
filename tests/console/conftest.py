"""A server that the tests of the console share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control.kits.server_kit import Cloud, running


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("console") / "state") as cloud:
        yield cloud
