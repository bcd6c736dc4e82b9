"""What the parser hands over: one record per frame, read by the match pipeline."""

from amaranth.lib import data, enum

__all__ = ["Headers", "Kind"]


class Kind(enum.Enum, shape=2):
    """What the ethertype says the frame carries."""

    OTHER = 0
    ARP = 1
    IPV4 = 2
    IPV6 = 3


class Headers(data.Struct):
    """What the match pipeline knows of a frame.

    Addresses hold the first byte on the wire in their lowest bits; an IPv4 address fills the lowest 32. Ports,
    protocol and echo identifier are numbers.
    """

    mac: 48  # the address that names the owner: destination (ingress) or source (egress)
    group: 1  # the destination address is multicast or broadcast
    kind: Kind
    malformed: 1  # IP header wrong or cut off
    source: 128
    destination: 128
    protocol: 8
    has_protocol: 1
    source_port: 16
    destination_port: 16
    has_ports: 1
    fragment: 1
    echo: 16  # ICMP echo identifier, 0 where there is none
