"""Copies are sent, and the target cannot receive them: what the lists of a policy show of the way there."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.policy.policy import Policy, check, find_obstacles
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.harness.policy.policy_kit import (
    APPLIANCE,
    NLB_ARN,
    SOURCE,
    documents,
    entry,
    group,
    interface,
    permission,
    to_balancer,
)

HERE, THERE = "vpc-1", "vpc-2"
SAYS = "copies are sent, tmt-07f75d8feeEXAMPLE cannot receive: "


def table(*routes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The source's route table, with the route within its VPC."""
    return {
        "RouteTableId": "rtb-1",
        "VpcId": HERE,
        "Associations": [{"Main": False, "SubnetId": "subnet-1"}],
        "Routes": [{"DestinationCidrBlock": "10.0.0.0/24", "GatewayId": "local", "State": "active"}, *routes],
        **fields,
    }


def to(network: str, state: str = "active", **hop: str) -> dict[str, Any]:
    return {"DestinationCidrBlock": network, "State": state, **hop}


def account(vpc: str = HERE, address: str = "10.0.0.2", groups: str = "sg-2", **lists: Any) -> dict[str, Any]:
    """A source in subnet-1 of HERE, and a target in subnet-2."""
    source = interface(SOURCE, 1, VpcId=HERE, SubnetId="subnet-1")
    target = interface(
        APPLIANCE,
        2,
        VpcId=vpc,
        SubnetId="subnet-2",
        PrivateIpAddress=address,
        PrivateIpAddresses=[{"Primary": True, "PrivateIpAddress": address}],
        Groups=[{"GroupId": groups}],
    )
    return documents(NetworkInterfaces=[source, target], **lists)


def found(given: dict[str, Any]) -> list[str]:
    """What ``check`` says of the way, without what stands before it; and the session has the same."""
    said = [each.message.removeprefix(SAYS) for each in check(given) if each.message.startswith(SAYS)]
    (session,) = Policy.from_documents(given).interfaces[0].sessions
    assert list(session.obstacles) == said
    return said


PEERING = {
    "VpcPeeringConnectionId": "pcx-1",
    "AccepterVpcInfo": {"VpcId": THERE},
    "RequesterVpcInfo": {"VpcId": HERE},
    "Status": {"Code": "active"},
}
TRANSIT = [
    {"TransitGatewayAttachmentId": f"tgw-attach-{n}", "TransitGatewayId": "tgw-1", "VpcId": vpc, "State": "available"}
    for n, vpc in enumerate((HERE, THERE))
]
OPEN = group(permission("udp", "10.0.0.0/24", low=4789), group_id="sg-2")
OWN = group(permission("-1", "0.0.0.0/0"))
OVER_PEERING = table(to("10.9.0.0/16", VpcPeeringConnectionId="pcx-1"))
OVER_TRANSIT = table(to("0.0.0.0/0", TransitGatewayId="tgw-1"))
FAR = {"vpc": THERE, "address": "10.9.0.2"}

CLEAR = {
    "no list": account(),
    "no list, another VPC": account(**FAR),
    "a route": account(RouteTables=[table()]),
    "the table of another subnet": account(RouteTables=[table(Associations=[{"SubnetId": "subnet-9"}], Routes=[])]),
    "peering": account(**FAR, RouteTables=[OVER_PEERING], VpcPeeringConnections=[PEERING]),
    "peering that is not described": account(**FAR, RouteTables=[OVER_PEERING]),
    "transit gateway": account(**FAR, RouteTables=[OVER_TRANSIT], TransitGatewayVpcAttachments=TRANSIT),
    "the longest prefix": account(
        **FAR, RouteTables=[table(to("0.0.0.0/0", GatewayId="igw-1"), to("10.9.0.2/32", TransitGatewayId="tgw-1"))]
    ),
    "a group": account(SecurityGroups=[OPEN, OWN]),
    "a group that is not described": account(SecurityGroups=[OWN]),
    "an ACL": account(NetworkAcls=[
        {"NetworkAclId": "acl-1", "VpcId": HERE, "IsDefault": True, "Associations": [], "Entries": [entry(1)]}
    ]),
}  # fmt: skip


def acl(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """One for the target's subnet, and one that lets all in for the source's."""
    of = [("acl-1", "subnet-1", [entry(1)]), ("acl-2", "subnet-2", list(entries))]
    return [
        {"NetworkAclId": name, "VpcId": HERE, "Associations": [{"SubnetId": subnet}], "Entries": listed}
        for name, subnet, listed in of
    ]


BLOCKED = {
    "no route": (account(**FAR, RouteTables=[table()]), "rtb-1 has no route to 10.9.0.2; add one"),
    "main table": (
        account(**FAR, RouteTables=[table(Associations=[{"Main": True}])]),
        "rtb-1 has no route to 10.9.0.2; add one",
    ),
    "blackhole": (
        account(**FAR, RouteTables=[table(to("10.9.0.0/16", "blackhole", VpcPeeringConnectionId="pcx-1"))]),
        "rtb-1's route to 10.9.0.0/16 is a blackhole (pcx-1); replace it",
    ),
    "to the internet": (
        account(**FAR, RouteTables=[table(to("0.0.0.0/0", GatewayId="igw-1"))]),
        "rtb-1's route to 0.0.0.0/0 leads to igw-1; from vpc-1 to vpc-2 a peering connection or a transit gateway "
        "carries copies",
    ),
    "within": (
        account(THERE, RouteTables=[table()]),
        "rtb-1's route to 10.0.0.0/24 stays in its VPC; from vpc-1 to vpc-2 a peering connection or a transit gateway "
        "carries copies",
    ),
    "pending peering": (
        account(
            **FAR,
            RouteTables=[OVER_PEERING],
            VpcPeeringConnections=[{**PEERING, "Status": {"Code": "pending-acceptance"}}],
        ),
        "pcx-1 is pending-acceptance, so nothing comes from vpc-1 to vpc-2",
    ),
    "peering of others": (
        account(
            **FAR,
            RouteTables=[OVER_PEERING],
            VpcPeeringConnections=[{**PEERING, "AccepterVpcInfo": {"VpcId": "vpc-3"}}],
        ),
        "pcx-1 does not join vpc-2, so nothing comes from vpc-1 to vpc-2",
    ),
    "not attached": (
        account(**FAR, RouteTables=[OVER_TRANSIT], TransitGatewayVpcAttachments=TRANSIT[:1]),
        "tgw-1 does not join vpc-2, so nothing comes from vpc-1 to vpc-2",
    ),
    "detaching": (
        account(
            **FAR,
            RouteTables=[OVER_TRANSIT],
            TransitGatewayVpcAttachments=[TRANSIT[0], {**TRANSIT[1], "State": "deleting"}],
        ),
        "tgw-1 is deleting, so nothing comes from vpc-1 to vpc-2",
    ),
    "group without the port": (
        account(SecurityGroups=[group(permission("udp", "0.0.0.0/0", low=4790), group_id="sg-2"), OWN]),
        f"no security group of {APPLIANCE} (sg-2) lets in UDP 4789 from 10.0.0.1; add a permission",
    ),
    "group for others": (
        account(SecurityGroups=[group(permission("udp", "10.1.0.0/24", low=4789), group_id="sg-2"), OWN]),
        f"no security group of {APPLIANCE} (sg-2) lets in UDP 4789 from 10.0.0.1; add a permission",
    ),
    "group for TCP": (
        account(SecurityGroups=[group(permission("tcp", "0.0.0.0/0", low=4789), group_id="sg-2"), OWN]),
        f"no security group of {APPLIANCE} (sg-2) lets in UDP 4789 from 10.0.0.1; add a permission",
    ),
    "ACL without entry": (
        account(NetworkAcls=acl()),
        f"acl-2 of {APPLIANCE}'s subnet has no entry that allows UDP 4789 from 10.0.0.1; allow it",
    ),
    "ACL that denies first": (
        account(NetworkAcls=acl(entry(5, RuleAction="deny"), entry(6))),
        f"acl-2 of {APPLIANCE}'s subnet denies by entry 5 UDP 4789 from 10.0.0.1; allow it",
    ),
}


@pytest.mark.parametrize("given", CLEAR.values(), ids=CLEAR)
def test_nothing_is_said_where_copies_come_through_or_nobody_knows(given: dict[str, Any]) -> None:
    assert found(given) == []


@pytest.mark.parametrize(("given", "says"), BLOCKED.values(), ids=BLOCKED)
def test_an_obstacle_is_said_and_refuses_nothing(given: dict[str, Any], says: str) -> None:
    assert found(given) == [says]


def test_within_a_subnet_no_network_acl_is_passed() -> None:
    given = account(NetworkAcls=acl())
    given["NetworkInterfaces"][0]["SubnetId"] = "subnet-2"
    assert found(given) == []


def test_what_is_mirrored_is_the_same_and_explain_says_it() -> None:
    data = bytes.fromhex("0a0000000001") + bytes.fromhex("0a00000000990800")
    data += bytes.fromhex("4500002800000000400600000a0100010a000001") + (1).to_bytes(2) + (80).to_bytes(2) + bytes(16)
    told = []
    for given in (account(**FAR), account(**FAR, RouteTables=[table()])):
        engine = GoldenEngine()
        engine.configure(Policy.from_documents(given))
        told.append(
            (
                engine.process([Frame(data, Direction.INGRESS)]).outputs,
                describe(engine.explain(Frame(data, Direction.INGRESS))),
            )
        )
    assert told[0][0] == told[1][0] != []
    (*_, last) = told[1][1]
    assert told[1][1] == [*told[0][1], last]
    assert (
        last == "note: the copy is sent, tmt-07f75d8feeEXAMPLE cannot receive: rtb-1 has no route to 10.9.0.2; add one"
    )


GROUP = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/tap/1"


def balanced(*healths: tuple[str | None, str], cross_zone: bool = False, **listener: Any) -> dict[str, Any]:
    """The account with a load balancer as target, its node in zone a; targets of its group by zone and state."""
    given = to_balancer(Attributes=[{"Key": "load_balancing.cross_zone.enabled", "Value": str(cross_zone).lower()}])
    of = {"ListenerArn": f"{NLB_ARN}/1", "LoadBalancerArn": NLB_ARN, "Protocol": "UDP", "Port": 4789}
    given["Listeners"] = [{**of, "DefaultActions": [{"Type": "forward", "TargetGroupArn": GROUP}], **listener}]
    described = [
        {"Target": {"Id": f"10.0.0.{n}", "AvailabilityZone": zone}, "TargetHealth": {"State": state}}
        for n, (zone, state) in enumerate(healths, 50)
    ]
    given["TargetGroups"] = [{"TargetGroupArn": GROUP, "Protocol": "UDP", "TargetHealthDescriptions": described}]
    return given


A, B = "eu-central-1a", "eu-central-1b"
NOBODY = "net/tap/50dc6c495c0c9188 has no healthy target; register one, or see why its health check fails"
ELSEWHERE = (
    f"net/tap/50dc6c495c0c9188 has no healthy target in {A}, where its copies arrive, and does not balance across "
    "zones; enable cross-zone load balancing"
)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (balanced((A, "healthy"), (B, "unhealthy")), []),
        (balanced((A, "unhealthy"), (B, "healthy")), [ELSEWHERE]),
        (balanced((A, "unhealthy"), (B, "healthy"), cross_zone=True), []),
        (balanced((A, "unhealthy"), ("all", "healthy")), []),
        (balanced((A, "unhealthy"), (B, "draining"), cross_zone=True), [NOBODY]),
        (balanced(), [NOBODY]),
        ({**balanced(), "TargetGroups": []}, []),
        ({**balanced(), "TargetGroups": [{"TargetGroupArn": GROUP}]}, []),
    ],
)
def test_a_load_balancers_node_without_healthy_targets(given: dict[str, Any], says: list[str]) -> None:
    assert found(given) == says


@pytest.mark.parametrize(
    ("listener", "mirrors"),
    [({}, True), ({"Protocol": "TCP_UDP"}, True), ({"Protocol": "TCP"}, False), ({"Port": 4790}, False)],
)
def test_sessions_wait_for_a_listener(listener: dict[str, Any], mirrors: bool) -> None:
    """Law 1.10: where the file has Listeners. Without the list it is not known, and copies are sent."""
    given = balanced((A, "healthy"), **listener)
    (session,) = Policy.from_documents(given).interfaces[0].sessions
    assert (session.outer is not None) == mirrors
    assert mirrors or "no UDP listener on port 4789" in (session.down_reason or "")
    (session,) = Policy.from_documents({**given, "Listeners": []}).interfaces[0].sessions
    assert session.outer is None
    (session,) = Policy.from_documents({**given, "Listeners": None}).interfaces[0].sessions
    assert session.outer is not None


def test_obstacles_are_found_in_documents_that_are_no_policy() -> None:
    """As the server has them: its own, with an inventory's lists beside, whose mistakes are told elsewhere."""
    given = account(**FAR, RouteTables=[table()], SecurityGroups=[OPEN])
    assert any(problem.severity == "error" for problem in check(given)), "the source's group is not described"
    assert find_obstacles(given, [SOURCE]) == {"tms-08a33b1214EXAMPLE": ("rtb-1 has no route to 10.9.0.2; add one",)}
