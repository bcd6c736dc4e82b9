"""The quick claims of every block, each with its fault; and that the proofs themselves can fail."""

from __future__ import annotations

import pytest

from halfsilver.sim.formal.blocks.setups import SETUPS
from halfsilver.sim.formal.changed import Fault, changed
from halfsilver.sim.formal.circuit import parse
from halfsilver.sim.formal.claims import Setup
from halfsilver.sim.formal.ic3 import invariant, is_invariant
from halfsilver.sim.formal.run import answers
from halfsilver.sim.formal.unrolled import first_violation, holds_by_induction


@pytest.mark.parametrize("setup", [s for s in SETUPS if any(c.quick for c in s.claims)], ids=lambda s: s.block)
def test_claims_hold_and_their_faults_refute_them(setup: Setup) -> None:
    found = list(answers(setup, quick=True))
    assert found
    for answer in found:
        assert answer.violated is None, answer.claim.what
        assert answer.refuted is not None, f"the fault planted against it changes nothing: {answer.claim.what}"
        if answer.claim.induction:
            assert answer.method.startswith(("induction", "invariant")), f"{answer.claim.what}: {answer.method}"


def test_a_change_is_seen_by_modules_that_import_the_changed_one() -> None:
    with changed([Fault("stream.fifo", "LATENCY = 3", "LATENCY = 7")]) as parts:
        assert parts("egress").Egress.LATENCY == 7
    with changed([]) as parts:
        assert parts("egress").Egress.LATENCY == 3


def test_a_change_without_its_place_is_refused() -> None:
    with changed([Fault("banks", "no such text", "")]) as parts, pytest.raises(ValueError, match="0 times, not once"):
        parts("banks")


# Latches a, b, from 1 and 0: a' = a, b' = not b. a is never 0; b is 1 in every second clock.
TOGGLE = parse("aag 2 0 2 2 0\n2 2 1\n4 5 0\n3\n4\no0 a_is_0\no1 b_is_1\n")


def test_a_state_that_is_reached_is_found_and_not_proven_away() -> None:
    bad = TOGGLE.outputs["b_is_1"]
    assert first_violation(TOGGLE, bad, 1, 1) is None
    assert first_violation(TOGGLE, bad, 1, 2) == 1
    assert invariant(TOGGLE, bad, 1, 5) is None
    assert not is_invariant(TOGGLE, bad, 1, [(2,)])


def test_a_state_that_is_never_reached_is_proven() -> None:
    bad = TOGGLE.outputs["a_is_0"]
    assert holds_by_induction(TOGGLE, bad, 1, 2) == 1
    cubes = invariant(TOGGLE, bad, 1, 5)
    assert cubes is not None and is_invariant(TOGGLE, bad, 1, cubes)
    assert not is_invariant(TOGGLE, bad, 1, [])
