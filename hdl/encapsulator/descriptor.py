"""What the mirror queues tell the encapsulator of each copy."""

from amaranth.lib import data

__all__ = ["CopyDescriptor"]


class CopyDescriptor(data.Struct):
    """What the encapsulator must know before the copy's first byte.

    slot          template index {bank, ENI, session}; only the low bits a build needs are looked at
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
