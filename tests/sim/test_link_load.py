"""Production and copies on one link: a small part of ``make load``, and that its checks can fail."""

from collections import defaultdict
from dataclasses import replace

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Counters, Tally
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.sim.load import LOADS, SIZES, check_counters, measure, wrong

CYCLES = 8000


@pytest.fixture(scope="module")
def points():
    return {
        (size, load): measure(size, load, frames_at_least=0, cycles=CYCLES) for size in SIZES for load in (0.5, 1.6)
    }


def test_production_passes_in_its_time_and_every_copy_is_sent_or_counted(points):
    for point in points.values():
        assert not wrong(point)
        assert point.production == {"ingress": 1.0, "egress": 1.0}
        assert point.delays["ingress"] == 1


def test_copies_that_fit_are_sent_and_others_are_skipped(points):
    for size in ("60", "64 to 1518"):
        assert points[size, 0.5].skipped == (0, 0) and points[size, 0.5].sent == points[size, 0.5].due
        assert points[size, 1.6].skipped[0] > 0 and points[size, 1.6].sent[0] > 0
        assert 1.4 < points[size, 1.6].load < 1.9


def test_the_loads_are_those_of_the_figure():
    assert LOADS == (0.1, 0.5, 0.9, 1.0, 1.6)


@pytest.mark.parametrize("fault", [{"held": 1}, {"production": {"ingress": 1.0, "egress": 0.999}}, {"sent": (1, 60)}])
def test_what_is_wrong_is_said(points, fault):
    assert wrong(replace(points["60", 1.6], **fault))


def test_a_counter_that_is_a_byte_off_is_noticed():
    class Card:
        def __init__(self, octets):
            tally = Tally(2, octets)
            self._counters = Counters(
                verdicts={(Direction.INGRESS, Verdict.MIRRORED): tally},
                sessions={(Direction.INGRESS, 0, 0): tally},
                rules={(Direction.INGRESS, 0, 0, 0): tally},
            )

        def counters(self):
            return self._counters

    sent = defaultdict(Tally, {(Direction.INGRESS, 0): Tally(2, 120)})
    check_counters(Card(120), sent, {})
    with pytest.raises(HalfsilverError, match="2 frames and 119 bytes, not 2 and 120"):
        check_counters(Card(119), sent, {})
