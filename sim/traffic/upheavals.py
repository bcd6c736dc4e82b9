"""One upheaval after another under random traffic: rule sets staged, committed, spoilt, and resets."""

from __future__ import annotations

import random
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.frames import Scene, draw_frame
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.policies import draw_flags, draw_macs, draw_places, draw_policy
from halfsilver.sim.traffic.situations import OVERLOAD_STALLS, STALLS, paced

__all__ = ["run_upheavals"]

FRAMES = 40
LONGEST = 300
COMMITS = 6
GARBAGE = 30


def run_upheavals(parameters: NicParameters, seed: int, count: int, library: Path | None = None) -> LiveNic:
    """``count`` upheavals on one NIC, which is returned closed, for what it has seen; ``library`` as in `LiveNic`.

    A HalfsilverError names the upheaval and what was wrong; the same seed repeats it.
    """
    nic = LiveNic(parameters, seed=seed, library=library)
    try:
        for number in range(count):
            try:
                _upheaval(random.Random(f"{seed} {number}"), nic, parameters)
            except HalfsilverError as error:
                raise HalfsilverError(f"upheaval {number} of seed {seed}: {error}") from None
    finally:
        nic.close()
    return nic


def _upheaval(rng: random.Random, nic: LiveNic, parameters: NicParameters) -> None:
    """Two rule sets for the same interfaces; once each is in a bank, what may come next comes in any order."""
    places, macs = draw_places(rng), draw_macs(rng, parameters)
    rule_sets = [
        (draw_policy(rng, parameters, places, wide=happens(rng, 2), macs=macs), draw_flags(rng)) for _ in range(2)
    ]
    scene = Scene(rule_sets[0][0], parameters, places, services=1, longest=LONGEST)

    def frames(count: int = FRAMES) -> list[Frame]:
        return [draw_frame(rng, scene) for _ in range(count)]

    for rule_set in rule_sets:
        nic.stage(rng, rule_set, frames(), _pace(rng, parameters))
        nic.commit(rng, 1, frames(), _pace(rng, parameters))
    for _ in range(rng.randrange(4)):
        nic.commit(rng, rng.randint(1, COMMITS), frames(2 * FRAMES), _pace(rng, parameters))
    if happens(rng, 2):
        nic.spoil(rng, rng.randint(1, GARBAGE), frames(2 * FRAMES), _pace(rng, parameters))
    nic.process(frames(), paced(rng, parameters))
    if happens(rng, 2):
        nic.reset(rng, frames(2 * FRAMES), _pace(rng, parameters))
        nic.process(frames(FRAMES // 2), paced(rng, parameters))


def _pace(rng: random.Random, parameters: NicParameters) -> Pacing:
    """Paced, or back to back into an output of any speed."""
    if happens(rng, 2):
        return paced(rng, parameters)
    return Pacing(full_rate=True, input_stalls=rng.choice(STALLS), output_stalls=rng.choice((0.0, *OVERLOAD_STALLS)))
