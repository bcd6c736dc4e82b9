"""The outer headers byte by byte: Ethernet, IPv4 or IPv6, UDP, VXLAN, from a template's template and what a copy adds.

Values are wires, the packet's first byte in their lowest bits. ``template`` is a session's template as
`halfsilver.hdl.layout.outer` has it.
"""

from amaranth.hdl import Cat, Const

from halfsilver.hdl.layout.assigned_numbers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_UDP
from halfsilver.hdl.layout.outer import (
    HOP_LIMIT,
    PREFIX_IPV4,
    PREFIX_IPV6,
    VERSION_IHL,
    VERSION_IPV6,
    VNI_BITS,
    VXLAN_FLAGS,
    VXLAN_PORT,
)

__all__ = ["ipv4_prefix", "ipv6_prefix"]


def ipv4_prefix(template, udp_length, total_length, source_port, checksum):
    """The 50 bytes over IPv4; ``checksum`` is the header's, that of UDP is 0."""
    prefix = Cat(
        _ethernet(template, ETHERTYPE_IPV4),
        Const(VERSION_IHL, 8),
        Const(0, 8),
        _network(total_length, 2),
        Const(0, 32),
        Const(HOP_LIMIT, 8),
        Const(PROTOCOL_UDP, 8),
        _network(checksum, 2),
        template.source[:32],
        template.destination[:32],
        _udp_vxlan(template, udp_length, source_port, Const(0, 16)),
    )
    assert len(prefix) == PREFIX_IPV4 * 8
    return prefix


def ipv6_prefix(template, udp_length, source_port, checksum):
    """The 70 bytes over IPv6; ``checksum`` is that of UDP."""
    prefix = Cat(
        _ethernet(template, ETHERTYPE_IPV6),
        _network(Const(VERSION_IPV6, 32), 4),
        _network(udp_length, 2),
        Const(PROTOCOL_UDP, 8),
        Const(HOP_LIMIT, 8),
        template.source,
        template.destination,
        _udp_vxlan(template, udp_length, source_port, checksum),
    )
    assert len(prefix) == PREFIX_IPV6 * 8
    return prefix


def _ethernet(template, ethertype):
    return Cat(template.destination_mac, template.source_mac, _network(Const(ethertype, 16), 2))


def _udp_vxlan(template, udp_length, source_port, checksum):
    return Cat(
        _network(source_port, 2),
        _network(Const(VXLAN_PORT, 16), 2),
        _network(udp_length, 2),
        _network(checksum, 2),
        Const(VXLAN_FLAGS, 32),
        _network(template.vni[:VNI_BITS], VNI_BITS // 8),
        Const(0, 8),
    )


def _network(number, octets):
    """A number as bytes in network order, the first byte lowest."""
    wide = Cat(number, Const(0, octets * 8 - len(number)))
    return Cat(wide.word_select(octet, 8) for octet in reversed(range(octets)))
