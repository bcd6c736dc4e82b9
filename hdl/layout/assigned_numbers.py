"""Numbers that the IEEE and IANA have assigned to what frames carry, as numbers in network order."""

__all__ = [
    "ETHERTYPE_ARP",
    "ETHERTYPE_IPV4",
    "ETHERTYPE_IPV6",
    "ETHERTYPE_QINQ",
    "ETHERTYPE_VLAN",
    "ICMPV6_ECHO",
    "ICMP_ECHO",
    "PROTOCOL_AH",
    "PROTOCOL_EXTENSIONS",
    "PROTOCOL_FRAGMENT",
    "PROTOCOL_ICMP",
    "PROTOCOL_ICMPV6",
    "PROTOCOL_TCP",
    "PROTOCOL_UDP",
]

# Ethertypes: IEEE Registration Authority.
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_QINQ = 0x88A8

# Protocols: IANA, "Assigned Internet Protocol Numbers"; IPv6 next headers are the same numbers.
PROTOCOL_ICMP = 1
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_FRAGMENT = 44
PROTOCOL_AH = 51
PROTOCOL_ICMPV6 = 58
PROTOCOL_EXTENSIONS = (0, 43, 60, 135)
"""Hop-by-hop, routing, destination options, mobility: alike in where their length is and what it counts."""

# Types of echo request and reply: RFC 792 and RFC 4443.
ICMP_ECHO = (8, 0)
ICMPV6_ECHO = (128, 129)
