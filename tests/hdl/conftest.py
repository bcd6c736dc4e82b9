"""``--all-widths``: what takes too long for each run of continuous integration (``make mac``)."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--all-widths", action="store_true", help="the MAC at 8 and 64 bits, and all bad days of the card")


@pytest.fixture
def everything(request):
    """Skips unless all was asked for."""
    if not request.config.getoption("--all-widths", default=False):
        pytest.skip("long: make mac runs it")
