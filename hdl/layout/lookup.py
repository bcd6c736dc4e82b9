"""Geometry of the rule lookup: which bits of the key address which word of which memory.

Data only: the classifier is built from it and the host fills the tables from it.

A context (one direction of one ENI) holds up to ``sessions * rules`` rules, bit ``session * rules + rule`` of
every word. The key is cut into chunks of ``chunk_bits``; the value of a chunk addresses a word that says for
every rule whether it accepts this value here. A rule matches if all its bits are set.

- Ternary part (addresses, protocol, class): value and mask per rule; chunks in ascending order from bit 0.
- Range part (two ports, each with a low and a high bound): digits of ``chunk_bits``, most significant first. Per
  digit two words: ``decided`` (the digit alone puts the port inside the bound) and ``equal`` (it equals the
  bound's digit, so the next digit decides).

With ``lookup_clocks`` = N, a lane serves N chunks one after the other: chunk = slot * lanes + lane.
"""

from dataclasses import dataclass

__all__ = [
    "ADDRESS_BITS",
    "BOUNDS",
    "CLASS_BITS",
    "CLASS_HAS_PORTS",
    "CLASS_HAS_PROTOCOL",
    "CLASS_IPV6",
    "KEY_BITS",
    "PORT_BITS",
    "PROTOCOL_BITS",
    "LookupLayout",
]

ADDRESS_BITS = 128
PROTOCOL_BITS = 8
PORT_BITS = 16
CLASS_BITS = 3
KEY_BITS = 2 * ADDRESS_BITS + PROTOCOL_BITS + CLASS_BITS
"""Ternary key, from bit 0: source address, destination address (first byte on the wire lowest), protocol, class."""

CLASS_IPV6 = 1
CLASS_HAS_PORTS = 2
CLASS_HAS_PROTOCOL = 4

BOUNDS = ("source_low", "source_high", "destination_low", "destination_high")


def _ceil_div(value, divisor):
    return -(-value // divisor)


@dataclass(frozen=True)
class LookupLayout:
    """Geometry for a build. All counts are derived from ``NicParameters``."""

    chunk_bits: int
    clocks: int
    contexts: int
    rule_slots: int

    @classmethod
    def of(cls, parameters):
        """Geometry of a build's classifier."""
        return cls(parameters.chunk_bits, parameters.lookup_clocks, parameters.contexts, parameters.rule_slots)

    @property
    def ternary_chunks(self):
        return _ceil_div(KEY_BITS, self.chunk_bits)

    @property
    def ternary_lanes(self):
        return _ceil_div(self.ternary_chunks, self.clocks)

    @property
    def digits(self):
        """Digits of a port number."""
        return _ceil_div(PORT_BITS, self.chunk_bits)

    @property
    def bound_lanes(self):
        """Lanes for the ``decided`` words of one bound, and as many for its ``equal`` words."""
        return _ceil_div(self.digits, self.clocks)

    @property
    def lanes(self):
        return self.ternary_lanes + 2 * len(BOUNDS) * self.bound_lanes

    @property
    def bank_words(self):
        """Words of one lane in one bank."""
        return self.contexts * self.clocks << self.chunk_bits

    def decided_lane(self, bound, position):
        """Lane of the ``decided`` words of digit lane ``position`` of a bound (index into BOUNDS)."""
        return self.ternary_lanes + 2 * (bound * self.bound_lanes + position)

    def equal_lane(self, bound, position):
        """Lane of the ``equal`` words, beside the ``decided`` ones."""
        return self.decided_lane(bound, position) + 1

    def word_index(self, lane, context, slot, value):
        """Index of a word in the lookup table (the register map's table 0)."""
        return lane * self.bank_words + (((context * self.clocks) + slot) << self.chunk_bits) + value

    def action_index(self, context):
        """Index of the word that says which rules of a context accept."""
        return self.lanes * self.bank_words + context
