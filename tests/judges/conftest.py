"""``--judged N``: how many random frames a judge of filters gets, where continuous integration gives it fewer."""

from __future__ import annotations

import pytest


def pytest_addoption(parser):
    parser.addoption("--judged", type=int, default=0, metavar="N", help="random frames for nftables (make judges)")


@pytest.fixture
def judged(record_property):
    """Says what a judge has judged: ``judged(who, what)``; shown at the end of the run."""

    def say(who, what):
        record_property("judged", f"{who}: {what}")

    return say


@pytest.fixture
def frames_to_judge(request):
    """What ``--judged`` says; 0 where nobody says it."""
    return request.config.getoption("--judged", default=0)
