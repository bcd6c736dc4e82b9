"""What a frame and a data path may be: lengths in bytes without FCS, widths in bits."""

__all__ = ["FLOOR_IPV4", "FLOOR_IPV6", "MAX_FRAME", "MIN_FRAME", "SHORTEST_ON_WIRE", "WIRE_OVERHEAD", "check_width"]

MIN_FRAME = 14
"""Bytes of an Ethernet header; anything shorter is malformed."""

SHORTEST_ON_WIRE = 60
"""Bytes of the shortest frame that Ethernet sends: 64 with its FCS (IEEE 802.3, clause 4.4.2)."""

WIRE_OVERHEAD = 24
"""Bytes of the wire's time around a frame: preamble and delimiter 8, FCS 4, gap 12 (IEEE 802.3, clauses 3.1, 4.4.2)."""

MAX_FRAME = 9216
"""Longest frame that may be mirrored."""

FLOOR_IPV4 = 35
FLOOR_IPV6 = 55
"""A copy is never cut below these (the guide's MTU and packet length section): headers and one byte."""


def check_width(width: int) -> int:
    """Refuse a data width the pipeline cannot have: 8, 16, 32, 64, ... 1024 bits."""
    if not isinstance(width, int) or width < 8 or width > 1024 or width & (width - 1):
        raise ValueError(f"data width must be a power of two from 8 to 1024 bits, not {width!r}")
    return width
