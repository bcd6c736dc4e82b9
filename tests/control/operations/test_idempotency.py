"""Client tokens: the same request again has the same answer and does nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from halfsilver.harness.control.operations import idempotency
from halfsilver.harness.control.operations.call import Call, Caller
from tests.control.kits.inventory_kit import PARTNER
from tests.control.kits.mirror_kit import NOON, Desk, refusal


@pytest.fixture
def desk():
    return Desk()


def create(desk, token="t", **parameters):
    return desk.call("CreateTrafficMirrorFilter", ClientToken=token, **parameters)


def test_the_same_request_again_makes_nothing_new(desk):
    first = create(desk, Description="x")
    assert first["ClientToken"] == "t"
    assert create(desk, Description="x") == first
    assert create(desk, Description="x", DryRun=False) == first
    assert len(desk.describe("Filters")) == 1
    desk.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=first["TrafficMirrorFilter"]["TrafficMirrorFilterId"])
    assert create(desk, Description="x") == first
    assert desk.describe("Filters") == []


def test_other_parameters_with_the_token_are_refused(desk):
    create(desk, Description="x")
    for parameters in ({}, {"Description": "y"}, {"Description": "x", "TagSpecifications": []}):
        with refusal("IdempotentParameterMismatch"):
            create(desk, **parameters)
    assert len(desk.describe("Filters")) == 1


def test_a_token_is_of_one_account_and_one_operation(desk):
    first = create(desk)
    assert create(desk, "T") != first
    assert create(desk, account=PARTNER) != first
    desk.target(ClientToken="t")
    assert len(desk.describe("Filters")) == 2


def test_a_token_is_forgotten_after_a_day(desk):
    first = create(desk, now=NOON)
    assert create(desk, now=NOON + timedelta(hours=23, minutes=59)) == first
    second = create(desk, now=NOON + timedelta(hours=24))
    assert second != first
    assert create(desk, now=NOON + timedelta(hours=47)) == second
    create(desk, "other", now=NOON + timedelta(hours=49))
    with desk.store.begin() as transaction:
        assert transaction.count("token") == 1


def test_tokens_of_a_clock_that_was_fast_are_swept_out_too(desk):
    """Else those of an hour of next year, the first in the store, would keep all later ones there until then."""
    for token in ("fast", "faster"):
        create(desk, token, now=NOON + timedelta(days=365))
    for number in range(5):
        create(desk, f"of the day {number}", now=NOON)
    with desk.store.begin() as transaction:
        assert transaction.count("token") == 5
    for number in range(5):
        create(desk, f"of two days later {number}", now=NOON + timedelta(days=2))
    with desk.store.begin() as transaction:
        assert transaction.count("token") == 5


def test_a_clock_that_goes_back_does_not_make_it_a_new_request(desk):
    first = create(desk, now=NOON)
    assert create(desk, now=NOON - timedelta(hours=23, minutes=59)) == first


def test_a_request_that_was_refused_can_be_sent_again(desk):
    with refusal("InvalidParameterValue"):
        create(desk, Description="x" * 256)
    create(desk, Description="x")


@pytest.mark.parametrize("token", ["", "x" * 65, "é", "a\nb"])
def test_tokens_that_cannot_be(desk, token):
    with refusal("InvalidParameterValue", "ClientToken"):
        create(desk, token)
    create(desk, "~" * 64)


def test_results_of_other_services_with_times(desk):
    """RAM spells the parameter with a small letter, and its results have times."""
    caller = Caller(PARTNER, "arn", "id", "ann")
    call = Call("ram", "CreateResourceShare", {"name": "s", "clientToken": "t"}, caller, "r", "127.0.0.1", NOON)
    result = {"resourceShare": {"name": "s", "creationTime": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "tags": []}}
    with desk.store.begin(write=True) as transaction:
        assert idempotency.recall(transaction, call) is None
        idempotency.remember(transaction, call, result)
    with desk.store.begin() as transaction:
        assert idempotency.recall(transaction, call) == result


def test_ram_has_its_own_words(desk):
    """The errors that RAM's model declares for CreateResourceShare."""
    caller = Caller(PARTNER, "arn", "id", "ann")

    def call(token, name):
        parameters = {"name": name, "clientToken": token}
        return Call("ram", "CreateResourceShare", parameters, caller, "r", "127.0.0.1", NOON)

    with desk.store.begin(write=True) as transaction:
        idempotency.remember(transaction, call("t", "one"), {})
        with refusal("IdempotentParameterMismatchException"):
            idempotency.recall(transaction, call("t", "two"))
        with refusal("InvalidClientTokenException"):
            idempotency.recall(transaction, call("", "one"))
