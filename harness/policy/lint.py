"""Warnings: what a policy may say, but hardly means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from halfsilver.harness.law import ETHERNET, FLOOR_IPV4, FLOOR_IPV6, HEADROOM_IPV4, HEADROOM_IPV6
from halfsilver.harness.policy.types import Described, Interface, MirrorSession, Network, Outer, Problem, Rule, Session

__all__ = ["covers", "lint"]

SOURCES_PER_INTERFACE = 10
"""Sources an interface target takes (guide, quotas); 100 on the largest instance types."""


def lint(described: Described, interfaces: Sequence[Interface]) -> list[Problem]:
    """All warnings about a policy that was read and resolved."""
    found: list[Problem] = []
    for mirror_filter in described.filters.values():
        found += _shadowed(described, mirror_filter.ingress)
        found += _shadowed(described, mirror_filter.egress)
    resolved = {session.session_id: session for interface in interfaces for session in interface.sessions}
    for session_id, session in described.sessions.items():
        found += _session(described, session, resolved.get(session_id))
    found += _crowded(described)
    if not interfaces:
        message = "has no interface for the NIC to carry, every frame will be no-eni; describe the sources"
        found.append(_warning("NetworkInterfaces", message))
    return found


def _warning(where: str, message: str) -> Problem:
    return Problem("warning", where, message)


def _shadowed(described: Described, rules: Sequence[Rule]) -> Iterator[Problem]:
    """Rules that never decide, because one earlier rule of the direction matches all their frames."""
    for index, rule in enumerate(rules):
        earlier = next((earlier for earlier in rules[:index] if covers(earlier, rule)), None)
        if earlier is not None:
            yield _warning(
                described.places[rule.rule_id],
                f"rule {rule.number} never decides: rule {earlier.number} ({earlier.rule_id}) matches all "
                "its frames before; give it a lower number or remove it",
            )


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether every frame that ``narrow`` matches is matched by ``wide``."""
    return (
        _contains(wide.source, narrow.source)
        and _contains(wide.destination, narrow.destination)
        and wide.protocol in (None, narrow.protocol)
        and _spans(wide.source_ports, narrow.source_ports)
        and _spans(wide.destination_ports, narrow.destination_ports)
    )


def _contains(wide: Network, narrow: Network) -> bool:
    same_family = wide.version == narrow.version
    return same_family and wide.prefixlen <= narrow.prefixlen and narrow.network_address in wide


def _spans(wide: tuple[int, int] | None, narrow: tuple[int, int] | None) -> bool:
    if wide is None or narrow is None:
        return wide is None
    return wide[0] <= narrow[0] and narrow[1] <= wide[1]


def _session(described: Described, session: MirrorSession, resolved: Session | None) -> Iterator[Problem]:
    """``resolved`` is None when the session's interface is not on the NIC."""
    where = described.places[session.session_id]
    mirror_filter = described.filters[session.filter_id]
    if not mirror_filter.listed and not mirror_filter.amazon_dns:
        yield _warning(
            f"{where} TrafficMirrorFilterId",
            f"{session.filter_id} has no rule and no network service and mirrors nothing; add a rule",
        )
    if session.packet_length is not None:
        versions = {rule.source.version for rule in mirror_filter.ingress + mirror_filter.egress}
        floor = FLOOR_IPV6 if mirror_filter.amazon_dns or 6 in versions else FLOOR_IPV4
        if session.packet_length < floor:
            yield _warning(
                f"{where} PacketLength",
                f"{session.packet_length} is under the floor, no IPv4 frame is cut below {FLOOR_IPV4} bytes "
                f"and no IPv6 frame below {FLOOR_IPV6}; ask for {floor} or more",
            )
    if resolved is not None and resolved.down_reason is not None:
        message = f"{session.target_id} is down: {resolved.down_reason}"
        yield _warning(f"{where} TrafficMirrorTargetId", message)
    if resolved is not None and resolved.outer is not None:
        yield from _long_frames(described, session, resolved.outer)
    for target in () if resolved is None else resolved.left_out:
        yield _warning(f"{where} TrafficMirrorTargetId", target)
    for obstacle in () if resolved is None else resolved.obstacles:
        yield _warning(
            f"{where} TrafficMirrorTargetId", f"copies are sent, {session.target_id} cannot receive: {obstacle}"
        )


def _long_frames(described: Described, session: MirrorSession, outer: Outer) -> Iterator[Problem]:
    """An interface target with a smaller MTU than the source: copies of long frames are cut (6.6).

    With equal ones, as by default, only frames in the last 54 or 74 bytes are, and nothing is said.
    """
    source = described.interfaces[session.eni_id].mtu
    headroom = HEADROOM_IPV4 if outer.destination.version == 4 else HEADROOM_IPV6
    if outer.endpoint_id is not None or outer.mtu_limit is None:
        return
    packet = outer.mtu_limit - ETHERNET
    if packet + headroom < source and (session.packet_length is None or session.packet_length > outer.mtu_limit):
        yield _warning(
            f"{described.places[session.session_id]} TrafficMirrorTargetId",
            f"{session.target_id} has an MTU of {packet + headroom}, which leaves packets of {packet} bytes after "
            f"{headroom} of headers, and the source one of {source}: longer copies are cut; to keep them whole, give "
            f"the source an MTU of {packet} or the target one of {source + headroom}",
        )


def _crowded(described: Described) -> Iterator[Problem]:
    """Interface targets with more sources than the smaller instance types take."""
    for target_id, target in described.targets.items():
        sessions = [session for session in described.sessions.values() if session.target_id == target_id]
        sources = len({session.eni_id for session in sessions})
        if target.kind == "network-interface" and sources > SOURCES_PER_INTERFACE:
            yield _warning(
                described.places[target_id],
                f"has {sources} sources; AWS allows {SOURCES_PER_INTERFACE}, on the largest instances 100",
            )
