"""CloudWatch: which metrics there are, and their statistics.

Sources: Amazon CloudWatch API Reference; messages as its clients report them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from halfsilver.harness.control.cloudwatch.dimensions import read_dimensions, render
from halfsilver.harness.control.cloudwatch.metrics import Metric, metrics, samples, unit_of
from halfsilver.harness.control.cloudwatch.statistics import STATISTICS, Datapoint, datapoints
from halfsilver.harness.control.metrics.book import MINUTE, minute_of
from halfsilver.harness.control.metrics.history import KEPT
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import decode_token, encode_token
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import by_place
from halfsilver.harness.control.operations.parameters import brief

__all__ = ["get_metric_data", "get_metric_statistics", "list_metrics"]

_PAGE = 500
"""Metrics of one answer."""
_RECENT = timedelta(hours=3)
"""What ``RecentlyActive`` PT3H means."""
_MOST_STATISTICS = 1_440
"""Data points of GetMetricStatistics."""
_MOST_DATA = 100_800
"""Data points of one page of GetMetricData."""
_MOST_QUERIES = 500
_QUERY_ID = re.compile("[a-z][A-Za-z0-9_]*")


@operation("cloudwatch", "ListMetrics")
def list_metrics(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Those with samples in the time for which they are kept, or in the last three hours."""
    account, now = context.caller.account, context.call.now
    if parameters.get("OwningAccount", account) != account:
        return {"Metrics": []}
    since = minute_of(now - (_RECENT if "RecentlyActive" in parameters else KEPT))
    found = [
        {"Namespace": each.namespace, "MetricName": each.name, "Dimensions": render(each.dimensions)}
        for each in metrics(context.transaction, account, since)
        if _fits(each, parameters)
    ]
    page, token = by_place(context, parameters, found, _PAGE)
    return {"Metrics": page, **token}


def _fits(metric: Metric, asked: Parameters) -> bool:
    return (
        asked.get("Namespace", metric.namespace) == metric.namespace
        and asked.get("MetricName", metric.name) == metric.name
        and all(
            any(name == each["Name"] and each.get("Value", value) == value for name, value in metric.dimensions)
            for each in asked.get("Dimensions") or ()
        )
    )


@operation("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Data points in order of time."""
    statistics = parameters.get("Statistics", ())
    if parameters.get("ExtendedStatistics"):
        raise ApiError(
            "InvalidParameterValue",
            "The parameter ExtendedStatistics is not supported: percentiles are not kept; use Statistics "
            f"({', '.join(STATISTICS)}).",
        )
    if not statistics:
        raise ApiError(
            "InvalidParameterCombination",
            "At least one of the parameters Statistics or ExtendedStatistics must be specified.",
        )
    start, end = _span(parameters, "InvalidParameterValue")
    period: int = parameters["Period"]
    if period % MINUTE:
        raise ApiError("InvalidParameterValue", "The parameter Period must be a multiple of 60.")
    points = -((parameters["StartTime"] - parameters["EndTime"]) // timedelta(seconds=period))
    if points > _MOST_STATISTICS:
        raise ApiError(
            "InvalidParameterCombination",
            f"You have requested up to {points:,} datapoints, which exceeds the limit of {_MOST_STATISTICS:,}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    metric = Metric(parameters["Namespace"], parameters["MetricName"], read_dimensions(parameters.get("Dimensions")))
    unit = unit_of(metric.name)
    found = _points(context, metric, parameters.get("Unit"), start, end, period)
    return {
        "Label": metric.name,
        "Datapoints": [
            {"Timestamp": _moment(each.start), "Unit": unit, **{name: each.value(name) for name in statistics}}
            for each in found
        ],
    }


@operation("cloudwatch", "GetMetricData")
def get_metric_data(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A page of the data points of all queries, one query after the other."""
    queries: Sequence[Mapping[str, Any]] = parameters["MetricDataQueries"]
    _check_queries(context, queries)
    start, end = _span(parameters, "ValidationError")
    size = min(parameters.get("MaxDatapoints") or _MOST_DATA, _MOST_DATA)
    if size < 1:
        raise ApiError("ValidationError", "The parameter MaxDatapoints must be greater than 0.")
    given = decode_token(context, parameters, int)[0] if parameters.get("NextToken") else 0
    skipped, room, more = given, size, False
    results = []
    for query in queries:
        if not query.get("ReturnData", True):
            continue
        stat = query["MetricStat"]
        metric = Metric(
            stat["Metric"].get("Namespace", ""),
            stat["Metric"].get("MetricName", ""),
            read_dimensions(stat["Metric"].get("Dimensions")),
        )
        found = _points(context, metric, stat.get("Unit"), start, end, stat["Period"])
        if parameters.get("ScanBy") != "TimestampAscending":
            found.reverse()
        rest = found[skipped:]
        skipped -= len(found) - len(rest)
        page, room = rest[:room], room - min(room, len(rest))
        more = more or len(page) < len(rest)
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or metric.name,
                "Timestamps": [_moment(each.start) for each in page],
                "Values": [each.value(stat["Stat"]) for each in page],
                "StatusCode": "Complete" if len(page) == len(rest) else "PartialData",
            }
        )
    token = {"NextToken": encode_token(context, parameters, given + size)} if more else {}
    return {"MetricDataResults": results, "Messages": [], **token}


def _check_queries(context: Context, queries: Sequence[Mapping[str, Any]]) -> None:
    """ApiError for a query that cannot be answered here."""
    if len(queries) > _MOST_QUERIES:
        raise ApiError("ValidationError", f"The collection MetricDataQueries must not have more than {_MOST_QUERIES}.")
    identifiers = [query["Id"] for query in queries]
    for number, query in enumerate(queries, 1):
        place = f"MetricDataQueries.member.{number}"
        if not _QUERY_ID.fullmatch(query["Id"]) or identifiers.count(query["Id"]) > 1:
            raise ApiError(
                "ValidationError",
                f"The value {brief(query['Id'])} for parameter {place}.Id is not valid: an Id begins with a lower-case "
                "letter, has letters, digits and underscores, and is there once.",
            )
        if "Expression" in query or "MetricStat" not in query:
            raise ApiError(
                "ValidationError", f"{place} must have MetricStat and no Expression: metric math is not supported."
            )
        if query.get("AccountId", context.caller.account) != context.caller.account:
            raise ApiError("ValidationError", f"{place}.AccountId: other accounts' metrics are not linked.")
        stat = query["MetricStat"]
        if stat["Stat"] not in STATISTICS:
            raise ApiError(
                "ValidationError",
                f"The value {brief(stat['Stat'])} for parameter {place}.MetricStat.Stat is not a valid statistic: "
                f"there are {', '.join(STATISTICS)}; percentiles are not kept.",
            )
        if stat["Period"] % MINUTE:
            raise ApiError("ValidationError", f"The parameter {place}.MetricStat.Period must be a multiple of 60.")


def _span(parameters: Parameters, code: str) -> tuple[int, int]:
    """First second and the one behind the last, since 1970; the start is rounded down to its minute, as AWS does."""
    start, end = parameters["StartTime"], parameters["EndTime"]
    if start >= end:
        raise ApiError(code, "The parameter StartTime must be less than the parameter EndTime.")
    return minute_of(start), -int(-end.timestamp() // 1)


def _points(context: Context, metric: Metric, unit: str | None, start: int, end: int, period: int) -> list[Datapoint]:
    if unit not in (None, unit_of(metric.name)):
        return []
    return datapoints(samples(context.transaction, context.caller.account, metric, start, end), start, period)


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
