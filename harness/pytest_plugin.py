"""The pytest plugin: a fixture that mirrors frames inside somebody's own tests.

pytest finds it by its entry point wherever Halfsilver is installed. Until a test asks for the fixture, nothing else of
the package is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from halfsilver.harness.api import Mirror

__all__ = ["OPTION"]

OPTION = "--halfsilver-engine"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("halfsilver").addoption(
        OPTION,
        metavar="NAME",
        help="engine of the fixture halfsilver_engine, one that `halfsilver list` shows (default: the golden model)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """A name that is none ends the run, before a test has run with another engine than was meant."""
    name = config.getoption(OPTION)
    if name is not None:
        from halfsilver.harness.api import HalfsilverError, check_engine

        try:
            check_engine(name)
        except HalfsilverError as error:
            raise pytest.UsageError(f"{OPTION}: {error}") from None


@pytest.fixture
def halfsilver_engine(request: pytest.FixtureRequest) -> Iterator[Callable[..., Mirror]]:
    """Opens mirrors: ``halfsilver_engine(policy, **settings)`` is ``open_mirror`` of ``halfsilver.harness.api`` with
    the engine of ``--halfsilver-engine``. They are closed when the test ends."""
    from halfsilver.harness.api import open_mirror

    name = request.config.getoption(OPTION)
    engine = {} if name is None else {"engine": name}
    with ExitStack() as stack:

        def open_it(policy: Any, **settings: Any) -> Mirror:
            return stack.enter_context(open_mirror(policy, **engine, **settings))

        yield open_it
