"""Flows of the services that are never mirrored by rules, and near misses of them (``docs/mirroring.md`` section 4).

Each near miss differs in one thing from what would be the service: a bit or a byte of the address, the port, the
protocol, the family. Either end may be the service's, and now and then both ends are, of two different ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from halfsilver.sim.traffic.chance import beside, flip, happens
from halfsilver.sim.traffic.flow import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, Flow, packed

__all__ = ["SERVICES", "Service", "service_flow"]


@dataclass(frozen=True, slots=True)
class Service:
    """How a service is known: by any of the addresses (none: by any address), protocols and ports likewise."""

    family: int
    addresses: tuple[bytes, ...] = ()
    protocols: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()


SERVICES = (
    Service(IPV4, protocols=(UDP,), ports=(67, 68)),
    Service(IPV6, protocols=(UDP,), ports=(546, 547)),
    Service(IPV4, packed("169.254.169.254")),
    Service(IPV6, packed("fd00:ec2::254")),
    Service(IPV4, packed("169.254.169.123"), (UDP,), (123,)),
    Service(IPV6, packed("fd00:ec2::123"), (UDP,), (123,)),
    Service(IPV4, packed("169.254.169.250", "169.254.169.251"), (TCP,), (1688,)),
    Service(IPV6, packed("fd00:ec2::250"), (TCP,), (1688,)),
    Service(IPV4, packed("169.254.169.253"), (UDP, TCP), (53,)),
    Service(IPV6, packed("fd00:ec2::253"), (UDP, TCP), (53,)),
)
"""DHCP, instance metadata, time, Windows activation, DNS. A resolver of an interface is one more."""

_ALL_ADDRESSES = {
    family: tuple(address for service in SERVICES if service.family == family for address in service.addresses)
    for family in (IPV4, IPV6)
}
_ALL_PORTS = tuple(sorted({port for service in SERVICES for port in service.ports}))
_PROTOCOLS = (UDP, TCP, ICMP, ICMPV6, 132, 0)


def service_flow(rng: random.Random, resolvers: Sequence[bytes]) -> Flow:
    """A flow to or from a service or just beside one; ``resolvers`` are DNS servers of interfaces, over IPv4."""
    services = SERVICES + tuple(Service(IPV4, (address,), (UDP, TCP), (53,)) for address in resolvers)
    service = rng.choice(services)
    flow = _to(rng, service)
    if happens(rng, 6):
        flow = _from_another(rng, flow, services)
    if happens(rng, 2):
        flow = _miss(rng, flow)
    return flow.reverse() if happens(rng, 2) else flow


def _to(rng: random.Random, service: Service) -> Flow:
    address = rng.choice(service.addresses or _neutral(service.family))
    protocol = rng.choice(service.protocols or _PROTOCOLS)
    port = rng.choice(service.ports or _ALL_PORTS)
    return Flow(rng.choice(_neutral(service.family)), address, protocol, rng.randrange(0x10000), port)


def _from_another(rng: random.Random, flow: Flow, services: Sequence[Service]) -> Flow:
    """Both ends are a service's, so that the order in which services are looked for shows."""
    other = rng.choice([service for service in services if service.family == flow.family])
    address = rng.choice(other.addresses or (flow.source,))
    return replace(flow, source=address, source_port=rng.choice(other.ports or _ALL_PORTS))


def _miss(rng: random.Random, flow: Flow) -> Flow:
    """One thing about the flow's destination is not as the service wants it."""
    change = rng.randrange(7)
    if change == 0:
        return replace(flow, destination=flip(rng, flow.destination))
    if change == 1:
        return replace(flow, destination=_next_to(rng, flow.destination))
    if change == 2:
        return replace(flow, destination=rng.choice(_ALL_ADDRESSES[flow.family]))
    if change == 3:
        return replace(flow, destination_port=beside(rng, flow.destination_port, 16))
    if change == 4:
        return replace(flow, destination_port=rng.choice(_ALL_PORTS))
    if change == 5:
        return replace(flow, protocol=rng.choice((*_PROTOCOLS, beside(rng, flow.protocol, 8))))
    return replace(flow, source=_other_family(rng, flow.source), destination=_other_family(rng, flow.destination))


def _next_to(rng: random.Random, address: bytes) -> bytes:
    """One byte of the address one less or one more, or its bytes in reverse."""
    if happens(rng, 8):
        return address[::-1]
    place = rng.randrange(len(address))
    changed = (address[place] + rng.choice((1, -1))) % 256
    return address[:place] + bytes([changed]) + address[place + 1 :]


def _other_family(rng: random.Random, address: bytes) -> bytes:
    """The first or last four bytes of an IPv6 address; an IPv4 address somewhere in IPv6, mapped for one."""
    if len(address) == 16:
        return rng.choice((address[:4], address[-4:]))
    return rng.choice((bytes(10) + b"\xff\xff" + address, bytes(12) + address, address + bytes(12)))


def _neutral(family: int) -> tuple[bytes, ...]:
    """Addresses that are no service's."""
    return packed("10.0.0.1", "192.0.2.9", "0.0.0.0") if family == IPV4 else packed("2001:db8::1", "fe80::9", "::")
