"""A flow: what a packet says of where it goes, before it is a packet."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

__all__ = ["ICMP", "ICMPV6", "IPV4", "IPV6", "TCP", "UDP", "Flow", "packed"]

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
"""Protocol numbers (IANA)."""

IPV4, IPV6 = 4, 6
"""Address families, as ``ipaddress`` numbers them."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Addresses (4 or 16 bytes, both of one family), protocol, and ports, used where the protocol has them."""

    source: bytes
    destination: bytes
    protocol: int
    source_port: int
    destination_port: int

    @property
    def family(self) -> int:
        return IPV4 if len(self.source) == 4 else IPV6

    def reverse(self) -> Flow:
        """The answer's flow."""
        return Flow(self.destination, self.source, self.protocol, self.destination_port, self.source_port)


def packed(*texts: str) -> tuple[bytes, ...]:
    """Addresses in words as bytes."""
    return tuple(ip_address(text).packed for text in texts)
