"""Rule sets in banks that held something else: all ones, all zeros, anything; and frames that must not notice."""

from __future__ import annotations

import random
from pathlib import Path

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.decisions import rules
from halfsilver.sim.traffic.sweeps.octets import ALL_OF_THE_HASH, back_to_back, some_frames, transparent

__all__ = ["check_leftovers"]

FRAMES = 60
"""Of those of a rule set, before and after it is put in force."""

RUBBISH = ((1 << WORD_BITS) - 1, None, 0)
"""The words that are written to a bank before its rule set; None: any."""


def check_leftovers(parameters: NicParameters, seed: int, rounds: int, library: Path | None = None) -> None:
    """HalfsilverError if a word that was written over, or that is still to be put in force, decides anything."""
    rng = random.Random(f"leftovers {seed}")
    nic = LiveNic(parameters, seed=seed, library=library)
    try:
        everything = transparent(rng, parameters), ALL_OF_THE_HASH
        nic.stage(rng, everything, [], back_to_back())
        nic.commit(rng, 1, [], back_to_back())
        frames = some_frames(rng, everything[0], FRAMES // 2, FRAMES // 2)
        narrow = list(rules(rng, parameters, False))
        for number in range(rounds):
            policy, flags, cases, _ = narrow[number % len(narrow)]
            chosen = rng.choices(cases, k=FRAMES)
            nic.litter(rng, RUBBISH[number % len(RUBBISH)], everything, frames, back_to_back())
            nic.stage(rng, (policy, flags), [], back_to_back())
            nic.commit(rng, 1, chosen, back_to_back())
            frames = rng.choices(cases, k=FRAMES)
        nic.process(frames, back_to_back())
    finally:
        nic.close()
