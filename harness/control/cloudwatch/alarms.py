"""CloudWatch: alarms on one metric of Traffic Mirroring, their states and their history.

Sources: Amazon CloudWatch API Reference and User Guide, "Using Amazon CloudWatch alarms". An alarm's actions are kept
and shown, and nobody is told: there is no SNS here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from halfsilver.harness.control.cloudwatch.alarm_tags import more_tags
from halfsilver.harness.control.cloudwatch.dimensions import read_dimensions, render
from halfsilver.harness.control.cloudwatch.evaluation import COMPARISONS, INSUFFICIENT_DATA, TREATMENTS
from halfsilver.harness.control.cloudwatch.states import change_state, enter_history
from halfsilver.harness.control.cloudwatch.statistics import STATISTICS
from halfsilver.harness.control.metrics.book import MINUTE
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import by_place
from halfsilver.harness.control.operations.parameters import brief
from halfsilver.harness.control.operations.resources import ALARM, ALARMS
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "NOT_SERVED",
    "delete_alarms",
    "describe_alarm_history",
    "describe_alarms",
    "describe_alarms_for_metric",
    "disable_alarm_actions",
    "enable_alarm_actions",
    "put_metric_alarm",
    "set_alarm_state",
]

_MOST_ALARMS = 5_000
"""Of an account in a region."""
_HOUR = 3_600
_DAY = 86_400
_PAGE, _HISTORY_PAGE = 50, 100
"""Alarms, and items of history, of an answer whose request does not say."""

_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_ACTION = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:[\w-]*:.+", re.ASCII)
_NEEDED = ("MetricName", "Namespace", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator")
NOT_SERVED = (
    "ActionConfiguration",
    "EvaluateLowSampleCountPercentile",
    "EvaluationCriteria",
    "EvaluationInterval",
    "EvaluationWindow",
    "ExtendedStatistic",
    "Metrics",
    "ThresholdMetricId",
    "WarmUpConfiguration",
)
"""Parameters of PutMetricAlarm that are refused."""
_KEPT = (
    "AlarmName",
    "AlarmDescription",
    *_ACTIONS,
    "MetricName",
    "Namespace",
    "Statistic",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)


@operation("cloudwatch", "PutMetricAlarm", writes=True, on=(ALARM,))
def put_metric_alarm(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A new alarm has INSUFFICIENT_DATA until the next minute has ended; one that is there keeps its state and tags."""
    _check(parameters)
    name, now = parameters["AlarmName"], context.call.now.isoformat()
    before = _find(context, name)
    if before is None and context.transaction.count(Kind.ALARM, account=context.caller.account) >= _MOST_ALARMS:
        raise ApiError("LimitExceeded", f"You have {_MOST_ALARMS:,} alarms, which is the limit.")
    document = {
        "AlarmArn": _arn(context, name),
        "ActionsEnabled": parameters.get("ActionsEnabled", True),
        **{each: [] for each in _ACTIONS},
        **{each: parameters[each] for each in _KEPT if each in parameters},
        "Dimensions": render(read_dimensions(parameters.get("Dimensions"))),
        "AlarmConfigurationUpdatedTimestamp": now,
    }
    if before is None:
        state = {
            "StateValue": INSUFFICIENT_DATA,
            "StateReason": "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": now,
            "StateTransitionedTimestamp": now,
        }
        tags = more_tags(context, {}, parameters.get("Tags", ()))
        record = Record(Kind.ALARM, document["AlarmArn"], context.caller.account, {**document, **state}, tags)
        context.transaction.insert(record)
    else:
        state = {key: value for key, value in before.document.items() if key.startswith("State")}
        record = before
        record.document = {**document, **state}
        context.transaction.update(record)
    done = "created" if before is None else "updated"
    _enter_update(context, record, done)
    return {}


@operation("cloudwatch", "DeleteAlarms", writes=True, on=(ALARMS,))
def delete_alarms(context: Context, parameters: Parameters) -> dict[str, Any]:
    """All of them, or none if one is not there. Their history stays."""
    for record in _named(context, parameters):
        _enter_update(context, record, "deleted")
        context.transaction.delete(record)
    return {}


@operation("cloudwatch", "EnableAlarmActions", writes=True, on=(ALARMS,))
def enable_alarm_actions(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _switch_actions(context, parameters, on=True)


@operation("cloudwatch", "DisableAlarmActions", writes=True, on=(ALARMS,))
def disable_alarm_actions(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _switch_actions(context, parameters, on=False)


@operation("cloudwatch", "SetAlarmState", writes=True, on=(ALARM,))
def set_alarm_state(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Until the next minute has ended: then the alarm is evaluated again."""
    record = _find(context, parameters["AlarmName"])
    if record is None:
        raise _unknown()
    data: str = parameters.get("StateReasonData", "")
    if data:
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            raise ApiError("InvalidFormat", "StateReasonData is not JSON.") from None
    change_state(
        context.transaction, record, parameters["StateValue"], parameters["StateReason"], data, context.call.now
    )
    return {}


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(context: Context, parameters: Parameters) -> dict[str, Any]:
    """In order of their names; there are metric alarms alone."""
    if "MetricAlarm" not in parameters.get("AlarmTypes", ["MetricAlarm"]) or (
        "ChildrenOfAlarmName" in parameters or "ParentsOfAlarmName" in parameters
    ):
        return {"MetricAlarms": [], "CompositeAlarms": []}
    names, prefix = parameters.get("AlarmNames"), parameters.get("AlarmNamePrefix", "")
    if names and prefix:
        raise ApiError("ValidationError", "AlarmNamePrefix and AlarmNames cannot both be given.")
    found = [
        each
        for each in _alarms(context)
        if (not names or each["AlarmName"] in names)
        and each["AlarmName"].startswith(prefix)
        and parameters.get("StateValue") in (None, each["StateValue"])
        and _has_action(each, parameters.get("ActionPrefix"))
    ]
    page, token = by_place(context, parameters, found, parameters.get("MaxRecords", _PAGE))
    return {"MetricAlarms": page, "CompositeAlarms": [], **token}


@operation("cloudwatch", "DescribeAlarmsForMetric")
def describe_alarms_for_metric(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Those on exactly this metric."""
    wanted = ("MetricName", "Namespace", "Statistic", "Period", "Unit")
    dimensions = render(read_dimensions(parameters.get("Dimensions")))
    found = [
        each
        for each in _alarms(context)
        if all(parameters.get(name, each.get(name)) == each.get(name) for name in wanted)
        and each["Dimensions"] == dimensions
        and "ExtendedStatistic" not in parameters
    ]
    return {"MetricAlarms": found}


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The newest first, unless asked for the other order."""
    start, end = parameters.get("StartDate"), parameters.get("EndDate")
    kind, name = parameters.get("HistoryItemType"), parameters.get("AlarmName")
    parent = None if name is None else _arn(context, name)
    found = [
        each.document
        for each in context.transaction.find(Kind.ALARM_HISTORY, account=context.caller.account, parent=parent)
        if kind in (None, each.document["HistoryItemType"])
        and (start is None or each.document["Timestamp"] >= start.isoformat())
        and (end is None or each.document["Timestamp"] <= end.isoformat())
        and "MetricAlarm" in parameters.get("AlarmTypes", ["MetricAlarm"])
        and "AlarmContributorId" not in parameters
    ]
    if parameters.get("ScanBy") != "TimestampAscending":
        found.reverse()
    page, token = by_place(context, parameters, found, parameters.get("MaxRecords", _HISTORY_PAGE))
    return {"AlarmHistoryItems": page, **token}


# What the operations have in common.


def _check(parameters: Parameters) -> None:
    """ApiError for an alarm that cannot be evaluated here."""
    for name in NOT_SERVED:
        if name in parameters:
            raise ApiError(
                "ValidationError", f"The parameter {name} is not supported: an alarm is on one metric, by Statistic."
            )
    for name in _NEEDED:
        if name not in parameters:
            raise ApiError("ValidationError", f"The parameter {name} is required: an alarm is on one metric.")
    if parameters["ComparisonOperator"] not in COMPARISONS:
        raise ApiError(
            "ValidationError",
            f"The ComparisonOperator {parameters['ComparisonOperator']} is for anomaly detection, which is not "
            f"supported; there are {', '.join(COMPARISONS)}.",
        )
    if parameters["Statistic"] not in STATISTICS:
        raise ApiError("ValidationError", f"Statistic must be one of {', '.join(STATISTICS)}.")
    treatment = parameters.get("TreatMissingData", "missing")
    if treatment not in TREATMENTS:
        raise ApiError("ValidationError", f"TreatMissingData must be {', '.join(TREATMENTS)}, not {brief(treatment)}.")
    period, periods = parameters["Period"], parameters["EvaluationPeriods"]
    if period % MINUTE:
        raise ApiError("ValidationError", "Period must be a multiple of 60: there is one sample a minute.")
    words, most = ("a day", _DAY) if period < _HOUR else ("a week", 7 * _DAY)
    if period * periods > most:
        raise ApiError(
            "ValidationError",
            f"Metrics cannot be checked across more than {words} (EvaluationPeriods * Period must be <= {most}).",
        )
    if parameters.get("DatapointsToAlarm", 1) > periods:
        raise ApiError("ValidationError", "DatapointsToAlarm must not be more than EvaluationPeriods.")
    for action in (each for name in _ACTIONS for each in parameters.get(name, ())):
        if not _ACTION.fullmatch(action):
            raise ApiError("ValidationError", f"Invalid arn syntax: {brief(action)}")


def _arn(context: Context, name: str) -> str:
    return context.settings.arn("cloudwatch", context.caller.account, f"alarm:{name}")


def _find(context: Context, name: str) -> Record | None:
    return context.transaction.get(Kind.ALARM, _arn(context, name))


def _unknown() -> ApiError:
    return ApiError("ResourceNotFound", "Unknown alarm", 404)


def _named(context: Context, parameters: Parameters) -> list[Record]:
    """The alarms of ``AlarmNames``, each once; ResourceNotFound if one is not there."""
    records = [_find(context, name) for name in dict.fromkeys(parameters["AlarmNames"])]
    found = [record for record in records if record is not None]
    if len(found) < len(records):
        raise _unknown()
    return found


def _switch_actions(context: Context, parameters: Parameters, *, on: bool) -> dict[str, Any]:
    """Alarms that are not there are passed over, as AWS does."""
    for name in dict.fromkeys(parameters["AlarmNames"]):
        record = _find(context, name)
        if record is not None and record.document["ActionsEnabled"] is not on:
            record.document["ActionsEnabled"] = on
            context.transaction.update(record)
            _enter_update(context, record, "updated")
    return {}


def _enter_update(context: Context, record: Record, done: str) -> None:
    name = record.document["AlarmName"]
    data = {"version": "1.0", "type": done.removesuffix("d").capitalize(), "configuration": record.document}
    enter_history(
        context.transaction, record, "ConfigurationUpdate", f'Alarm "{name[:200]}" {done}', data, context.call.now
    )


def _alarms(context: Context) -> list[Mapping[str, Any]]:
    records = context.transaction.find(Kind.ALARM, account=context.caller.account)
    return sorted((record.document for record in records), key=lambda each: str(each["AlarmName"]))


def _has_action(alarm: Mapping[str, Any], prefix: str | None) -> bool:
    actions = [action for each in _ACTIONS for action in alarm[each]]
    return prefix is None or any(each.startswith(prefix) for each in actions)
