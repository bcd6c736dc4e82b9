"""The counters: their groups, how a counter is addressed, and how wide it is."""

from enum import IntEnum

from halfsilver.hdl.layout.packed import Member, Packed
from halfsilver.hdl.layout.tables import SESSION_BITS

__all__ = ["COUNTED", "COUNTER_BITS", "VERDICT_BITS", "CounterGroupCode", "PortCode", "counter_index"]

COUNTER_BITS = 64
"""At 12,500,000,000 bytes per second (100 Gb/s) 64 bits wrap after 46 years."""

VERDICT_BITS = 4
"""Bits of a verdict in an index: there are 13."""


class CounterGroupCode(IntEnum):
    """Numbers of the groups in the register COUNTER_ADDRESS."""

    VERDICT = 0
    SESSION = 1
    RULE = 2
    PORT = 3


class PortCode(IntEnum):
    """Where frames are counted as they pass, whatever becomes of them."""

    NETWORK_IN = 0
    NETWORK_OUT = 1
    HOST_IN = 2
    HOST_OUT = 3
    COPIES_OUT = 4


COUNTED = {
    CounterGroupCode.VERDICT: "every frame, by verdict and direction",
    CounterGroupCode.SESSION: "copies due, by session and direction: sent (`mirrored`) or skipped (`congested`)",
    CounterGroupCode.RULE: "every frame whose verdict names a rule, by rule and direction",
    CounterGroupCode.PORT: "every frame that has passed a port, by its mark: production, and the copies",
}
"""What a group counts. Bytes are the copied bytes of a mirrored frame, those that would have been copied of a
congested one, and the whole length of any other; at a port the whole length, of a copy with its outer headers."""


def counter_index(group: CounterGroupCode, eni_bits: int, rule_bits: int) -> Packed:
    """Index of a counter in its group, for a build with so many ENI and rule bits (`NicShape`)."""
    verdict = Member("verdict", VERDICT_BITS, "verdict code")
    direction = Member("direction", 1, "0 ingress, 1 egress")
    eni = Member("eni", eni_bits, "place of the ENI")
    session = Member("session", SESSION_BITS, "place of the session in ascending session number")
    skipped = Member("skipped", 1, "0 sent, 1 skipped")
    rule = Member("rule", rule_bits, "place of the rule in ascending rule number")
    bad = Member("bad", 1, "1: marked bad")
    port = Member("port", 3, "where", PortCode)
    members = {
        CounterGroupCode.VERDICT: [verdict, direction],
        CounterGroupCode.SESSION: [session, eni, direction, skipped],
        CounterGroupCode.RULE: [rule, session, eni, direction],
        CounterGroupCode.PORT: [bad, port],
    }
    return Packed(f"{group.name.lower()} counter index", COUNTED[group], members[group])
