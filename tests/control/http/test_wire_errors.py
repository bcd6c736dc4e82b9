"""What a client is told of a request that is wrong, in AWS's words where they are known, and that nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError
from tests.control.kits.wire_kit import PEER, FakeControl, authorization, exchange, form, ram, read

SESSION = {
    "Action": "CreateTrafficMirrorSession",
    "NetworkInterfaceId": "eni-1",
    "TrafficMirrorTargetId": "tmt-1",
    "TrafficMirrorFilterId": "tmf-1",
    "SessionNumber": "1",
}
RULE = {
    "Action": "CreateTrafficMirrorFilterRule",
    "TrafficMirrorFilterId": "tmf-1",
    "TrafficDirection": "ingress",
    "RuleNumber": "10",
    "RuleAction": "accept",
    "DestinationCidrBlock": "0.0.0.0/0",
    "SourceCidrBlock": "0.0.0.0/0",
}
SESSIONS = {"Action": "DescribeTrafficMirrorSessions"}
TAGS = {"Action": "CreateTags", "ResourceId.1": "tmf-1", "Tag.1.Key": "k", "Tag.1.Value": "v"}
BALANCERS = {"Action": "DescribeLoadBalancers"}


def refusal(request: Request, protocol: str = "ec2") -> tuple[int, str, str]:
    """Status, code and message of the answer, read by botocore; the request must not have come to the operation."""
    control = FakeControl()
    response = exchange(control).answer(request, PEER)
    assert not control.calls
    return read(response, protocol)


def without(fields: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in fields.items() if key != name}


EC2 = [
    # Known from AWS, word for word.
    (
        {"Action": "DescribeSpotFleets"},
        "InvalidAction",
        "The action DescribeSpotFleets is not valid for this web service.",
    ),
    ({}, "MissingAction", "The request must contain the parameter Action"),
    (
        {**SESSIONS, "Version": "2010-08-31"},
        "NoSuchVersion",
        "The requested version (2010-08-31) of service AmazonEC2 does not exist",
    ),
    ({**SESSIONS, "ImageType": "machine"}, "UnknownParameter", "The parameter ImageType is not recognized"),
    ({**TAGS, "Tag.1.Item": "x"}, "UnknownParameter", "The parameter Item is not recognized"),
    ({**SESSIONS, "dryRun": "true"}, "UnknownParameter", "The parameter dryRun is not recognized"),
    (
        without(SESSION, "NetworkInterfaceId"),
        "MissingParameter",
        "The request must contain the parameter NetworkInterfaceId",
    ),
    (without(TAGS, "ResourceId.1"), "MissingParameter", "The request must contain the parameter resourceIdSet"),
    (
        {**SESSIONS, "MaxResults": "1001"},
        "InvalidParameterValue",
        "Value ( 1001 ) for parameter MaxResults is invalid. Expecting a value smaller than or equal to 1000.",
    ),
    (
        {**SESSIONS, "MaxResults": "4"},
        "InvalidParameterValue",
        "Value ( 4 ) for parameter MaxResults is invalid. Expecting a value greater than or equal to 5.",
    ),
    # Values that are not of their type.
    *(
        (
            {**SESSION, "SessionNumber": text},
            "InvalidParameterValue",
            f"Value ({text}) for parameter SessionNumber is invalid. Expecting an integer.",
        )
        for text in ("ten", "", "1.5", "+5", " 5", "0x10", "1_000", "\uff11", "5\n", "true")
    ),
    (
        {**SESSION, "SessionNumber": "9" * 5000},
        "InvalidParameterValue",
        f"Value ({'9' * 100}...) for parameter SessionNumber is invalid. Expecting an integer.",
    ),
    (
        {**SESSION, "PacketLength": "2147483648"},
        "InvalidParameterValue",
        "Value ( 2147483648 ) for parameter PacketLength is invalid. "
        "Expecting a value smaller than or equal to 2147483647.",
    ),
    *(
        (
            {**SESSION, "DryRun": text},
            "InvalidParameterValue",
            f"Value ({text}) for parameter DryRun is invalid. Expecting true or false.",
        )
        for text in ("yes", "True", "1", "")
    ),
    (
        {**RULE, "TrafficDirection": "Ingress"},
        "InvalidParameterValue",
        "Invalid value 'Ingress' for TrafficDirection. Valid values: ingress, egress.",
    ),
    (
        {**RULE, "RuleAction": "allow"},
        "InvalidParameterValue",
        "Invalid value 'allow' for RuleAction. Valid values: accept, reject.",
    ),
    (
        {**SESSION, "Description": "a\0b"},
        "InvalidCharacter",
        "The parameter Description contains a character that is not valid in XML 1.0.",
    ),
    # Names that are not of the right form.
    (
        {**SESSIONS, "Filter": "x"},
        "MalformedQueryString",
        "The parameter Filter is a list: its first value is called Filter.1.",
    ),
    (
        {**SESSIONS, "Filter.1": "x"},
        "MalformedQueryString",
        "The parameter Filter.1 has members and no value of its own.",
    ),
    (
        {**SESSIONS, "NextToken.1": "x"},
        "MalformedQueryString",
        "The parameter NextToken is a single value and has no members.",
    ),
    (
        {**SESSION, "SessionNumber.1": "x"},
        "MalformedQueryString",
        "The parameter SessionNumber.1 has a value and members at once.",
    ),
    (
        {"Tag.1.Key": "k", "Tag": "x", **without(TAGS, "Tag.1.Key")},
        "MalformedQueryString",
        "The parameter Tag has a value and members at once.",
    ),
    (
        {"Action": "CreateTags", "Tag.1.Key.1": "k", "Tag.1.Key": "x"},
        "MalformedQueryString",
        "The parameter Tag.1.Key has a value and members at once.",
    ),
    *(
        ({**TAGS, f"ResourceId.{index}": "x"}, "UnknownParameter", f"The parameter {index} is not recognized")
        for index in ("0", "01", "-1", "member", "x", "100000", "", "\u0662")
    ),
    (
        {**SESSIONS, ".".join(["Filter"] * 18): "x"},
        "MalformedQueryString",
        f"The parameter {'.'.join(['Filter'] * 18)[:100]}... is nested more than 8 deep.",
    ),
    (
        {**SESSIONS, **{f"TrafficMirrorSessionId.{index}": "x" for index in range(1, 2001)}},
        "MalformedQueryString",
        "The query string has more than 2000 parameters.",
    ),
]


@pytest.mark.parametrize(("fields", "code", "message"), EC2, ids=[str(number) for number in range(len(EC2))])
def test_ec2_says_what_is_wrong(fields: dict[str, str], code: str, message: str) -> None:
    assert refusal(form(fields)) == (400, code, message)


RAW = [
    ("Action=DescribeTrafficMirrorSessions", "MissingParameter", "The request must contain the parameter Version"),
    (
        "Action=DescribeTags&Version=2016-11-15&Action=DescribeTags",
        "MalformedQueryString",
        "The query string has one parameter twice.",
    ),
    (
        "Action=DescribeTags&Version=2016-11-15&MaxResults=5&%4daxResults=6",
        "MalformedQueryString",
        "The query string has one parameter twice.",
    ),
    (
        "Action=DescribeTags&Version=2016-11-15&NextToken=%zz",
        "MalformedQueryString",
        "The query string has a percent sign without two hexadecimal digits.",
    ),
    (
        "Action=DescribeTags&Version=2016-11-15&NextToken=%ff",
        "MalformedQueryString",
        "The query string is not UTF-8 text.",
    ),
    (
        "Action=DescribeTags&Version=2016-11-15&NextToken=%ed%a0%80",
        "MalformedQueryString",
        "The query string is not UTF-8 text.",
    ),
]


@pytest.mark.parametrize(("body", "code", "message"), RAW)
def test_a_form_that_is_not_one(body: str, code: str, message: str) -> None:
    assert refusal(form(body)) == (400, code, message)
    in_query = form("", method="GET", query_string=body)
    assert refusal(in_query) == (400, code, message)


def test_parameters_are_counted_over_query_string_and_body_and_empty_ones_too() -> None:
    many = "The query string has more than 2000 parameters."
    assert refusal(form("&" * 2000)) == (400, "MalformedQueryString", many)
    first, second = ("&".join(f"{name}{number}=x" for number in range(1001)) for name in "ab")
    assert refusal(form(first, query_string=second)) == (400, "MalformedQueryString", many)


def test_bytes_that_are_not_utf_8() -> None:
    assert refusal(form("", body=b"Action=DescribeTags&Version=2016-11-15&NextToken=\xff"))[:2] == (
        400,
        "MalformedQueryString",
    )
    assert refusal(form("", query_string="Action=\xff"))[:2] == (400, "MalformedQueryString")


def test_one_parameter_in_query_string_and_body() -> None:
    request = form(SESSIONS, query_string="MaxResults=5&Action=DescribeTags")
    assert refusal(request) == (400, "MalformedQueryString", "The query string has one parameter twice.")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"method": "PUT"}, 405, "InvalidHttpRequest"),
        ({"method": "OPTIONS"}, 405, "InvalidHttpRequest"),
        ({"path": "/latest/meta-data"}, 404, "InvalidAction"),
        ({"path": "//"}, 404, "InvalidAction"),
        ({"path": "/createresourceshare"}, 404, "InvalidAction"),
    ],
)
def test_other_methods_and_paths(change: dict[str, str], status: int, code: str) -> None:
    assert refusal(form(SESSIONS, **change))[:2] == (status, code)


QUERY = [
    (
        "elasticloadbalancing",
        {"Action": "CreateLoadBalancer"},
        "InvalidAction",
        "Could not find operation CreateLoadBalancer for version 2015-12-01",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "Version": "2012-06-01"},
        "InvalidAction",
        "Could not find operation DescribeLoadBalancers for version 2012-06-01",
    ),
    (
        "sts",
        {"Action": "GetCallerIdentity", "Version": ""},
        "InvalidAction",
        "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "PageSize": "0"},
        "ValidationError",
        "1 validation error detected: Value '0' at 'pageSize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "PageSize": "401"},
        "ValidationError",
        "1 validation error detected: Value '401' at 'pageSize' failed to satisfy constraint: "
        "Member must have value less than or equal to 400",
    ),
    (
        "elasticloadbalancing",
        {"Action": "DescribeLoadBalancerAttributes"},
        "ValidationError",
        "1 validation error detected: Value null at 'loadBalancerArn' failed to satisfy constraint: "
        "Member must not be null",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "PageSize": "many"},
        "InvalidParameterValue",
        "Value (many) for parameter PageSize is not an integer.",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "Names.1": "a"},
        "UnknownParameter",
        "The parameter Names.1 is not recognized",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "Names.member": "a"},
        "InvalidParameterValue",
        "The parameter Names.member is a list: its first value is called Names.member.1.",
    ),
    (
        "elasticloadbalancing",
        {**BALANCERS, "Names.member.1": "a\x01"},
        "InvalidParameterValue",
        "The parameter Names.member.1 contains a character that is not valid in XML 1.0.",
    ),
    (
        "sts",
        {"Action": "GetCallerIdentity", "DurationSeconds": "5"},
        "UnknownParameter",
        "The parameter DurationSeconds is not recognized",
    ),
    ("sts", {"Action": ""}, "MissingAction", "The request must contain the parameter Action"),
]


@pytest.mark.parametrize(("scope", "fields", "code", "message"), QUERY)
def test_the_query_services_say_what_is_wrong(scope: str, fields: dict[str, str], code: str, message: str) -> None:
    assert refusal(form(fields, scope=scope), "query") == (400, code, message)


SHARE = "/createresourceshare"
RAM = [
    (
        SHARE,
        {},
        "InvalidParameterException",
        "Value null at 'name' failed to satisfy constraint: Member must not be null",
    ),
    (SHARE, {"name": None}, "InvalidParameterException", "Value null at 'name'"),
    (SHARE, {"name": 5}, "SerializationException", "Value (5) for parameter name is not a string."),
    (SHARE, {"name": "a", "resourceArns": "b"}, "SerializationException", "resourceArns is a list"),
    (
        SHARE,
        {"name": "a", "resourceArns": [["b"]]},
        "SerializationException",
        "Value (an array) for parameter resourceArns.1 is not a string.",
    ),
    (SHARE, {"name": "a", "tags": [1]}, "SerializationException", "tags.1 is a structure"),
    (
        SHARE,
        {"name": "a", "tags": [{"key": "k", "Value": "v"}]},
        "InvalidParameterException",
        "The parameter tags.1.Value is not recognized",
    ),
    (
        SHARE,
        {"name": "a", "allowExternalPrincipals": 1},
        "SerializationException",
        "Value (1) for parameter allowExternalPrincipals is not true or false.",
    ),
    (SHARE, {"name": "a", "colour": "red"}, "InvalidParameterException", "The parameter colour is not recognized"),
    (SHARE, {"name": "a\ud800"}, "SerializationException", "contains a character"),
    (
        "/getresourceshares",
        {"resourceOwner": "self"},
        "InvalidParameterException",
        "Value 'self' at 'resourceOwner' failed to satisfy constraint: Member must satisfy enum value set: "
        "[SELF, OTHER-ACCOUNTS]",
    ),
    (
        "/getresourceshares",
        {"resourceOwner": "SELF", "maxResults": 501},
        "InvalidParameterException",
        "Value '501' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 500",
    ),
    (
        "/getresourceshares",
        {"resourceOwner": "SELF", "maxResults": True},
        "SerializationException",
        "Value (true) for parameter maxResults is not an integer.",
    ),
    (
        "/getresourceshares",
        {"resourceOwner": "SELF", "maxResults": 5.0},
        "SerializationException",
        "Value (5.0) for parameter maxResults is not an integer.",
    ),
    *(
        (SHARE, body, "SerializationException", "The body is not a JSON object")
        for body in (
            b"{",
            b"[]",
            b"null",
            b'"name"',
            b"\xff",
            b'{"name": "a", "name": "b"}',
            b'{"name": NaN}',
            b'{"name": 1e999}',
            b'{"name": ' + b"9" * 30 + b"}",
            b'{"name": ' + b"[" * 100_000,
            b'{"tags": ' * 100_000,
        )
    ),
]


@pytest.mark.parametrize(("path", "body", "code", "message"), RAM, ids=[str(number) for number in range(len(RAM))])
def test_ram_says_what_is_wrong(path: str, body: Any, code: str, message: str) -> None:
    status, found, text = refusal(ram(path, body), "rest-json")
    assert (status, found) == (400, code)
    assert message in text


@pytest.mark.parametrize(
    ("method", "query", "status", "code"),
    [
        ("DELETE", "", 400, "InvalidParameterException"),
        ("DELETE", "resourceShareArn=a&colour=red", 400, "InvalidParameterException"),
        ("DELETE", "resourceShareArn=a&resourceShareArn=b", 400, "SerializationException"),
        ("DELETE", "resourceShareArn=%zz", 400, "MalformedQueryString"),
        ("POST", "resourceShareArn=a", 404, "UnknownOperationException"),
    ],
)
def test_ram_parameters_in_the_query_string(method: str, query: str, status: int, code: str) -> None:
    request = ram("/deleteresourceshare", b"", method=method, query_string=query)
    assert refusal(request, "rest-json")[:2] == (status, code)


def test_a_service_that_is_not_served_is_refused_in_a_form_that_its_client_reads() -> None:
    message = "The service states is not served here."
    assert refusal(form({"Action": "ListStateMachines"}, scope="states"), "query") == (400, "InvalidAction", message)
    headers = (
        ("authorization", authorization("states")),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "AWSStepFunctions.ListStateMachines"),
    )
    assert refusal(ram("/", {}, headers=headers), "json") == (400, "InvalidAction", message)


@pytest.mark.parametrize(
    ("request_", "protocol"),
    [
        (form(SESSIONS), "ec2"),
        (form(BALANCERS, scope="elasticloadbalancing"), "query"),
        (ram("/getresourceshares", {"resourceOwner": "SELF"}), "rest-json"),
    ],
)
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412),
            412,
            "Request would have succeeded, but DryRun flag is set.",
        ),
        (ApiError("Unavailable", 'a < b & "c" > d\r\n\té', 503), 503, 'a < b & "c" > d\r\n\té'),
    ],
)
def test_an_error_of_an_operation_comes_out_as_it_is(
    request_: Request, protocol: str, error: ApiError, status: int, message: str
) -> None:
    response = exchange(FakeControl(error)).answer(request_, PEER)
    assert read(response, protocol) == (status, error.code, message)


def test_authentication_comes_before_parameters_and_its_error_is_the_answer() -> None:
    def refuse(request: Request) -> Any:
        raise ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)

    control = FakeControl()
    response = exchange(control, authenticate=refuse).answer(form({**SESSIONS, "Colour": "red"}), PEER)
    assert read(response, "ec2")[:2] == (401, "AuthFailure")
    assert not control.calls


@pytest.mark.parametrize(
    ("request_", "protocol", "code"),
    [
        (form(SESSIONS), "ec2", "RequestLimitExceeded"),
        (form(BALANCERS, scope="elasticloadbalancing"), "query", "ServiceUnavailable"),
        (ram("/getresourceshares", {"resourceOwner": "SELF"}), "rest-json", "ServiceUnavailable"),
    ],
)
def test_one_too_many_is_refused_in_the_protocol_of_its_client(request_: Request, protocol: str, code: str) -> None:
    assert read(exchange(FakeControl()).turn_away(request_), protocol)[:2] == (503, code)
