"""What a policy becomes: interfaces in index order, sessions, addresses, settings."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from halfsilver.harness.policy.policy import Interface, Outer, Policy, PolicyError, Rule, Session, check
from halfsilver.harness.policy.reader import read
from tests.harness.policy.policy_kit import (
    APPLIANCE,
    SOURCE,
    SPARE,
    documents,
    errors,
    interface,
    only_session,
    to_balancer,
    to_endpoint,
    warnings,
)

# What a good file becomes.


def test_resolves_the_whole_account() -> None:
    policy = Policy.from_documents(documents())
    assert policy.warnings == ()
    assert policy.interfaces == (
        Interface(
            eni_id=SOURCE,
            mac=bytes.fromhex("0a0000000001"),
            resolver=None,
            sessions=(
                Session(
                    session_id="tms-08a33b1214EXAMPLE",
                    number=1,
                    filter_id="tmf-04812ff784EXAMPLE",
                    target_id="tmt-07f75d8feeEXAMPLE",
                    vni=7159709,
                    packet_length=100,
                    amazon_dns=True,
                    ingress=(
                        Rule(
                            "tmfr-ingress100",
                            100,
                            True,
                            ip_network("10.1.0.0/16"),
                            ip_network("10.0.0.0/24"),
                            6,
                            None,
                            (80, 443),
                        ),
                        Rule(
                            "tmfr-ingress200",
                            200,
                            False,
                            ip_network("0.0.0.0/0"),
                            ip_network("0.0.0.0/0"),
                            1,
                            None,
                            None,
                        ),
                    ),
                    egress=(
                        Rule(
                            "tmfr-egress10", 10, True, ip_network("::/0"), ip_network("2001:db8::/32"), None, None, None
                        ),
                    ),
                    outer=Outer(
                        destination_mac=bytes.fromhex("0a0000000002"),
                        source_mac=bytes.fromhex("0a0000000001"),
                        source=ip_address("10.0.0.1"),
                        destination=ip_address("10.0.0.2"),
                        mtu_limit=8961,  # the guide's longest packet is 8947, plus 14 bytes of Ethernet
                    ),
                    down_reason=None,
                ),
            ),
        ),
        Interface(SPARE, bytes.fromhex("0a0000000006"), None, ()),
    )


def test_the_chosen_interface_comes_first() -> None:
    assert [each.eni_id for each in Policy.from_documents(documents(), eni=SPARE).interfaces] == [SPARE, SOURCE]
    with pytest.raises(PolicyError, match=r"--eni: eni-99 is not in NetworkInterfaces"):
        Policy.from_documents(documents(), eni="eni-99")


def test_at_most_sixteen_interfaces_sources_first() -> None:
    config = documents()
    config["NetworkInterfaces"][2:] = [interface(f"eni-{number}", number) for number in range(10, 30)]
    policy = Policy.from_documents(config)
    assert [each.eni_id for each in policy.interfaces] == [SOURCE] + [f"eni-{number}" for number in range(10, 25)]
    assert [warning.where for warning in policy.warnings] == ["NetworkInterfaces"]


def test_sessions_ascend_and_protocols_0_and_minus_1_mean_any() -> None:
    config = documents()
    first = config["TrafficMirrorSessions"][0]
    config["TrafficMirrorSessions"] = [
        {**first, "TrafficMirrorSessionId": f"tms-{number}", "SessionNumber": number} for number in (32766, 7, 20)
    ]
    rules = config["TrafficMirrorFilters"][0]["IngressFilterRules"]
    rules[0]["Protocol"], rules[1]["Protocol"] = 0, -1
    del rules[1]["DestinationPortRange"]
    sessions = Policy.from_documents(config).interfaces[0].sessions
    assert [session.session_id for session in sessions] == ["tms-7", "tms-20", "tms-32766"]
    assert [each.protocol for each in sessions[0].ingress] == [None, None]


def test_null_counts_as_absent_and_what_newer_clients_print_of_interfaces_is_ignored() -> None:
    config = documents(LoadBalancers=None, Reservations=[{"Instances": 1}])
    config["TrafficMirrorSessions"][0].update(PacketLength=None)
    config["NetworkInterfaces"][0].update(Novelty={"a": [1]})
    assert only_session(config).packet_length is None
    assert [problem.where for problem in warnings(config)] == [f"NetworkInterfaces[0] {APPLIANCE} Novelty"]


# Addresses of targets.


@pytest.mark.parametrize(
    ("source", "target", "outer", "limit"),
    [
        ({}, {}, ("10.0.0.1", "10.0.0.2"), 8961),
        ({"Ipv6Address": "2001:db8::1"}, {"Ipv6Address": "2001:db8::2"}, ("10.0.0.1", "10.0.0.2"), 8961),
        (
            {"Ipv6Address": "2001:db8::1"},
            {"PrivateIpAddress": None, "PrivateIpAddresses": [], "Ipv6Addresses": [{"Ipv6Address": "2001:db8::2"}]},
            ("2001:db8::1", "2001:db8::2"),
            8941,  # guide: 9001 - 74 = 8927 over IPv6, plus 14
        ),
        (
            {"Ipv6Addresses": [{"Ipv6Address": "2001:db8::9"}, {"Ipv6Address": "2001:db8::1", "IsPrimaryIpv6": True}]},
            {"PrivateIpAddress": None, "PrivateIpAddresses": None, "Ipv6Address": "2001:db8::2"},
            ("2001:db8::1", "2001:db8::2"),
            8941,
        ),
        ({}, {"TagSet": [{"Key": "halfsilver:mtu", "Value": "1500"}]}, ("10.0.0.1", "10.0.0.2"), 1460),
        ({}, {"Tags": [{"Key": "halfsilver:mtu", "Value": "9216"}]}, ("10.0.0.1", "10.0.0.2"), 9176),
    ],
)
def test_outer_of_an_interface_target(source: Any, target: Any, outer: tuple[str, str], limit: int) -> None:
    config = documents()
    config["NetworkInterfaces"][1].update(source)
    config["NetworkInterfaces"][0].update(target)
    found = only_session(config).outer
    assert found is not None
    assert (str(found.source), str(found.destination), found.mtu_limit) == (*outer, limit)


def test_balancer_by_description_prefers_the_zone_of_the_source() -> None:
    session = only_session(to_balancer())
    assert session.packet_length == 8500
    assert session.outer == Outer(
        bytes.fromhex("0a0000000003"),
        bytes.fromhex("0a0000000001"),
        ip_address("10.0.0.1"),
        ip_address("10.0.0.3"),
        None,
    )
    config = to_balancer()
    config["NetworkInterfaces"][0]["AvailabilityZone"] = "eu-central-1b"
    outer = only_session(config).outer
    assert outer is not None and outer.destination_mac == bytes.fromhex("0a0000000004")
    del config["LoadBalancers"]
    assert only_session(config).outer == outer


@pytest.mark.parametrize("field", ["PrivateIPv4Address", "IpAddress"])
def test_balancer_by_stated_address(field: str) -> None:
    config = to_balancer(
        AvailabilityZones=[{"ZoneName": "eu-central-1a", "LoadBalancerAddresses": [{field: "10.0.0.77"}]}]
    )
    for each in config["NetworkInterfaces"]:
        each["Description"] = ""
    config["NetworkInterfaces"][2]["PrivateIpAddresses"].append({"PrivateIpAddress": "10.0.0.77"})
    outer = only_session(config).outer
    assert outer is not None
    assert (outer.destination_mac.hex(), str(outer.destination)) == ("0a0000000003", "10.0.0.77")


def test_balancer_addresses_are_looked_up_in_its_own_vpc() -> None:
    config = to_balancer(
        AvailabilityZones=[{"ZoneName": "eu-central-1a", "LoadBalancerAddresses": [{"PrivateIPv4Address": "10.0.0.3"}]}]
    )
    config["NetworkInterfaces"].insert(
        0, interface(SPARE, 6, PrivateIpAddress="10.0.0.3", PrivateIpAddresses=[], VpcId="vpc-2")
    )
    outer = only_session(config).outer
    assert outer is not None and outer.destination_mac.hex() == "0a0000000003"


def test_endpoint_has_an_mtu_of_8500() -> None:
    outer = only_session(to_endpoint()).outer
    assert outer is not None
    # Guide: 8446 is the longest packet over IPv4, plus 14 bytes of Ethernet.
    assert (outer.destination_mac.hex(), outer.mtu_limit) == ("0a0000000005", 8460)


def test_interfaces_behind_a_target_are_not_on_the_nic() -> None:
    for config in (to_balancer(), to_endpoint()):
        assert [each.eni_id for each in Policy.from_documents(config).interfaces] == [SOURCE]


def down(config: dict[str, Any]) -> str:
    """The reason why the only session is down; the same must be in the one warning."""
    session = only_session(config)
    assert session.outer is None and session.down_reason
    (warning,) = warnings(config)
    assert warning.where == "TrafficMirrorSessions[0] tms-08a33b1214EXAMPLE TrafficMirrorTargetId"
    assert session.down_reason in warning.message
    return session.down_reason


def test_an_unreachable_target_is_down_not_an_error() -> None:
    config = documents()
    del config["NetworkInterfaces"][0]
    assert f"{APPLIANCE} is not in NetworkInterfaces" in down(config)

    config = documents()
    del config["NetworkInterfaces"][0]["MacAddress"]
    assert f"{APPLIANCE} has no known MAC address" in down(config)

    config = documents()
    config["NetworkInterfaces"][0].update(PrivateIpAddress=None, PrivateIpAddresses=[], Ipv6Address="2001:db8::2")
    assert "has IPv4 and target interface" in down(config)

    config = to_endpoint()
    del config["VpcEndpoints"]
    assert "vpce-0123456789abcdef0 is not in VpcEndpoints" in down(config)

    config = to_endpoint()
    del config["NetworkInterfaces"][1]
    assert "no interface of vpce-0123456789abcdef0" in down(config)

    config = to_balancer()
    del config["NetworkInterfaces"][1:]
    assert "no interface of net/tap/50dc6c495c0c9188" in down(config)

    config["LoadBalancers"][0]["AvailabilityZones"] = [{"LoadBalancerAddresses": [{"PrivateIPv4Address": "10.0.9.9"}]}]
    assert "10.0.9.9" in down(config)


def test_a_stopped_session_is_down_for_its_own_reason() -> None:
    config = documents()
    config["TrafficMirrorSessions"][0]["StoppedReason"] = "the interface was deleted"
    assert down(config) == "the interface was deleted"
    del config["TrafficMirrorTargets"][0]
    assert down(config) == "the interface was deleted"
    for empty in (None, ""):
        config["TrafficMirrorSessions"][0]["StoppedReason"] = empty
        (error,) = errors(config)
        assert error.where.endswith("TrafficMirrorTargetId")


# Tags and resolver.


def test_resolver_from_the_vpc_or_the_tag() -> None:
    config = documents(Vpcs=[{"VpcId": "vpc-0e9801d129EXAMPLE", "CidrBlock": "10.0.0.0/16"}])
    assert Policy.from_documents(config).interfaces[0].resolver == ip_address("10.0.0.2")
    config["NetworkInterfaces"][1]["TagSet"] = [{"Key": "halfsilver:resolver", "Value": "10.9.9.2"}]
    assert [each.resolver for each in Policy.from_documents(config).interfaces] == [
        ip_address("10.9.9.2"),
        ip_address("10.0.0.2"),
    ]


@pytest.mark.parametrize("value", ["575", "9217", "9001.0", "-1", "", "٩٠٠٠", "big", None])
def test_nonsense_mtu_is_refused(value: str | None) -> None:
    config = documents()
    config["NetworkInterfaces"][0]["TagSet"] = [
        {"Key": "Name", "Value": "x"},
        {"Key": "halfsilver:mtu", "Value": value},
    ]
    (error,) = errors(config)
    assert error.where == f"NetworkInterfaces[0] {APPLIANCE} TagSet[1]"
    assert "from 576 to 9216" in error.message


def test_unknown_settings_of_the_project_are_refused() -> None:
    config = documents()
    config["NetworkInterfaces"][0]["TagSet"] = [{"Key": "halfsilver:mut", "Value": "1500"}]
    config["TrafficMirrorSessions"][0]["Tags"] = [{"Key": "halfsilver:x", "Value": ""}, {"Key": "Name", "Value": "y"}]
    assert [(each.where, each.severity) for each in check(config)] == [
        (f"NetworkInterfaces[0] {APPLIANCE} TagSet[0].Key", "error"),
        ("TrafficMirrorSessions[0] tms-08a33b1214EXAMPLE Tags[0].Key", "error"),
    ]


class Compared(str):
    """An id that counts how often one is compared with another."""

    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return super().__eq__(other)


def test_what_a_session_names_is_not_compared_with_all_that_there_is() -> None:
    many = 300
    described = documents()
    session = described["TrafficMirrorSessions"][0]
    for number in range(many):
        described["NetworkInterfaces"].append(interface(Compared(f"eni-{number:017x}"), 1, MacAddress=None))
        named = Compared(f"eni-{number:017x}")
        described["TrafficMirrorSessions"].append(
            {**session, "TrafficMirrorSessionId": f"tms-{number:017x}", "NetworkInterfaceId": named}
        )
    sessions = read(described)[0].sessions
    assert len(sessions) == many + 1 and Compared.count < 20 * many
