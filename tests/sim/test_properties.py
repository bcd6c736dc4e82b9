"""Properties: for any policy and any frames, gateware and golden model give the same; a fault shrinks to a small frame.

``EXAMPLES`` plain ones on each of two cores, and hostile ones besides. Runs are repeatable: hypothesis derives the
examples from the test, not from the clock.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from halfsilver.harness.policy.policy import Policy
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic import Pair
from halfsilver.sim.traffic.reduce import smallest
from tests.sim.strategies import hostile_situations, situations

SMALL_CORE = NicParameters(width=8, enis=1, lookup_clocks=8)
LARGE_CORE = NicParameters(width=64, enis=4)
EXAMPLES = {SMALL_CORE: 300, LARGE_CORE: 200}
"""The image of the large core's tables takes five times as long to write."""

HOSTILE_SHARE = 16
"""Hostile situations take longer to draw, and ``test_traffic`` has many more of them."""

FAULT_EXAMPLES = 1000
"""Within which a planted fault must be found."""

SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Counted:
    """A pair of engines, and what it has seen."""

    def __init__(self, parameters):
        self.pair = Pair(parameters)
        self.examples = self.frames = self.mirrored = self.decided = 0

    def differences(self, situation, told=None):
        """Differences in words; ``told`` is the policy that the golden model gets instead."""
        found = self.pair.differences(situation, told)
        self.examples += 1
        if not found or told is not None:
            first, _ = self.pair.results
            self.frames += len(first.verdicts)
            self.mirrored += len(first.outputs)
            self.decided += sum(record.rule is not None for record in first.verdicts)
        return found


def counterexample(pair, drawn, examples, altered=None):
    """The smallest of the drawn situations in which the two differ, None if there is none.

    ``altered`` plants a fault: the golden model gets the rules it returns. Hypothesis gives up shrinking when
    nothing helps for a while, with frames and rules left that have no part in it: those are dropped afterwards.
    """

    def differs(situation):
        return bool(pair.differences(situation, altered and with_rules(situation.policy, altered)))

    if altered is None:
        failing = []

        @settings(SETTINGS, max_examples=examples)
        @given(drawn)
        def agree(situation):
            if differs(situation):
                failing.append(situation)
                raise AssertionError

        try:
            agree()
        except AssertionError:
            return smallest(failing[-1], differs)
        return None
    try:
        found = find(drawn, differs, settings=settings(SETTINGS, max_examples=examples), random=random.Random(1))
    except NoSuchExample:
        return None
    return smallest(found, differs)


def with_rules(policy, change):
    """The policy with every rule changed."""
    return Policy(
        tuple(
            replace(
                interface,
                sessions=tuple(
                    replace(
                        session, ingress=tuple(map(change, session.ingress)), egress=tuple(map(change, session.egress))
                    )
                    for session in interface.sessions
                ),
            )
            for interface in policy.interfaces
        )
    )


@pytest.fixture(scope="module")
def pair_of():
    made = {}

    def make(parameters):
        if parameters not in made:
            made[parameters] = Counted(parameters)
        return made[parameters]

    yield make
    for pair in made.values():
        pair.pair.close()


@pytest.mark.parametrize(
    "parameters", [pytest.param(SMALL_CORE, id="small"), pytest.param(LARGE_CORE, id="large", marks=pytest.mark.long)]
)
@pytest.mark.parametrize("kind", ["pooled", "hostile"])
def test_any_policy_and_frames(pair_of, parameters, kind):
    pair = pair_of(parameters)
    before = pair.examples, pair.frames, pair.decided, pair.mirrored
    if kind == "pooled":
        drawn, wanted = situations(parameters.enis), EXAMPLES[parameters]
    else:
        drawn, wanted = hostile_situations(parameters), EXAMPLES[parameters] // HOSTILE_SHARE
    found = counterexample(pair, drawn, wanted)
    assert found is None, f"{found}\n" + "\n".join(pair.differences(found))
    after = pair.examples, pair.frames, pair.decided, pair.mirrored
    examples, frames, decided, mirrored = (now - then for now, then in zip(after, before, strict=True))
    assert examples >= wanted
    assert (
        decided > frames // (5 if kind == "pooled" else 10) and mirrored > frames // 10
    )  # the frames do meet the rules


def higher_port_bound(rule):
    """The last destination port one too high."""
    if rule.destination_ports is None or rule.destination_ports[1] == 0xFFFF:
        return rule
    return replace(rule, destination_ports=(rule.destination_ports[0], rule.destination_ports[1] + 1))


def shorter_prefix(rule):
    """The last bit of the source prefix not looked at."""
    return replace(rule, source=rule.source.supernet() if rule.source.prefixlen else rule.source)


def swapped_action(rule):
    return replace(rule, accept=not rule.accept)


SHORTEST = {higher_port_bound: 14 + 20 + 4, shorter_prefix: 14 + 20, swapped_action: 14 + 20}
"""Bytes of the shortest frame that shows a fault: Ethernet and IPv4, and ports where they matter."""


@pytest.mark.long
@pytest.mark.parametrize("fault", SHORTEST)
def test_a_fault_shrinks_to_a_small_frame(pair_of, fault):
    """The golden model is told an altered policy, as if the gateware compared one bit too much or too little."""
    pair = pair_of(SMALL_CORE)
    found = counterexample(pair, situations(SMALL_CORE.enis), FAULT_EXAMPLES, fault)
    assert found is not None
    (frame,) = found.frames
    assert SHORTEST[fault] <= len(frame.data) <= 64
    (session,) = found.policy.interfaces[0].sessions
    (rule,) = session.ingress + session.egress
    assert fault(rule) != rule
    first, *_ = pair.differences(found, with_rules(found.policy, fault))
    assert first.startswith("frame 1: ") and "golden" in first and "verilator" in first
    assert not pair.differences(found)
