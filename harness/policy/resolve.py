"""From what AWS described to what a data plane is configured with: interfaces in index order, sessions, addresses.

A target that cannot be reached does not refuse the policy: its sessions are down, with a reason. A load
balancer or an endpoint may have several interfaces; the one in the source's Availability Zone is preferred.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from halfsilver.harness.law import VXLAN_PORT
from halfsilver.harness.policy.network import load_balancer_name
from halfsilver.harness.policy.reachability import (
    Behind,
    look_behind,
    obstacles,
    registered_interfaces,
    vxlan_listeners,
)
from halfsilver.harness.policy.security import find_guard
from halfsilver.harness.policy.types import (
    ENDPOINT_MTU,
    MAX_INTERFACES,
    MAX_VNI,
    NLB_PACKET_LENGTH,
    OUTER_IPV4,
    OUTER_IPV6,
    Address,
    Described,
    Interface,
    LoadBalancer,
    MirrorSession,
    NetworkInterface,
    Outer,
    Problem,
    Session,
    Target,
)

__all__ = ["number_networks", "resolve"]


@dataclass(frozen=True, slots=True)
class _Door:
    """One interface behind a target, with the addresses that copies may be sent to; MTU None: no limit."""

    interface: NetworkInterface
    addresses: tuple[Address, ...]  # the first of a family is used
    mtu: int | None
    endpoint_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How copies are addressed, what is in their way, and what is behind a load balancer's node."""

    outer: Outer
    obstacles: tuple[str, ...]
    behind: Behind = Behind()


def resolve(
    described: Described, eni: str | None = None, carried: Sequence[str] | None = None
) -> tuple[tuple[Interface, ...], list[Problem]]:
    """The NIC's interfaces (``docs/mirroring.md`` section 2) and the problems of choosing them.

    ``eni`` is the interface to be first; without it, a session's source is. ``carried`` are the ids of all of the
    NIC's interfaces in index order, where that is settled beforehand.
    """
    if carried is not None:
        chosen, problems = _look_up(described, carried)
        return _build(described, chosen, problems), problems
    problems = []
    if eni is not None and eni not in described.interfaces:
        there = ", ".join(_some(list(described.interfaces))) or "none"
        problems.append(Problem("error", "--eni", f"{eni} is not in NetworkInterfaces, which has {there}"))
    elif eni is not None and described.interfaces[eni].mac is None:
        problems.append(Problem("error", "--eni", f"{eni} has no MacAddress; state it in NetworkInterfaces"))
    sources = {session.eni_id for session in described.sessions.values()}
    if len(sources) > MAX_INTERFACES:
        message = f"has {len(sources)} source interfaces; one NIC carries at most {MAX_INTERFACES}"
        problems.append(Problem("error", "TrafficMirrorSessions", message))
    chosen = _choose(described, eni)
    left_out = [interface.eni_id for interface, _ in chosen[MAX_INTERFACES:]]
    if left_out:
        lost = eni is not None and not sources.isdisjoint(left_out)
        message = (
            f"{', '.join(_some(left_out))} not on the NIC, which carries {MAX_INTERFACES} interfaces "
            "(--eni first, then sources); leave out what is not needed"
        )
        problems.append(Problem("error" if lost else "warning", "NetworkInterfaces", message))
    return _build(described, chosen[:MAX_INTERFACES], problems), problems


def _build(
    described: Described, chosen: list[tuple[NetworkInterface, bytes]], problems: list[Problem]
) -> tuple[Interface, ...]:
    """The interfaces with their sessions, in the order given; what their guards lack is added to ``problems``."""
    vnis = number_networks(described)
    interfaces = []
    for interface, mac in chosen:
        own = [session for session in described.sessions.values() if session.eni_id == interface.eni_id]
        sessions = []
        for session in sorted(own, key=lambda session: session.number):
            way = session.stopped or _find_way(described, interface, mac, described.targets[session.target_id])
            sessions.append(_resolve_session(described, session, way, vnis[session.session_id]))
        guard, found = find_guard(described, interface)
        problems += found
        interfaces.append(Interface(interface.eni_id, mac, interface.resolver, tuple(sessions), guard))
    return tuple(interfaces)


def _look_up(
    described: Described, carried: Sequence[str]
) -> tuple[list[tuple[NetworkInterface, bytes]], list[Problem]]:
    """The interfaces of the ids, and a problem for each that cannot be on the NIC."""
    chosen, problems = [], []
    for eni_id in carried:
        interface = described.interfaces.get(eni_id)
        if interface is None:
            message = f"{eni_id} is on the NIC but not described; add it to NetworkInterfaces"
            problems.append(Problem("error", "NetworkInterfaces", message))
        elif interface.mac is None:
            message = f"{eni_id} is on the NIC and has no MacAddress; state it in NetworkInterfaces"
            problems.append(Problem("error", "NetworkInterfaces", message))
        else:
            chosen.append((interface, interface.mac))
    if len(carried) > MAX_INTERFACES:
        message = f"{len(carried)} are to be on the NIC, which carries at most {MAX_INTERFACES}"
        problems.append(Problem("error", "NetworkInterfaces", message))
    return chosen, problems


def _choose(described: Described, eni: str | None) -> list[tuple[NetworkInterface, bytes]]:
    """All interfaces with a MAC that could be the NIC's: ``eni``, sources, those that no target uses."""
    sources = {session.eni_id for session in described.sessions.values()}
    used = {door.interface.eni_id for target in described.targets.values() for door in _doors(described, target)[0]}
    used |= {
        interface.eni_id
        for target in described.targets.values()
        for interface in registered_interfaces(described, target.destination)
    }
    with_mac = [(each, each.mac) for each in described.interfaces.values() if each.mac is not None]
    first = [pair for pair in with_mac if pair[0].eni_id == eni]
    carried = [pair for pair in with_mac if pair[0].eni_id in sources]
    others = [pair for pair in with_mac if pair[0].eni_id not in used]
    return list(dict.fromkeys(first + carried + others))


def number_networks(described: Described) -> dict[str, int]:
    """The VNI of each session. AWS draws a free one at random; here it follows from the session's id."""
    used = {session.vni for session in described.sessions.values() if session.vni is not None}
    vnis = {}
    for session in described.sessions.values():
        vni = session.vni
        if vni is None:
            digest = hashlib.sha256(session.session_id.encode()).digest()
            vni = int.from_bytes(digest[:8]) % MAX_VNI + 1
            while vni in used:
                vni = vni % MAX_VNI + 1
            used.add(vni)
        vnis[session.session_id] = vni
    return vnis


def _resolve_session(described: Described, session: MirrorSession, way: _Way | str, vni: int) -> Session:
    """``way`` is how the copies reach the target, or why they do not."""
    mirror_filter = described.filters[session.filter_id]
    packet_length = session.packet_length
    target = described.targets.get(session.target_id)
    if packet_length is None and target is not None and target.kind == "network-load-balancer":
        packet_length = NLB_PACKET_LENGTH
    if isinstance(way, str):
        outers: tuple[Outer, ...] = ()
        behind = Behind()
    else:
        behind = way.behind
        outers = behind.receivers or (way.outer,)
    return Session(
        session_id=session.session_id,
        number=session.number,
        filter_id=session.filter_id,
        target_id=session.target_id,
        vni=vni,
        packet_length=packet_length,
        amazon_dns=mirror_filter.amazon_dns,
        ingress=mirror_filter.ingress,
        egress=mirror_filter.egress,
        outer=outers[0] if outers else None,
        down_reason=way if isinstance(way, str) else None,
        obstacles=() if isinstance(way, str) else (*way.obstacles, *behind.obstacles),
        receivers=outers if len(outers) > 1 else (),
        left_out=behind.left_out,
    )


def _find_way(described: Described, source: NetworkInterface, mac: bytes, target: Target) -> _Way | str:
    """How the copies of ``source``, which has ``mac``, reach ``target``, or why they do not."""
    doors, reason = _doors(described, target)
    reasons = [reason] if reason else []
    for door in sorted(doors, key=lambda door: door.interface.zone != source.zone):
        outer = _address(source, mac, door)
        if isinstance(outer, Outer):
            behind = look_behind(described, door.interface, outer, target.destination)
            return _Way(outer, obstacles(described, source, door.interface, outer), behind)
        reasons.append(outer)
    return reasons[0]


def _address(source: NetworkInterface, mac: bytes, door: _Door) -> Outer | str:
    """IPv4 if both ends have it, else IPv6 if both have it, else the reason why not."""
    eni_id = door.interface.eni_id
    if door.interface.mac is None:
        return f"{eni_id} has no known MAC address; give it a MacAddress in NetworkInterfaces"
    for own, headroom in ((source.ipv4, OUTER_IPV4), (source.ipv6, OUTER_IPV6)):
        for address in door.addresses:
            if own is not None and address.version == own.version:
                limit = None if door.mtu is None else door.mtu - headroom
                return Outer(door.interface.mac, mac, own, address, limit, door.endpoint_id)
    return (
        f"source {source.eni_id} has {_families(_primary(source))} and target interface {eni_id} has "
        f"{_families(door.addresses)}; they need one family in common"
    )


def _doors(described: Described, target: Target) -> tuple[list[_Door], str | None]:
    """The interfaces behind a target in order of the file; without any, the reason."""
    if target.kind == "network-interface":
        interface = described.interfaces.get(target.destination)
        if interface is None:
            return [], f"{target.destination} is not in NetworkInterfaces; add its description there"
        return [_Door(interface, _primary(interface), interface.mtu)], None
    if target.kind == "gateway-load-balancer-endpoint":
        endpoint = described.endpoints.get(target.destination)
        if endpoint is None:
            return [], f"{target.destination} is not in VpcEndpoints; add its description there"
        known = [described.interfaces[eni_id] for eni_id in endpoint.eni_ids if eni_id in described.interfaces]
        if not known:
            return [], f"no interface of {target.destination} is in NetworkInterfaces; add one there"
        return [_Door(interface, _primary(interface), ENDPOINT_MTU, endpoint.endpoint_id) for interface in known], None
    return _balancer_doors(described, target.destination)


def _balancer_doors(described: Described, arn: str) -> tuple[list[_Door], str | None]:
    """By the addresses elbv2 states, then by the description AWS gives a load balancer's interfaces."""
    balancer = described.load_balancers.get(arn, LoadBalancer(arn, None, ()))
    if described.listeners is not None and not vxlan_listeners(described, arn):
        name = load_balancer_name(arn)
        return [], f"the load balancer {name} has no UDP listener on port {VXLAN_PORT} in Listeners; it starts with one"
    near = [
        interface
        for interface in described.interfaces.values()
        if None in (interface.vpc_id, balancer.vpc_id) or interface.vpc_id == balancer.vpc_id
    ]
    doors: dict[str, _Door] = {}
    for place in balancer.addresses:
        for interface in near:
            stated = tuple(address for address in place.addresses if address in interface.addresses)
            if stated:
                doors.setdefault(interface.eni_id, _Door(interface, stated + _primary(interface), None))
    name = load_balancer_name(arn)
    for interface in near:
        if interface.description == f"ELB {name}":
            doors.setdefault(interface.eni_id, _Door(interface, _primary(interface), None))
    if doors:
        return list(doors.values()), None
    stated_addresses = ", ".join(str(address) for place in balancer.addresses for address in place.addresses)
    if stated_addresses:
        return [], (
            f"no interface in NetworkInterfaces has an address of {name} ({stated_addresses}), so its MAC "
            "address is not known; add its interfaces there"
        )
    return [], f'no interface of {name} is in NetworkInterfaces; add those with the description "ELB {name}"'


def _primary(interface: NetworkInterface) -> tuple[Address, ...]:
    return tuple(address for address in (interface.ipv4, interface.ipv6) if address is not None)


def _families(addresses: tuple[Address, ...]) -> str:
    versions = sorted({address.version for address in addresses})
    return " and ".join(f"IPv{version}" for version in versions) or "no address"


def _some(names: list[str]) -> list[str]:
    return names[:3] + ["..."] * (len(names) > 3)
