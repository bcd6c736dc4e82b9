"""What the conditions of a policy see of a request and of the resources that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Transaction
from tests.control.kits.authorization_kit import (
    A_FILTER,
    A_TARGET,
    AN_ENI,
    CREATE_SESSION,
    ENI,
    FILTER,
    INVITATION,
    NEW_SESSION,
    RULE,
    SESSION,
    SHARE,
    TAGS,
    allow,
    arn,
    call,
    permitted,
    refusal,
    small_account,
)
from tests.control.kits.signing_kit import ACCOUNT, OTHER_ACCOUNT, REGION


@pytest.fixture()
def transaction() -> Iterator[Transaction]:
    with small_account() as opened:
        yield opened


def seen(transaction: Transaction, asked: Call) -> Callable[[str, str, Any], bool]:
    """A function that says whether a condition holds, on every resource of the call."""
    return lambda operator, key, value: permitted(transaction, asked, allow("*", "*", **{operator: {key: value}}))


def test_keys_of_the_request(transaction: Transaction) -> None:
    holds = seen(transaction, call("DescribeTrafficMirrorFilters"))
    assert holds("StringEquals", "aws:username", "ann")
    assert holds("StringEquals", "aws:userid", "AIDAANN")
    assert holds("StringEquals", "aws:PrincipalAccount", ACCOUNT)
    assert holds("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/ann")
    assert holds("StringEquals", "aws:RequestedRegion", REGION)
    assert holds("StringEquals", "ec2:Region", REGION)
    assert holds("IpAddress", "aws:SourceIp", "192.0.2.0/24")
    assert not holds("IpAddress", "aws:SourceIp", "10.0.0.0/8")
    assert holds("Bool", "aws:SecureTransport", "false")
    assert not holds("Bool", "aws:SecureTransport", "true")
    assert holds("DateEquals", "aws:CurrentTime", "2026-11-20")
    assert not holds("DateLessThan", "aws:CurrentTime", "2026-11-20")
    assert holds("NumericEquals", "aws:EpochTime", "1795132800")
    assert holds("Null", "aws:TagKeys", "true")
    assert holds("Null", "aws:MultiFactorAuthAge", "true")
    holds = seen(transaction, call("DescribeTrafficMirrorFilters", secure=True))
    assert holds("Bool", "aws:SecureTransport", "true")
    holds = seen(transaction, call("DescribeLoadBalancers", service="elbv2"))
    assert holds("Null", "ec2:Region", "true")
    assert holds("StringEquals", "aws:RequestedRegion", REGION)


def test_tags_of_the_resources(transaction: Transaction) -> None:
    delete = call("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": FILTER})
    for prefix in ("aws", "ec2"):
        holds = seen(transaction, delete)
        assert holds("StringEquals", f"{prefix}:ResourceTag/Team", "red")
        assert holds("StringEquals", f"{prefix}:ResourceTag/TEAM", "red")
        assert not holds("StringEquals", f"{prefix}:ResourceTag/Team", "blue")
        assert holds("Null", f"{prefix}:ResourceTag/cost", "true")
    # A tag of one resource says nothing of the others: the filter is red, the rule is not.
    holds = seen(transaction, call("DeleteTrafficMirrorFilterRule", {"TrafficMirrorFilterRuleId": RULE}))
    assert not holds("StringEquals", "aws:ResourceTag/Team", "red")
    assert holds("StringEquals", "aws:ResourceTag/Team", ["red", "rule"])


def test_tags_that_differ_in_case_only_are_all_looked_at(transaction: Transaction) -> None:
    transaction.insert(Record("filter", "tmf-2", ACCOUNT, {}, {"team": "blue", "Team": "red"}))
    holds = seen(transaction, call("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": "tmf-2"}))
    assert holds("StringEquals", "aws:ResourceTag/team", "red")
    assert holds("StringEquals", "aws:ResourceTag/team", "blue")
    assert not holds("StringNotEquals", "aws:ResourceTag/team", "red")


def test_the_place_of_an_interface(transaction: Transaction) -> None:
    create = call("CreateTrafficMirrorSession", CREATE_SESSION)
    rest = allow("*", arn("traffic-mirror-*"))
    for key, value in (
        ("ec2:Vpc", arn("vpc/vpc-1", OTHER_ACCOUNT)),
        ("ec2:Subnet", arn("subnet/subnet-1", OTHER_ACCOUNT)),
        ("ec2:AvailabilityZone", "eu-central-1a"),
        ("ec2:NetworkInterfaceID", ENI),
    ):
        here = allow("*", arn("network-interface/*"), StringEquals={key: value})
        there = allow("*", arn("network-interface/*"), StringEquals={key: "x"})
        assert permitted(transaction, create, rest, here) and not permitted(transaction, create, rest, there)


def test_tags_of_the_request(transaction: Transaction) -> None:
    tagged, bare = call("CreateTrafficMirrorFilter", TAGS), call("CreateTrafficMirrorFilter")
    red = {"StringEquals": {"aws:RequestTag/Team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}
    assert permitted(transaction, tagged, allow("ec2:*", "*", **red))
    assert not permitted(transaction, bare, allow("ec2:*", "*", **red))
    blue = {"StringEquals": {"aws:RequestTag/Team": "blue"}}
    assert not permitted(transaction, tagged, allow("ec2:*", "*", **blue))
    # They are of the new session, not of what it refers to.
    create = call("CreateTrafficMirrorSession", {**CREATE_SESSION, **TAGS})
    assert not permitted(transaction, create, allow("ec2:*", "*", **red))
    assert permitted(
        transaction,
        create,
        allow("ec2:*", NEW_SESSION, **red),
        allow("ec2:*", [AN_ENI, A_FILTER, A_TARGET], Null={"aws:RequestTag/Team": "true"}),
    )


def test_tags_at_the_creation_need_create_tags(transaction: Transaction) -> None:
    tagged = call("CreateTrafficMirrorFilter", TAGS)
    create = allow("ec2:CreateTrafficMirrorFilter")
    refused = refusal(transaction, tagged, create)
    assert f"perform: ec2:CreateTags on resource: {arn('traffic-mirror-filter/*')} because" in refused.message
    assert permitted(transaction, call("CreateTrafficMirrorFilter"), create)
    assert permitted(
        transaction,
        call(
            "CreateTrafficMirrorFilter", {"TagSpecifications": [{"ResourceType": "traffic-mirror-filter", "Tags": []}]}
        ),
        create,
    )
    at_creation = allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateTrafficMirrorFilter"})
    assert permitted(transaction, tagged, create, at_creation)
    other = allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateTrafficMirrorTarget"})
    assert not permitted(transaction, tagged, create, other)
    later = call("CreateTags", {"Resources": [FILTER], "Tags": [{"Key": "Team", "Value": "red"}]})
    assert not permitted(transaction, later, at_creation)


def test_tagging_sees_old_and_new_tags(transaction: Transaction) -> None:
    asked = call("CreateTags", {"Resources": [FILTER], "Tags": [{"Key": "Team", "Value": "blue"}, {"Key": "x"}]})
    holds = seen(transaction, asked)
    assert holds("StringEquals", "aws:ResourceTag/Team", "red")
    assert holds("StringEquals", "aws:RequestTag/Team", "blue")
    assert holds("ForAllValues:StringEquals", "aws:TagKeys", ["Team", "x"])
    assert not holds("ForAllValues:StringEquals", "aws:TagKeys", ["Team"])


def test_what_a_modification_sets(transaction: Transaction) -> None:
    asked = call(
        "ModifyTrafficMirrorSession",
        {"TrafficMirrorSessionId": SESSION, "PacketLength": 100, "DryRun": True, "RemoveFields": ["description"]},
    )
    holds = seen(transaction, asked)
    assert holds("ForAllValues:StringEquals", "ec2:Attribute", ["PacketLength", "RemoveFields"])
    assert not holds("ForAllValues:StringEquals", "ec2:Attribute", ["PacketLength"])
    assert holds("NumericLessThan", "ec2:Attribute/PacketLength", "101")
    assert holds("ForAnyValue:StringEquals", "ec2:Attribute/RemoveFields", "description")
    assert holds("Null", "ec2:Attribute/TrafficMirrorSessionId", "true")
    holds = seen(
        transaction,
        call(
            "ModifyTrafficMirrorFilterRule",
            {"TrafficMirrorFilterRuleId": RULE, "SourcePortRange": {"FromPort": 1, "ToPort": 2}},
        ),
    )
    assert holds("ForAnyValue:StringEquals", "ec2:Attribute", "SourcePortRange")


def test_keys_of_resource_shares(transaction: Transaction) -> None:
    holds = seen(
        transaction,
        call(
            "CreateResourceShare",
            {
                "name": "n",
                "principals": [OTHER_ACCOUNT],
                "resourceArns": [A_TARGET],
                "tags": [{"key": "k", "value": "v"}],
            },
            "ram",
        ),
    )
    assert holds("StringEquals", "ram:RequestedResourceType", "ec2:TrafficMirrorTarget")
    assert holds("ForAllValues:StringEquals", "ram:Principal", OTHER_ACCOUNT)
    assert holds("ForAnyValue:ArnEquals", "ram:ResourceArn", A_TARGET)
    assert holds("Bool", "ram:RequestedAllowsExternalPrincipals", "true")
    assert holds("StringEquals", "aws:RequestTag/k", "v")
    holds = seen(transaction, call("UpdateResourceShare", {"resourceShareArn": SHARE}, "ram"))
    assert holds("StringEquals", "ram:ResourceShareName", "mine")
    assert holds("StringEquals", "aws:ResourceTag/k", "v")
    assert holds("Bool", "ram:AllowsExternalPrincipals", "false")
    assert holds("Null", "ram:RequestedAllowsExternalPrincipals", "true")
    holds = seen(transaction, call("AcceptResourceShareInvitation", {"resourceShareInvitationArn": INVITATION}, "ram"))
    assert holds("StringEquals", "ram:ShareOwnerAccountId", OTHER_ACCOUNT)
    assert holds("StringEquals", "ram:ResourceShareName", "theirs")
    holds = seen(transaction, call("UntagResource", {"resourceArn": SHARE, "tagKeys": ["k"]}, "ram"))
    assert holds("StringEquals", "ram:ResourceShareName", "mine")
    assert holds("StringEquals", "aws:TagKeys", "k")
