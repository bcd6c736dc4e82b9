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
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.octets import ALL_OF_THE_HASH, KINDS, back_to_back, transparent, whole_frame

__all__ = ["check_resets"]

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
            nic.commit(rng, 1, _drawn(rng, rule_set[0], 1, 1), back_to_back())
        for cycle in cycles:
            try:
                counts = [rng.choice((0, 1, 1, 2, 3, 3, 5)) for _ in Direction]
                nic.reset_at(cycle, _drawn(rng, rule_set[0], *counts), back_to_back(rng.choice((0.0, 0.0, 0.5))))
                nic.revive(rule_set, _drawn(rng, rule_set[0], AFTER, AFTER), back_to_back())
            except HalfsilverError as error:
                raise HalfsilverError(f"reset at cycle {cycle}, seed {seed}: {error}") from None
    finally:
        nic.close()
    return nic


def _drawn(rng: random.Random, policy: Policy, ingress: int, egress: int) -> list[Frame]:
    """So many whole frames of each direction, of any kind."""
    frames = []
    for direction, count in zip(Direction, (ingress, egress), strict=True):
        for _ in range(count):
            mac = rng.choice(policy.interfaces).mac
            frames.append(Frame(whole_frame(rng, rng.choice(KINDS), mac, direction, rng.randrange(40)), direction))
    return frames
