"""Condition operators, as the IAM user guide describes them: what holds, what does not, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.control.iam.conditions import load_condition
from halfsilver.harness.control.iam.policies import PolicyError, load_policy

CONTEXT = {
    "aws:username": ("Ann",),
    "aws:sourceip": ("203.0.113.77",),
    "aws:securetransport": ("true",),
    "aws:currenttime": ("2026-11-20T12:00:00+00:00",),
    "aws:epochtime": ("1795176000",),
    "aws:tagkeys": ("env", "team"),
    "ec2:attribute/packetlength": ("100",),
    "x:empty": (),
    "x:v6": ("2001:db8::7",),
    "aws:principalarn": ("arn:aws:iam::123456789012:user/Ann",),
    "aws:resourcetag/team": ("red",),
    "x:star": ("a*b",),
}
PRINCIPAL = "aws:PrincipalArn"


def holds(operator: str, key: str, value: Any, context: dict[str, tuple[str, ...]] | None = None) -> bool:
    return load_condition({operator: {key: value}}, True, "C").holds(CONTEXT if context is None else context)


@pytest.mark.parametrize(
    ("operator", "key", "value", "expected"),
    [
        ("StringEquals", "aws:username", "Ann", True),
        ("StringEquals", "aws:username", "ann", False),
        ("StringEquals", "AWS:UserName", "Ann", True),
        ("StringEquals", "aws:username", ["Bob", "Ann"], True),
        ("StringEquals", "aws:username", "A*", False),
        ("StringNotEquals", "aws:username", "Ann", False),
        ("StringEquals", "x:star", "a*b", True),
        ("StringNotEquals", "aws:username", ["Bob", "Ann"], False),
        ("StringNotEquals", "aws:username", ["Bob", "ann"], True),
        ("StringEqualsIgnoreCase", "aws:username", "aNN", True),
        ("StringEqualsIgnoreCase", "aws:username", "an", False),
        ("StringNotEqualsIgnoreCase", "aws:username", "aNN", False),
        ("StringNotEqualsIgnoreCase", "aws:username", "Bob", True),
        ("StringLike", "aws:username", "A*", True),
        ("StringLike", "aws:username", "a*", False),
        ("StringLike", "aws:username", "?nn", True),
        ("StringLike", "aws:username", "??", False),
        ("StringLike", "aws:username", ["x", "*n*"], True),
        ("StringLike", "aws:sourceip", "203?0.*", True),
        ("StringNotLike", "aws:username", "A*", False),
        ("StringNotLike", "aws:username", "B*", True),
        ("NumericEquals", "ec2:Attribute/PacketLength", "100", True),
        ("NumericEquals", "ec2:Attribute/PacketLength", "100.0", True),
        ("NumericEquals", "ec2:Attribute/PacketLength", 100, True),
        ("NumericNotEquals", "ec2:Attribute/PacketLength", "100", False),
        ("NumericNotEquals", "ec2:Attribute/PacketLength", "99", True),
        ("NumericLessThan", "ec2:Attribute/PacketLength", "100", False),
        ("NumericLessThan", "ec2:Attribute/PacketLength", "1e2", False),
        ("NumericLessThan", "ec2:Attribute/PacketLength", "1000", True),
        ("NumericLessThanEquals", "ec2:Attribute/PacketLength", "100", True),
        ("NumericGreaterThan", "ec2:Attribute/PacketLength", "20", True),
        ("NumericGreaterThan", "ec2:Attribute/PacketLength", "100", False),
        ("NumericGreaterThanEquals", "ec2:Attribute/PacketLength", "100", True),
        ("NumericLessThan", "aws:username", "5", False),
        ("NumericNotEquals", "aws:username", "5", True),
        ("DateEquals", "aws:CurrentTime", "2026-11-20T12:00:00Z", True),
        ("DateEquals", "aws:CurrentTime", "2026-11-20T13:00:00+01:00", True),
        ("DateEquals", "aws:CurrentTime", "1795176000", True),
        ("DateEquals", "aws:EpochTime", "2026-11-20T12:00:00Z", True),
        ("DateNotEquals", "aws:CurrentTime", "2026-11-20T12:00:00Z", False),
        ("DateLessThan", "aws:CurrentTime", "2026-11-20", False),
        ("DateLessThan", "aws:CurrentTime", "2026-11-21", True),
        ("DateLessThanEquals", "aws:CurrentTime", "2026-11-20T12:00:00Z", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-20", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-20T12:00:00Z", False),
        ("DateGreaterThanEquals", "aws:CurrentTime", "2026-11-20T12:00:00Z", True),
        ("DateGreaterThan", "aws:username", "2026-11-20", False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", True, True),
        ("Bool", "aws:SecureTransport", "FALSE", False),
        ("Bool", "aws:username", "true", False),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", True),
        ("IpAddress", "aws:SourceIp", "203.0.113.77", True),
        ("IpAddress", "aws:SourceIp", "203.0.113.78/32", False),
        ("IpAddress", "aws:SourceIp", "203.0.113.9/24", True),
        ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "::/0"], False),
        ("IpAddress", "x:v6", "2001:db8::/32", True),
        ("IpAddress", "x:v6", "0.0.0.0/0", False),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", False),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", True),
        ("IpAddress", "aws:username", "0.0.0.0/0", False),
        ("ArnEquals", PRINCIPAL, "arn:aws:iam::123456789012:user/Ann", True),
        ("ArnLike", PRINCIPAL, "arn:aws:iam::*:user/*", True),
        ("ArnEquals", PRINCIPAL, "arn:*:iam::*:user/A?n", True),
        ("ArnLike", PRINCIPAL, "arn:aws:iam::*:role/*", False),
        ("ArnLike", PRINCIPAL, "arn:aws:iam:*:*:user/ann", False),
        ("ArnNotLike", PRINCIPAL, "arn:aws:iam::*:user/*", False),
        ("ArnNotEquals", PRINCIPAL, "arn:aws:s3:::x", True),
        ("ArnLike", "aws:username", "arn:aws:iam::*:*", False),
        ("Null", "aws:username", "false", True),
        ("Null", "aws:username", True, False),
        ("Null", "aws:MultiFactorAuthAge", "true", True),
        ("Null", "aws:MultiFactorAuthAge", "false", False),
        ("Null", "x:empty", "true", True),
        ("Null", "aws:TagKeys", "false", True),
    ],
    ids=str,
)
def test_operators(operator: str, key: str, value: Any, expected: bool) -> None:
    assert holds(operator, key, value) is expected


@pytest.mark.parametrize(
    "operator",
    [
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "NumericEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "IpAddress",
        "ArnEquals",
        "ArnLike",
    ],
)
def test_a_key_that_is_not_there(operator: str) -> None:
    special = {"Bool": "true", "IpAddress": "0.0.0.0/0", "ArnEquals": "arn:*:iam:*:*:*", "ArnLike": "arn:*:iam:*:*:*"}
    value = special.get(operator, "2026-11-20" if operator.startswith("Date") else "1")
    assert not holds(operator, "x:absent", value)
    assert holds(f"{operator}IfExists", "x:absent", value)
    assert not holds(f"ForAnyValue:{operator}", "x:absent", value)
    assert holds(f"ForAnyValue:{operator}IfExists", "x:absent", value)
    assert holds(f"ForAllValues:{operator}", "x:absent", value)


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringNotEquals", "a"),
        ("StringNotEqualsIgnoreCase", "a"),
        ("StringNotLike", "*"),
        ("NumericNotEquals", "1"),
        ("DateNotEquals", "2026-11-20"),
        ("NotIpAddress", "0.0.0.0/0"),
        ("ArnNotEquals", "arn:*:iam:*:*:*"),
        ("ArnNotLike", "arn:*:iam:*:*:*"),
    ],
)
def test_a_key_that_is_not_there_satisfies_negated_operators(operator: str, value: str) -> None:
    assert holds(operator, "x:absent", value)
    assert holds(f"{operator}IfExists", "x:absent", value)
    assert holds(f"ForAllValues:{operator}", "x:absent", value)
    assert not holds(f"ForAnyValue:{operator}", "x:absent", value)


def test_if_exists_looks_at_a_key_that_is_there() -> None:
    assert not holds("StringEqualsIfExists", "aws:username", "Bob")
    assert holds("StringEqualsIfExists", "aws:username", "Ann")
    assert not holds("StringNotEqualsIfExists", "aws:username", "Ann")


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        # The request has env and team.
        ("ForAllValues:StringEquals", ["env", "team", "cost"], True),
        ("ForAllValues:StringEquals", ["env"], False),
        ("ForAnyValue:StringEquals", ["env", "cost"], True),
        ("ForAnyValue:StringEquals", ["cost"], False),
        ("ForAllValues:StringLike", ["e*", "t*"], True),
        ("ForAnyValue:StringLike", ["x*"], False),
        ("ForAllValues:StringNotEquals", ["cost"], True),
        ("ForAllValues:StringNotEquals", ["cost", "env"], False),
        ("ForAnyValue:StringNotEquals", ["env"], True),
        ("ForAnyValue:StringNotEquals", ["env", "team"], False),
    ],
)
def test_sets_of_values(operator: str, values: list[str], expected: bool) -> None:
    assert holds(operator, "aws:TagKeys", values) is expected


def test_all_operators_and_keys_must_hold() -> None:
    def both(name: str, address: str, tag: str) -> bool:
        return load_condition(
            {
                "StringEquals": {"aws:username": name, "aws:ResourceTag/Team": tag},
                "IpAddress": {"aws:SourceIp": address},
            },
            True,
            "C",
        ).holds(CONTEXT)

    assert both("Ann", "203.0.113.0/24", "red")
    assert not both("Bob", "203.0.113.0/24", "red")
    assert not both("Ann", "10.0.0.0/8", "red")
    assert not both("Ann", "203.0.113.0/24", "blue")


@pytest.mark.parametrize(
    ("operator", "value", "user", "expected"),
    [
        ("StringEquals", "${aws:username}", "red", True),
        ("StringEquals", "${AWS:UserName}", "red", True),
        ("StringEquals", "${aws:username}", "blue", False),
        ("StringEquals", "x${aws:username}", "red", False),
        ("StringEqualsIgnoreCase", "${aws:username}", "RED", True),
        ("StringLike", "${aws:username}*", "r", True),
        ("StringLike", "${aws:username}", "r*", False),
        ("StringLike", "r${*}", "x", False),
        ("StringEquals", "${aws:absent}", "red", False),
        ("StringEquals", "${aws:absent, 'red'}", "x", True),
        ("StringEquals", "${aws:username,'blue'}", "red", True),
        ("StringNotEquals", "${aws:username}", "red", False),
        ("StringNotEquals", "${aws:absent}", "red", True),
    ],
)
def test_policy_variables(operator: str, value: str, user: str, expected: bool) -> None:
    """The team is red."""
    context = {"aws:username": (user,), "x:team": ("red",)}
    assert holds(operator, "x:team", value, context) is expected


def test_escaped_characters_are_themselves() -> None:
    for value, seen in (("a${*}b", "a*b"), ("a${?}b", "a?b"), ("${$}{aws:username}", "${aws:username}")):
        context = {"x:k": (seen,), "aws:username": ("Ann",)}
        assert holds("StringLike", "x:k", value, context) and holds("StringEquals", "x:k", value, context)
    assert not holds("StringLike", "x:k", "a${*}b", {"x:k": ("axb",)})


def test_a_variable_with_several_values_has_none() -> None:
    context = {"aws:tagkeys": ("a", "b"), "x:k": ("a",)}
    assert not holds("StringEquals", "x:k", "${aws:TagKeys}", context)
    assert not holds("StringEquals", "x:k", "${aws:TagKeys, 'a'}", context)


def test_the_old_version_knows_no_variables() -> None:
    condition = load_condition({"StringEquals": {"x:k": "${aws:username}"}}, False, "C")
    assert condition.holds({"x:k": ("${aws:username}",), "aws:username": ("Ann",)})
    assert not condition.holds({"x:k": ("Ann",), "aws:username": ("Ann",)})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ([], "Statement.Condition: must be an object"),
        ({"StringEquals": {}}, "Condition.StringEquals: must be an object"),
        ({"StringEquals": "x"}, "Condition.StringEquals: must be an object"),
        ({"StringLke": {"aws:username": "x"}}, "Condition.StringLke: unknown condition operator"),
        ({"stringequals": {"aws:username": "x"}}, "unknown condition operator"),
        ({"ForSome:StringLike": {"aws:username": "x"}}, "only ForAllValues: and ForAnyValue:"),
        ({":StringLike": {"aws:username": "x"}}, "only ForAllValues: and ForAnyValue:"),
        ({"NullIfExists": {"aws:username": "true"}}, "Null has neither"),
        ({"ForAnyValue:Null": {"aws:username": "true"}}, "Null has neither"),
        ({"Null": {"aws:username": "maybe"}}, "'maybe' is not true or false"),
        ({"Null": {"aws:username": ["true", "false"]}}, "Null takes one value"),
        ({"StringEquals": {"username": "x"}}, "a condition key has a prefix"),
        ({"StringEquals": {"aws:username": []}}, "StringEquals.aws:username: needs at least one value"),
        ({"StringEquals": {"aws:username": None}}, "must be a string, number or boolean"),
        ({"StringEquals": {"aws:username": {"a": 1}}}, "must be a string, number or boolean"),
        ({"StringEquals": {"aws:username": "${aws:username"}}, "a policy variable is written"),
        ({"StringEquals": {"aws:username": "${}"}}, "a policy variable is written"),
        ({"NumericEquals": {"x:n": "ten"}}, "'ten' is not a number"),
        ({"NumericEquals": {"x:n": "NaN"}}, "not a number"),
        ({"NumericEquals": {"x:n": "${x:m}"}}, "not a number"),
        ({"DateLessThan": {"x:d": "soon"}}, "'soon' is not a date"),
        ({"DateLessThan": {"x:d": "2026"}}, "'2026' is not a date"),
        ({"DateLessThan": {"x:d": "9" * 40}}, "is not a date"),
        ({"Bool": {"x:b": "yes"}}, "'yes' is not true or false"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}, "is not an IP address or CIDR block"),
        ({"IpAddress": {"aws:SourceIp": "${aws:SourceIp}"}}, "is not an IP address or CIDR block"),
        ({"ArnLike": {"aws:PrincipalArn": "*"}}, "is not an ARN"),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1"}}, "is not an ARN"),
    ],
)
def test_malformed_conditions_are_refused_with_the_place(condition: Any, message: str) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition},
    }
    with pytest.raises(PolicyError) as caught:
        load_policy(document, "policy p")
    assert message in str(caught.value) and str(caught.value).startswith("policy p: Statement.Condition")
    assert "\n" not in str(caught.value)
