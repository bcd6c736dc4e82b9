"""All counters of a card, read one snapshot after the other."""

from __future__ import annotations

from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.records import Counters, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["read_counters"]

_ADDRESS = REGISTERS.address("COUNTER_ADDRESS")
_VALUES = [REGISTERS.address(f"COUNTER_{part}") for part in ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")]


def read_counters(transport: Transport, shape: NicShape) -> Counters:
    """Those that are not zero."""
    counters = Counters()

    def read(group: CounterGroupCode, **place: int) -> Tally | None:
        index = counter_index(group, shape.eni_bits, shape.rule_bits).pack(**place)
        transport.write([(_ADDRESS, REGISTERS.pack("COUNTER_ADDRESS", group=group, index=index))])
        frames_low, frames_high, bytes_low, bytes_high = transport.read(_VALUES)
        tally = Tally(frames_low | frames_high << 32, bytes_low | bytes_high << 32)
        return tally if tally.frames or tally.octets else None

    for direction in Direction:
        for verdict in Verdict:
            tally = read(CounterGroupCode.VERDICT, verdict=verdict, direction=direction)
            if tally is not None:
                counters.verdicts[direction, verdict] = tally
    for eni in range(shape.enis):
        for session in range(shape.sessions):
            tally = read(CounterGroupCode.SESSION, session=session, eni=eni)
            if tally is not None:
                counters.sessions[eni, session] = tally
            for direction in Direction:
                for rule in range(shape.rules):
                    tally = read(CounterGroupCode.RULE, rule=rule, session=session, eni=eni, direction=direction)
                    if tally is not None:
                        counters.rules[direction, eni, session, rule] = tally
    return counters
