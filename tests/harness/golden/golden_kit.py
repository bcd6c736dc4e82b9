"""Small policies and frames for the tests of the golden model."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address, ip_network
from types import SimpleNamespace
from typing import Any, cast

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.golden.model import Trace
from halfsilver.harness.policy.policy import Interface, Outer, Policy, Rule, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction

ENI_0 = "02:00:00:00:00:10"
ENI_1 = "02:00:00:00:00:11"
PEER = "02:00:00:00:00:99"
TARGET = "02:00:00:00:00:aa"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def rule(
    source: str = "0.0.0.0/0",
    destination: str = "0.0.0.0/0",
    *,
    number: int = 100,
    accept: bool = True,
    protocol: int | None = None,
    source_ports: tuple[int, int] | None = None,
    destination_ports: tuple[int, int] | None = None,
) -> Rule:
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


ANY_IPV4 = rule()
ANY_IPV6 = rule("::/0", "::/0", number=101)
EVERYTHING = (ANY_IPV4, ANY_IPV6)


def outer(
    source: str = "10.9.0.1", destination: str = "10.9.0.2", mtu_limit: int | None = 9001 - 40, source_mac: str = ENI_0
) -> Outer:
    return Outer(mac(TARGET), mac(source_mac), ip_address(source), ip_address(destination), mtu_limit)


def session(
    ingress: Sequence[Rule] = EVERYTHING,
    egress: Sequence[Rule] | None = None,
    *,
    number: int = 1,
    vni: int = 0x123456,
    packet_length: int | None = None,
    amazon_dns: bool = False,
    to: Outer | None = outer(),  # noqa: B008 (frozen)
) -> Session:
    """A session; the egress rules are the ingress rules unless given; ``to`` None: its target is down."""
    return Session(
        f"tms-{number}",
        number,
        f"tmf-{number}",
        f"tmt-{number}",
        vni,
        packet_length,
        amazon_dns,
        tuple(ingress),
        tuple(ingress if egress is None else egress),
        to,
        None if to else "the target has no known MAC",
    )


def interface(*sessions: Session, address: str = ENI_0, resolver: str | None = None) -> Interface:
    return Interface(f"eni-{address[-2:]}", mac(address), IPv4Address(resolver) if resolver else None, sessions)


def policy(*interfaces: Interface) -> Policy:
    return cast(Policy, SimpleNamespace(interfaces=interfaces, warnings=()))


def engine(*interfaces: Interface, tap: bool = False, terminal_reject: bool = False, **parameters: Any) -> GoldenEngine:
    built = GoldenEngine(**parameters)
    built.configure(policy(*interfaces), Flags(tap=tap, terminal_reject=terminal_reject))
    return built


def judge(
    data: Any, *interfaces: Interface, egress: bool = False, dropped: bool = False, bad: bool = False, **options: Any
) -> Trace:
    """The trace of one frame (bytes or a scapy packet) under a policy of these interfaces."""
    direction = Direction.EGRESS if egress else Direction.INGRESS
    frame = Frame(bytes(data), direction, bad=bad, dropped=dropped)
    built = engine(*interfaces, **options)
    trace = built.explain(frame)
    assert built.process([frame]).verdicts == [trace.record]
    return trace


def names(trace: Trace) -> tuple[str, str, int | None, int | None, int | None]:
    """What the record names: verdict, service, ENI, session, rule."""
    record = trace.record
    return str(record.verdict), str(record.service), record.eni, record.session, record.rule
