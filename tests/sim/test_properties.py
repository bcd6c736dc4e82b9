"""Properties: for any policy and any frames, gateware and golden model give the same; a fault shrinks to a small frame.

2,000 examples on the two cores that boards are meant to carry. Runs are repeatable: hypothesis derives the examples
from the test, not from the clock.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from halfsilver.harness.engine import Counters, Flags, Tally
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.compare import compare
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.engine import VerilatorEngine
from tests.sim.strategies import Situation, situations

SMALL_CORE = NicParameters(width=8, enis=1, lookup_clocks=8)
LARGE_CORE = NicParameters(width=64, enis=4)
EXAMPLES = {SMALL_CORE: 1600, LARGE_CORE: 400}
"""The image of the large core's tables takes five times as long to write."""

FAULT_EXAMPLES = 1000
"""Within which a planted fault must be found."""

SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Pair:
    """Golden model and gateware in lockstep; counters and sequence numbers go on from example to example."""

    def __init__(self, parameters):
        self._parameters = parameters
        self._engines = None
        self._counted = [Counters(), Counters()]
        self.examples = self.frames = self.mirrored = self.decided = 0

    def differences(self, situation, told=None):
        """Differences in words; ``told`` is the policy that the golden model gets instead.

        After a real difference both start afresh, so that the next example is judged by itself.
        """
        if self._engines is None:
            self._engines = GoldenEngine(), VerilatorEngine(self._parameters, seed=1)
            self._counted = [Counters(), Counters()]
        try:
            first = self._judge(0, told or situation.policy, situation)
            second = self._judge(1, situation.policy, situation)
            found = [each.describe() for each in compare(first, second)]
        except HalfsilverError as error:
            found = [str(error)]
        else:
            self.frames += len(first.verdicts)
            self.mirrored += len(first.outputs)
            self.decided += sum(record.rule is not None for record in first.verdicts)
        self.examples += 1
        if found and told is None:
            self.close()
        return found

    def _judge(self, which, policy, situation):
        """The result of a situation, with what it alone added to the counters."""
        engine, before = self._engines[which], self._counted[which]
        engine.configure(policy, situation.flags)
        result = engine.process(situation.frames)
        self._counted[which] = result.counters
        return replace(
            result,
            counters=Counters(
                *(
                    {
                        key: Tally(now.frames - then.frames, now.octets - then.octets)
                        for key, now in getattr(result.counters, name).items()
                        for then in [getattr(before, name).get(key, Tally())]
                    }
                    for name in ("verdicts", "sessions", "rules")
                )
            ),
        )

    def close(self):
        if self._engines is not None:
            self._engines[1].close()
            self._engines = None


def counterexample(pair, enis, examples, altered=None):
    """The smallest situation found in which the two differ, None if there is none.

    ``altered`` plants a fault: the golden model gets the rules it returns. Hypothesis gives up shrinking when
    nothing helps for a while, with frames and rules left that have no part in it: those are dropped afterwards.
    """

    def differs(situation):
        return bool(pair.differences(situation, altered and with_rules(situation.policy, altered)))

    if altered is None:
        failing = []

        @settings(SETTINGS, max_examples=examples)
        @given(situations(enis))
        def agree(situation):
            if differs(situation):
                failing.append(situation)
                raise AssertionError

        try:
            agree()
        except AssertionError:
            return drop_idle_parts(failing[-1], differs)
        return None
    try:
        found = find(
            situations(enis), differs, settings=settings(SETTINGS, max_examples=examples), random=random.Random(1)
        )
    except NoSuchExample:
        return None
    return drop_idle_parts(found, differs)


def drop_idle_parts(situation, differs):
    """Leave out frames, sessions, rules and trailing bytes one by one while the two still differ."""
    smaller = next((each for each in parts_less(situation) if differs(each)), None)
    return situation if smaller is None else drop_idle_parts(smaller, differs)


def parts_less(situation) -> Iterator[Situation]:
    """The situation with one thing left out."""
    frames, policy = situation.frames, situation.policy
    if len(frames) > 1:
        for index in range(len(frames)):
            yield replace(situation, frames=frames[:index] + frames[index + 1 :])
    for eni, interface in enumerate(policy.interfaces):

        def put(sessions, eni=eni, interface=interface):
            interfaces = list(policy.interfaces)
            interfaces[eni] = replace(interface, sessions=tuple(sessions))
            return replace(situation, policy=Policy(tuple(interfaces)))

        sessions = interface.sessions
        for index, session in enumerate(sessions):
            rest = [sessions[:index], sessions[index + 1 :]]
            yield put([*rest[0], *rest[1]])
            for name in ("ingress", "egress"):
                rules = getattr(session, name)
                for rule in range(len(rules)):
                    fewer = replace(session, **{name: rules[:rule] + rules[rule + 1 :]})
                    yield put([*rest[0], fewer, *rest[1]])
    if situation.flags != Flags():
        yield replace(situation, flags=Flags())
    for index, frame in enumerate(frames):
        for keep in (len(frame.data) // 2, len(frame.data) - 1):
            if keep:
                yield replace(
                    situation, frames=[*frames[:index], replace(frame, data=frame.data[:keep]), *frames[index + 1 :]]
                )


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
def pairs():
    made = {parameters: Pair(parameters) for parameters in EXAMPLES}
    yield made
    for pair in made.values():
        pair.close()


@pytest.mark.parametrize("parameters", EXAMPLES, ids=["small", "large"])
def test_any_policy_and_frames(pairs, parameters):
    pair = pairs[parameters]
    before = pair.examples, pair.frames, pair.decided, pair.mirrored
    found = counterexample(pair, parameters.enis, EXAMPLES[parameters])
    assert found is None, f"{found}\n" + "\n".join(pair.differences(found))
    after = pair.examples, pair.frames, pair.decided, pair.mirrored
    examples, frames, decided, mirrored = (now - then for now, then in zip(after, before, strict=True))
    assert examples >= EXAMPLES[parameters]
    assert decided > frames // 5 and mirrored > frames // 10  # the frames do meet the rules


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


@pytest.mark.parametrize("fault", SHORTEST)
def test_a_fault_shrinks_to_a_small_frame(pairs, fault):
    """The golden model is told an altered policy, as if the gateware compared one bit too much or too little."""
    pair = pairs[SMALL_CORE]
    found = counterexample(pair, SMALL_CORE.enis, FAULT_EXAMPLES, fault)
    assert found is not None
    (frame,) = found.frames
    assert SHORTEST[fault] <= len(frame.data) <= 64
    (session,) = found.policy.interfaces[0].sessions
    (rule,) = session.ingress + session.egress
    assert fault(rule) != rule
    first, *_ = pair.differences(found, with_rules(found.policy, fault))
    assert first.startswith("frame 1: ") and "golden" in first and "verilator" in first
    assert not pair.differences(found)
