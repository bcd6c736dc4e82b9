"""Step 2: traffic that the rules never see (``docs/mirroring.md`` section 4)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.golden.parse import Headers, Kind
from halfsilver.harness.verdict import Service

__all__ = ["service_of"]

_TCP, _UDP = 6, 17


def _addresses(*texts: str) -> frozenset[tuple[Kind, int]]:
    return frozenset(
        (Kind.IPV6, int(IPv6Address(text))) if ":" in text else (Kind.IPV4, int(IPv4Address(text))) for text in texts
    )


_METADATA = _addresses("169.254.169.254", "fd00:ec2::254")
_TIME = _addresses("169.254.169.123", "fd00:ec2::123")
_ACTIVATION = _addresses("169.254.169.250", "169.254.169.251", "fd00:ec2::250")
_DNS = _addresses("169.254.169.253", "fd00:ec2::253")
_DHCP_PORTS = {Kind.IPV4: frozenset((67, 68)), Kind.IPV6: frozenset((546, 547))}


def service_of(headers: Headers, resolver: IPv4Address | None) -> Service:
    """The service a frame belongs to, lowest code first; ``resolver`` is the ENI's DNS resolver."""
    if headers.kind is Kind.ARP:
        return Service.ARP
    if headers.kind not in (Kind.IPV4, Kind.IPV6):
        return Service.NONE
    ends = {(headers.kind, headers.source), (headers.kind, headers.destination)}
    ports = set(headers.ports or ())
    tcp, udp = headers.protocol == _TCP, headers.protocol == _UDP

    if udp and ports & _DHCP_PORTS[headers.kind]:
        return Service.DHCP
    if ends & _METADATA:
        return Service.INSTANCE_METADATA
    if udp and 123 in ports and ends & _TIME:
        return Service.TIME_SYNC
    if tcp and 1688 in ports and ends & _ACTIVATION:
        return Service.WINDOWS_ACTIVATION
    if (tcp or udp) and 53 in ports:
        to_resolver = resolver is not None and (Kind.IPV4, int(resolver)) in ends
        if to_resolver or ends & _DNS:
            return Service.AMAZON_DNS
    return Service.NONE
