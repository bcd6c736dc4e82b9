"""Properties: for any policy and any frames, gateware and golden model give the same; a fault shrinks to a small frame.

2,000 examples, half on each of the two cores that boards are meant to carry. Runs are repeatable: hypothesis
derives the examples from the test, not from the clock.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from harness.compare import compare
from harness.engines.golden import GoldenEngine
from harness.engines.verilator import VerilatorEngine
from harness.errors import HalfsilverError
from harness.policy import Policy
from harness.verdict import Verdict
from hdl.parameters import NicParameters
from tests.sim.strategies import situations

SMALL_CORE = NicParameters(width=8, enis=1, lookup_clocks=8)
LARGE_CORE = NicParameters(width=64, enis=4)
EXAMPLES = {SMALL_CORE: 1600, LARGE_CORE: 400}
"""The image of the large core's tables takes five times as long to write."""

OUTER_BYTES = 70
"""In front of a copy at most: Ethernet, IPv6, UDP, VXLAN."""

PROPERTY = settings(
    derandomize=True, database=None, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


class Pair:
    """Golden model and gateware in lockstep: counters and sequence numbers go on from example to example.

    After a difference both start afresh, so that every example is judged by itself and shrinking is sound.
    """

    def __init__(self, parameters):
        self._parameters = parameters
        self._engines = None
        self.frames = self.mirrored = self.decided = 0

    def differences(self, situation, told=None):
        """Differences in words; ``told`` is the policy that the golden model gets instead."""
        if self._engines is None:
            self._engines = GoldenEngine(), VerilatorEngine(self._parameters, seed=1)
        golden, gateware = self._engines
        golden.configure(told or situation.policy, situation.flags)
        first = golden.process(situation.frames)
        try:
            gateware.configure(situation.policy, situation.flags)
            second = gateware.process(situation.frames)
            found = [each.describe() for each in compare(first, second)]
        except HalfsilverError as error:
            found = [str(error)]
        if found:
            self.close()
        self.frames += len(first.verdicts)
        self.mirrored += len(first.outputs)
        self.decided += sum(record.rule is not None for record in first.verdicts)
        return found

    def close(self):
        if self._engines is not None:
            self._engines[1].close()
            self._engines = None


@pytest.fixture(scope="module")
def pairs():
    made = {parameters: Pair(parameters) for parameters in EXAMPLES}
    yield made
    for pair in made.values():
        pair.close()


@pytest.mark.parametrize("parameters", EXAMPLES, ids=["small", "large"])
def test_any_policy_and_frames(pairs, parameters):
    pair = pairs[parameters]
    seen = 0

    @settings(PROPERTY, max_examples=EXAMPLES[parameters])
    @given(situations(parameters.enis))
    def agree(situation):
        nonlocal seen
        seen += 1
        assert not pair.differences(situation)

    agree()
    assert seen >= EXAMPLES[parameters]
    assert pair.decided > pair.frames // 10        # the frames do meet the rules
    assert pair.mirrored > pair.frames // 20


def with_rules(policy, change):
    """The policy with every rule changed."""
    return Policy(tuple(
        replace(interface, sessions=tuple(
            replace(session, ingress=tuple(map(change, session.ingress)), egress=tuple(map(change, session.egress)))
            for session in interface.sessions))
        for interface in policy.interfaces))


def wider_port_range(rule):
    """The last destination port one too high."""
    if rule.destination_ports is None or rule.destination_ports[1] == 0xFFFF:
        return rule
    return replace(rule, destination_ports=(rule.destination_ports[0], rule.destination_ports[1] + 1))


def shorter_prefix(rule):
    """The last bit of the source prefix not looked at."""
    return replace(rule, source=rule.source.supernet() if rule.source.prefixlen else rule.source)


def swapped_actions(rule):
    return replace(rule, accept=not rule.accept)


@pytest.mark.parametrize("fault", [wider_port_range, shorter_prefix, swapped_actions])
def test_a_fault_shrinks_to_a_small_frame(pairs, fault):
    """The golden model is told an altered policy, as if the gateware compared one bit too much or too little."""
    pair = pairs[SMALL_CORE]
    smallest = find(
        situations(1), lambda situation: bool(pair.differences(situation, with_rules(situation.policy, fault))),
        settings=settings(PROPERTY, max_examples=1500, phases=[Phase.generate, Phase.shrink]),
        random=random.Random(1))
    assert len(smallest.frames) == 1
    assert len(smallest.frames[0].data) <= 64
    assert sum(len(session.ingress) + len(session.egress)
               for session in smallest.policy.interfaces[0].sessions) <= 2
    assert not pair.differences(smallest)


def test_a_difference_names_frame_and_field(pairs):
    pair = pairs[SMALL_CORE]
    smallest = find(
        situations(1), lambda each: bool(pair.differences(each, with_rules(each.policy, swapped_actions))),
        settings=settings(PROPERTY, max_examples=300, phases=[Phase.generate]), random=random.Random(2))
    (first, *_) = pair.differences(smallest, with_rules(smallest.policy, swapped_actions))
    assert first.startswith("frame ") and "golden" in first and "verilator" in first
    assert any(str(verdict) in first for verdict in (Verdict.MIRRORED, Verdict.REJECTED, Verdict.TARGET_DOWN))
