"""Numbers of the law (``docs/mirroring.md``) that golden model, policy and control plane share.

The gateware and its driver have theirs from ``halfsilver.hdl.layout``; tests/test_contract.py holds both together.
"""

__all__ = ["FLOOR_IPV4", "FLOOR_IPV6", "LONGEST_FRAME", "SHORTEST_FRAME", "VXLAN_PORT"]

SHORTEST_FRAME = 14
"""Bytes of an Ethernet header; anything shorter is malformed."""

LONGEST_FRAME = 9216
"""Longest frame that may be mirrored, bytes without FCS."""

FLOOR_IPV4, FLOOR_IPV6 = 35, 55
"""A copy is never cut below these (the guide's MTU and packet length section): headers and one byte."""

VXLAN_PORT = 4789
"""UDP destination port (RFC 7348 section 5)."""
