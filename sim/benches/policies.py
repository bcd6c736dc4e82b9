"""Random policies for the benches, made of the addresses and ports of ``halfsilver.sim.benches.frames``.

Drawn from `random`, which cocotb seeds for each test.
"""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_network

from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags
from halfsilver.sim.benches.frames import ENI_MACS, HOSTS_IPV4, HOSTS_IPV6, PORTS
from halfsilver.sim.random_policy import SOURCE_PORTS

__all__ = ["everything", "outer", "random_flags", "random_policy", "rule"]

TARGET_MAC = bytes.fromhex("0200000000aa")


def everything(enis: int, *, packet_length: int | None = None, ipv6_outer: bool = False) -> Policy:
    """Every interface has one session that mirrors all IP frames of both directions."""
    rules = (rule(1, "0.0.0.0/0", "0.0.0.0/0"), rule(2, "::/0", "::/0"))
    return Policy(
        tuple(
            Interface(
                f"eni-{number}",
                ENI_MACS[number],
                None,
                (_session(1, 0x123400 + number, rules, rules, outer(ipv6_outer), packet_length),),
            )
            for number in range(enis)
        )
    )


def rule(
    number: int,
    source: str,
    destination: str,
    *,
    accept: bool = True,
    protocol: int | None = None,
    source_ports: tuple[int, int] | None = None,
    destination_ports: tuple[int, int] | None = None,
) -> Rule:
    """A rule; only what decides has to be said."""
    return Rule(
        f"tmfr-{number}",
        number,
        accept,
        ip_network(source),
        ip_network(destination),
        protocol,
        source_ports,
        destination_ports,
    )


def outer(over_ipv6: bool, mtu_limit: int | None = None) -> Outer:
    """How copies are addressed; random addresses."""
    if over_ipv6:
        source6, target6 = (IPv6Address(random.getrandbits(128)) for _ in range(2))
        return Outer(TARGET_MAC, random.randbytes(6), source6, target6, mtu_limit)
    source4, target4 = (IPv4Address(random.getrandbits(32)) for _ in range(2))
    return Outer(TARGET_MAC, random.randbytes(6), source4, target4, mtu_limit)


def random_policy(enis: int, *, sessions: int = 3, rules: int = 10) -> Policy:
    """0 to ``sessions`` sessions per interface, most with rules, some with a dead target."""
    return Policy(
        tuple(
            Interface(
                f"eni-{number}",
                ENI_MACS[number],
                random.choice((None, HOSTS_IPV4[1])),
                tuple(
                    _random_session(place + 1, rules)
                    for place in range(random.choice((0, *range(1, sessions + 1))) if number else sessions)
                ),
            )
            for number in range(enis)
        )
    )


def random_flags() -> Flags:
    """Run-time flags; the source port as AWS has it, or RFC 7348's range."""
    base, mask = random.choice(SOURCE_PORTS)
    return Flags(random.random() < 0.3, random.random() < 0.3, base, mask)


def _session(
    number: int,
    vni: int,
    ingress: tuple[Rule, ...],
    egress: tuple[Rule, ...],
    to: Outer | None,
    packet_length: int | None,
    amazon_dns: bool = False,
) -> Session:
    return Session(
        f"tms-{number}",
        number,
        f"tmf-{number}",
        f"tmt-{number}",
        vni,
        packet_length,
        amazon_dns,
        ingress,
        egress,
        to,
        None if to else "the target has no known MAC",
    )


def _random_session(number: int, rules: int) -> Session:
    to = outer(random.random() < 0.4, random.choice((None, None, 100, 1460))) if random.random() < 0.9 else None
    ingress, egress = (tuple(_random_rule(place + 1) for place in range(random.randint(0, rules))) for _ in range(2))
    return _session(
        number,
        random.randint(1, (1 << 24) - 1),
        ingress,
        egress,
        to,
        random.choice((None, None, 1, 60, 64, 128)),
        random.random() < 0.3,
    )


def _random_rule(number: int) -> Rule:
    hosts: tuple[IPv4Address, ...] | tuple[IPv6Address, ...] = random.choice((HOSTS_IPV4, HOSTS_IPV6))
    bits = 32 if hosts is HOSTS_IPV4 else 128
    source, destination = (
        str(ip_network(f"{random.choice(hosts)}/{random.choice((0, 0, bits // 4, bits - 8, bits))}", strict=False))
        for _ in range(2)
    )
    protocol = random.choice((None, None, 1, 6, 17, 58))
    source_ports, destination_ports = (
        _range() if protocol in (6, 17) and random.random() < 0.4 else None for _ in range(2)
    )
    return rule(
        number,
        source,
        destination,
        accept=random.random() < 0.7,
        protocol=protocol,
        source_ports=source_ports,
        destination_ports=destination_ports,
    )


def _range() -> tuple[int, int]:
    low, high = sorted(random.choices(PORTS, k=2))
    return low, high
