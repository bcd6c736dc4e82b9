"""Counters as plain records: AWS's eight sums."""

from halfsilver.harness.records import METRICS, Counters, Tally
from halfsilver.harness.verdict import Direction

IN, OUT = Direction.INGRESS, Direction.EGRESS


def test_the_eight_metrics_of_an_interface():
    """Bytes and packets, mirrored and skipped, in and out: sums over the interface's sessions, and of no other's."""
    counters = Counters(
        sessions={
            (IN, 1, 0): Tally(1, 1000),
            (IN, 1, 2): Tally(2, 2000),
            (OUT, 1, 0): Tally(4, 4000),
            (IN, 0, 0): Tally(64, 64000),
        },
        skipped={(IN, 1, 1): Tally(8, 8000), (OUT, 1, 0): Tally(16, 16000), (OUT, 2, 0): Tally(128, 128000)},
    )
    assert counters.metrics(1) == {
        "NetworkMirrorIn": 3000,
        "NetworkMirrorOut": 4000,
        "NetworkPacketsMirrorIn": 3,
        "NetworkPacketsMirrorOut": 4,
        "NetworkSkipMirrorIn": 8000,
        "NetworkSkipMirrorOut": 16000,
        "NetworkPacketsSkipMirrorIn": 8,
        "NetworkPacketsSkipMirrorOut": 16,
    }
    assert tuple(counters.metrics(3)) == METRICS
    assert not any(counters.metrics(3).values())
