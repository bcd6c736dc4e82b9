"""All counters of a card, of one moment: a snapshot, read counter by counter."""

from __future__ import annotations

from dataclasses import fields

from halfsilver.harness.errors import TransferDamaged
from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.nic.waiting import wait_while
from halfsilver.harness.records import Counters, Port, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["difference", "read_counters"]

_SNAPSHOT = REGISTERS.address("SNAPSHOT")
_ADDRESS = REGISTERS.address("COUNTER_ADDRESS")
_VALUES = [REGISTERS.address(f"COUNTER_{part}") for part in ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")]


def read_counters(transport: Transport, shape: NicShape, *, twice: bool = False) -> Counters:
    """Those that are not zero, of all frames that had entered the card at one moment; its traffic may go on.

    ``twice``: each is asked for twice, as a line may change what it carries. TransferDamaged if the answers differ.
    HalfsilverError if the snapshot never becomes whole, as while a receiver holds its port.
    """
    _take_snapshot(transport)
    counters = Counters()
    indices = {group: counter_index(group, shape.eni_bits, shape.rule_bits) for group in CounterGroupCode}

    def read(group: CounterGroupCode, **place: int) -> Tally | None:
        index = indices[group].pack(**place)
        transport.write([(_ADDRESS, REGISTERS.pack("COUNTER_ADDRESS", group=group, index=index))])
        words = transport.read(_VALUES * 2 if twice else _VALUES)
        if twice and words[:4] != words[4:]:
            raise TransferDamaged("a counter of the card was read twice, and was not the same")
        frames_low, frames_high, bytes_low, bytes_high = words[:4]
        tally = Tally(frames_low | frames_high << 32, bytes_low | bytes_high << 32)
        return tally if tally.frames or tally.octets else None

    for port in Port:
        for bad in (False, True):
            tally = read(CounterGroupCode.PORT, port=port, bad=bad)
            if tally is not None:
                counters.ports[port, bad] = tally
    for direction in Direction:
        for verdict in Verdict:
            tally = read(CounterGroupCode.VERDICT, verdict=verdict, direction=direction)
            if tally is not None:
                counters.verdicts[direction, verdict] = tally
        for eni in range(shape.enis):
            for session in range(shape.sessions):
                for skipped, table in enumerate((counters.sessions, counters.skipped)):
                    tally = read(
                        CounterGroupCode.SESSION, session=session, eni=eni, direction=direction, skipped=skipped
                    )
                    if tally is not None:
                        table[direction, eni, session] = tally
                for rule in range(shape.rules):
                    tally = read(CounterGroupCode.RULE, rule=rule, session=session, eni=eni, direction=direction)
                    if tally is not None:
                        counters.rules[direction, eni, session, rule] = tally
    return counters


def _take_snapshot(transport: Transport) -> None:
    transport.write([(_SNAPSHOT, REGISTERS.pack("SNAPSHOT", take=1))])
    problem = (
        "the NIC's snapshot of its counters does not become whole: frames that were in it do not leave by their port"
    )
    wait_while(transport, "SNAPSHOT_STATUS", "busy", problem)


def difference(now: Counters, before: Counters, *, all_good: bool = False) -> Counters:
    """What was counted in between. ``all_good``: at the ports, frames that were marked bad count like the others."""
    found = Counters()
    for field in fields(Counters):
        table = getattr(found, field.name)
        for counters, sign in ((now, 1), (before, -1)):
            for key, tally in getattr(counters, field.name).items():
                place = (key[0], False) if all_good and field.name == "ports" else key
                sum_of = table.setdefault(place, Tally())
                sum_of.frames += sign * tally.frames
                sum_of.octets += sign * tally.octets
        for key in [key for key, tally in table.items() if not tally.frames and not tally.octets]:
            del table[key]
    return found
