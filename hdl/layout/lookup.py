"""Geometry of the rule lookup: which bits of the key address which word of which memory.

Data only: the classifier is built from it and the host fills the tables from it.

A context (one direction of one ENI) holds up to ``sessions * rules`` rules, bit ``session * rules + rule`` of
every word; above them, in a build with ``security_groups``, are the rules of its guard. The key is cut into chunks
of ``chunk_bits``; the value of a chunk addresses a word that says for every rule whether it accepts this value here. A
rule matches if all its bits are set. The host writes a word in ``parts`` of 32 bits, one after the other.

- Ternary part (addresses, protocol, class): value and mask per rule; chunks in ascending order from bit 0.
- Range part (two ports, each with a low and a high bound): digits of ``chunk_bits``, most significant first. Per
  digit two words: ``decided`` (the digit alone puts the port inside the bound) and ``equal`` (it equals the
  bound's digit, so the next digit decides).

In a build of two matchers (`NicShape.matchers`) each has lanes of its own, for the contexts of its direction.

With ``lookup_clocks`` = N, a lane serves N chunks one after the other: chunk = slot * lanes + lane.
"""

from dataclasses import dataclass
from typing import NamedTuple

from halfsilver.hdl.layout.packed import Member, Packed
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.register_map import WORD_BITS

__all__ = ["BOUNDS", "KEY_CLASS", "PORT_BITS", "TERNARY_KEY", "Bound", "LookupLayout", "Place"]

PORT_BITS = 16

KEY_CLASS = Packed(
    "key class",
    "What kind of packet it is. A rule asks for its family, and for what its other fields need.",
    [
        Member("ipv6", 1, "IPv6, else IPv4"),
        Member("has_ports", 1, "TCP or UDP with its ports present"),
        Member("has_protocol", 1, "the IP protocol is known"),
    ],
)

TERNARY_KEY = Packed(
    "ternary key",
    "What a rule matches by value and mask. Addresses have their first byte on the wire lowest; IPv4 fills 32 bits.",
    [
        Member("source", 128, "source address"),
        Member("destination", 128, "destination address"),
        Member("protocol", 8, "IP protocol"),
        Member("klass", KEY_CLASS.width, "the class, below"),
    ],
)


class Bound(NamedTuple):
    """A bound of a port range: of which port, and whether it is the low one (at least) or the high one (at most)."""

    port: str
    low: bool

    @property
    def name(self) -> str:
        return f"{self.port.removesuffix('_port')}_{'low' if self.low else 'high'}"


BOUNDS = (
    Bound("source_port", True),
    Bound("source_port", False),
    Bound("destination_port", True),
    Bound("destination_port", False),
)


class Place(NamedTuple):
    """Where a chunk is looked up: in which turn, and which of the lanes that share the work."""

    slot: int
    lane: int


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


@dataclass(frozen=True)
class LookupLayout:
    """Geometry for a build. All counts are derived from ``NicShape``."""

    chunk_bits: int
    clocks: int
    matchers: int
    eni_bits: int
    rules: int
    session_rules: int
    guard_rules: int

    @classmethod
    def of(cls, shape: NicShape) -> "LookupLayout":
        """Geometry of a build's classifier."""
        return cls(
            shape.chunk_bits,
            shape.lookup_clocks,
            shape.matchers,
            shape.eni_bits,
            shape.rules,
            shape.rule_slots,
            shape.security_groups,
        )

    @property
    def rule_slots(self) -> int:
        """Bits of a word: the rules of all sessions, then those of the guard."""
        return self.session_rules + self.guard_rules

    @property
    def context(self) -> Packed:
        """Number of a context in its matcher."""
        directions = 2 // self.matchers
        return Packed(
            "context",
            "One direction of one ENI.",
            [
                Member("eni", self.eni_bits, "place of the ENI"),
                Member("direction", directions - 1, "0 ingress, 1 egress"),
            ],
        )

    def matcher_of(self, direction: int) -> int:
        """The matcher that judges a direction."""
        return direction if self.matchers > 1 else 0

    def context_of(self, direction: int, eni: int) -> int:
        """Number of a context in the matcher of its direction."""
        return self.context.pack(eni=eni, direction=direction if self.matchers == 1 else 0)

    @property
    def contexts(self) -> int:
        """Contexts of a matcher."""
        return 1 << self.context.width

    @property
    def parts(self) -> int:
        """Parts of a word, a power of two: 1 up to 32 rules in a context, 2 up to 64, 4 up to 128, 8 beyond."""
        return 1 << (_ceil_div(self.rule_slots, WORD_BITS) - 1).bit_length()

    def part_bits(self, part: int) -> int:
        """Rule bits in a part, 0 in one that only rounds up the number of parts."""
        return max(0, min(WORD_BITS, self.rule_slots - part * WORD_BITS))

    def split(self, word: int) -> list[int]:
        """A word as the host writes it."""
        return [word >> part * WORD_BITS & (1 << WORD_BITS) - 1 for part in range(self.parts)]

    def rule_bit(self, session: int, rule: int) -> int:
        """Bit of a rule in every word of its context."""
        return session * self.rules + rule

    def guard_bit(self, rule: int) -> int:
        """Bit of a rule of the ENI's guard, ingress only: first the network ACL's entries, then the groups' rules."""
        return self.session_rules + rule

    @property
    def ternary_chunks(self) -> int:
        return _ceil_div(TERNARY_KEY.width, self.chunk_bits)

    @property
    def ternary_lanes(self) -> int:
        return _ceil_div(self.ternary_chunks, self.clocks)

    def ternary_place(self, chunk: int) -> Place:
        """Where a chunk of the ternary key is looked up; ``lane`` counts from lane 0."""
        return Place(*divmod(chunk, self.ternary_lanes))

    @property
    def digits(self) -> int:
        """Digits of a port number."""
        return _ceil_div(PORT_BITS, self.chunk_bits)

    def digit_shift(self, digit: int) -> int:
        """Lowest bit of a digit in the port number; digit 0 is the most significant."""
        return (self.digits - 1 - digit) * self.chunk_bits

    @property
    def bound_lanes(self) -> int:
        """Lanes for the ``decided`` words of one bound, and as many for its ``equal`` words."""
        return _ceil_div(self.digits, self.clocks)

    def digit_place(self, digit: int) -> Place:
        """Where a digit is looked up; ``lane`` is the position among the bound's lanes."""
        return Place(*divmod(digit, self.bound_lanes))

    @property
    def lanes(self) -> int:
        """Lanes of a matcher."""
        return self.ternary_lanes + 2 * len(BOUNDS) * self.bound_lanes

    @property
    def bank_words(self) -> int:
        """Words of one lane in one bank."""
        return self.contexts * self.clocks << self.chunk_bits

    def decided_lane(self, bound: int, position: int) -> int:
        """Lane of the ``decided`` words of digit lane ``position`` of a bound (index into BOUNDS)."""
        return self.ternary_lanes + 2 * (bound * self.bound_lanes + position)

    def equal_lane(self, bound: int, position: int) -> int:
        """Lane of the ``equal`` words, beside the ``decided`` ones."""
        return self.decided_lane(bound, position) + 1

    def first_lane(self, matcher: int) -> int:
        """Number of a matcher's first lane among those of all; behind its last come its actions, which count as one."""
        return matcher * (self.lanes + 1)

    def word_index(self, matcher: int, lane: int, context: int, slot: int, value: int) -> int:
        """Index of a word's first part in the lookup table (the register map's table 0)."""
        place = (((context * self.clocks) + slot) << self.chunk_bits) + value
        return ((self.first_lane(matcher) + lane) * self.bank_words + place) * self.parts

    def action_index(self, matcher: int, context: int) -> int:
        """Index of the first part of the word that says which rules of a context accept."""
        return ((self.first_lane(matcher) + self.lanes) * self.bank_words + context) * self.parts
