"""What becomes of alarms with time: their state is looked at every minute, and every change is kept.

The reasons are worded as AWS words them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from halfsilver.harness.control.cloudwatch.dimensions import read_dimensions
from halfsilver.harness.control.cloudwatch.evaluation import (
    ALARM,
    COMPARISONS,
    INSUFFICIENT_DATA,
    OK,
    WORDS,
    evaluate,
    in_range,
)
from halfsilver.harness.control.cloudwatch.metrics import Metric, samples, unit_of
from halfsilver.harness.control.cloudwatch.statistics import Datapoint, datapoints
from halfsilver.harness.control.metrics.book import minute_of
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction

__all__ = ["change_state", "enter_history", "evaluate_all"]

HISTORY_KEPT = timedelta(days=14)
"""How long CloudWatch keeps an alarm's history."""
MOST_ITEMS = 100
"""Items of an alarm's history, the newest; AWS has no such limit."""
LONGEST_DATA = 4_095
"""Characters of an item's data."""


def evaluate_all(transaction: Transaction, now: datetime) -> None:
    """Bring every alarm to the state that its metric has now; its periods end with the last whole minute."""
    for region in transaction.regions(Kind.ALARM):
        there = transaction.of_region(region)
        for record in there.find(Kind.ALARM):
            _look_at(there, record, now)


def _look_at(transaction: Transaction, record: Record, now: datetime) -> None:
    alarm = record.document
    period, periods = alarm["Period"], alarm["EvaluationPeriods"]
    to_alarm = alarm.get("DatapointsToAlarm", periods)
    end = minute_of(now)
    start = end - in_range(periods) * period
    points = _points(transaction, record, start, end)
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    values = [points[at].value(alarm["Statistic"]) if at in points else None for at in range(start, end, period)]
    breaching = [None if value is None else breaches(value, alarm["Threshold"]) for value in values]
    missing = alarm.get("TreatMissingData", "missing")
    state = evaluate(breaching, periods, to_alarm, missing, alarm["StateValue"])
    if state != alarm["StateValue"]:
        recent = [points[at] for at in range(start, end, period) if at in points][-periods:]
        reason = _reason(alarm, state, recent, to_alarm)
        change_state(transaction, record, state, reason, _reason_data(alarm, recent, now), now)


def _points(transaction: Transaction, record: Record, start: int, end: int) -> dict[int, Datapoint]:
    alarm = record.document
    if alarm.get("Unit") not in (None, unit_of(alarm["MetricName"])):
        return {}
    metric = Metric(alarm["Namespace"], alarm["MetricName"], read_dimensions(alarm["Dimensions"]))
    found = samples(transaction, record.account, metric, start, end)
    return {each.start: each for each in datapoints(found, start, alarm["Period"])}


def _reason(alarm: Mapping[str, Any], state: str, recent: Sequence[Datapoint], to_alarm: int) -> str:
    periods = alarm["EvaluationPeriods"]
    absent = periods - len(recent)
    if state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {absent} datapoint{'s were' if absent != 1 else ' was'} unknown."
    if not recent:
        treated = {ALARM: "Breaching", OK: "NonBreaching"}[state]
        return (
            f"Threshold Crossed: no datapoints were received for {periods} period{'s' * (periods != 1)} and {absent} "
            f"missing datapoint{'s were' if absent != 1 else ' was'} treated as [{treated}]."
        )
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    telling = [
        each for each in recent if breaches(each.value(alarm["Statistic"]), alarm["Threshold"]) is (state == ALARM)
    ] or list(recent)
    shown = ", ".join(
        f"{each.value(alarm['Statistic'])} ({datetime.fromtimestamp(each.start, UTC):%d/%m/%y %H:%M:%S})"
        for each in reversed(telling)
    )
    least = to_alarm if state == ALARM else max(1, periods - to_alarm + 1)
    return (
        f"Threshold Crossed: {len(telling)} out of the last {periods} datapoints [{shown}] "
        f"{'was' if len(telling) == 1 else 'were'} {'' if state == ALARM else 'not '}"
        f"{WORDS[alarm['ComparisonOperator']]} the threshold ({float(alarm['Threshold'])}) (minimum {least} "
        f"datapoint{'s' * (least != 1)} for {alarm['StateValue']} -> {state} transition)."
    )[:1023]


def _reason_data(alarm: Mapping[str, Any], recent: Sequence[Datapoint], now: datetime) -> str:
    data = {
        "version": "1.0",
        "queryDate": _stamp(now),
        "startDate": _stamp(datetime.fromtimestamp(recent[0].start, UTC)) if recent else None,
        "statistic": alarm["Statistic"],
        "period": alarm["Period"],
        "recentDatapoints": [each.value(alarm["Statistic"]) for each in recent],
        "threshold": alarm["Threshold"],
    }
    text = json.dumps({name: value for name, value in data.items() if value is not None})
    return text if len(text) <= LONGEST_DATA else ""


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def change_state(transaction: Transaction, record: Record, state: str, reason: str, data: str, now: datetime) -> None:
    """Keep a state and why; where it is another one than before, the history has an item more."""
    before = {name: record.document[name] for name in ("StateValue", "StateReason")}
    record.document |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": now.isoformat()}
    record.document.pop("StateReasonData", None)
    if data:
        record.document["StateReasonData"] = data
    if state != before["StateValue"]:
        record.document["StateTransitionedTimestamp"] = now.isoformat()
        changed = {
            "version": "1.0",
            "oldState": {"stateValue": before["StateValue"], "stateReason": before["StateReason"]},
            "newState": {"stateValue": state, "stateReason": reason},
        }
        summary = f"Alarm updated from {before['StateValue']} to {state}"
        enter_history(transaction, record, "StateUpdate", summary, changed, now)
    transaction.update(record)


def enter_history(
    transaction: Transaction, alarm: Record, kind: str, summary: str, data: Mapping[str, Any], now: datetime
) -> None:
    """One item more of an alarm's history, in which the oldest make room."""
    items = transaction.find(Kind.ALARM_HISTORY, account=alarm.account, parent=alarm.id)
    oldest = (now - HISTORY_KEPT).isoformat()
    for number, item in enumerate(items):
        if number <= len(items) - MOST_ITEMS or item.document["Timestamp"] < oldest:
            transaction.delete(item)
    text = json.dumps(data)
    document = {
        "AlarmName": alarm.document["AlarmName"],
        "AlarmType": "MetricAlarm",
        "Timestamp": now.isoformat(),
        "HistoryItemType": kind,
        "HistorySummary": summary,
        **({"HistoryData": text} if len(text) <= LONGEST_DATA else {}),
    }
    transaction.insert(Record(Kind.ALARM_HISTORY, str(uuid.uuid4()), alarm.account, document, parent=alarm.id))
