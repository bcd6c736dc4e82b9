"""The state of an alarm, as the tables of the CloudWatch User Guide have it."""

from __future__ import annotations

import pytest

from halfsilver.harness.control.cloudwatch.evaluation import evaluate, in_range

THREE_OF_THREE = """
    0-X-X OK OK OK OK
    0---- OK OK OK OK
    ----- INSUFFICIENT_DATA same ALARM OK
    0XX-X ALARM ALARM ALARM ALARM
    ----X INSUFFICIENT_DATA same ALARM OK
    X---- ALARM same ALARM OK
"""
TWO_OF_THREE = """
    0-X-X ALARM ALARM ALARM ALARM
    00X0X ALARM ALARM ALARM ALARM
    0-X-- OK OK ALARM OK
    ----0 OK OK ALARM OK
    ----X INSUFFICIENT_DATA same ALARM OK
"""
"""Data points, oldest first (0 does not breach, X does, - is missing), and the state where missing data is treated as
missing, ignore, breaching and notBreaching. Source: "How alarm state is evaluated when data is missing"."""

ROWS = [(3, *row.split()) for row in THREE_OF_THREE.strip().splitlines()]
ROWS += [(2, *row.split()) for row in TWO_OF_THREE.strip().splitlines()]


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
@pytest.mark.parametrize(("to_alarm", "points", "missing", "ignore", "breaching", "not_breaching"), ROWS)
def test_the_tables_of_the_guide(
    to_alarm: int, points: str, missing: str, ignore: str, breaching: str, not_breaching: str, state: str
) -> None:
    assert len(points) == in_range(3)
    known = [{"0": False, "X": True, "-": None}[point] for point in points]
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, word in expected.items():
        assert evaluate(known, 3, to_alarm, treatment, state) == (state if word == "same" else word), treatment
