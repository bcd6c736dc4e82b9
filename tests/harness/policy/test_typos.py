"""A user's typo is refused, never obeyed differently: what a mirror captures does not grow by mistake."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.commands import common
from halfsilver.harness.policy import members
from halfsilver.harness.policy.policy import Policy, PolicyError, check
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.spelling import nearest
from halfsilver.harness.verdict import Direction
from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES
from tests.harness.policy.policy_kit import (
    APPLIANCE,
    FILTER,
    NLB_ARN,
    SESSION,
    TARGET,
    at,
    documents,
    errors,
    guarded,
    to_balancer,
    to_endpoint,
    warnings,
)

ROOT = Path(__file__).resolve().parents[3]
GUARDS = {"SecurityGroups", "NetworkAcls"}
"""Lists that say of each interface something else by being empty than by being absent."""
RULE = f"{FILTER} IngressFilterRules[1]"
IN_RULE = "TrafficMirrorFilters.0.IngressFilterRules.1."
IN_SESSION = "TrafficMirrorSessions.0."
ENI = f"NetworkInterfaces[0] {APPLIANCE}"


@pytest.fixture
def make_members(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("aws_members").aws_members


def copies(config: dict[str, Any]) -> int:
    """Frames of the kit's capture that the golden model copies under this policy."""
    engine = common.open_golden(Policy.from_documents(config), Flags())
    return len(engine.process([Frame(data, Direction.INGRESS) for data in FRAMES]).outputs)


# Misspelt members.

MISSPELT: list[tuple[str, str, str, str]] = [
    (IN_RULE + "Protocol", "Protocl", f"{RULE}.Protocl", "Protocol"),
    (IN_RULE + "Protocol", "protocol", f"{RULE}.protocol", "Protocol"),
    (IN_RULE + "DestinationPortRange", "DestinationPortRnage", f"{RULE}.DestinationPortRnage", "DestinationPortRange"),
    (IN_RULE + "DestinationPortRange", "destination_port_range", f"{RULE}.destination_port_range", "DestinationPort"),
    (IN_RULE + "DestinationPortRange.ToPort", "Toport", f"{RULE}.DestinationPortRange.Toport", "ToPort"),
    (IN_RULE + "SourceCidrBlock", "SourceCidr", f"{RULE}.SourceCidr", "SourceCidrBlock"),
    (IN_RULE + "Description", "Descripton", f"{RULE}.Descripton", "Description"),
    ("TrafficMirrorFilters.0.EgressFilterRules", "EgressFilterRule", f"{FILTER} EgressFilterRule", "EgressFilterRules"),
    ("TrafficMirrorFilters.0.IngressFilterRules", "IngresFilterRules", f"{FILTER} IngresFilterRules", "IngressFilter"),
    ("TrafficMirrorFilters.0.NetworkServices", "NetworkService", f"{FILTER} NetworkService", "NetworkServices"),
    (IN_SESSION + "PacketLength", "PacketLenght", f"{SESSION} PacketLenght", "PacketLength"),
    (IN_SESSION + "VirtualNetworkId", "VirtualNetworkID", f"{SESSION} VirtualNetworkID", "VirtualNetworkId"),
    (IN_SESSION + "OwnerId", "OwnerID", f"{SESSION} OwnerID", "OwnerId"),
    ("TrafficMirrorTargets.0.Type", "type", f"{TARGET} type", "Type"),
    ("NetworkInterfaces.0.MacAddress", "MacAdress", f"{ENI} MacAdress", "MacAddress"),
    ("NetworkInterfaces.0.TagSet", "TagsSet", f"{ENI} TagsSet", "TagSet"),
    ("NetworkInterfaces.0.Groups.0.GroupId", "GroupID", f"{ENI} Groups[0].GroupID", "GroupId"),
    ("NetworkInterfaces.0.PrivateIpAddresses.0.PrivateIpAddress", "PrivateIp", "[0].PrivateIp", "PrivateIpAddress"),
    ("NetworkInterfaces", "NetworkInterface", "NetworkInterface", "NetworkInterfaces"),
    ("TrafficMirrorSessions", "TrafficMirrorSession", "TrafficMirrorSession", "TrafficMirrorSessions"),
]


@pytest.mark.parametrize(("path", "wrong", "where", "meant"), MISSPELT, ids=[each[1] for each in MISSPELT])
def test_a_misspelt_member_is_refused_with_the_right_name(path: str, wrong: str, where: str, meant: str) -> None:
    config = documents()
    assert errors(config) == []
    container, key = at(config, path)
    container[wrong] = container.pop(key)
    found = [problem for problem in errors(config) if problem.where.endswith(where)]
    assert len(found) == 1 and f"did you mean {meant}" in found[0].message
    with pytest.raises(PolicyError):
        Policy.from_documents(config)


def places(value: Any, path: str = "") -> list[str]:
    """The dotted path of every key, at any depth."""
    inside = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    here = [f"{path}{key}" for key, _ in inside if isinstance(value, dict)]
    return here + [found for key, item in inside for found in places(item, f"{path}{key}.")]


def typos(name: str) -> set[str]:
    """The name with a letter lost, doubled, swapped with the next one, or in the other case."""
    lost = {name[:at] + name[at + 1 :] for at in range(len(name))}
    doubled = {name[:at] + name[at] + name[at:] for at in range(len(name))}
    swapped = {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)}
    other_case = {name[:at] + name[at].swapcase() + name[at + 1 :] for at in range(len(name))}
    return (lost | doubled | swapped | other_case) - {name}


@pytest.mark.parametrize(
    ("account", "path"),
    [
        *((documents, path) for path in places(documents())),
        *((guarded, path) for path in places(guarded()) if path.startswith(tuple(GUARDS))),
    ],
)
def test_every_typo_of_one_letter_in_every_key_is_refused(account: Callable[[], dict[str, Any]], path: str) -> None:
    _, key = at(account(), path)
    for wrong in typos(key):
        config = account()
        container, _ = at(config, path)
        container[wrong] = container.pop(key)
        assert any(wrong in problem.where for problem in errors(config)), wrong


@pytest.mark.parametrize(
    ("config", "path", "wrong", "where"),
    [
        (to_balancer(), "LoadBalancers.0.VpcId", "Vpcid", f"LoadBalancers[0] {NLB_ARN} Vpcid"),
        (
            to_balancer(AvailabilityZones=[{"LoadBalancerAddresses": [{"IPv6Address": "2001:db8::1"}]}]),
            "LoadBalancers.0.AvailabilityZones.0.LoadBalancerAddresses.0.IPv6Address",
            "Ipv6Adress",
            f"LoadBalancers[0] {NLB_ARN} AvailabilityZones[0].LoadBalancerAddresses[0].Ipv6Adress",
        ),
        (
            to_endpoint(),
            "VpcEndpoints.0.NetworkInterfaceIds",
            "NetworkInterfaceIDs",
            "VpcEndpoints[0] vpce-0123456789abcdef0 NetworkInterfaceIDs",
        ),
        (
            documents(Vpcs=[{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]),
            "Vpcs.0.CidrBlock",
            "CidrBlok",
            "Vpcs[0] vpc-1",
        ),
    ],
)
def test_so_is_one_of_the_objects_around(config: dict[str, Any], path: str, wrong: str, where: str) -> None:
    container, key = at(config, path)
    container[wrong] = container.pop(key)
    assert any(
        problem.where.startswith(where) and f"did you mean {key}" in problem.message for problem in errors(config)
    )


def test_what_a_typo_would_have_mirrored_is_not_mirrored() -> None:
    """Without its protocol the rule takes every port: three of the kit's frames instead of two, had it been obeyed."""
    config = json.loads(json.dumps(DOCUMENTS))
    assert copies(config) == 1
    rule = config["TrafficMirrorFilters"][0]["IngressFilterRules"][1]
    ports = rule.pop("DestinationPortRange")
    assert copies(config) == 2
    rule["DestinationPortRnage"] = ports
    with pytest.raises(PolicyError, match="did you mean DestinationPortRange"):
        Policy.from_documents(config)


@pytest.mark.parametrize(
    "path",
    ["TrafficMirrorFilters.0.", IN_RULE, IN_RULE + "DestinationPortRange.", IN_SESSION, "TrafficMirrorTargets.0."],
)
@pytest.mark.parametrize("key", ["Zebra", "", "a\nb", "x" * 5000])
def test_nothing_unknown_stands_in_what_mirrors(path: str, key: str) -> None:
    config = documents()
    container, _ = at(config, path + "x")
    container[key] = 1
    (error,) = errors(config)
    assert "remove it" in error.message and (error.where + error.message).isprintable() and len(str(error)) < 300


def test_a_tag_has_a_key_and_a_value() -> None:
    config = documents()
    config["TrafficMirrorSessions"][0]["Tags"] = [{"Key": "Name", "Vlaue": "web"}]
    (error,) = errors(config)
    assert (error.where, "did you mean Value" in error.message) == (f"{SESSION} Tags[0].Vlaue", True)


def test_one_setting_twice_is_refused() -> None:
    config = documents()
    tags = [{"Key": "halfsilver:mtu", "Value": "1500"}, {"Key": "halfsilver:mtu", "Value": "9001"}]
    config["NetworkInterfaces"][0]["TagSet"] = tags
    (error,) = errors(config)
    assert error.where == f"{ENI} TagSet[1].Key" and "twice" in error.message


@pytest.mark.parametrize("key", ["Halfsilver:MTU", "halfsilver:mut", "halfsilver:mtu "])
def test_a_misspelt_setting_is_refused(key: str) -> None:
    config = documents()
    config["NetworkInterfaces"][0]["TagSet"] = [{"Key": key, "Value": "1500"}]
    (error,) = errors(config)
    assert error.where == f"{ENI} TagSet[0].Key" and "did you mean halfsilver:mtu?" in error.message


# What is no typo.


def test_everything_that_aws_prints_is_accepted() -> None:
    """Each member that botocore knows of an interface, filled with what means nothing; none of mirroring's own."""
    config = documents()
    interface = config["NetworkInterfaces"][0]
    model = json.loads(members.MODEL.read_text(encoding="utf-8"))
    for name, shape in model["shapes"]["ec2.NetworkInterface"].items():
        inside = dict.fromkeys(model["shapes"][shape]) if shape else None
        interface.setdefault(name, inside)
    config |= dict.fromkeys(model["lists"].keys() - config.keys() - GUARDS, [])
    config["ResponseMetadata"] = {"RequestId": "1", "RetryAttempts": 0}
    assert check(config) == []


def test_what_a_newer_client_may_print_around_is_a_warning() -> None:
    config = documents(Images=[])
    config["NetworkInterfaces"][0]["Novelty"] = {"Of": "2031"}
    config["NetworkInterfaces"][0]["MacAddresses"] = []  # like one that is there: not in its place
    assert errors(config) == []
    assert {problem.where for problem in warnings(config)} == {"Images", f"{ENI} Novelty", f"{ENI} MacAddresses"}


def test_rules_outside_their_filters_are_refused() -> None:
    config = documents()
    config["TrafficMirrorFilterRules"] = config["TrafficMirrorFilters"][0]["IngressFilterRules"]
    (error,) = errors(config)
    assert error.where == "TrafficMirrorFilterRules" and "inside TrafficMirrorFilters" in error.message


@pytest.mark.parametrize("mark", ["NextToken", "NextMarker"])
def test_a_mark_of_more_pages_is_a_warning(mark: str) -> None:
    assert [problem.where for problem in check(documents(**{mark: "abc"}))] == [mark]


def test_the_members_are_those_of_the_pinned_botocore(make_members: Any) -> None:
    pytest.importorskip("botocore", reason="botocore is not installed, whose models are the source")
    assert members.MODEL.read_text(encoding="utf-8") == make_members(), "run `make docs`"


def test_nearest() -> None:
    known = ["FromPort", "ToPort", "Protocol"]
    assert nearest("from_port", known) == "FromPort"
    assert nearest("Portocol", known) == "Protocol"
    assert nearest("Zebra", known) is None
    assert nearest("", known) is None
