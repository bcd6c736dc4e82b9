"""The book: differences of counters by the ids of the policy that judged, never less than nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from halfsilver.harness.control.metrics.book import Book, minute_of
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Tally
from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord

ROOT = Path(__file__).parents[3]
IN = Direction.INGRESS


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.load(ROOT / "examples" / "mirror.json")


class Machine:
    """A book with a clock, and the counters of an engine."""

    def __init__(self, policy: Policy) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
        self.book = Book(lambda: self.now)
        self.book.opened()
        self.policy = policy
        self.session = policy.interfaces[0].sessions[0]
        self.key = (policy.interfaces[0].eni_id, self.session.session_id)

    def read(self, frames: int, octets: int, skipped: int = 0) -> None:
        counters = Counters()
        for table, number, many in ((counters.sessions, frames, octets), (counters.skipped, skipped, skipped * 100)):
            if number:
                table[IN, 0, 0] = Tally(number, many)
        if frames:
            counters.verdicts[IN, Verdict.MIRRORED] = Tally(frames, octets)
            counters.rules[IN, 0, 0, 0] = Tally(frames, octets)
        self.book.absorb(counters, [self.policy])

    def minutes(self) -> dict[int, dict[str, int]]:
        return {minute: {k: v for k, v in sums.items() if v} for (minute, _), sums in self.book.take().items()}


@pytest.fixture
def machine(policy: Policy) -> Machine:
    return Machine(policy)


def test_a_reading_adds_only_what_is_new(machine: Machine) -> None:
    machine.read(2, 200)
    machine.read(5, 700, skipped=3)
    totals = machine.book.totals()
    assert totals.sessions[("ingress", *machine.key)] == Tally(5, 700)
    assert totals.rules["ingress", *machine.key, machine.session.ingress[0].rule_id] == Tally(5, 700)
    assert totals.verdicts["ingress", "mirrored"] == Tally(5, 700)
    assert machine.minutes() == {
        minute_of(machine.now): {
            "NetworkMirrorIn": 700,
            "NetworkPacketsMirrorIn": 5,
            "NetworkSkipMirrorIn": 300,
            "NetworkPacketsSkipMirrorIn": 3,
        }
    }


def test_minutes_are_given_once_and_only_those_that_have_ended(machine: Machine) -> None:
    machine.read(1, 60)
    first = minute_of(machine.now)
    machine.now = datetime(2026, 11, 20, 12, 1, 1, tzinfo=UTC)
    machine.read(3, 260)
    assert [minute for minute, _ in machine.book.take(minute_of(machine.now))] == [first]
    assert machine.minutes() == {first + 60: {"NetworkMirrorIn": 200, "NetworkPacketsMirrorIn": 2}}
    assert machine.minutes() == {}


@pytest.mark.parametrize(
    ("told", "after", "total"),
    [
        (True, (7, 700), (12, 1200)),
        (False, (2, 200), (7, 700)),
        (False, (7, 300), (12, 800)),
        (False, (0, 0), (5, 500)),
    ],
)
def test_counters_that_go_back_begin_at_zero(
    machine: Machine, told: bool, after: tuple[int, int], total: tuple[int, int]
) -> None:
    """A new engine may have counted more already; a card that was reset by itself shows it by any number."""
    machine.read(5, 500)
    if told:
        machine.book.opened()
    machine.read(*after)
    assert machine.book.totals().sessions[("ingress", *machine.key)] == Tally(*total)
    assert machine.minutes()[minute_of(machine.now)]["NetworkMirrorIn"] == total[1]


def test_what_another_policy_counted_is_nobodys(machine: Machine) -> None:
    """An engine that has counted before it was ours, for sessions and rules that this policy has not."""
    counters = Counters()
    counters.sessions[IN, 9, 0] = counters.sessions[IN, 0, 9] = Tally(1, 60)
    counters.rules[IN, 0, 0, 99] = Tally(1, 60)
    machine.book.absorb(counters, [machine.policy])
    assert not machine.book.totals().sessions and not machine.book.totals().rules and not machine.minutes()


def test_frames_that_no_rule_sees_are_told_apart(machine: Machine) -> None:
    record = VerdictRecord(0, IN, Verdict.NOT_ELIGIBLE, 60, Service.ARP)
    machine.book.absorb(Counters(), [machine.policy], [record, record])
    assert machine.book.totals().services == {("ingress", "arp"): Tally(2, 120)}
