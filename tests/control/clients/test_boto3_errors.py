"""What is refused, and with which code, status and words, as boto3 shows it. What is refused changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.control.kits.refusals_kit import REFUSAL_IDS, REFUSALS, World
from tests.control.kits.server_kit import Cloud, error_of


@pytest.fixture(scope="module")
def world(running_cloud: Cloud) -> Iterator[World]:
    world = World(running_cloud)
    yield world
    assert running_cloud.everything() == world.before
    running_cloud.empty()


@pytest.mark.parametrize(("code", "operation", "parameters", "words"), REFUSALS, ids=REFUSAL_IDS)
def test_refusals(world: World, code: str, operation: str, parameters: dict[str, Any], words: str) -> None:
    got, status, message = error_of(getattr(world.client, operation), **world.fill(parameters))
    assert (got, status) == (code, 400)
    assert world.fill(words) in message


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"Action": None}, "MissingAction", 400),
        ({"Action": "DescribeEverything"}, "InvalidAction", 400),
        ({"Version": "2016-11-14"}, "NoSuchVersion", 400),
        ({"Version": None}, "MissingParameter", 400),
        ({"Colour": "blue"}, "UnknownParameter", 400),
        ({"RegionName": "us-east-1"}, "MalformedQueryString", 400),
        ({"RegionName.one": "us-east-1"}, "UnknownParameter", 400),
        ({"RegionName.1.Name": "us-east-1"}, "MalformedQueryString", 400),
        ({"DryRun": "perhaps"}, "InvalidParameterValue", 400),
        ({"DryRun.1": "true"}, "MalformedQueryString", 400),
        ({f"RegionName.{number}": "us-east-1" for number in range(1, 2100)}, "MalformedQueryString", 400),
        ({"RegionName.1": "x" * (1 << 20)}, "RequestEntityTooLarge", 413),
    ],
)
def test_requests_that_no_sdk_makes(running_cloud: Cloud, change: dict[str, Any], code: str, status: int) -> None:
    """Signed by boto3, but with other parameters in the body than it has for the operation."""
    ec2 = running_cloud.new_client()

    def spoil(params: dict[str, Any], **_: Any) -> None:
        params["body"] = {name: value for name, value in {**params["body"], **change}.items() if value is not None}

    ec2.meta.events.register("before-call.ec2.DescribeRegions", spoil)
    assert error_of(ec2.describe_regions)[:2] == (code, status)


@pytest.mark.parametrize("service", ["s3", "sqs", "dynamodb", "logs"])
def test_services_that_are_not_served(running_cloud: Cloud, service: str) -> None:
    """Their clients get an error that they can read, and no answer that they take for an empty one."""
    method = {"s3": "list_buckets", "sqs": "list_queues", "dynamodb": "list_tables", "logs": "describe_log_groups"}[
        service
    ]
    code, status, _ = error_of(getattr(running_cloud.new_client(service), method))
    assert 400 <= status < 500 and code == "InvalidAction"
