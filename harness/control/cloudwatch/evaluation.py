"""The state of an alarm from the data points of its metric.

Source: Amazon CloudWatch User Guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data",
whose tables are the test. More periods are looked at than are evaluated (the evaluation range): the guide has five for
three, without saying how many for others; here it is always two more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

__all__ = ["ALARM", "COMPARISONS", "INSUFFICIENT_DATA", "OK", "TREATMENTS", "WORDS", "evaluate", "in_range"]

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
"""How AWS's reasons say it."""
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_MORE_PERIODS = 2


def in_range(periods: int) -> int:
    """How many periods are looked at where so many are evaluated."""
    return periods + _MORE_PERIODS


def evaluate(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str, state: str) -> str:
    """The new state. ``breaching``: the evaluation range, oldest first; None where there is no data point.

    state   the present one, which ``ignore`` may retain
    """
    real = [each for each in breaching if each is not None][-periods:]
    breaches = real.count(True)
    if len(real) == periods or breaches >= to_alarm:
        return ALARM if breaches >= to_alarm else OK
    if missing == "breaching":
        return ALARM if breaches + periods - len(real) >= to_alarm else OK
    if missing == "notBreaching" or False in real:
        return OK
    if missing == "ignore":
        return state
    # All that is there breaches. An alarm that could still turn out to be none is not raised before its time.
    oldest = next((len(breaching) - place for place, each in enumerate(breaching) if each), 0)
    return ALARM if oldest >= to_alarm else INSUFFICIENT_DATA
