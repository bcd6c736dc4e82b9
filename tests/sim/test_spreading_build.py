"""A build with ``receivers``: copies go where the golden model says, whatever the policy and through commits."""

from collections import Counter

import pytest

from halfsilver.harness.verdict import Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic import Pair, situations
from halfsilver.sim.traffic.upheavals import run_upheavals

SEED = 20261122
BUILDS = {
    "8 bits": NicParameters(width=8, enis=1, sessions=1, rules=2, lookup_clocks=8, receivers=3),
    "64 bits": NicParameters(width=64, enis=2, sessions=2, rules=2, receivers=16),
    "512 bits": NicParameters(width=512, enis=3, sessions=1, rules=2, receivers=5),
}


pytestmark = pytest.mark.long
"""Models that nothing else needs take half a minute each to compile; tests/hdl/test_receivers.py is quick."""


@pytest.fixture(params=BUILDS)
def build(request):
    return BUILDS[request.param]


def test_golden_model_and_gateware_agree(build):
    """Random policies with up to all receivers, paced and back to back: each copy, byte for byte."""
    pair, spread = Pair(build), Counter()
    try:
        for number, situation in enumerate(situations(SEED, 30, build)):
            found = pair.differences(situation)
            assert not found, f"situation {number} of seed {SEED}: {found[0]}"
            for each in pair.results[1].verdicts:
                if each.verdict is Verdict.MIRRORED:
                    spread[len(situation.policy.interfaces[each.eni].sessions[each.session].outers)] += 1
    finally:
        pair.close()
    assert spread[1] > 50 and sum(spread.values()) - spread[1] > 200, spread


def test_receivers_change_in_one_commit(build):
    """Rule sets with other receivers change places under traffic: a frame's copy goes where the generation says that
    its record names."""
    nic = run_upheavals(build, SEED, 4)
    assert nic.accepted > 10 and nic.seen[Verdict.MIRRORED] > 50
