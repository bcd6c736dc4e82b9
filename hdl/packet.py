"""The packet stream: one beat layout and one helper that builds ports of any width.

Bytes travel in wire order, the first byte of a beat in the lowest bits. A frame is a run of beats up to and
including the one with ``last``; every beat but the last is full. Streams follow the Amaranth rules: ``valid``
holds until ``ready``, the payload is stable meanwhile.
"""

from amaranth.lib import data, stream

__all__ = ["MAX_FRAME", "MIN_FRAME", "beat_layout", "check_width", "packet_signature"]

MIN_FRAME = 14
"""Bytes of an Ethernet header; anything shorter is malformed."""

MAX_FRAME = 9216
"""Longest frame that may be mirrored, in bytes without FCS."""


def check_width(width):
    """Refuse a data width the pipeline cannot have: 8, 16, 32, 64, ... 1024 bits."""
    if not isinstance(width, int) or width < 8 or width > 1024 or width & (width - 1):
        raise ValueError(f"data width must be a power of two from 8 to 1024 bits, not {width!r}")
    return width


def beat_layout(width):
    """One beat of ``width`` bits.

    data    ``width`` bits, first byte of the frame in the lowest bits of the first beat
    count   valid bytes in this beat, 1 to ``width // 8``; only the last beat may hold fewer than all
    last    this beat ends the frame
    bad     valid with ``last``: the MAC flagged the frame
    drop    valid with ``last``: a security group or network ACL dropped the frame
    """
    check_width(width)
    return data.StructLayout({"data": width, "count": range(width // 8 + 1), "last": 1, "bad": 1, "drop": 1})


def packet_signature(width):
    """Stream signature of a packet port of ``width`` bits."""
    return stream.Signature(beat_layout(width))
