"""Numbers of the law (``docs/mirroring.md``) that golden model, policy and control plane share.

The gateware and its driver have theirs from ``halfsilver.hdl.layout``; tests/test_contract.py holds both together.
"""

__all__ = [
    "ETHERNET",
    "FLOOR_IPV4",
    "FLOOR_IPV6",
    "HEADROOM_IPV4",
    "HEADROOM_IPV6",
    "LONGEST_FRAME",
    "OUTER_IPV4",
    "OUTER_IPV6",
    "SHORTEST_FRAME",
    "VXLAN_PORT",
]

ETHERNET = 14
"""Bytes of an Ethernet header without tags."""

SHORTEST_FRAME = 14
"""Bytes of an Ethernet header; anything shorter is malformed."""

LONGEST_FRAME = 9216
"""Longest frame that may be mirrored, bytes without FCS."""

FLOOR_IPV4, FLOOR_IPV6 = 35, 55
"""A copy is never cut below these (the guide's MTU and packet length section): headers and one byte."""

HEADROOM_IPV4, HEADROOM_IPV6 = 54, 74
"""Bytes of an MTU that the guide wants left for the outer headers of an inner IP packet."""

OUTER_IPV4, OUTER_IPV6 = 36, 56
"""Bytes of IP, UDP and VXLAN header in front of a copy (RFC 7348 section 5)."""

VXLAN_PORT = 4789
"""UDP destination port (RFC 7348 section 5)."""
