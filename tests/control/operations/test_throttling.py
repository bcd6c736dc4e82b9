"""Throttling as EC2 documents it: a bucket of tokens for each account and action."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from halfsilver.harness.control.operations.call import Call, Caller
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.throttling import Throttle


def call(operation: str, account: str = "1" * 12, service: str = "ec2", **parameters: object) -> Call:
    caller = Caller(account, f"arn:aws:iam::{account}:user/ann", "AIDAEXAMPLE", "ann")
    return Call(service, operation, parameters, caller, "id", "127.0.0.1", datetime.now(UTC))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(throttle: Throttle, asked: Call, most: int = 300) -> int:
    """How many of these requests in a row are not refused."""
    for count in range(most):
        try:
            throttle.take(asked)
        except ApiError as error:
            assert (error.code, error.status) == ("RequestLimitExceeded", 503)
            return count
    return most


@pytest.mark.parametrize(
    ("asked", "size", "per_second"),
    [
        (call("DescribeTrafficMirrorSessions"), 100, 20),
        (call("CreateTrafficMirrorSession"), 50, 5),
        (call("DeleteTrafficMirrorFilter"), 50, 5),
        (call("CreateTags"), 100, 10),
        (call("DeleteTags"), 100, 10),
        (call("GetManagedPrefixListEntries"), 100, 20),
        (call("ListSnapshotsInRecycleBin"), 100, 20),
        (call("SearchLocalGatewayRoutes"), 100, 20),
        (call("DescribeSecurityGroups"), 50, 10),
        (call("DescribeNetworkInterfaces"), 50, 10),
        (call("DescribeNetworkInterfaces", MaxResults=5), 100, 20),
        (call("DescribeInstances", Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}]), 100, 20),
    ],
    ids=lambda value: value.operation if isinstance(value, Call) else str(value),
)
def test_sizes_and_rates_are_those_of_the_guide(asked: Call, size: int, per_second: int) -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    assert taken(throttle, asked) == size
    clock.now += 1
    assert taken(throttle, asked) == per_second
    clock.now += 3600
    assert taken(throttle, asked) == size, "no more than a full bucket"


def test_each_account_and_each_action_has_a_bucket_of_its_own() -> None:
    throttle = Throttle(clock=Clock())
    assert taken(throttle, call("DeleteTrafficMirrorFilter")) == 50
    assert taken(throttle, call("DeleteTrafficMirrorTarget")) == 50
    assert taken(throttle, call("DeleteTrafficMirrorFilter", account="2" * 12)) == 50


def test_reading_everything_uses_up_no_page() -> None:
    throttle = Throttle(clock=Clock())
    assert taken(throttle, call("DescribeInstances")) == 50
    assert taken(throttle, call("DescribeInstances", MaxResults=5)) == 100


def test_a_factor_makes_buckets_and_rates_smaller_and_each_holds_one_request() -> None:
    clock = Clock()
    throttle = Throttle(0.01, clock)
    assert taken(throttle, call("CreateTrafficMirrorSession")) == 1
    clock.now += 19.9
    assert taken(throttle, call("CreateTrafficMirrorSession")) == 0
    clock.now += 0.2
    assert taken(throttle, call("CreateTrafficMirrorSession")) == 1


def test_services_without_documented_limits_are_not_throttled() -> None:
    assert taken(Throttle(clock=Clock()), call("GetCallerIdentity", service="sts")) == 300
