"""Law 17: the registered targets behind a Network Load Balancer's node that get copies, and why others get none."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.policy.policy import Policy, Session, check
from tests.harness.policy.policy_kit import NLB_ARN, SOURCE, group, interface, permission, to_balancer

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/tap/1"
NAME = "net/tap/50dc6c495c0c9188"
A, B = "eu-central-1a", "eu-central-1b"
NODE = "10.0.0.3"
CROSS = {"Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]}


def target(name: str, state: str = "healthy", **fields: Any) -> dict[str, Any]:
    """As describe-target-health prints it."""
    return {"Target": {"Id": name, "Port": 4789, **fields}, "TargetHealth": {"State": state}}


def receiver(last: int, zone: str = A, **fields: Any) -> dict[str, Any]:
    """The interface 10.0.0.``last`` of an instance i-``last``, which may be registered."""
    attached = {"InstanceId": f"i-{last}", "DeviceIndex": 0}
    return interface(f"eni-{last:017x}", last, AvailabilityZone=zone, Attachment=attached, **fields)


def account(*targets: dict[str, Any], balancer: dict[str, Any] | None = None, **lists: Any) -> dict[str, Any]:
    """A load balancer with its node in zone a before receivers: 50 and 51 in zone a, 52 in zone b."""
    given = to_balancer(**(balancer or {}))
    forward = {"Type": "forward", "TargetGroupArn": GROUP}
    listener = {"ListenerArn": f"{NLB_ARN}/1", "LoadBalancerArn": NLB_ARN, "Protocol": "UDP", "Port": 4789}
    given["Listeners"] = [{**listener, "DefaultActions": [forward]}]
    given["TargetGroups"] = [{"TargetGroupArn": GROUP, "TargetHealthDescriptions": list(targets)}]
    given["NetworkInterfaces"] += [receiver(50), receiver(51), receiver(52, B)]
    return {**given, **lists}


def only_session(given: dict[str, Any]) -> Session:
    (session,) = Policy.from_documents(given).interfaces[0].sessions
    return session


def goes_to(given: dict[str, Any]) -> list[str]:
    return [str(outer.destination) for outer in only_session(given).outers]


def said(given: dict[str, Any]) -> list[str]:
    """What ``check`` says of targets that get no copies."""
    return [each.message for each in check(given) if " gets no copies: " in each.message]


ACROSS = f"it is in {B}, and {NAME}, whose node is in {A}, does not balance across zones"


@pytest.mark.parametrize(
    ("given", "to", "says"),
    [
        (account(target("10.0.0.50"), target("10.0.0.51")), ["10.0.0.50", "10.0.0.51"], []),
        (account(target("i-50"), target("i-51")), ["10.0.0.50", "10.0.0.51"], []),
        (account(target("i-51")), ["10.0.0.51"], []),
        (account(target("i-50"), target("10.0.0.50")), ["10.0.0.50"], []),  # one interface, registered twice
        (
            account(target("i-50"), target("i-51", "unhealthy"), target("i-52", "draining"), balancer=CROSS),
            ["10.0.0.50"],
            ["i-51 gets no copies: its state is unhealthy", "i-52 gets no copies: its state is draining"],
        ),
        (account(target("i-50"), target("i-52")), ["10.0.0.50"], [f"i-52 gets no copies: {ACROSS}"]),
        (
            account(target("10.0.0.50"), target("10.0.0.51", AvailabilityZone=B)),
            ["10.0.0.50"],
            [f"10.0.0.51 gets no copies: {ACROSS}"],
        ),
        (account(target("i-50"), target("i-52"), balancer=CROSS), ["10.0.0.50", "10.0.0.52"], []),
        (account(target("i-50"), target("10.0.0.52", AvailabilityZone="all")), ["10.0.0.50", "10.0.0.52"], []),
        (
            account(target("i-50"), target("i-9")),
            ["10.0.0.50"],
            ["i-9 gets no copies: no interface in NetworkInterfaces is its; describe it there"],
        ),
    ],
)
def test_copies_go_to_healthy_targets_within_reach(given: dict[str, Any], to: list[str], says: list[str]) -> None:
    assert (goes_to(given), said(given)) == (to, says)


@pytest.mark.parametrize(
    "given",
    [
        account(),
        account(target("i-50", "unhealthy"), target("i-52")),
        account(target("i-9")),
        account(target("i-50"), TargetGroups=[]),
        account(target("i-50"), TargetGroups=None),
        account(target("i-50"), TargetGroups=[{"TargetGroupArn": GROUP}]),
        account(target("i-50"), Listeners=None),
    ],
)
def test_with_no_target_to_send_to_copies_go_to_the_node_as_without_target_groups(given: dict[str, Any]) -> None:
    without = only_session({**given, "TargetGroups": None})
    session = only_session(given)
    assert (session.outer, session.receivers) == (without.outer, ())
    assert goes_to(given) == [NODE]


def test_a_copy_has_the_targets_addresses_and_else_what_it_has_to_the_node() -> None:
    session, node = only_session(account(target("i-50"), target("i-51"))), only_session(account()).outer
    assert node is not None
    for outer, last in zip(session.receivers, (50, 51), strict=True):
        assert outer.destination_mac == bytes((0x0A, 0, 0, 0, 0, last))
        assert (outer.source_mac, outer.source, outer.mtu_limit) == (node.source_mac, node.source, None)
    assert session.outer == session.receivers[0]
    assert session.where == "10.0.0.50 and 1 more"


def test_a_target_without_mac_or_of_another_family_is_left_out() -> None:
    given = account(target("i-50"), target("i-51"), target("2001:db8::52"), balancer=CROSS)
    del given["NetworkInterfaces"][-2]["MacAddress"]
    given["NetworkInterfaces"][-1]["Ipv6Addresses"] = [{"Ipv6Address": "2001:db8::52"}]
    assert goes_to(given) == ["10.0.0.50"]
    assert [text.partition(": ")[2].partition(" ")[2] for text in said(given)] == [
        "has no known MAC address; give it a MacAddress in NetworkInterfaces",
        "has no IPv4 address, by which copies go to the load balancer",
    ]


def test_another_interface_of_an_instance_is_not_its_primary_one() -> None:
    given = account(target("i-50"))
    given["NetworkInterfaces"][-3]["Attachment"]["DeviceIndex"] = 1
    given["NetworkInterfaces"][-2]["Attachment"]["InstanceId"] = "i-50"
    assert goes_to(given) == ["10.0.0.51"]


def test_registered_targets_are_no_interfaces_of_the_nic() -> None:
    """Law 2.5: whatever their health, so that a change of it changes no ENI's place."""
    for state in ("healthy", "unhealthy"):
        policy = Policy.from_documents(account(target("i-50", state), target("i-51")))
        carried = [each.eni_id for each in policy.interfaces]
        assert carried == [SOURCE, f"eni-{52:017x}"]


def test_what_guards_a_target_is_looked_at_for_each() -> None:
    given = account(target("i-50"), target("i-51", Port=6000))
    given["NetworkInterfaces"][-3]["Groups"] = [{"GroupId": "sg-2"}]
    own = group(permission("-1", "0.0.0.0/0"))
    given["SecurityGroups"] = [own, group(permission("udp", "0.0.0.0/0", low=4790), group_id="sg-2")]
    assert list(only_session(given).obstacles) == [
        f"no security group of eni-{50:017x} (sg-2) lets in UDP 4789 from 10.0.0.1; add a permission",
        "i-51 is registered with port 6000; register it with 4789, to which copies are sent",
    ]
