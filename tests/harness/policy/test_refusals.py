"""What a policy must not say, and what it hardly means: each refusal and each warning."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.policy.policy import Policy, PolicyError, check
from tests.harness.policy.policy_kit import (
    APPLIANCE,
    FILTER,
    NLB_ARN,
    SESSION,
    SOURCE,
    SPARE,
    TARGET,
    at,
    documents,
    errors,
    only_session,
    rule,
    sixteen_sources_and,
    to_balancer,
    to_endpoint,
    warnings,
)

# Refusals: one field changed, one problem, at that field, saying what would be right.

RULE = f"{FILTER} IngressFilterRules[1]"
IN_RULE = "TrafficMirrorFilters.0.IngressFilterRules.1."
IN_SESSION = "TrafficMirrorSessions.0."
IN_TARGET = "TrafficMirrorTargets.0."
IN_ENI = "NetworkInterfaces.0."
ENI = f"NetworkInterfaces[0] {APPLIANCE}"
GONE = object()
"""Stands for: without the field."""

REFUSALS: list[tuple[str, object, str, str]] = [
    (IN_RULE + "RuleNumber", 0, f"{RULE}.RuleNumber", "from 1 to 32766, not 0"),
    (IN_RULE + "RuleNumber", 32767, f"{RULE}.RuleNumber", "from 1 to 32766, not 32767"),
    (IN_RULE + "RuleNumber", 10.0, f"{RULE}.RuleNumber", "a whole number"),
    (IN_RULE + "RuleNumber", True, f"{RULE}.RuleNumber", "not true"),
    (IN_RULE + "RuleNumber", "100", f"{RULE}.RuleNumber", 'not "100"'),
    (IN_RULE + "RuleNumber", GONE, f"{RULE}.RuleNumber", "is missing"),
    (IN_RULE + "RuleNumber", 200, f"{RULE}.RuleNumber", "also that of IngressFilterRules[0]"),
    (IN_RULE + "RuleAction", "allow", f"{RULE}.RuleAction", "accept or reject"),
    (IN_RULE + "RuleAction", GONE, f"{RULE}.RuleAction", "accept or reject"),
    (IN_RULE + "TrafficDirection", "egress", f"{RULE}.TrafficDirection", "must be ingress"),
    (IN_RULE + "TrafficMirrorFilterId", "tmf-2", f"{RULE}.TrafficMirrorFilterId", "must be tmf-04812ff784EXAMPLE"),
    (IN_RULE + "TrafficMirrorFilterRuleId", GONE, f"{RULE}.TrafficMirrorFilterRuleId", "is missing"),
    (IN_RULE + "TrafficMirrorFilterRuleId", "tmf-1", f"{RULE}.TrafficMirrorFilterRuleId", "such as tmfr-"),
    (
        IN_RULE + "TrafficMirrorFilterRuleId",
        "tmfr-egress10",
        "EgressFilterRules[0].TrafficMirrorFilterRuleId",
        "unique",
    ),
    (IN_RULE + "Protocol", 256, f"{RULE}.Protocol", "from -1 to 255"),
    (IN_RULE + "Protocol", "tcp", f"{RULE}.Protocol", 'must be a number, as AWS prints it: "tcp" is 6'),
    (IN_RULE + "Protocol", 1, f"{RULE}.DestinationPortRange", "needs Protocol 6 (TCP) or 17 (UDP)"),
    (IN_RULE + "Protocol", 0, f"{RULE}.DestinationPortRange", "needs Protocol 6 (TCP) or 17 (UDP)"),
    (IN_RULE + "Protocol", GONE, f"{RULE}.DestinationPortRange", "needs Protocol 6 (TCP) or 17 (UDP)"),
    (IN_RULE + "DestinationPortRange.FromPort", 444, f"{RULE}.DestinationPortRange", "reversed"),
    (IN_RULE + "DestinationPortRange.ToPort", 65536, f"{RULE}.DestinationPortRange.ToPort", "from 0 to 65535"),
    (IN_RULE + "DestinationPortRange.FromPort", -1, f"{RULE}.DestinationPortRange.FromPort", "from 0 to 65535"),
    (IN_RULE + "DestinationPortRange.ToPort", GONE, f"{RULE}.DestinationPortRange.ToPort", "is missing"),
    (IN_RULE + "DestinationPortRange", [80, 443], f"{RULE}.DestinationPortRange", "must be an object"),
    (IN_RULE + "SourceCidrBlock", "::/0", f"{RULE}.SourceCidrBlock", "one family"),
    (IN_RULE + "SourceCidrBlock", "10.1.2.0/16", f"{RULE}.SourceCidrBlock", "the network is 10.1.0.0/16"),
    (IN_RULE + "SourceCidrBlock", "10.1.0.0", f"{RULE}.SourceCidrBlock", "a network such as"),
    (IN_RULE + "SourceCidrBlock", "10.1.0.0/33", f"{RULE}.SourceCidrBlock", "a network such as"),
    (IN_RULE + "SourceCidrBlock", "10.1.0.0/255.255.0.0", f"{RULE}.SourceCidrBlock", "a network such as"),
    (IN_RULE + "SourceCidrBlock", "10.1.0.0/16\n", f"{RULE}.SourceCidrBlock", "a network such as"),
    (IN_RULE + "SourceCidrBlock", GONE, f"{RULE}.SourceCidrBlock", "is missing"),
    (IN_RULE + "DestinationCidrBlock", "any", f"{RULE}.DestinationCidrBlock", "a network such as"),
    ("TrafficMirrorFilters.0.IngressFilterRules.1", "rule", RULE, "must be an object"),
    ("TrafficMirrorFilters.0.IngressFilterRules", {}, f"{FILTER} IngressFilterRules", "must be a list"),
    ("TrafficMirrorFilters.0.NetworkServices.0", "amazon-ntp", f"{FILTER} NetworkServices[0]", "must be amazon-dns"),
    ("TrafficMirrorFilters.0.NetworkServices", "amazon-dns", f"{FILTER} NetworkServices", "must be a list"),
    (IN_SESSION + "SessionNumber", 0, f"{SESSION} SessionNumber", "from 1 to 32766"),
    (IN_SESSION + "SessionNumber", 32767, f"{SESSION} SessionNumber", "from 1 to 32766"),
    (IN_SESSION + "SessionNumber", GONE, f"{SESSION} SessionNumber", "is missing"),
    (IN_SESSION + "VirtualNetworkId", 0, f"{SESSION} VirtualNetworkId", "from 1 to 16777215"),
    (IN_SESSION + "VirtualNetworkId", 16777216, f"{SESSION} VirtualNetworkId", "from 1 to 16777215"),
    (IN_SESSION + "PacketLength", 0, f"{SESSION} PacketLength", "from 1 to 9001"),
    (IN_SESSION + "PacketLength", 9002, f"{SESSION} PacketLength", "from 1 to 9001"),
    (IN_SESSION + "TrafficMirrorFilterId", "tmf-2", f"{SESSION} TrafficMirrorFilterId", "has tmf-04812ff784EXAMPLE"),
    (IN_SESSION + "TrafficMirrorTargetId", "tmt-2", f"{SESSION} TrafficMirrorTargetId", "not in TrafficMirrorTargets"),
    (IN_SESSION + "TrafficMirrorTargetId", GONE, f"{SESSION} TrafficMirrorTargetId", "is missing"),
    (IN_SESSION + "NetworkInterfaceId", "eni-9", f"{SESSION} NetworkInterfaceId", "not in NetworkInterfaces"),
    (IN_SESSION + "NetworkInterfaceId", APPLIANCE, f"{TARGET} NetworkInterfaceId", "a source or a target, not both"),
    (IN_SESSION + "TrafficMirrorSessionId", "tms_1", "TrafficMirrorSessions[0].TrafficMirrorSessionId", "such as tms-"),
    (IN_TARGET + "NetworkInterfaceId", GONE, TARGET, "has no destination; a target has exactly one of"),
    (IN_TARGET + "NetworkLoadBalancerArn", NLB_ARN, TARGET, "exactly one of"),
    (IN_TARGET + "NetworkInterfaceId", "i-1", f"{TARGET} NetworkInterfaceId", "such as eni-"),
    (IN_TARGET + "Type", "network-load-balancer", f"{TARGET} Type", "must be network-interface"),
    (IN_ENI + "MacAddress", "0a:00:00:00:00", f"{ENI} MacAddress", "such as 0a:"),
    (IN_ENI + "MacAddress", "01:00:00:00:00:02", f"{ENI} MacAddress", "unicast"),
    (
        IN_ENI + "MacAddress",
        "0A:00:00:00:00:06",
        f"NetworkInterfaces[2] {SPARE} MacAddress",
        "each interface has its own",
    ),
    (IN_ENI + "PrivateIpAddress", "10.0.0.256", f"{ENI} PrivateIpAddress", "an IPv4 address"),
    (IN_ENI + "PrivateIpAddress", "2001:db8::1", f"{ENI} PrivateIpAddress", "an IPv4 address"),
    (IN_ENI + "Ipv6Address", "fe80::1%eth0", f"{ENI} Ipv6Address", "an IPv6 address"),
    (IN_ENI + "Ipv6Addresses", [{"Ipv6Address": 1}], f"{ENI} Ipv6Addresses[0].Ipv6Address", "an IPv6 address"),
    (IN_ENI + "NetworkInterfaceId", SOURCE, "NetworkInterfaces[1].NetworkInterfaceId", "ids are unique"),
    ("NetworkInterfaces.1.MacAddress", GONE, f"NetworkInterfaces[1] {SOURCE} MacAddress", "the source of tms-08a33b"),
    ("TrafficMirrorTargets", {}, "TrafficMirrorTargets", "must be a list"),
    ("Vpcs", [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}], "Vpcs[0] vpc-1 CidrBlock", "/16 to /28"),
    ("LoadBalancers", [{"LoadBalancerArn": "net/tap"}], "LoadBalancers[0].LoadBalancerArn", "an ARN"),
    (
        "VpcEndpoints",
        [{"VpcEndpointId": "vpce-1", "NetworkInterfaceIds": [1]}],
        "VpcEndpoints[0] vpce-1 NetworkInterfaceIds[0]",
        "such as eni-",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "where", "right"),
    REFUSALS,
    ids=[f"{path.rpartition('.')[2]}-{index}" for index, (path, *_) in enumerate(REFUSALS)],
)
def test_refuses(path: str, value: object, where: str, right: str) -> None:
    config = documents()
    container, key = at(config, path)
    if value is GONE:
        del container[key]
    else:
        container[key] = value
    found = errors(config)
    matching = [problem for problem in found if problem.where.endswith(where) and right in problem.message]
    assert len(matching) == 1, found
    with pytest.raises(PolicyError):
        Policy.from_documents(config)


def test_balancer_refusals() -> None:
    config = to_balancer()
    config["TrafficMirrorSessions"][0]["PacketLength"] = 8500
    assert errors(config) == []
    config["TrafficMirrorSessions"][0]["PacketLength"] = 8501
    (error,) = errors(config)
    assert (error.where, "from 1 to 8500" in error.message) == (f"{SESSION} PacketLength", True)

    config = to_balancer()
    config["TrafficMirrorTargets"].append({**config["TrafficMirrorTargets"][0], "TrafficMirrorTargetId": "tmt-2"})
    (error,) = errors(config)
    assert error.where == "TrafficMirrorTargets[1] tmt-2 NetworkLoadBalancerArn"

    config = to_balancer()
    config["TrafficMirrorTargets"][0]["NetworkLoadBalancerArn"] = NLB_ARN.replace("/net/", "/app/")
    (error,) = errors(config)
    assert "Network Load Balancer" in error.message


def test_an_endpoint_of_another_type_is_refused() -> None:
    config = to_endpoint()
    config["VpcEndpoints"][0]["VpcEndpointType"] = "Interface"
    (error,) = errors(config)
    assert error.where == f"{TARGET} GatewayLoadBalancerEndpointId" and "must be GatewayLoadBalancer" in error.message


def test_ten_rules_per_filter_both_directions_together() -> None:
    config = documents()
    mirror_filter = config["TrafficMirrorFilters"][0]
    mirror_filter["IngressFilterRules"] = [rule(number, Protocol=number) for number in range(1, 6)]
    mirror_filter["EgressFilterRules"] = [rule(number, "egress", Protocol=number) for number in range(1, 6)]
    assert check(config) == []
    mirror_filter["EgressFilterRules"].append(rule(6, "egress", Protocol=6))
    (error,) = errors(config)
    assert (error.where, "has 11 rules" in error.message) == (FILTER, True)


def test_three_sessions_per_source_with_numbers_of_their_own() -> None:
    config = documents()
    first = config["TrafficMirrorSessions"][0]
    for number in (2, 3):
        config["TrafficMirrorSessions"].append(
            {**first, "TrafficMirrorSessionId": f"tms-{number}", "SessionNumber": number}
        )
    assert check(config) == []
    config["TrafficMirrorSessions"].append({**first, "TrafficMirrorSessionId": "tms-4", "SessionNumber": 3})
    places = {problem.where for problem in errors(config)}
    assert places == {
        "TrafficMirrorSessions[3] tms-4 NetworkInterfaceId",
        "TrafficMirrorSessions[3] tms-4 SessionNumber",
    }


def test_sixteen_sources() -> None:
    assert len(Policy.from_documents(sixteen_sources_and(0)).interfaces) == 16
    (error,) = errors(sixteen_sources_and(1))
    assert error.where == "TrafficMirrorSessions" and "17 source interfaces" in error.message
    with pytest.raises(PolicyError, match="carries 16 interfaces"):
        Policy.from_documents(sixteen_sources_and(0), eni=SPARE)


@pytest.mark.parametrize("config", [None, [], "x", 1, {}, {"TrafficMirrorSession": {}}])
def test_something_else_altogether(config: object) -> None:
    (error,) = errors(config)
    assert error.where == "the file" and "TrafficMirrorFilters" in error.message


# Warnings.


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        ({}, {}, True),
        ({}, {"Protocol": 6}, True),
        ({"Protocol": 6}, {}, False),
        ({"Protocol": 6}, {"Protocol": 17}, False),
        ({}, {"SourceCidrBlock": "10.0.0.0/8"}, True),
        ({"SourceCidrBlock": "10.0.0.0/9"}, {"SourceCidrBlock": "10.0.0.0/8"}, False),
        ({"SourceCidrBlock": "10.0.0.0/8"}, {"SourceCidrBlock": "11.0.0.0/9"}, False),
        ({}, {"SourceCidrBlock": "::/0", "DestinationCidrBlock": "::/0"}, False),
        ({"Protocol": 6}, {"Protocol": 6, "SourcePortRange": {"FromPort": 1, "ToPort": 2}}, True),
        ({"Protocol": 6, "SourcePortRange": {"FromPort": 0, "ToPort": 65535}}, {"Protocol": 6}, False),
        (
            {"Protocol": 6, "DestinationPortRange": {"FromPort": 80, "ToPort": 90}},
            {"Protocol": 6, "DestinationPortRange": {"FromPort": 80, "ToPort": 90}},
            True,
        ),
        (
            {"Protocol": 6, "DestinationPortRange": {"FromPort": 80, "ToPort": 90}},
            {"Protocol": 6, "DestinationPortRange": {"FromPort": 80, "ToPort": 91}},
            False,
        ),
    ],
)
def test_shadowed_rules(earlier: dict[str, Any], later: dict[str, Any], shadowed: bool) -> None:
    config = documents()
    mirror_filter = config["TrafficMirrorFilters"][0]
    mirror_filter["EgressFilterRules"] = []
    mirror_filter["IngressFilterRules"] = [rule(20, RuleAction="reject", **later), rule(10, **earlier)]
    expected = [f"{FILTER} IngressFilterRules[0]"] if shadowed else []
    assert [problem.where for problem in warnings(config)] == expected
    assert errors(config) == []


@pytest.mark.parametrize(
    ("length", "ipv6", "warned"), [(34, False, True), (35, False, False), (54, True, True), (55, True, False)]
)
def test_packet_length_under_the_floor(length: int, ipv6: bool, warned: bool) -> None:
    config = documents()
    config["TrafficMirrorSessions"][0]["PacketLength"] = length
    if not ipv6:
        config["TrafficMirrorFilters"][0].update(EgressFilterRules=[], NetworkServices=[])
    assert [problem.where for problem in warnings(config)] == ([f"{SESSION} PacketLength"] if warned else [])
    assert only_session(config).packet_length == length


def test_a_filter_that_mirrors_nothing_is_a_warning() -> None:
    config = documents(TrafficMirrorFilters=[{"TrafficMirrorFilterId": "tmf-04812ff784EXAMPLE"}])
    assert [problem.where for problem in check(config)] == [f"{SESSION} TrafficMirrorFilterId"]
    config["TrafficMirrorFilters"][0]["NetworkServices"] = ["amazon-dns"]
    assert check(config) == []


def test_no_interface_is_a_warning() -> None:
    config = documents(NetworkInterfaces=[], TrafficMirrorSessions=[])
    assert Policy.from_documents(config).interfaces == ()
    assert [problem.where for problem in warnings(config)] == ["NetworkInterfaces"]


def test_more_than_ten_sources_on_one_interface_is_a_warning() -> None:
    assert [problem.where for problem in warnings(sixteen_sources_and(-5))] == [TARGET]
    assert warnings(sixteen_sources_and(-6)) == []


def test_a_missing_network_number_is_made_up_once_and_for_all() -> None:
    config = documents()
    del config["TrafficMirrorSessions"][0]["VirtualNetworkId"]
    session = only_session(config)
    assert 1 <= session.vni <= 16777215
    assert only_session(config).vni == session.vni
    assert [problem.where for problem in warnings(config)] == [f"{SESSION} VirtualNetworkId"]
    taken = {
        **config["TrafficMirrorSessions"][0],
        "TrafficMirrorSessionId": "tms-2",
        "SessionNumber": 2,
        "VirtualNetworkId": session.vni,
    }
    config["TrafficMirrorSessions"].append(taken)
    assert len({each.vni for each in Policy.from_documents(config).interfaces[0].sessions}) == 2


def test_a_page_of_several_is_a_warning() -> None:
    assert [problem.where for problem in check(documents(NextToken="abc"))] == ["NextToken"]
