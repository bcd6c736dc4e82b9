"""What botocore sends is what an operation gets, and what an operation answers is what botocore reads."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from botocore.model import OperationModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfsilver.harness.control.http.protocols import Response, Services, load
from tests.control.kits.wire_kit import (
    CALLER,
    PEER,
    SERVED,
    FakeControl,
    exchange,
    inputs,
    model,
    sent,
    served,
    structures,
    understood,
)

FOREIGN = [
    ("autoscaling", "PutScalingPolicy"),
    ("autoscaling", "PutScheduledUpdateGroupAction"),
    ("ec2", "DescribeSpotPriceHistory"),
    ("ec2", "ImportKeyPair"),
    ("sdb", "PutAttributes"),
    ("sns", "Publish"),
]
"""Operations that are not served: they have the types and list forms that the served ones lack (times, blobs,
floating point, maps, flattened lists with names of their own)."""
FOREIGN_RESULTS = [
    ("autoscaling", "DescribePolicies"),
    ("ec2", "DescribeInstanceTypes"),
    ("sdb", "GetAttributes"),
    ("sns", "GetTopicAttributes"),
    ("sts", "DecodeAuthorizationMessage"),
]

few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def foreign() -> Services:
    return load([*FOREIGN, *FOREIGN_RESULTS, *SERVED])


def check_request(services: Services, operation: OperationModel, parameters: dict[str, Any], *, signed: bool) -> None:
    control = FakeControl()
    answer = exchange(control, services).answer(sent(operation, parameters, signed=signed), PEER)
    assert answer.status == 200, answer.body
    [call] = control.calls
    assert (call.service, call.operation) == (operation.service_model.service_name, operation.name)
    assert call.parameters == parameters
    assert call.caller == CALLER


def answered(services: Services, operation: OperationModel, result: dict[str, Any]) -> Response:
    """The answer to a result, whatever the request was."""
    request = sent(operation, {})
    found, _ = services.of(request).identify(request)
    return found.write(result, "1b6e1c5e-0000-4000-8000-000000000000")


def check_result(services: Services, operation: OperationModel, result: dict[str, Any]) -> None:
    response = answered(services, operation, result)
    parsed = understood(operation.service_model.resolved_protocol, response, operation.output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "1b6e1c5e-0000-4000-8000-000000000000"
    assert parsed == result


@pytest.mark.parametrize(("service", "name"), SERVED)
@few
@given(data=st.data())
def test_an_operation_gets_what_botocore_was_given(service: str, name: str, data: st.DataObject) -> None:
    operation = model(service, name)
    check_request(served(), operation, data.draw(inputs(operation)), signed=data.draw(st.booleans()))


@pytest.mark.parametrize(("service", "name"), FOREIGN)
@few
@given(data=st.data())
def test_every_type_of_the_protocols_is_read(service: str, name: str, data: st.DataObject) -> None:
    operation = model(service, name)
    check_request(foreign(), operation, data.draw(inputs(operation)), signed=True)


def test_a_name_for_queries_goes_before_the_name_for_results() -> None:
    operation = model("ec2", "RunInstances")
    addresses = {
        "Ipv6Addresses": [{"Ipv6Address": "fd00::1"}],
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1"}],
    }
    parameters = {"MinCount": 1, "MaxCount": 1, "NetworkInterfaces": [addresses]}
    check_request(load([("ec2", "RunInstances")]), operation, parameters, signed=True)


@pytest.mark.parametrize(("service", "name"), SERVED)
@few
@given(data=st.data())
def test_botocore_reads_what_an_operation_answers(service: str, name: str, data: st.DataObject) -> None:
    operation = model(service, name)
    check_result(served(), operation, data.draw(structures(operation.output_shape, gaps=True, whole=False)))


@pytest.mark.parametrize(("service", "name"), FOREIGN_RESULTS)
@few
@given(data=st.data())
def test_every_type_of_the_protocols_is_written(service: str, name: str, data: st.DataObject) -> None:
    operation = model(service, name)
    check_result(foreign(), operation, data.draw(structures(operation.output_shape, gaps=True, whole=False)))
