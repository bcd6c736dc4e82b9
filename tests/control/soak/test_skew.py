"""A server whose clock is wrong, and who may then ask it for something: those whose clock is as wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import Credentials

from tests.control.kits.serve_kit import ROOT, Server
from tests.control.kits.server_kit import error_of
from tests.control.soak.crowd import EXPIRED, SESSION, Hands
from tests.control.soak.skew import PROGRAM, Skew

pytestmark = pytest.mark.slow
MINUTE = 60


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    folder = tmp_path_factory.mktemp("skew")
    skew = Skew(folder / "ahead")
    options = ("--ahead", str(skew.path))
    with Server(folder / "state", *options, program=PROGRAM, environment={"PYTHONPATH": str(ROOT)}) as server:
        yield Hands(server.served, skew)


@pytest.mark.parametrize("minutes", [-9 * 24 * 60, -16, 16, 26 * 60])
def test_a_true_date_is_too_far_off(hands: Hands, minutes: int) -> None:
    true, skewed = hands.true(), hands.skewed()
    hands.skew.jump(minutes * MINUTE)
    assert hands.skew.refuses_true() and error_of(true.describe_regions)[0] == EXPIRED
    assert skewed.describe_regions()["Regions"]
    hands.skew.jump(0)
    assert true.describe_regions()["Regions"]


@pytest.mark.parametrize("minutes", [-14, 14])
def test_some_minutes_are_borne(hands: Hands, minutes: int) -> None:
    hands.skew.jump(minutes * MINUTE)
    assert not hands.skew.refuses_true() and hands.true().describe_regions()["Regions"]
    hands.skew.jump(0)


def test_a_session_token_ends_by_the_servers_clock(hands: Hands) -> None:
    """And is good again when that goes back, to before it was given out too."""
    given = hands.skewed("sts").get_session_token(DurationSeconds=SESSION)["Credentials"]
    visitor = _visitor(hands, given)
    for ahead, good in ((SESSION - 30, True), (SESSION + 30, False), (0, True), (-SESSION, True)):
        hands.skew.jump(ahead)
        if good:
            assert visitor.describe_regions()["Regions"]
        else:
            assert error_of(visitor.describe_regions)[0] == EXPIRED
    hands.skew.jump(0)


def _visitor(hands: Hands, given: dict[str, Any]) -> Any:
    keys = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return hands.skewed(credentials=keys)
