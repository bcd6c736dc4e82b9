"""What each operation is to IAM: which actions on which resources, the guide's example, what a refusal says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies, load_policy
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.state.store import Transaction
from tests.control.kits.authorization_kit import (
    A_FILTER,
    A_RULE,
    A_SESSION,
    A_SHARED,
    A_TARGET,
    AN_ENI,
    ANN,
    CREATE_SESSION,
    ENDPOINT,
    ENI,
    FILTER,
    INVITATION,
    NEW_SESSION,
    RULE,
    SESSION,
    SHARE,
    SHARED,
    TARGET,
    allow,
    arn,
    ask,
    call,
    permitted,
    refusal,
    small_account,
)
from tests.control.kits.signing_kit import ACCOUNT, OTHER_ACCOUNT, REGION, key_store, user


@pytest.fixture()
def transaction() -> Iterator[Transaction]:
    with small_account() as opened:
        yield opened


# Which resources.

CASES = {
    "CreateTrafficMirrorFilter": ({}, [arn("traffic-mirror-filter/*")]),
    "CreateTrafficMirrorFilterRule": (
        {"TrafficMirrorFilterId": FILTER},
        [A_FILTER, arn("traffic-mirror-filter-rule/*")],
    ),
    "CreateTrafficMirrorSession": (CREATE_SESSION, [AN_ENI, A_FILTER, NEW_SESSION, A_TARGET]),
    "CreateTrafficMirrorTarget": ({"NetworkInterfaceId": ENI}, [arn("traffic-mirror-target/*"), AN_ENI]),
    "DeleteTrafficMirrorFilter": ({"TrafficMirrorFilterId": FILTER}, [A_FILTER]),
    "DeleteTrafficMirrorFilterRule": ({"TrafficMirrorFilterRuleId": RULE}, [A_FILTER, A_RULE]),
    "DeleteTrafficMirrorSession": ({"TrafficMirrorSessionId": SESSION}, [A_SESSION]),
    "DeleteTrafficMirrorTarget": ({"TrafficMirrorTargetId": TARGET}, [A_TARGET]),
    "ModifyTrafficMirrorFilterNetworkServices": ({"TrafficMirrorFilterId": FILTER}, [A_FILTER]),
    "ModifyTrafficMirrorFilterRule": ({"TrafficMirrorFilterRuleId": RULE, "RuleNumber": 2}, [A_FILTER, A_RULE]),
    "ModifyTrafficMirrorSession": (
        {"TrafficMirrorSessionId": SESSION, "TrafficMirrorTargetId": SHARED, "TrafficMirrorFilterId": FILTER},
        [A_SESSION, A_FILTER, A_SHARED],
    ),
    "CreateTags": (
        {"Resources": [FILTER, ENI, "vpc-1", "i-0"], "Tags": [{"Key": "a", "Value": "b"}]},
        [A_FILTER, AN_ENI, arn("vpc/vpc-1", OTHER_ACCOUNT), arn("instance/i-0")],
    ),
    "DeleteTags": ({"Resources": [SESSION]}, [A_SESSION]),
}
RAM_CASES = {
    "CreateResourceShare": ({}, [f"arn:aws:ram:{REGION}:{ACCOUNT}:resource-share/*"]),
    **{
        name: ({"resourceShareArn": SHARE}, [SHARE])
        for name in (
            "AssociateResourceShare",
            "DisassociateResourceShare",
            "DeleteResourceShare",
            "UpdateResourceShare",
            "TagResource",
            "UntagResource",
        )
    },
    **{
        name: ({"resourceShareInvitationArn": INVITATION}, [INVITATION])
        for name in ("AcceptResourceShareInvitation", "RejectResourceShareInvitation")
    },
}


_ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:a"
CLOUDWATCH_CASES = {
    **{name: ({"AlarmName": "a"}, [_ALARM]) for name in ("PutMetricAlarm", "SetAlarmState")},
    **{name: ({"ResourceARN": _ALARM}, [_ALARM]) for name in ("TagResource", "UntagResource")},
    **{
        name: ({"AlarmNames": ["a", "b"]}, [_ALARM, _ALARM[:-1] + "b"])
        for name in ("DeleteAlarms", "DisableAlarmActions", "EnableAlarmActions")
    },
}
ALL_CASES = {"ec2": CASES, "ram": RAM_CASES, "cloudwatch": CLOUDWATCH_CASES}


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service, cases in ALL_CASES.items() for name in cases]
)
def test_every_resource_of_an_operation_must_be_allowed(service: str, name: str, transaction: Transaction) -> None:
    parameters, resources = ALL_CASES[service][name]
    asked, action = call(name, parameters, service), f"{service}:{name}"
    assert permitted(transaction, asked, allow(action, resources))
    for resource in resources:
        rest = [each for each in resources if each != resource]
        if rest:
            assert not permitted(transaction, asked, allow(action, rest)), f"without {resource}"
        assert not permitted(transaction, asked, allow("*"), {"Effect": "Deny", "Action": action, "Resource": resource})
    assert not permitted(transaction, asked, allow(f"{service}:Other", resources))


def test_the_operations_that_change_something_are_those_with_resources() -> None:
    changing = {key for key, operation in OPERATIONS.items() if operation.writes}
    assert changing == {name for name, each in OPERATIONS.items() if each.on}
    for service, cases in ALL_CASES.items():
        assert {name for of, name in changing if of == service} == set(cases)


@pytest.mark.parametrize(
    ("service", "prefix"),
    [
        ("cloudtrail", "cloudtrail"),
        ("cloudwatch", "cloudwatch"),
        ("ec2", "ec2"),
        ("elbv2", "elasticloadbalancing"),
        ("ram", "ram"),
    ],
)
def test_operations_that_only_look_are_allowed_on_everything_or_not_at_all(
    service: str, prefix: str, transaction: Transaction
) -> None:
    looking = [name for (of, name), operation in OPERATIONS.items() if of == service and not operation.writes]
    assert looking
    for name in looking:
        asked = call(name, {"TrafficMirrorFilterIds": [FILTER]}, service)
        assert permitted(transaction, asked, allow(f"{prefix}:{name}"))
        assert not permitted(transaction, asked, allow(f"{prefix}:{name}", f"arn:aws:{prefix}:*:*:*/*"))
        assert not permitted(transaction, asked, allow("x:*"))


def test_everybody_may_ask_who_they_are(transaction: Transaction) -> None:
    asked = call("GetCallerIdentity", service="sts")
    assert permitted(transaction, asked, {"Effect": "Deny", "Action": "*", "Resource": "*"})


def test_optional_resources_are_checked_only_when_they_are_given(transaction: Transaction) -> None:
    session = call("ModifyTrafficMirrorSession", {"TrafficMirrorSessionId": SESSION, "SessionNumber": 2})
    assert permitted(transaction, session, allow("ec2:ModifyTrafficMirrorSession", A_SESSION))
    balancer = call("CreateTrafficMirrorTarget", {"NetworkLoadBalancerArn": "arn:aws:elasticloadbalancing:r:a:x"})
    assert permitted(transaction, balancer, allow("ec2:CreateTrafficMirrorTarget", arn("traffic-mirror-target/*")))
    endpoint = call("CreateTrafficMirrorTarget", {"GatewayLoadBalancerEndpointId": ENDPOINT})
    assert not permitted(transaction, endpoint, allow("ec2:CreateTrafficMirrorTarget", arn("traffic-mirror-target/*")))
    assert permitted(
        transaction,
        endpoint,
        allow("ec2:CreateTrafficMirrorTarget", [arn("traffic-mirror-target/*"), arn(f"vpc-endpoint/{ENDPOINT}")]),
    )


def test_a_resource_that_does_not_exist_is_one_of_the_callers_account(transaction: Transaction) -> None:
    asked = call("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": "tmf-none"})
    assert permitted(transaction, asked, allow("ec2:*", arn("traffic-mirror-filter/*")))
    assert not permitted(transaction, asked, allow("ec2:*", A_FILTER))
    wrong_kind = call("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": SHARED})
    assert permitted(transaction, wrong_kind, allow("ec2:*", arn(f"traffic-mirror-filter/{SHARED}")))
    missing = call("DeleteTrafficMirrorFilter", {})
    assert not permitted(transaction, missing, allow("ec2:*", A_FILTER))
    assert permitted(transaction, missing, allow("ec2:*", arn("traffic-mirror-filter/*")))


def test_a_rule_that_does_not_exist_is_left_to_the_operation(transaction: Transaction) -> None:
    asked = call("DeleteTrafficMirrorFilterRule", {"TrafficMirrorFilterRuleId": "tmfr-none"})
    assert permitted(transaction, asked, allow("ec2:*", arn("traffic-mirror-filter-rule/*")))


def test_a_shared_target_is_its_owners(transaction: Transaction) -> None:
    asked = call("CreateTrafficMirrorSession", {**CREATE_SESSION, "TrafficMirrorTargetId": SHARED})
    mine = allow("ec2:*", f"arn:aws:ec2:*:{ACCOUNT}:*")
    assert not permitted(transaction, asked, mine)
    assert permitted(transaction, asked, mine, allow("ec2:*", A_SHARED))
    assert permitted(transaction, asked, allow("ec2:*"))
    owned = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    assert not permitted(transaction, asked, allow("ec2:*", "*", **owned))
    assert permitted(transaction, call("CreateTrafficMirrorSession", CREATE_SESSION), allow("ec2:*", "*", **owned))


def test_a_name_that_is_no_id_is_refused_before_it_is_matched(transaction: Transaction) -> None:
    asked = call("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": "x" * 5000})
    with pytest.raises(ApiError, match="InvalidParameterValue"):
        ask(transaction, asked, ADMINISTRATOR)


# The guide's example.


def guide_policy() -> Any:
    """The policy that the Traffic Mirroring guide prints."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "ec2:CreateTrafficMirrorSession",
                "Resource": [
                    "arn:aws:ec2:*:*:traffic-mirror-target/tmt-12345645678",
                    "arn:aws:ec2:*:*:traffic-mirror-filter/*",
                    "arn:aws:ec2:*:*:network-interface/*",
                ],
            }
        ],
    }


def test_the_guides_example_lacks_the_session_itself(transaction: Transaction) -> None:
    """As printed it allows no session: the authorization data requires the session as a resource too."""
    asked = call("CreateTrafficMirrorSession", {**CREATE_SESSION, "TrafficMirrorTargetId": "tmt-12345645678"})
    document = guide_policy()
    refused = refusal(transaction, asked, *document["Statement"])
    assert refused.code == "UnauthorizedOperation" and f"on resource: {NEW_SESSION} because no" in refused.message
    document["Statement"][0]["Resource"].append("arn:aws:ec2:*:*:traffic-mirror-session/*")
    assert permitted(transaction, asked, *document["Statement"])
    other = call("CreateTrafficMirrorSession", CREATE_SESSION)
    assert f"on resource: {A_TARGET} because" in refusal(transaction, other, *document["Statement"]).message
    describing = call("DescribeTrafficMirrorSessions")
    assert not permitted(transaction, describing, *document["Statement"])


# What a refusal says.


def test_the_sentence_of_ec2(transaction: Transaction) -> None:
    create = call("CreateTrafficMirrorSession", CREATE_SESSION)
    refused = refusal(transaction, create, allow("ec2:*", arn("*-interface/*")))
    assert (refused.code, refused.status) == ("UnauthorizedOperation", 403)
    assert refused.message == (
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ann is not authorized "
        "to perform: ec2:CreateTrafficMirrorSession on resource: "
        "arn:aws:ec2:eu-central-1:123456789012:traffic-mirror-filter/tmf-1 because no identity-based policy allows the "
        "ec2:CreateTrafficMirrorSession action"
    )
    describe = refusal(transaction, call("DescribeTrafficMirrorFilters"))
    assert describe.message == (
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ann is not authorized "
        "to perform: ec2:DescribeTrafficMirrorFilters because no identity-based policy allows the "
        "ec2:DescribeTrafficMirrorFilters action"
    )
    denied = refusal(transaction, create, allow("*"), {"Effect": "Deny", "Action": "*", "Resource": NEW_SESSION})
    assert denied.message.endswith(f"on resource: {NEW_SESSION} with an explicit deny in an identity-based policy")


def test_the_sentence_of_a_boundary(transaction: Transaction) -> None:
    everything = load_policy({"Version": "2012-10-17", "Statement": allow("*")}, "p")
    looking = load_policy({"Version": "2012-10-17", "Statement": allow("ec2:Describe*")}, "p")
    with pytest.raises(ApiError, match="because no permissions boundary allows the ec2:CreateTrafficMirrorFilter act"):
        ask(transaction, call("CreateTrafficMirrorFilter"), Policies((everything,), looking))
    ask(transaction, call("DescribeTags"), Policies((everything,), looking))


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [("ram", "GetResourceShares", "AccessDeniedException"), ("elbv2", "DescribeListeners", "AccessDenied")],
)
def test_the_sentence_of_other_services(service: str, operation: str, code: str, transaction: Transaction) -> None:
    refused = refusal(transaction, call(operation, service=service))
    action = f"{'elasticloadbalancing' if service == 'elbv2' else service}:{operation}"
    assert (refused.code, refused.status) == (code, 403)
    assert refused.message == (
        f"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )


def test_policies_of_the_key_store_reach_the_decision(tmp_path: Path, transaction: Transaction) -> None:
    keys = key_store(
        tmp_path,
        user(
            policies=[{"Version": "2012-10-17", "Statement": allow("ec2:*")}],
            PermissionsBoundary={"Version": "2012-10-17", "Statement": allow("*:*", A_FILTER)},
        ),
    )
    delete = {
        name: call(f"DeleteTrafficMirror{name}", {f"TrafficMirror{name}Id": identifier})
        for name, identifier in (("Filter", FILTER), ("Target", TARGET))
    }
    ask(transaction, delete["Filter"], keys.policies(ANN))
    with pytest.raises(ApiError, match="no permissions boundary allows"):
        ask(transaction, delete["Target"], keys.policies(ANN))
