"""The policy tables that the host writes: their numbers, and the words of the session and the general table.

Every table has two banks; the host writes the shadow bank, a commit swaps them. The words of the lookup table are in
`halfsilver.hdl.layout.lookup`, those of the outer headers in `halfsilver.hdl.layout.outer`.
"""

from enum import IntEnum

from halfsilver.hdl.layout.frames import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.hdl.layout.packed import Member, Packed

__all__ = [
    "ENI_GUARD",
    "ENI_HIGH",
    "ENI_LOW",
    "ENI_RESOLVER",
    "GENERAL_FLAGS",
    "GENERAL_FLAGS_AT",
    "GENERAL_SOURCE_PORT_AT",
    "SESSION_BITS",
    "SESSION_WORD",
    "SLOTS",
    "SLOTS_PER_WORD",
    "SLOT_AT",
    "SOURCE_PORT",
    "SPREAD_AT",
    "SPREAD_WORD",
    "TABLE_BITS",
    "TABLE_PLACE",
    "Table",
    "eni_words_at",
    "session_index",
    "spread_index",
]

TABLE_BITS = 2
"""Bits of a table's number."""


class Table(IntEnum):
    """Numbers of the tables in the register TABLE_ADDRESS."""

    LOOKUP = 0
    SESSIONS = 1
    OUTER = 2
    GENERAL = 3


TABLE_PLACE = Packed(
    "place of a word",
    "Where a word was written, for TABLE_CRC; filled up with zeros to 32 bits.",
    [
        Member("index", 24, "word in the table"),
        Member("table", TABLE_BITS, "which table", Table),
        Member("bank", 1, "bank that was written: the one that is not active_bank"),
    ],
)

SESSION_BITS = 2
"""Bits of a session's place at its ENI, in every index: up to three sessions, so the fourth place stays empty."""

SESSION_WORD = Packed(
    "session word",
    "One session of one ENI. All zero: no session.",
    [
        Member(
            "limit_ipv4", 14, f"longest copy of an IPv4 frame, bytes: packet length (at least {FLOOR_IPV4}), MTU limit"
        ),
        Member(
            "limit_ipv6", 14, f"longest copy of an IPv6 frame, bytes: packet length (at least {FLOOR_IPV6}), MTU limit"
        ),
        Member("valid", 1, "there is a session"),
        Member("up", 1, "the target can be addressed"),
        Member("amazon_dns", 1, "the filter has the network service amazon-dns"),
        Member("outer_ipv6", 1, "the copy is carried over IPv6"),
    ],
)


def session_index(eni_bits: int) -> Packed:
    """Index of a session word; ``eni_bits`` is that of the build (`NicShape.eni_bits`)."""
    return Packed(
        "session index",
        "Which session of which ENI.",
        [
            Member("session", SESSION_BITS, "place of the session in ascending session number"),
            Member("eni", eni_bits, "place of the ENI"),
        ],
    )


SLOTS = 256
"""Into which the flows of a session are divided, where its copies are spread over several receivers."""
SLOT_AT = 8
"""The lowest bit of the flow hash that says which slot. A key that repeats after 16 bits has no others above them, and
those below them make the UDP source port."""
_RECEIVER_BITS = 4
SLOTS_PER_WORD = 32 // _RECEIVER_BITS

SPREAD_WORD = Packed(
    "spread word",
    "Which receiver has which slot of the session's flows, in a build with receivers.",
    [
        Member(f"slot_{place}", _RECEIVER_BITS, f"receiver that has slot 8*word + {place}")
        for place in range(SLOTS_PER_WORD)
    ],
)

SPREAD_AT = 4096
"""Index, in the session table, of the first spread word: a bit that no session word's has."""


def spread_index(eni_bits: int) -> Packed:
    """Index of a spread word from SPREAD_AT on; ``eni_bits`` is that of the build (`NicShape.eni_bits`)."""
    return Packed(
        "spread index",
        "Which spread word of which session of which ENI.",
        [
            Member("word", (SLOTS // SLOTS_PER_WORD - 1).bit_length(), "word of the session's spread words"),
            Member("session", SESSION_BITS, "place of the session in ascending session number"),
            Member("eni", eni_bits, "place of the ENI"),
        ],
    )


GENERAL_FLAGS_AT = 0
GENERAL_FLAGS = Packed(
    "flags",
    "Run-time flags.",
    [
        Member("tap", 1, "frames of no ENI belong to ENI 0"),
        Member("terminal_reject", 1, "a reject is final: later sessions are not tried"),
    ],
)

GENERAL_SOURCE_PORT_AT = 1
SOURCE_PORT = Packed(
    "source port",
    "The outer UDP source port is base | (flow hash & mask).",
    [Member("base", 16, "bits that are always set"), Member("mask", 16, "bits that the flow hash decides")],
)

_ENI_BASE = 16
_ENI_STRIDE = 4

ENI_LOW = Packed("ENI word 0", "First bytes of the MAC address.", [Member("mac", 32, "bytes 0 to 3, byte 0 lowest")])
ENI_HIGH = Packed(
    "ENI word 1",
    "The rest of it, and what is valid.",
    [
        Member("mac", 16, "bytes 4 and 5, byte 4 lowest"),
        Member("valid", 1, "there is an ENI"),
        Member("has_resolver", 1, "word 2 holds an address"),
    ],
)
ENI_RESOLVER = Packed(
    "ENI word 2",
    "The VPC resolver, for Amazon DNS.",
    [Member("address", 32, "IPv4 address, first byte on the wire lowest")],
)
ENI_GUARD = Packed(
    "ENI word 3",
    "What guards it, in a build with security_groups. All zero: nothing, and what is dropped goes on with its mark.",
    [
        Member("entries", 8, "how many of its guard's rules are entries of its network ACL: the first ones"),
        Member("acl", 1, "a frame that its network ACL does not allow is dropped"),
        Member("groups", 1, "a frame that none of the other rules matches, those of its security groups, is dropped"),
    ],
)


def eni_words_at(eni: int) -> int:
    """Index, in the general table, of an ENI's first word; the others follow."""
    return _ENI_BASE + _ENI_STRIDE * eni
