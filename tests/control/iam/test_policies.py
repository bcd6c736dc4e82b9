"""Policies: what matches, which of several decides, what is refused when it is read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsilver.harness.control.iam.policies import (
    ADMINISTRATOR,
    Decision,
    Later,
    Policies,
    Policy,
    PolicyError,
    load_policy,
)

FILTER = "arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-filter/tmf-0a1"
SESSION = "arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-session/*"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return load_policy({"Version": version, "Statement": list(statements)}, "p")


def statement(effect: str = "Allow", action: Any = "*", resource: Any = "*", **members: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **members}


def allows(document: dict[str, Any], action: str = "ec2:DescribeRegions", resource: str = "*", **context: str) -> bool:
    known = {key.replace("_", ":"): (value,) for key, value in context.items()}
    return Policies((policy(document),)).decide(action, resource, known).allowed


# What matches.


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "ec2:DescribeRegions", True),
        ("*:*", "ec2:DescribeRegions", True),
        ("ec2:*", "ec2:DescribeRegions", True),
        ("ec2:DescribeRegions", "ec2:DescribeRegions", True),
        ("EC2:describeregions", "ec2:DescribeRegions", True),
        ("ec2:Describe*", "ec2:DescribeRegions", True),
        ("ec2:Describe*", "ec2:CreateTags", False),
        ("ec2:*Traffic*Filter", "ec2:CreateTrafficMirrorFilter", True),
        ("ec2:*Filter", "ec2:CreateFilterRule", False),
        ("ec2:DescribeRegion?", "ec2:DescribeRegions", True),
        ("ec2:DescribeRegion?", "ec2:DescribeRegion", False),
        ("ram:*", "ec2:DescribeRegions", False),
        ("ec2:Describe", "ec2:DescribeRegions", False),
        ("ec2:**a*", "ec2:DescribeNats", True),
        (["ram:*", "ec2:Describe*"], "ec2:DescribeRegions", True),
        ("ec:*", "ec2:DescribeRegions", False),
    ],
)
def test_actions(pattern: Any, action: str, expected: bool) -> None:
    assert allows(statement(action=pattern), action) is expected
    turned = {"Effect": "Allow", "NotAction": pattern, "Resource": "*"}
    assert allows(turned, action) is not expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("*", "*", True),
        ("*", FILTER, True),
        (FILTER, FILTER, True),
        (FILTER, FILTER + "2", False),
        (FILTER, "*", False),
        (FILTER.upper().replace("ARN:AWS:EC2", "arn:aws:ec2"), FILTER, False),
        ("arn:aws:ec2:*:*:traffic-mirror-filter/*", FILTER, True),
        ("arn:aws:ec2:*:*:traffic-mirror-filter/*", SESSION, False),
        ("arn:aws:ec2:*:*:traffic-mirror-filter/tmf-?a1", FILTER, True),
        ("arn:aws:ec2:*:*:*/tmf-0a1", FILTER, True),
        ("arn:aws:ec2:*:*:*/tmf-0a?1", FILTER, False),
        ("arn:aws:ec2:eu-*-1:*:*", FILTER, True),
        ("arn:aws:ec2:us-*:*:*", FILTER, False),
        ("arn:aws:ec2:*:12345678901?:*", FILTER, True),
        ("arn:*:ec2:*:*:*", FILTER, True),
        ("arn:aws-cn:ec2:*:*:*", FILTER, False),
        ("arn:aws:ram:*:*:*", FILTER, False),
        ("arn:aws:ec2:*:*:traffic-mirror-session/*", SESSION, True),
        ("arn:aws:ec2:*:*:traffic-mirror-session/tms-1", SESSION, False),
        # A wildcard stays in its part of the ARN, except at the end of the part.
        ("arn:aws:ec2:*", FILTER, True),
        ("arn:aws:ec2:eu-central-1:*", FILTER, True),
        ("arn:aws:ec2:eu*", FILTER, True),
        ("arn:aws:ec2:*l-1:123456789012:*", FILTER, True),
        ("arn:aws:ec2:eu*2:traffic-mirror-filter/*", FILTER, False),
        ("arn:aws:ec2:*:traffic-mirror-filter/tmf-0a1", FILTER, True),
        ("arn:aws:ec2:*:traffic-mirror-filter/x", FILTER, False),
        ("arn:aws:ec2:eu?central-1?123456789012:traffic-mirror-filter/*", FILTER, False),
        ("arn:aws:ec2:*:*:*", "arn:aws:ec2:r:a:with:colons", True),
        ("arn:aws:ec2:*:*:a*s", "arn:aws:ec2:r:a:a:s", True),
        ([SESSION, FILTER], FILTER, True),
    ],
)
def test_resources(pattern: Any, resource: str, expected: bool) -> None:
    assert allows(statement(resource=pattern), "ec2:X", resource) is expected
    turned = {"Effect": "Allow", "Action": "*", "NotResource": pattern}
    assert allows(turned, "ec2:X", resource) is not expected


def test_policy_variables_in_resources() -> None:
    mine = statement(resource="arn:aws:ec2:*:${aws:PrincipalAccount}:*/${aws:username}-*")
    resource = "arn:aws:ec2:r:123456789012:vpc/ann-1"
    assert allows(mine, resource=resource, aws_username="ann", aws_principalaccount="123456789012")
    assert not allows(mine, resource=resource, aws_username="bob", aws_principalaccount="123456789012")
    assert not allows(mine, resource=resource, aws_username="*", aws_principalaccount="123456789012")
    assert not allows(mine, resource=resource, aws_username="ann")
    assert allows(statement(resource="arn:aws:ec2:*:*:vpc/${*}"), resource="arn:aws:ec2:r:a:vpc/*")
    assert not allows(statement(resource="arn:aws:ec2:*:*:vpc/${*}"), resource="arn:aws:ec2:r:a:vpc/x")


def test_variables_are_plain_text_in_the_old_version() -> None:
    old = Policies((policy(statement(resource="arn:aws:ec2:*:*:vpc/${aws:username}"), version="2008-10-17"),))
    assert old.decide("ec2:X", "arn:aws:ec2:r:a:vpc/${aws:username}", {"aws:username": ("ann",)}).allowed
    assert not old.decide("ec2:X", "arn:aws:ec2:r:a:vpc/ann", {"aws:username": ("ann",)}).allowed


def test_matching_takes_no_longer_for_a_spiteful_pattern() -> None:
    stars = "*a" * 30
    spiteful = statement(action=f"ec2:{stars}*b", resource=["*", f"arn:aws:ec2:{stars}*:*:{stars}*b"])
    before = time.process_time()
    resource = "arn:aws:ec2:" + "a" * 500 + ":1:" + "a" * 2000
    assert not allows(spiteful, "ec2:" + "a" * 2000, resource)
    assert not allows({**spiteful, "Action": "*", "Resource": spiteful["Resource"][1:]}, "ec2:X", resource)
    assert time.process_time() - before < 0.5


# Which of several decides.

ALLOW, DENY, NOTHING = statement(), statement("Deny"), statement(action="ram:X")
UNMET = {"StringEquals": {"aws:username": "nobody"}}


@pytest.mark.parametrize(
    ("identity", "boundary", "expected"),
    [
        ([ALLOW], None, Decision.ALLOWED),
        ([NOTHING], None, Decision.NOT_ALLOWED),
        ([DENY], None, Decision.DENIED),
        ([ALLOW, DENY], None, Decision.DENIED),
        ([DENY, ALLOW], None, Decision.DENIED),
        ([ALLOW, NOTHING], None, Decision.ALLOWED),
        ([NOTHING, ALLOW], None, Decision.ALLOWED),
        ([ALLOW], [ALLOW], Decision.ALLOWED),
        ([ALLOW], [NOTHING], Decision.OUTSIDE_BOUNDARY),
        ([ALLOW], [DENY], Decision.DENIED_BY_BOUNDARY),
        ([ALLOW], [ALLOW, DENY], Decision.DENIED_BY_BOUNDARY),
        ([NOTHING], [ALLOW], Decision.NOT_ALLOWED),
        ([NOTHING], [NOTHING], Decision.NOT_ALLOWED),
        ([NOTHING], [DENY], Decision.DENIED_BY_BOUNDARY),
        ([DENY], [ALLOW], Decision.DENIED),
        ([DENY], [NOTHING], Decision.DENIED),
        ([DENY], [DENY], Decision.DENIED),
        # A statement whose condition does not hold says nothing.
        ([{**ALLOW, "Condition": UNMET}], None, Decision.NOT_ALLOWED),
        ([ALLOW, {**DENY, "Condition": UNMET}], None, Decision.ALLOWED),
        ([{**ALLOW, "Condition": UNMET}, ALLOW], None, Decision.ALLOWED),
        ([ALLOW], [{**ALLOW, "Condition": UNMET}], Decision.OUTSIDE_BOUNDARY),
        ([ALLOW], [ALLOW, {**DENY, "Condition": UNMET}], Decision.ALLOWED),
    ],
)
def test_precedence(identity: list[Any], boundary: list[Any] | None, expected: Decision) -> None:
    """In one policy and in several, the outcome is the same."""
    bounds = policy(*boundary) if boundary else None
    context = {"aws:username": ("ann",)}
    together = Policies((policy(*identity),), bounds)
    apart = Policies(tuple(policy(each) for each in identity), bounds)
    assert together.decide("ec2:DescribeRegions", "*", context) is expected
    assert apart.decide("ec2:DescribeRegions", "*", context) is expected


def test_without_policies_nothing_is_allowed_and_to_the_administrator_all() -> None:
    assert Policies().decide("ec2:X", "*", {}) is Decision.NOT_ALLOWED
    assert Policies((), policy(ALLOW)).decide("ec2:X", "*", {}) is Decision.NOT_ALLOWED
    assert ADMINISTRATOR.decide("iam:Anything", FILTER, {}).allowed


EVERYTHING = statement()
IMPOSSIBLE = {"Null": {"aws:username": "true", "x:y": "false"}}


@pytest.mark.parametrize(
    ("identity", "boundary", "session", "expected"),
    [
        ([EVERYTHING], None, None, True),
        ([statement(action="ec2:*"), EVERYTHING], [EVERYTHING], [statement(action=["iam:*", "*"])], True),
        ([], None, None, False),
        ([EVERYTHING, statement("Deny", action="ec2:X")], None, None, False),
        ([EVERYTHING, statement("Deny", Condition=IMPOSSIBLE)], None, None, False),
        ([EVERYTHING], [statement(action="ec2:*")], None, False),
        ([EVERYTHING], None, [statement("Deny", action="iam:*"), EVERYTHING], False),
        ([EVERYTHING], None, [], False),
        ([statement(Condition=IMPOSSIBLE)], None, None, False),
        ([statement(resource="arn:aws:ec2:*")], None, None, False),
        ([statement(action="*:*")], None, None, False),
        ([{"Effect": "Allow", "NotAction": "*", "Resource": "*"}], None, None, False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "*"}], None, None, False),
    ],
)
def test_whether_everything_is_allowed(
    identity: list[Any], boundary: list[Any] | None, session: list[Any] | None, expected: bool
) -> None:
    """Of what is not so simple, for instance what nothing fulfils, the answer may be no where a yes were true."""
    bounds = policy(*boundary) if boundary else None
    policies = Policies(
        tuple(policy(each) for each in identity), bounds, None if session is None else tuple(map(policy, session))
    )
    assert policies.allow_everything is expected


# What is remembered.


def later(**known: str) -> Later:
    return Later(lambda: {key.replace("_", ":"): (value,) for key, value in known.items()})


@pytest.mark.parametrize(
    "dependent",
    [
        statement(Condition={"StringEquals": {"aws:username": "ann"}}),
        statement(Condition={"StringNotEqualsIfExists": {"aws:username": "bob"}}),
        statement(Condition={"Null": {"aws:ann": "false"}}),
        statement(resource="arn:aws:ec2:r:a:vpc/${aws:username}"),
    ],
)
def test_what_depends_on_the_request_is_asked_each_time(dependent: dict[str, Any]) -> None:
    policies = Policies((policy(dependent),))
    ann, bob = {"aws_username": "ann", "aws_ann": "1"}, {"aws_username": "bob"}
    asked = [policies.decide("ec2:X", "arn:aws:ec2:r:a:vpc/ann", later(**who)).allowed for who in (ann, bob, ann, bob)]
    assert asked == [True, False, True, False]


def test_what_does_not_is_remembered_of_these_policies_alone() -> None:
    policies = Policies((policy(statement(action="ec2:Describe*")),))
    found = later(aws_username="ann")
    for action, expected in [("ec2:DescribeTags", True), ("ec2:CreateTags", False)] * 2:
        assert policies.decide(action, "*", found).allowed is expected
        assert not policies.decide(action, "*", later()).allowed or expected
        bound = replace(policies, session=(policy(statement(action="ec2:DescribeRegions")),))
        assert not bound.decide(action, "*", found).allowed
    assert not found.asked and Policies().decide("ec2:DescribeTags", "*", found) is Decision.NOT_ALLOWED


ACTIONS = st.sampled_from(["ec2:CreateTags", "ec2:DescribeTags", "ram:GetResourceShares"])
RESOURCES = st.sampled_from(["*", FILTER, SESSION])
CONDITIONS = st.sampled_from(
    [
        None,
        {"StringEquals": {"aws:username": "ann"}},
        {"StringNotEquals": {"aws:username": "${x:y}"}},
        {"Null": {"x:y": "true"}},
        {"ForAllValues:StringLike": {"aws:TagKeys": ["a*"]}},
    ]
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None) -> dict[str, Any]:
    patterns = st.lists(st.sampled_from(["*", "ec2:*", "ec2:Create*", "ram:Get*", "ec2:?escribeTags"]), min_size=1)
    resources = st.lists(
        st.sampled_from(
            ["*", FILTER, SESSION, "arn:aws:ec2:*:*:traffic-mirror-filter/*", "arn:aws:ec2:*:*:*/${aws:username}"]
        ),
        min_size=1,
    )
    found = {
        "Effect": effect or draw(st.sampled_from(["Allow", "Deny"])),
        draw(st.sampled_from(["Action", "NotAction"])): draw(patterns),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(resources),
    }
    condition = draw(CONDITIONS)
    return found if condition is None else {**found, "Condition": condition}


CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from([("ann",), ("bob",)]),
        "x:y": st.just(("ann",)),
        "aws:tagkeys": st.sampled_from([("a", "ab"), ("b",)]),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(statements(), min_size=1, max_size=4),
    st.lists(statements(), max_size=3),
    st.data(),
    ACTIONS,
    RESOURCES,
    CONTEXTS,
)
def test_a_deny_never_permits_and_an_allow_never_forbids(
    identity: list[Any],
    boundary: list[Any],
    data: st.DataObject,
    action: str,
    resource: str,
    context: dict[str, tuple[str, ...]],
) -> None:
    def allowed(identity: list[Any], boundary: list[Any]) -> bool:
        bounds = policy(*boundary) if boundary else None
        policies = Policies((policy(*identity),), bounds)
        decided = policies.decide(action, resource, context).allowed
        assert decided or not policies.allow_everything
        return decided

    before = allowed(identity, boundary)
    place = data.draw(st.integers(0, len(identity)))
    deny, allow = data.draw(statements("Deny")), data.draw(statements("Allow"))
    assert before or not allowed([*identity[:place], deny, *identity[place:]], boundary)
    assert not before or allowed([*identity[:place], allow, *identity[place:]], boundary)
    assert before or not allowed(identity, [*boundary, deny]) or not boundary
    assert allowed(identity, []) or not before  # a boundary never gives anything
    if boundary:
        assert not before or allowed(identity, [*boundary, allow])


# What is refused when it is read.


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("x", "p: must be a JSON object"),
        ([], "p: must be a JSON object"),
        ({}, "p: Statement must be"),
        ({"Statement": []}, "p: Statement must be"),
        ({"Statement": "x"}, "p: Statement must be"),
        ({"Statement": ["x"]}, "p: Statement[0]: must be a JSON object"),
        ({"Version": "2012-10-18", "Statement": ALLOW}, "p: Version must be 2012-10-17"),
        ({"Version": 2012, "Statement": ALLOW}, "p: Version must be 2012-10-17"),
        ({"Statements": [ALLOW]}, "p: 'Statements' is not known here"),
        ({"Statement": [ALLOW, statement("allow")]}, "p: Statement[1].Effect: must be Allow or Deny"),
        ({"Statement": [{"Action": "*", "Resource": "*"}]}, "p: Statement[0].Effect"),
        ({"Statement": statement(Principal="*")}, "p: Statement.Principal: the policy of a user"),
        ({"Statement": statement(actions="*")}, "p: Statement: 'actions' is not known here"),
        ({"Statement": statement(NotAction="*")}, "p: Statement: needs either Action or NotAction"),
        ({"Statement": {"Effect": "Allow", "Action": "*"}}, "p: Statement: needs either Resource or NotResource"),
        ({"Statement": statement(action=[])}, "p: Statement.Action: must be a string or a list"),
        ({"Statement": statement(action=["ec2:X", 1])}, "p: Statement.Action: must be a string or a list"),
        ({"Statement": statement(action="")}, "p: Statement.Action: must be a string or a list"),
        ({"Statement": statement(action="Describe*")}, "p: Statement.Action: 'Describe*' is not an action"),
        ({"Statement": statement(action="ec*:Describe")}, "'ec*:Describe' is not an action"),
        ({"Statement": statement(action="ec2:")}, "'ec2:' is not an action"),
        ({"Statement": statement(action="ec2:a:b")}, "'ec2:a:b' is not an action"),
        ({"Statement": statement(resource="")}, "p: Statement.Resource: must be a string or a list"),
        ({"Statement": statement(resource={"Ref": "x"})}, "p: Statement.Resource: must be a string or a list"),
        ({"Statement": statement(resource="tmf-1")}, "p: Statement.Resource: 'tmf-1' is not an ARN"),
        ({"Statement": statement(resource="tmf-*")}, "p: Statement.Resource: 'tmf-*' is not an ARN"),
        ({"Statement": statement(resource="arn:aws:ec2")}, "'arn:aws:ec2' is not an ARN"),
        ({"Statement": statement(resource="arn:aws:e*:r:a:x")}, "the service of an ARN must be written out"),
        ({"Statement": statement(Sid="a b")}, "p: Statement.Sid: must be letters and digits"),
        ({"Statement": statement(Sid=1)}, "p: Statement.Sid: must be letters and digits"),
        ({"Statement": [statement(Sid="a"), statement(Sid="a")]}, "p: Statement[1].Sid: 'a' is there twice"),
        (
            {"Version": "2012-10-17", "Statement": statement(resource="arn:aws:ec2:*:*:x/${aws:username")},
            "p: Statement.Resource: 'arn:aws:ec2:*:*:x/${aws:username': a policy variable is written",
        ),
    ],
)
def test_malformed_policies_are_refused_with_the_place(document: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(document, "p")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_one_statement_needs_no_list_and_no_version() -> None:
    single = load_policy({"Id": "x", "Statement": statement(Sid="Only1", Condition={})}, "p")
    assert Policies((single,)).decide("ec2:X", "*", {}).allowed
