"""Resets at every early cycle of a frame, after odd numbers of frames, and frames in the first clocks after."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.ethernet import TAG_TYPES
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.octets import (
    ALL_OF_THE_HASH,
    STRANGER,
    back_to_back,
    ethernet,
    some_frames,
    transparent,
)

__all__ = ["COMMIT_CLOCKS", "check_resets"]

PLAIN = 3
"""At one of so many cycles there is another reset, right behind register writes."""

COMMIT_CLOCKS = 6
"""From when the host asks for a commit to when it is made, at most: in each of them there is a reset."""

_COMMIT = REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)

AFTER = 4
"""Frames of each direction in the first clocks after a reset."""


def check_resets(parameters: NicParameters, seed: int, cycles: Iterable[int], library: Path | None = None) -> LiveNic:
    """One reset after so many cycles of a batch, for each; HalfsilverError says which went wrong."""
    rng = random.Random(f"resets {seed}")
    nic = LiveNic(parameters, seed=seed, library=library)
    try:
        rule_set = transparent(rng, parameters), ALL_OF_THE_HASH
        for _ in range(2):
            nic.stage(rng, rule_set, [], back_to_back())
            nic.commit(rng, 1, some_frames(rng, rule_set[0], 1, 1), back_to_back())
        plain = [(cycle, False) for cycle in cycles]
        for cycle, written in plain + [(cycle, True) for cycle, _ in plain[::PLAIN]]:
            try:
                counts = [rng.choice((0, 1, 1, 2, 3, 3, 5)) for _ in Direction]
                frames = some_frames(rng, rule_set[0], *counts)
                writes = _writes(rng) if written else []
                nic.reset_at(cycle, frames, back_to_back(rng.choice((0.0, 0.0, 0.5))), writes)
                nic.revive(rule_set, _first(rng, rule_set[0]), back_to_back())
            except HalfsilverError as error:
                raise HalfsilverError(f"reset at cycle {cycle}, seed {seed}: {error}") from None
        for cycle in range(COMMIT_CLOCKS):
            nic.reset_at(cycle, [], back_to_back(), [_COMMIT])
            nic.revive(rule_set, _first(rng, rule_set[0]), back_to_back())
    finally:
        nic.close()
    return nic


def _first(rng: random.Random, policy: Policy) -> list[Frame]:
    """Frames in the first clocks; often the first of all ends in its tag, so that nothing says what is in it."""
    tags = []
    for direction in Direction:
        if happens(rng, 2):
            mac = rng.choice(policy.interfaces).mac
            ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
            tags.append(Frame(ethernet(ends, b"", rng.choice(TAG_TYPES)), direction))
    return tags + some_frames(rng, policy, AFTER, AFTER)


def _writes(rng: random.Random) -> list[tuple[int, int]]:
    """What the host may have just asked for: anything in the registers, words, a commit, a snapshot, verdicts."""
    anything = ("EXPECTED_CRC", "COUNTER_ADDRESS", "TABLE_ADDRESS")
    writes = [(REGISTERS.address(name), rng.getrandbits(32)) for name in rng.sample(anything, 2)]
    general = REGISTERS.pack("TABLE_ADDRESS", table=Table.GENERAL, index=rng.randrange(32))
    words = [(REGISTERS.address("TABLE_DATA"), rng.getrandbits(32)) for _ in range(3)]
    asked = (
        [_COMMIT],
        [(REGISTERS.address("TABLE_ADDRESS"), general), *words],
        [(REGISTERS.address("SNAPSHOT"), REGISTERS.pack("SNAPSHOT", take=1))],
        [(REGISTERS.address("RING_SELECT"), REGISTERS.pack("RING_SELECT", every=1))],
        [(REGISTERS.address("TABLE_CHECK"), rng.getrandbits(1))],
    )
    chosen = sorted(rng.sample(range(len(asked)), 2))
    return writes + [write for number in chosen for write in asked[number]]
