"""The history of metrics and the alarms on it, on SQLite and on a real PostgreSQL: what is kept, and what falls out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from halfsilver.harness.control.cloudwatch.states import evaluate_all
from halfsilver.harness.control.metrics.book import SessionKey
from halfsilver.harness.control.metrics.collector import Collector
from halfsilver.harness.control.metrics.history import series
from halfsilver.harness.records import METRICS
from tests.control.kits.inventory_kit import COLLECTOR, OWNER, SECURITY, WEB, Lab, refused

NOON = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
SKIPPED = "NetworkPacketsSkipMirrorIn"
METRIC = {"Namespace": "AWS/EC2", "MetricName": SKIPPED}
OF_INSTANCE = {**METRIC, "Dimensions": [{"Name": "InstanceId", "Value": "i-0a1b2c3d4e5f60010"}]}


class Counted:
    """Stands for a book: what an engine has counted since it was last taken."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, SessionKey], Counter[str]] = {}

    def take(self, before: int | None = None) -> dict[tuple[int, SessionKey], Counter[str]]:
        taken, self.found = self.found, {}
        return taken

    def take_endpoints(self, before: int | None = None) -> dict[tuple[int, tuple[str, str]], int]:
        return {}


class Watched(Lab):
    """One session, and an alarm on copies that were skipped; minutes end when the test says so."""

    def __init__(self, url: str) -> None:
        super().__init__(url=url)
        self.clock = lambda: NOON
        ec2 = self.client("ec2")
        mirror_filter = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        target = ec2.create_traffic_mirror_target(NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
        made = ec2.create_traffic_mirror_session(
            NetworkInterfaceId=WEB,
            TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
            TrafficMirrorFilterId=mirror_filter,
            SessionNumber=1,
        )
        self.session: str = made["TrafficMirrorSession"]["TrafficMirrorSessionId"]
        self.watch = self.client("cloudwatch")
        self.watch.put_metric_alarm(
            **OF_INSTANCE,
            AlarmName="skipped",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=2,
            ComparisonOperator="GreaterThanThreshold",
        )
        self.book = Counted()
        self.collector = self.start()

    def start(self) -> Collector:
        """A server's collector, which begins in the present minute."""
        return Collector(
            self.store,
            self.book,  # type: ignore[arg-type]
            lambda: [(WEB, self.session)],
            self._now,
            evaluate_all,
            read=lambda: None,
            reached=lambda sessions: sessions,
        )

    def skip(self, count: int) -> None:
        """So many copies were skipped in the present minute."""
        minute = int(self._now().timestamp()) // 60 * 60
        self.book.found[minute, (WEB, self.session)] = Counter({SKIPPED: count})

    def forward(self, **time: float) -> None:
        self.later += timedelta(**time)
        self.collector.collect()

    def history(self, account: str = OWNER) -> dict[str, int]:
        """All that is kept: skipped copies by minute since NOON."""
        with self.store.begin() as transaction:
            found = series(transaction, NOON - timedelta(days=99), NOON + timedelta(days=99), account=account)
        return {str(point.at - NOON.replace(second=0)): point.counts[SKIPPED] for point in found.get(self.session, ())}

    def alarm(self) -> dict[str, Any]:
        (alarm,) = self.watch.describe_alarms()["MetricAlarms"]
        found: dict[str, Any] = alarm
        return found

    def sums(self, minutes: int) -> list[float]:
        """What CloudWatch's clients are told of the last minutes."""
        span = {"StartTime": self._now() - timedelta(minutes=minutes), "EndTime": self._now(), "Period": 60}
        points = self.watch.get_metric_statistics(**OF_INSTANCE, **span, Statistics=["Sum"])["Datapoints"]
        return [point["Sum"] for point in points]


@pytest.fixture
def lab(database: str) -> Iterator[Watched]:
    lab = Watched(database)
    yield lab
    lab.store.close()


def test_minutes_are_kept_and_alarms_follow_them(lab: Watched) -> None:
    lab.skip(3)
    assert lab.history() == {} and lab.alarm()["StateValue"] == "INSUFFICIENT_DATA"
    lab.forward(minutes=1)
    assert lab.history() == {"0:00:00": 3} and lab.history(SECURITY) == {}
    assert lab.alarm()["StateValue"] == "ALARM" and "[3.0 (01/06/26 12:00:00)]" in lab.alarm()["StateReason"]
    lab.forward(minutes=1)
    assert lab.history() == {"0:00:00": 3, "0:01:00": 0} and lab.alarm()["StateValue"] == "OK"
    assert sorted(lab.sums(2)) == [0.0, 3.0]
    dimensions = [{"Name": "InstanceId", "Value": "i-0a1b2c3d4e5f60010"}]
    assert len(lab.watch.list_metrics(Dimensions=dimensions)["Metrics"]) == len(METRICS)
    items = lab.watch.describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [each["HistorySummary"] for each in items] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]


def test_a_minute_goes_on_behind_a_restart(lab: Watched) -> None:
    lab.skip(3)
    lab.collector.finish()
    lab.collector = lab.start()
    lab.skip(4)
    lab.forward(minutes=1)
    assert lab.history() == {"0:00:00": 7} and lab.sums(1) == [7.0]


def test_minutes_older_than_fifteen_days_fall_out(lab: Watched) -> None:
    """That of exactly fifteen days ago is the last that stays."""
    lab.skip(3)
    lab.forward(minutes=1)
    lab.skip(4)
    lab.forward(days=15, minutes=-1)
    assert list(lab.history().items())[:2] == [("0:00:00", 3), ("0:01:00", 4)]
    lab.forward(minutes=1)
    assert list(lab.history().items())[0] == ("0:01:00", 4)
    lab.forward(minutes=1)
    assert 4 not in lab.history().values() and len(lab.history()) == 3


def test_what_was_counted_too_long_ago_is_not_written(lab: Watched) -> None:
    lab.skip(3)
    lab.forward(days=15, minutes=1)
    assert list(lab.history().values()) == [0]


def test_an_alarms_history_is_bounded_in_time_and_number(lab: Watched) -> None:
    def items() -> list[Any]:
        pages = lab.watch.get_paginator("describe_alarm_history").paginate(AlarmName="skipped")
        return [each for page in pages for each in page["AlarmHistoryItems"]]

    for number in range(110):
        lab.later += timedelta(seconds=1)
        state = ("OK", "ALARM")[number % 2]
        lab.watch.set_alarm_state(AlarmName="skipped", StateValue=state, StateReason="a rehearsal")
    assert len(items()) == 100 and "to ALARM" in items()[0]["HistorySummary"]
    lab.later += timedelta(days=14)
    lab.watch.set_alarm_state(AlarmName="skipped", StateValue="OK", StateReason="a rehearsal")
    assert len(items()) <= 2


def test_an_alarm_that_looks_back_a_week(lab: Watched) -> None:
    """Three bad hours of a week, as far as CloudWatch's alarms look; a server that starts anew looks as far."""
    week = {
        **OF_INSTANCE,
        "AlarmName": "skipped",
        "Statistic": "Sum",
        "Period": 3600,
        "DatapointsToAlarm": 3,
        "Threshold": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    with refused("ValidationError", "more than a week"):
        lab.watch.put_metric_alarm(**week, EvaluationPeriods=169)
    lab.watch.put_metric_alarm(**week, EvaluationPeriods=168)
    states = {}
    for hour in range(0, 180, 4):
        if hour in (0, 80, 160):
            lab.collector = lab.start()
            lab.skip(3)
        lab.forward(hours=1)
        states[hour + 1] = lab.alarm()["StateValue"]
        if hour == 160:
            assert "3 out of the last 168 datapoints" in lab.alarm()["StateReason"]
        lab.forward(hours=3)
    raised = [hour for hour, state in states.items() if state == "ALARM"]
    assert raised == [161, 165, 169] and set(states.values()) == {"ALARM", "OK"}
