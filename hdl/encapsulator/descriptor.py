"""What the mirror queues tell the encapsulator of each copy."""

from amaranth.lib import data

__all__ = ["CopyDescriptor", "spreading"]


class CopyDescriptor(data.Struct):
    """What the encapsulator must know before the copy's first byte.

    slot          template index {bank, receiver, ENI, session}; only the low bits a build needs are looked at
    length        copied bytes, at least 14
    source_port   UDP source port
    payload_sum   sum of the copied bytes as in ``halfsilver.hdl.checksum.PayloadSum``; looked at only when ``outer6``
    outer6        the outer packet is IPv6
    """

    slot: 8
    length: 14
    source_port: 16
    payload_sum: 16
    outer6: 1


def spreading(struct, receiver_bits):
    """``struct`` with a ``slot`` that has room for the number of a receiver; itself, where a build has one alone."""
    if receiver_bits == 0:
        return struct
    layout = struct.as_shape()
    members = {name: field.shape for name, field in layout}
    return data.StructLayout({**members, "slot": layout["slot"].width + receiver_bits})
