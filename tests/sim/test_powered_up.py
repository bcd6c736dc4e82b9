"""The model that the pump runs does, clock for clock, what the exported top does."""

import random

import pytest

from halfsilver.harness.engine import Flags
from halfsilver.harness.nic.image import build_image
from halfsilver.hdl.export import AxiNic
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.build import NIC_NAME, build, build_nic
from halfsilver.sim.mutation.traffic import draw_frames, draw_policy, edge_frames
from halfsilver.sim.pump import Pacing, Pump

COMMIT = (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))
ROUNDS = 3


def transcript(library, parameters, seed):
    """Everything that comes out, with its clock, in rounds of a new rule set and traffic with pauses."""
    chance = random.Random(seed)
    pump = Pump(library, seed=seed)
    rounds = []
    for number in range(ROUNDS):
        policy = draw_policy(chance)
        pump.write([*build_image(policy, Flags(), parameters), COMMIT])
        frames = [*draw_frames(chance, policy, 150), *edge_frames(chance)]
        pacing = Pacing(full_rate=number > 0, input_stalls=0.3 * number, output_stalls=0.2 * number)
        rounds.append((pump.run(frames, pacing), pump.read(range(0, 0x80, 4))))
    pump.close()
    return rounds


@pytest.mark.parametrize(
    "parameters",
    [NicParameters(width=64, enis=4), NicParameters(width=8, enis=4, lookup_clocks=4)],
    ids=lambda p: f"{p.width} bits",
)
def test_nothing_differs_in_any_clock(parameters):
    plain = transcript(build(AxiNic(parameters), NIC_NAME), parameters, 7)
    fast = transcript(build_nic(parameters), parameters, 7)
    assert fast == plain
    assert any(run.copies for run, _ in plain)
