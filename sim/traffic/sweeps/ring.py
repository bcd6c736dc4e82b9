"""The verdict ring: what it keeps of what passes, by selection, and what it does when it is full."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.flow import IPV4, IPV6
from halfsilver.sim.traffic.sweeps.octets import STRANGER, any_flow, of_interface, packet, transparent

__all__ = ["check_ring"]

FRAMES = 40
EVERY = (1, 2, 3, 4, 7, 16)
FAR = (0x100, 0x101, 0x8000, 0xFFFF)
"""So many that only the first of each direction is kept."""

FAR_APART = (17, 40)
"""One in so many of which more than one is kept."""

BEYOND_POWERS = [(1 << bit) + 2 for bit in range(5, 16)]
"""Likewise; what is left to pass over goes through each power of two."""

Selection = tuple[int, tuple[int, int] | None]
"""One in how many, and perhaps of which session: ENI and place."""

PLACES_LEFT = 5
"""Verdicts that the ring still has room for when it is filled up a second time."""


def check_ring(
    parameters: NicParameters, seed: int, library: Path | None = None, far: Sequence[int] = FAR_APART
) -> None:
    """Each session, one in so many, and more than there is room for; HalfsilverError says what is wrong."""
    rng = random.Random(f"ring {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        driver = Driver(pump)
        policy = transparent(rng, parameters)
        driver.load(policy)
        places = [(eni, place) for eni in range(parameters.enis) for place in range(parameters.sessions)]
        selections: list[Selection] = [(every, None) for every in (*EVERY, 0, rng.choice(FAR), *BEYOND_POWERS)]
        selections += [(rng.choice((1, 1, 2, 3)), place) for place in places]
        rng.shuffle(selections)
        for every, session in selections:
            driver.select_verdicts(every, session)
            kept: list[VerdictRecord] = []
            seen: list[VerdictRecord] = []
            for _ in range(2):  # read in between, so that the ring goes round
                seen += _run(rng, pump, policy, parameters)
                kept += driver.read_verdicts(most=rng.choice((None, 3)))
            kept += driver.read_verdicts()
            _compare(kept, _selected(seen, every, session), f"one in {every} of {session or 'all'}")
        _overfill(rng, pump, driver, parameters.verdict_ring)
        for every in far:
            _far_apart(rng, pump, driver, every)
    finally:
        pump.close()


def _run(rng: random.Random, pump: Pump, policy: Policy, parameters: NicParameters) -> list[VerdictRecord]:
    """Frames of all interfaces, and of none; their verdicts."""
    frames = []
    for _ in range(FRAMES):
        direction, family = rng.choice(tuple(Direction)), rng.choice((IPV4, IPV6))
        data = of_interface(rng, policy, direction, packet(any_flow(rng, family), b"ring"), family)
        frames.append(Frame(STRANGER * 2 + data[12:] if happens(rng, 5) else data, direction))
    pacing = Pacing(limit_bytes=parameters.queue_depth // 2, limit_frames=parameters.copies // 2)
    return [VerdictRecord.from_bytes(wire) for wire in pump.run(frames, pacing).verdicts]


def _selected(seen: Sequence[VerdictRecord], every: int, session: tuple[int, int] | None) -> list[VerdictRecord]:
    """The first of each direction, and from there on one in ``every``."""
    selected = []
    for direction in Direction:
        its = [record for record in seen if record.direction is direction]
        if session is not None:
            its = [record for record in its if (record.eni, record.session) == session]
        selected += its[::every] if every else []
    return selected


def _compare(kept: Sequence[VerdictRecord], due: Sequence[VerdictRecord], what: str) -> None:
    """In the order of each direction; a record that is not as it was given is one that is not due."""
    if sorted(kept, key=lambda record: record.direction) != list(due):
        raise HalfsilverError(f"ring, {what}: {len(kept)} verdicts, not the {len(due)} that were selected")


def _overfill(rng: random.Random, pump: Pump, driver: Driver, depth: int) -> None:
    """Full from where the ring happens to stand, a few taken, full again; what finds no room is counted."""
    for every in (1, 3):
        driver.select_verdicts(every)
        beyond = rng.randrange(1, 40)
        due = _tiny(rng, pump, every, depth + beyond)
        _expect(pump, depth, beyond)
        kept = driver.read_verdicts(most=PLACES_LEFT)
        more = _tiny(rng, pump, every, PLACES_LEFT + beyond)
        _expect(pump, depth, 2 * beyond)
        kept += driver.read_verdicts()
        _compare(kept, due[:depth] + more[:PLACES_LEFT], "which was full")
        driver.select_verdicts(every)
        _expect(pump, 0, 0)


def _far_apart(rng: random.Random, pump: Pump, driver: Driver, every: int) -> None:
    """One in so many of two times as many frames of each direction, and some."""
    driver.select_verdicts(every)
    frames = [Frame(rng.randbytes(1 + number % 5), way) for number in range(2 * every + 5) for way in Direction]
    seen = [VerdictRecord.from_bytes(wire) for wire in pump.run(frames, Pacing(full_rate=True)).verdicts]
    _compare(driver.read_verdicts(), _selected(seen, every, None), f"one in {every}")


def _tiny(rng: random.Random, pump: Pump, every: int, count: int) -> list[VerdictRecord]:
    """So many verdicts that are selected, all of ingress, as the order of two directions is not known beforehand."""
    frames = [Frame(rng.randbytes(1 + number % 5), Direction.INGRESS) for number in range(every * count)]
    verdicts = pump.run(frames, Pacing(full_rate=True)).verdicts
    return [VerdictRecord.from_bytes(wire) for wire in verdicts[::every]]


def _expect(pump: Pump, held: int, lost: int) -> None:
    status, counted = pump.read([REGISTERS.address("RING_STATUS"), REGISTERS.address("RING_LOST")])
    found = REGISTERS.unpack("RING_STATUS", status)["held"], counted
    if found != (held, lost):
        raise HalfsilverError(f"the ring has {found[0]} verdicts and lost {found[1]}, not {held} and {lost}")
