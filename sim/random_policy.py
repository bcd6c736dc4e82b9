"""Random policies drawn from the traffic they will judge, so that their rules match.

A policy is made as the AWS documents of a ``mirror.json``, so it passes the same checks as a user's, and a failing
one can be handed to ``halfsilver`` as it is. Frames are given to the policy's interfaces by rewriting a MAC
address. Everything follows from the random generator that is passed in.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from halfsilver.harness.golden.parse import Headers, Kind, parse
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction

__all__ = ["SOURCE_PORTS", "Traffic", "draw_flags", "draw_policy", "observe", "own_frames"]

MAX_OBSERVED = 4000
"""Frames that are looked at to learn what the traffic is like."""

SOURCE_PORTS = (Flags().source_port_base, Flags().source_port_mask), (0xC000, 0x3FFF)
"""UDP source ports: base and mask as AWS sends them, and RFC 7348's."""

_TCP_UDP = (6, 17)
_PROTOCOLS = (1, 2, 6, 17, 41, 47, 50, 51, 58, 89, 103, 112, 132, 255)
_PACKET_LENGTHS = (1, 14, 25, 34, 35, 36, 54, 55, 56, 57, 60, 64, 100, 128, 1500)
_MTUS = (576, 577, 600, 1280, 1500, 9001, 9216)
_DNS = 53
_ARN = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What rules are drawn from: the IP headers seen, and the addresses that DNS went to or came from."""

    flows: tuple[Headers, ...]
    dns: tuple[str, ...]


def observe(frames: Sequence[bytes]) -> Traffic:
    """The IP headers of a capture, of at most MAX_OBSERVED frames spread over it."""
    step = max(1, len(frames) // MAX_OBSERVED)
    headers = [parse(frame) for frame in frames[::step]]
    flows = tuple(each for each in headers if each.kind in (Kind.IPV4, Kind.IPV6))
    dns = {
        str(ip_address(address))
        for each in flows
        if each.kind is Kind.IPV4 and each.ports and _DNS in each.ports
        for address in (each.source, each.destination)
    }
    return Traffic(flows, tuple(sorted(dns)))


def draw_flags(rng: random.Random) -> Flags:
    """Run-time flags: usually as AWS, else tap mode, final rejects, other UDP source ports."""
    base, mask = SOURCE_PORTS[rng.random() < 0.2]
    if rng.random() < 0.1:
        base, mask = rng.randrange(0x10000), rng.randrange(0x10000)
    return Flags(rng.random() < 0.25, rng.random() < 0.4, base, mask)


def draw_policy(rng: random.Random, traffic: Traffic, enis: int, breadth: float = 0.0) -> Policy:
    """A policy for a NIC of up to ``enis`` interfaces.

    ``breadth`` from 0 to 1 makes rules wider; at 1 every interface that has a session decides every IP frame.
    """
    return Policy.from_documents(_Account(rng, traffic, breadth).documents(enis))


def own_frames(rng: random.Random, data: Sequence[bytes], policy: Policy) -> list[Frame]:
    """The frames of a capture in both directions, most of them of the policy's interfaces.

    About 1 in 15 is left as it was (mostly of no interface), group addresses stay at half the ingress frames that
    have one, a few more get one; some are flagged bad or dropped. A capture of fewer than eight frames has no such
    exceptions: they would be all of it.
    """
    rare = 0.0 if len(data) < 8 else 1.0
    macs = [interface.mac for interface in policy.interfaces]
    return [_own(rng, each, macs, rare) for each in data]


def _own(rng: random.Random, data: bytes, macs: Sequence[bytes], rare: float) -> Frame:
    direction = Direction(rng.randrange(2))
    own, chance = rng.choice(macs), rng.random()
    group = bool(data[0] & 1) and rng.random() < 0.5 * rare
    bad, dropped = rng.random() < 0.01 * rare, rng.random() < 0.04 * rare
    if len(data) >= 12 and chance >= 0.07 * rare:
        if direction is Direction.EGRESS:
            data = data[:6] + own + data[12:]
        elif not group:
            data = own + data[6:]
    elif chance < 0.02 * rare:
        data = rng.choice((b"\xff" * 6, bytes.fromhex("01005e0000fb"), bytes([own[0] | 1]) + own[1:])) + data[6:]
    return Frame(data, direction, bad, dropped)


class _Account:
    """One random account, as documents."""

    def __init__(self, rng: random.Random, traffic: Traffic, breadth: float) -> None:
        self._rng = rng
        self._traffic = traffic
        self._breadth = breadth
        self._counts: dict[str, int] = {}
        self._macs: set[str] = set()
        self._lists: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in (
                "TrafficMirrorFilters",
                "TrafficMirrorSessions",
                "TrafficMirrorTargets",
                "NetworkInterfaces",
                "LoadBalancers",
                "VpcEndpoints",
                "Vpcs",
            )
        }

    def documents(self, enis: int) -> dict[str, Any]:
        rng = self._rng
        self._lists["Vpcs"].append({"VpcId": "vpc-1", "CidrBlock": f"10.{rng.randrange(256)}.0.0/16"})
        sources = [self._source() for _ in range(enis if rng.random() < 0.75 else rng.randint(1, enis))]
        targets = [self._target() for _ in range(rng.randint(1, 4))]
        filters = [self._filter() for _ in range(rng.randint(1, 4))]
        for index, source in enumerate(sources):
            if index and rng.random() < 0.1:
                continue
            sessions = rng.choice((1, 2, 2, 3, 3))
            for number in rng.sample(range(1, rng.choice((4, 32767))), sessions):
                chosen = rng.choice(filters) if rng.random() < 0.3 else self._filter()
                self._session(source, rng.choice(targets), chosen, number)
        for objects in self._lists.values():
            rng.shuffle(objects)
        return dict(self._lists)

    def _new(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}-{self._counts[prefix]}"

    def _mac(self) -> str:
        """A unicast address, often one bit from an earlier one."""
        while True:
            value = self._rng.getrandbits(48)
            if self._macs and self._rng.random() < 0.5:
                near = int(self._rng.choice(sorted(self._macs)).replace(":", ""), 16)
                value = near ^ 1 << self._rng.randrange(48)
            text = (value & ~(1 << 40)).to_bytes(6, "big").hex(":")
            if text not in self._macs:
                self._macs.add(text)
                return text

    def _interface(self, families: Sequence[int], *, mac: bool = True, **fields: Any) -> str:
        """A network interface with a primary address of each family; returns its id."""
        rng = self._rng
        eni_id = self._new("eni")
        node: dict[str, Any] = {"NetworkInterfaceId": eni_id, "VpcId": "vpc-1", "TagSet": [], **fields}
        if mac:
            node["MacAddress"] = self._mac()
        if 4 in families:
            node["PrivateIpAddress"] = str(ip_address(rng.randrange(1 << 24, 224 << 24)))
        if 6 in families:
            node["Ipv6Addresses"] = [{"Ipv6Address": str(ip_address(1 << 125 | rng.getrandbits(125)))}]
        if rng.random() < 0.6:
            mtu = rng.choice(_MTUS) if rng.random() < 0.7 else rng.randint(576, 9216)
            node["TagSet"].append({"Key": "halfsilver:mtu", "Value": str(mtu)})
        self._lists["NetworkInterfaces"].append(node)
        return eni_id

    def _source(self) -> str:
        rng = self._rng
        eni_id = self._interface((4, 6) if rng.random() < 0.85 else rng.choice(((4,), (6,))))
        if rng.random() < 0.6:
            resolver = rng.choice(self._traffic.dns or ("10.0.0.2",))
            self._lists["NetworkInterfaces"][-1]["TagSet"].append({"Key": "halfsilver:resolver", "Value": resolver})
        return eni_id

    def _target(self) -> str:
        rng = self._rng
        target_id = self._new("tmt")
        node: dict[str, Any] = {"TrafficMirrorTargetId": target_id}
        families = rng.choice(((4,), (4, 6), (6,), (6,)))
        has_mac = rng.random() < 0.9
        kind = rng.random()
        if kind < 0.6:
            node["NetworkInterfaceId"] = self._interface(families, mac=has_mac)
        elif kind < 0.8:
            name = self._new("net/balancer") + "/50dc6c495c0c9188"
            node["NetworkLoadBalancerArn"] = _ARN + name
            self._lists["LoadBalancers"].append({"LoadBalancerArn": _ARN + name, "VpcId": "vpc-1"})
            self._interface(families, mac=has_mac, Description=f"ELB {name}")
        else:
            node["GatewayLoadBalancerEndpointId"] = endpoint = self._new("vpce")
            self._lists["VpcEndpoints"].append(
                {
                    "VpcEndpointId": endpoint,
                    "VpcEndpointType": "GatewayLoadBalancer",
                    "NetworkInterfaceIds": [self._interface(families, mac=has_mac)],
                }
            )
        self._lists["TrafficMirrorTargets"].append(node)
        return target_id

    def _session(self, source: str, target: str, filter_id: str, number: int) -> None:
        rng = self._rng
        node: dict[str, Any] = {
            "TrafficMirrorSessionId": self._new("tms"),
            "NetworkInterfaceId": source,
            "TrafficMirrorTargetId": target,
            "TrafficMirrorFilterId": filter_id,
            "SessionNumber": number,
            "VirtualNetworkId": rng.choice((1, 0xFFFFFF, rng.randint(1, 0xFFFFFF))),
        }
        if rng.random() < 0.6:
            short = rng.choice(_PACKET_LENGTHS) if rng.random() < 0.7 else rng.randint(1, 1600)
            node["PacketLength"] = short if rng.random() < 0.9 else 8500
        self._lists["TrafficMirrorSessions"].append(node)

    def _filter(self) -> str:
        """A filter of up to ten rules; at full breadth the last two of each direction match everything."""
        rng = self._rng
        filter_id = self._new("tmf")
        total = rng.choice((1, 3, 6, 10, 10))
        ingress = rng.choice((total // 2, total // 2, rng.randint(0, total)))
        widest = self._breadth >= 1
        lists = {}
        for direction, count in (("Ingress", ingress), ("Egress", total - ingress)):
            rules = [self._rule() for _ in range(min(count, 3) if widest else count)]
            if widest:
                rules += [self._everything(4), self._everything(6)]
            numbers = sorted(rng.sample(range(1, rng.choice((12, 32767))), len(rules)))
            for rule, number in zip(rules, numbers, strict=True):
                rule["RuleNumber"] = number
            lists[f"{direction}FilterRules"] = rng.sample(rules, len(rules))
        self._lists["TrafficMirrorFilters"].append(
            {
                "TrafficMirrorFilterId": filter_id,
                **lists,
                "NetworkServices": ["amazon-dns"] if rng.random() < 0.4 else [],
            }
        )
        return filter_id

    def _everything(self, family: int) -> dict[str, Any]:
        block = "0.0.0.0/0" if family == 4 else "::/0"
        return self._action() | {"SourceCidrBlock": block, "DestinationCidrBlock": block}

    def _action(self) -> dict[str, Any]:
        action = "accept" if self._rng.random() < 0.65 else "reject"
        return {"TrafficMirrorFilterRuleId": self._new("tmfr"), "RuleAction": action}

    def _rule(self) -> dict[str, Any]:
        """A rule that fits a frame of the traffic, or just misses it, or is random."""
        rng = self._rng
        flow = self._flow()
        rule = self._action() | {
            "SourceCidrBlock": self._block(flow, flow.source),
            "DestinationCidrBlock": self._block(flow, flow.destination),
        }
        chance = rng.random()
        protocol = flow.protocol
        if protocol is None or chance < 0.15:
            protocol = rng.choice(_PROTOCOLS)
        elif chance < 0.4 + 0.5 * self._breadth:
            protocol = rng.choice((None, 0, -1))
        if protocol is not None:
            rule["Protocol"] = protocol
        if protocol in _TCP_UDP:
            for side, key in enumerate(("SourcePortRange", "DestinationPortRange")):
                if rng.random() < 0.55 - 0.4 * self._breadth:
                    rule[key] = self._ports(flow.ports[side] if flow.ports else rng.randrange(0x10000))
        return rule

    def _flow(self) -> Headers:
        """Headers of a frame of the traffic, or random ones."""
        rng = self._rng
        if self._traffic.flows and rng.random() < 0.9:
            return rng.choice(self._traffic.flows)
        kind = rng.choice((Kind.IPV4, Kind.IPV6))
        bits = 32 if kind is Kind.IPV4 else 128
        return Headers(
            kind,
            source=rng.getrandbits(bits),
            destination=rng.getrandbits(bits),
            protocol=rng.choice(_PROTOCOLS),
            ports=(rng.randrange(0x10000), rng.randrange(0x10000)),
        )

    def _block(self, flow: Headers, address: int) -> str:
        """A network around an address; now and then one that misses it in its last bit."""
        rng = self._rng
        bits = 32 if flow.kind is Kind.IPV4 else 128
        chance = rng.random() - 0.6 * self._breadth
        prefix = 0 if chance < 0.4 else bits if chance > 0.8 else rng.randint(0, bits)
        address = address >> bits - prefix << bits - prefix
        if prefix and rng.random() < 0.1:
            address ^= 1 << bits - prefix
        text = ip_address(address.to_bytes(bits // 8, "big"))
        return str(ip_network(f"{text}/{prefix}"))

    def _ports(self, port: int) -> dict[str, int]:
        """A range around a port, with a bound at it, just beside it, or anywhere."""
        rng = self._rng
        first = port - rng.choice((0, 0, 1, rng.randrange(300), 0x10000))
        last = port + rng.choice((0, 0, 1, rng.randrange(300), 0x10000))
        chance = rng.random()
        if chance < 0.1:
            first, last = port + 1, port + rng.randint(1, 5000)
        elif chance < 0.2:
            first, last = port - rng.randint(1, 5000), port - 1
        elif chance < 0.25:
            first, last = sorted((rng.randrange(0x10000), rng.randrange(0x10000)))
        first, last = (min(max(bound, 0), 0xFFFF) for bound in (first, last))
        return {"FromPort": first, "ToPort": last}
