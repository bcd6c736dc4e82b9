"""Turns: where frames, or copies, of both directions wait, none of the two waits for the other for long."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Interface, Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump, hold_at
from halfsilver.sim.traffic.ethernet import ETHERTYPES
from halfsilver.sim.traffic.flow import IPV4
from halfsilver.sim.traffic.sweeps.octets import (
    STRANGER,
    accept_all,
    any_flow,
    ethernet,
    interfaces_of,
    outer_of,
    packet,
    session_of,
)
from halfsilver.sim.traffic.sweeps.room import RESERVED_PLACES

__all__ = ["check_turns"]

FRAMES = 200
"""Of one byte, of each direction, all at once."""

AHEAD = 20
"""Verdicts that one direction may have more than the other, as its frames came first, while both wait."""

COPIES = 12
"""Of each direction, where there are places for so many; all have their verdicts before the second can leave."""

ANNOUNCED = 7
"""Copies that one direction may have more than the other, as they were on their way before those of the other."""

LENGTHS = {Direction.INGRESS: 100, Direction.EGRESS: 300}
"""By which copies are told apart."""

BETWEEN = 200
"""Bytes of a copy: fewer are of ingress."""

HELD = 40_000
"""Clock cycles for which the outputs take nothing: all frames are in, at 8 bits too."""


def check_turns(parameters: NicParameters, seed: int, library: Path | None = None) -> None:
    """HalfsilverError if a direction goes ahead of the other, in verdicts or in copies."""
    rng = random.Random(f"turns {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        mac, rules = interfaces_of(rng, parameters)[0], accept_all(1)
        session = session_of(rng, 0, rules, rules, outer_of(rng, mac, IPV4))
        Driver(pump).load(Policy((Interface("eni-0", mac, None, (session,)),)))
        tiny = [Frame(rng.randbytes(1), way) for _ in range(FRAMES) for way in Direction]
        records = [VerdictRecord.from_bytes(wire) for wire in pump.run(tiny, Pacing(full_rate=True)).verdicts]
        _compare([record.direction for record in records], AHEAD, "verdicts")
        number = min(COPIES, parameters.copies - RESERVED_PLACES)
        for _ in range(2):
            frames = []
            for way, length in LENGTHS.items():
                ends = mac + STRANGER if way is Direction.INGRESS else STRANGER + mac
                data = ethernet(ends, packet(any_flow(rng, IPV4, 47), bytes(length)), ETHERTYPES[IPV4])
                frames += [Frame(data, way)] * number
            held = [hold_at(0, *Direction), hold_at(HELD)]
            copies = pump.run(frames, Pacing(full_rate=True, timeout=2 * HELD), schedule=held).copies
            if len(copies) != 2 * number:
                raise HalfsilverError(f"{len(copies)} copies, not {2 * number}, of an empty queue")
            short, long = Direction
            _compare([short if len(copy) < BETWEEN else long for copy in copies], ANNOUNCED, "copies")
    finally:
        pump.close()


def _compare(order: Sequence[Direction], ahead: int, what: str) -> None:
    """Until one direction is through, neither has had so many more than the other."""
    had = dict.fromkeys(Direction, 0)
    total = {way: order.count(way) for way in Direction}
    for way in order:
        had[way] += 1
        if any(had[each] == total[each] for each in Direction):
            return
        if max(had.values()) - min(had.values()) > ahead:
            raise HalfsilverError(f"{what} of {way}: {had}, and the others wait")
