"""The counters: their groups, how a counter is addressed, and how wide it is."""

from enum import IntEnum

from halfsilver.hdl.layout.packed import Member, Packed
from halfsilver.hdl.layout.tables import SESSION_BITS

__all__ = ["COUNTED", "COUNTER_BITS", "CounterGroupCode", "counter_index"]

COUNTER_BITS = 64
"""At 12,500,000,000 bytes per second (100 Gb/s) 64 bits wrap after 46 years."""

VERDICT_BITS = 4
"""Bits of a verdict in an index: there are 13."""


class CounterGroupCode(IntEnum):
    """Numbers of the groups in the register COUNTER_ADDRESS."""

    VERDICT = 0
    SESSION = 1
    RULE = 2


COUNTED = {
    CounterGroupCode.VERDICT: "every frame, by verdict and direction",
    CounterGroupCode.SESSION: "mirrored frames, by session",
    CounterGroupCode.RULE: "every frame whose verdict names a rule, by rule and direction",
}
"""What a group counts. Bytes are the copied bytes of a mirrored frame, those that would have been copied of a
congested one, and the whole length of any other."""


def counter_index(group: CounterGroupCode, eni_bits: int, rule_bits: int) -> Packed:
    """Index of a counter in its group, for a build with so many ENI and rule bits (`NicShape`)."""
    verdict = Member("verdict", VERDICT_BITS, "verdict code")
    direction = Member("direction", 1, "0 ingress, 1 egress")
    eni = Member("eni", eni_bits, "place of the ENI")
    session = Member("session", SESSION_BITS, "place of the session in ascending session number")
    rule = Member("rule", rule_bits, "place of the rule in ascending rule number")
    members = {
        CounterGroupCode.VERDICT: [verdict, direction],
        CounterGroupCode.SESSION: [session, eni],
        CounterGroupCode.RULE: [rule, session, eni, direction],
    }
    return Packed(f"{group.name.lower()} counter index", COUNTED[group], members[group])
