"""A trace in plain words: why a frame was, or was not, copied."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.golden.model import Trace
from halfsilver.harness.golden.parse import Headers, Kind
from halfsilver.harness.golden.select import Mismatch
from halfsilver.harness.golden.spread import SLOTS, slot_of
from halfsilver.harness.golden.truncate import FLOOR, Limit
from halfsilver.harness.law import ETHERNET, HEADROOM_IPV4, HEADROOM_IPV6
from halfsilver.harness.policy.policy import Interface, Outer, Rule, Session
from halfsilver.harness.verdict import Direction, Service, Verdict

__all__ = ["describe", "describe_fields", "describe_mismatch"]

_PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}  # IANA
_UDP, _NTP = 17, 123
_TCP_HEADERS = {Kind.IPV4: 40, Kind.IPV6: 60}
"""IP and TCP headers without options: what of a packet is no segment (RFC 9293 section 3.7.1)."""


def describe(trace: Trace) -> list[str]:
    """The whole judgement, one line per step; lines of a session's rules are indented."""
    lines = [f"frame: {trace.record.direction}, {len(trace.frame.data)} bytes, {describe_fields(trace.headers)}"]
    if trace.ownership is not None and trace.interface is None:
        lines.append(f"interface: none, {trace.ownership.value}")
    if trace.interface is not None and trace.ownership is not None:
        lines.append(f"interface: {trace.interface.eni_id} ({trace.record.eni}), {trace.ownership.value}")
        if trace.record.service is not Service.NONE:
            lines.append(f"service: {trace.record.service}, which the rules never see")
        lines += _walk(trace, trace.interface)
    lines.append(f"verdict: {trace.record.verdict}, {_reason(trace)}")
    if trace.record.verdict is Verdict.MIRRORED:
        lines += _remarks(trace)
    return lines


def describe_fields(headers: Headers) -> str:
    """The parsed fields of a frame in one line."""
    vlan = "".join(f"VLAN {tag}, " for tag in headers.vlan)
    if headers.kind in (Kind.MALFORMED, Kind.NOT_IP):
        return f"{vlan}{headers.kind.value}: {headers.why}"
    if headers.kind is Kind.ARP:
        return f"{vlan}ARP"
    protocol = "no protocol" if headers.protocol is None else _protocol(headers.protocol)
    ports = (
        f"no ports ({headers.no_ports})" if headers.ports is None else f"ports {headers.ports[0]} > {headers.ports[1]}"
    )
    fragment = ", fragment" if headers.fragment else ""
    source, destination = _address(headers, headers.source), _address(headers, headers.destination)
    return f"{vlan}{headers.kind.value} {source} > {destination}, {protocol}{fragment}, {ports}"


def describe_mismatch(rule: Rule, headers: Headers, mismatch: Mismatch | None) -> str:
    """Why the rule matched (None) or the first field that did not."""
    match mismatch:
        case None:
            return "matches"
        case Mismatch.FAMILY:
            return f"an IPv{rule.source.version} rule never matches an {headers.kind.value} frame"
        case Mismatch.SOURCE:
            return f"source {_address(headers, headers.source)} not in {rule.source}"
        case Mismatch.DESTINATION:
            return f"destination {_address(headers, headers.destination)} not in {rule.destination}"
        case Mismatch.PROTOCOL:
            wanted = "any" if rule.protocol is None else _protocol(rule.protocol)
            found = headers.no_ports if headers.protocol is None else _protocol(headers.protocol)
            return f"protocol is not {wanted}: {found}"
        case Mismatch.NO_PORTS:
            return f"no ports: {headers.no_ports}"
        case Mismatch.SOURCE_PORT:
            return _port_outside("source", headers, 0, rule.source_ports)
        case Mismatch.DESTINATION_PORT:
            return _port_outside("destination", headers, 1, rule.destination_ports)


def _walk(trace: Trace, interface: Interface) -> list[str]:
    lines = []
    for step in trace.walk:
        session = interface.sessions[step.session]
        rules = session.ingress if trace.record.direction is Direction.INGRESS else session.egress
        what = f"{len(rules)} {trace.record.direction} rule{'' if len(rules) == 1 else 's'}"
        lines.append(f"{_session(session)}, filter {session.filter_id}, {what}")
        for rule, mismatch in zip(rules, step.tests, strict=False):
            action = "accept" if rule.accept else "reject"
            result = describe_mismatch(rule, trace.headers, mismatch)
            lines.append(f"  rule {rule.number} ({rule.rule_id}) {action}: {result}")
        if step.matched is None:
            lines.append("  no rule matches")
    return lines


def _reason(trace: Trace) -> str:
    record, interface = trace.record, trace.interface
    session = None if interface is None or record.session is None else interface.sessions[record.session]
    match record.verdict:
        case Verdict.MALFORMED:
            return trace.headers.why
        case Verdict.DROPPED:
            return "the security group dropped it" if trace.refusal is None else trace.refusal.value
        case Verdict.NOT_ELIGIBLE if record.service is Service.AMAZON_DNS:
            return "no session's filter has the network service amazon-dns"
        case Verdict.NOT_ELIGIBLE:
            return f"{record.service} traffic is never mirrored"
        case Verdict.NO_SESSION:
            return "the interface has no session"
        case Verdict.NOT_IP:
            return "rules match IP packets only"
        case Verdict.REJECTED if session is not None:
            return f"{_session(session)} rejected it first and no session accepted it"
        case Verdict.TARGET_DOWN if session is not None:
            return f"{_session(session)} takes it, but {session.down_reason}"
        case Verdict.MIRRORED if session is not None:
            return f"{_session(session)} takes it{_copy(trace, session)}"
        case Verdict.NO_ENI:
            return "it is no interface's frame"
        case _:
            return "no rule of any session matches"


def _remarks(trace: Trace) -> Iterator[str]:
    """Of a copy that is sent: what AWS's documents say otherwise, what would leave it whole, who cannot receive it."""
    record, interface = trace.record, trace.interface
    if interface is None or record.session is None:
        return
    session = interface.sessions[record.session]
    if trace.headers.protocol == _UDP and _NTP in (trace.headers.ports or ()):
        yield "note: AWS's guide says that NTP is not mirrored; of public servers its own mirror does (4.1)"
    if trace.cut is not None and trace.cut.limit is Limit.MTU and session.outer is not None:
        yield f"note: {_uncut(trace, session.outer)}"
    for obstacle in session.obstacles:
        yield f"note: the copy is sent, {session.target_id} cannot receive: {obstacle}"


def _uncut(trace: Trace, outer: Outer) -> str:
    """What MTU leaves such a frame whole: the guide's headroom is 54 bytes over IPv4, 74 over IPv6 (6.6)."""
    headroom = HEADROOM_IPV4 if outer.destination.version == 4 else HEADROOM_IPV6
    limit, needed = outer.mtu_limit or 0, len(trace.frame.data) - ETHERNET + headroom
    packet = limit - ETHERNET
    segment = packet - _TCP_HEADERS[trace.headers.kind]
    at_source = f"a source MTU of {packet:,} (TCP MSS {segment:,})"
    ways = f"a target MTU of {needed:,}, or {at_source}" if outer.endpoint_id is None else at_source
    return f"such frames are copied whole with {ways}: headroom is {headroom} bytes (6.6)"


def _copy(trace: Trace, session: Session) -> str:
    if trace.cut is None or trace.outer is None or trace.hash is None:
        return ""
    reasons = {
        Limit.FRAME: "the whole frame",
        Limit.PACKET_LENGTH: f"cut to the session's packet length {session.packet_length}",
        Limit.FLOOR: f"packet length {session.packet_length} is under the floor of "
        f"{FLOOR.get(trace.headers.kind)} for {trace.headers.kind.value}",
        Limit.MTU: f"cut to the {trace.outer.mtu_limit} bytes that the target's MTU leaves",
        Limit.BUILD: "the longest copy that the build makes",
    }
    spread = ""
    if session.receivers:
        spread = f" (slot {slot_of(trace.hash)} of {SLOTS}, {len(session.receivers)} targets)"
    return (
        f": {trace.cut.copied} of {len(trace.frame.data)} bytes ({reasons[trace.cut.limit]}) to "
        f"{trace.outer.destination}{spread}, VNI {session.vni}, UDP source port {trace.source_port}"
    )


def _session(session: Session) -> str:
    return f"session {session.number} ({session.session_id})"


def _protocol(number: int) -> str:
    return f"{_PROTOCOLS[number]} ({number})" if number in _PROTOCOLS else f"protocol {number}"


def _address(headers: Headers, address: int) -> str:
    return str(IPv4Address(address) if headers.kind is Kind.IPV4 else IPv6Address(address))


def _port_outside(which: str, headers: Headers, side: int, ports: tuple[int, int] | None) -> str:
    port = "none" if headers.ports is None else headers.ports[side]
    wanted = "any" if ports is None else f"{ports[0]}-{ports[1]}"
    return f"{which} port {port} not in {wanted}"
