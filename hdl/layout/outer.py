"""The outer packet of a copy: its constants, and the template words that the host writes per session.

The card puts Ethernet, IPv4 or IPv6, UDP and VXLAN in front of a copy. What is constant per session comes from a
template; lengths, UDP source port and checksum are filled in by the card.
"""

from halfsilver.hdl.layout.packed import Member, Packed
from halfsilver.hdl.layout.tables import SESSION_BITS

__all__ = [
    "ETHERNET_BYTES",
    "HOP_LIMIT",
    "IPV4_BYTES",
    "IPV6_BYTES",
    "PREFIX_IPV4",
    "PREFIX_IPV6",
    "TEMPLATE_BODY",
    "TEMPLATE_SEED",
    "TEMPLATE_SEED_WORD",
    "TEMPLATE_WORDS",
    "UDP_VXLAN_BYTES",
    "VERSION_IHL",
    "VERSION_IPV6",
    "VNI_BITS",
    "VXLAN_FLAGS",
    "VXLAN_PORT",
    "WORD_BITS",
    "template_index",
]

VERSION_IHL = 0x45  # RFC 791: version 4, five words, no options
VERSION_IPV6 = 6 << 28  # RFC 8200: version 6, traffic class 0, flow label 0
HOP_LIMIT = 255  # also the IPv4 time to live
VXLAN_PORT = 4789  # RFC 7348 section 5
VXLAN_FLAGS = 0x08  # RFC 7348 section 5: the VNI is valid
VNI_BITS = 24  # RFC 7348 section 5

ETHERNET_BYTES = 14
IPV4_BYTES = 20
IPV6_BYTES = 40
UDP_VXLAN_BYTES = 8 + 8
PREFIX_IPV4 = ETHERNET_BYTES + IPV4_BYTES + UDP_VXLAN_BYTES
PREFIX_IPV6 = ETHERNET_BYTES + IPV6_BYTES + UDP_VXLAN_BYTES
"""Bytes in front of the copied frame."""

WORD_BITS = 32

TEMPLATE_BODY = Packed(
    "template",
    "MACs and addresses have their first byte on the wire lowest; an IPv4 address fills the lowest 32 of 128 bits.",
    [
        Member("destination_mac", 48, "Ethernet destination: the target's, or its next hop's"),
        Member("source_mac", 48, "Ethernet source: the mirrored ENI's"),
        Member("vni", 32, f"VXLAN network identifier, {VNI_BITS} bits"),
        Member("source", 128, "outer source address"),
        Member("destination", 128, "outer destination address"),
    ],
)

TEMPLATE_SEED = Packed(
    "checksum seed",
    "Ones' complement sum, not inverted, of the 16-bit words that are constant in the checksummed data: for IPv4 the "
    "header without total length and checksum; for IPv6 both addresses, next header 17, the UDP destination port and "
    "the VXLAN header.",
    [Member("seed", 16, "the sum")],
)

TEMPLATE_SEED_WORD = TEMPLATE_BODY.width // WORD_BITS
TEMPLATE_WORDS = 16
"""Address space of one template in 32-bit words: those of the body, then the seed."""

assert TEMPLATE_SEED_WORD < TEMPLATE_WORDS


def template_index(eni_bits: int, receiver_bits: int = 0) -> Packed:
    """Index of a template word; the bits are those of the build (`NicShape`)."""
    return Packed(
        "template index",
        "Which word of which session's template.",
        [
            Member("word", (TEMPLATE_WORDS - 1).bit_length(), "word of the template"),
            Member("session", SESSION_BITS, "place of the session in ascending session number"),
            Member("eni", eni_bits, "place of the ENI"),
            Member("receiver", receiver_bits, "which of the session's receivers"),
        ],
    )
