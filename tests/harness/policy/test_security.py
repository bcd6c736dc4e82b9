"""Security groups and network ACLs of a policy: what is read, what is refused, what guards an interface."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.policy.policy import Guard, Policy, check
from halfsilver.harness.policy.reader import read
from tests.harness.policy.policy_kit import APPLIANCE, SOURCE, documents, entry, group, interface, permission


def acl(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "NetworkAclId": "acl-1",
        "VpcId": "vpc-0e9801d129EXAMPLE",
        "IsDefault": True,
        "Associations": [],
        "Entries": list(entries),
        **fields,
    }


def guard_of(source: dict[str, Any] | None = None, **lists: Any) -> Guard:
    interfaces = [source or interface(SOURCE, 1), interface(APPLIANCE, 2)]
    found = Policy.from_documents(documents(NetworkInterfaces=interfaces, **lists)).interfaces[0].guard
    assert found is not None
    return found


def errors(source: dict[str, Any] | None = None, **lists: Any) -> list[str]:
    interfaces = [source or interface(SOURCE, 1), interface(APPLIANCE, 2)]
    problems = check(documents(NetworkInterfaces=interfaces, **lists))
    return [str(problem) for problem in problems if problem.severity == "error"]


def test_without_either_list_nothing_is_guarded() -> None:
    assert Policy.from_documents(documents()).interfaces[0].guard is None


def test_a_permission_becomes_a_rule_for_each_network() -> None:
    guard = guard_of(SecurityGroups=[group(permission("tcp", "10.1.0.0/16", "2001:db8::/32"))])
    assert guard.acl is None and guard.groups is not None
    assert [
        (str(rule.source), str(rule.destination), rule.protocol, rule.destination_ports) for rule in guard.groups
    ] == [("10.1.0.0/16", "0.0.0.0/0", 6, (443, 443)), ("2001:db8::/32", "::/0", 6, (443, 443))]
    assert all(rule.accept and rule.source_ports is None for rule in guard.groups)


@pytest.mark.parametrize(
    ("protocol", "number"), [("tcp", 6), ("17", 17), ("udp", 17), ("icmpv6", 58), ("-1", None), ("0", 0), ("50", 50)]
)
def test_protocols_by_name_and_number(protocol: str, number: int | None) -> None:
    low = 443 if number in (6, 17) else -1 if number == 58 else None
    guard = guard_of(SecurityGroups=[group(permission(protocol, "0.0.0.0/0", low=low))])
    assert guard.groups is not None and guard.groups[0].protocol == number


def test_a_group_as_a_source_is_the_addresses_of_its_members() -> None:
    pairs = [{"GroupId": "sg-1", "UserId": "111122223333"}]
    guard = guard_of(
        interface(SOURCE, 1, Groups=[{"GroupId": "sg-2", "GroupName": "web"}]),
        SecurityGroups=[group(), group(permission(UserIdGroupPairs=pairs), group_id="sg-2")],
    )
    assert guard.groups is not None
    assert [str(rule.source) for rule in guard.groups] == ["10.0.0.2/32"]


def test_entries_in_ascending_number_ingress_only() -> None:
    rules = [entry(200), entry(100, "deny", "6", PortRange={"From": 22, "To": 23}), {**entry(1), "Egress": True}]
    guard = guard_of(NetworkAcls=[acl(*rules)])
    assert guard.groups is None and guard.acl is not None
    assert [(rule.number, rule.accept, rule.destination_ports) for rule in guard.acl] == [
        (100, False, (22, 23)),
        (200, True, None),
    ]


def test_the_acl_of_the_subnet_comes_before_the_default_one() -> None:
    own = acl(entry(7), NetworkAclId="acl-2", IsDefault=False, Associations=[{"SubnetId": "subnet-5"}])
    guard = guard_of(interface(SOURCE, 1, SubnetId="subnet-5"), NetworkAcls=[acl(entry(1)), own])
    assert guard.acl is not None and [rule.number for rule in guard.acl] == [7]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"SecurityGroups": []}, "sg-1 is not in SecurityGroups"),
        ({"NetworkAcls": []}, "is not in NetworkAcls"),
        ({"NetworkAcls": [acl(IsDefault=False)]}, "is not in NetworkAcls"),
        ({"SecurityGroups": [group(permission("tpc", "10.0.0.0/8"))]}, '"tpc"'),
        ({"SecurityGroups": [group(permission("tcp", "10.0.0.1/8"))]}, "host bits"),
        ({"SecurityGroups": [group(permission("tcp", "10.0.0.0/8", low=None))]}, "FromPort: is missing"),
        ({"SecurityGroups": [group(permission("tcp", FromPrt=1))]}, "did you mean FromPort"),
        ({"SecurityGroups": [group(permission("icmp", "10.0.0.0/8", low=8))]}, "ICMP type"),
        ({"SecurityGroups": [group(permission(PrefixListIds=[{"PrefixListId": "pl-1"}]))]}, "PrefixListIds"),
        ({"NetworkAcls": [acl(entry(1), entry(1))]}, "numbers are unique"),
        ({"NetworkAcls": [acl(entry(1, "accept"))]}, "must be allow or deny"),
        ({"NetworkAcls": [acl(entry(1, protocol="6"))]}, "PortRange: is missing"),
        ({"NetworkAcls": [acl(entry(1, Ipv6CidrBlock="::/0", CidrBlock="0.0.0.0/0"))]}, "exactly one of"),
        ({"NetworkAcls": [acl({**entry(1), "Egress": None})]}, "must be true or false"),
        ({"NetworkAcls": [acl({**entry(1), "RuleActoin": "deny"})]}, "did you mean RuleAction"),
    ],
)
def test_what_would_be_obeyed_differently_is_refused(lists: dict[str, Any], message: str) -> None:
    found = errors(**lists)
    assert any(message in each for each in found), found


def test_an_interface_whose_groups_are_not_stated_is_refused() -> None:
    assert any("Groups: is missing" in each for each in errors(interface(SOURCE, 1, Groups=[]), SecurityGroups=[]))


@pytest.mark.parametrize(("name", "number"), [("tcp", 6), ("udp", 17), ("icmp", 1), ("all", None)])
def test_an_entry_may_name_the_protocols_that_the_aws_cli_takes(name: str, number: int | None) -> None:
    """awscli/customizations/ec2/protocolarg.py."""
    ports = {"PortRange": {"From": 1, "To": 2}} if name in ("tcp", "udp") else {}
    acl = {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Entries": [entry(1, protocol=name, **ports)]}
    described, problems = read({"NetworkAcls": [acl]})
    assert problems == [] and described.acls is not None
    assert described.acls["acl-1"].ingress[0].protocol == number
