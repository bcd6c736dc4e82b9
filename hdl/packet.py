"""The packet stream: one beat layout and one helper that builds ports of any width.

Bytes travel in wire order, the first byte of a beat in the lowest bits. A frame is a run of beats up to and
including the one with ``last``; every beat but the last is full. Streams follow the Amaranth rules: ``valid``
holds until ``ready``, the payload is stable meanwhile.
"""

from amaranth.lib import data, stream

from halfsilver.hdl.layout.frames import check_width

__all__ = ["beat_layout", "packet_signature"]


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
