"""CloudWatch as its clients see it: boto3 in each of the protocols, and the AWS CLI; minutes are ended by a clock."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from halfsilver.harness.records import METRICS
from tests.control.kits.clock_kit import ClockedCloud, clocked
from tests.control.kits.inventory_kit import OWNER, SECURITY
from tests.control.kits.serve_kit import WEB, make_filter, make_session, make_target, to_web
from tests.control.kits.server_kit import error_of

AWS = Path(sys.executable).with_name("aws")
INSTANCE = "i-0a1b2c3d4e5f60010"
OF_INSTANCE = [{"Name": "InstanceId", "Value": INSTANCE}]
SHORT, LONG = 60, 1200
"""Bytes of payload: of the second the engine mirrors none."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedCloud]:
    """One session on port 80 of one interface."""
    with clocked(tmp_path_factory.mktemp("cloudwatch")) as made:
        ec2 = made.client()
        make_session(ec2, make_filter(ec2, 80), make_target(ec2))
        yield made


@pytest.fixture
def watch(cloud: ClockedCloud) -> Any:
    return cloud.client("cloudwatch")


def push(cloud: ClockedCloud, *payloads: int) -> list[int]:
    """Frames of so many bytes of payload; their lengths."""
    frames = [to_web(80, payload=b"x" * each) for each in payloads]
    cloud.server.served.push(frames)
    return [len(each) for each in frames]


def statistics(watch: Any, cloud: ClockedCloud, metric: str, *names: str, minutes: int = 1, **more: Any) -> Any:
    """Data points of the last minutes, in one period."""
    asked = {
        "Namespace": "AWS/EC2",
        "MetricName": metric,
        "Dimensions": OF_INSTANCE,
        "StartTime": cloud.clock.time(-minutes),
        "EndTime": cloud.clock.time(),
        "Period": 60 * minutes,
        "Statistics": list(names) or ["Sum"],
    }
    return watch.get_metric_statistics(**{**asked, **more})["Datapoints"]


def test_a_minute_has_what_was_mirrored_and_what_was_skipped(cloud: ClockedCloud, watch: Any) -> None:
    cloud.clock.forward(1)
    short, also, long = push(cloud, SHORT, SHORT, LONG)
    before = cloud.clock.time()
    running = {"StartTime": before, "EndTime": cloud.clock.time(1)}
    assert statistics(watch, cloud, "NetworkMirrorIn", **running) == [], "a minute under way is not there"
    cloud.clock.forward(1)
    sums = {name: statistics(watch, cloud, name)[0]["Sum"] for name in METRICS}
    assert sums == {
        **dict.fromkeys(METRICS, 0.0),
        "NetworkMirrorIn": float(short + also),
        "NetworkPacketsMirrorIn": 2.0,
        "NetworkSkipMirrorIn": float(long),
        "NetworkPacketsSkipMirrorIn": 1.0,
    }
    (point,) = statistics(watch, cloud, "NetworkMirrorIn")
    assert (point["Timestamp"], point["Unit"]) == (before, "Bytes")
    assert statistics(watch, cloud, "NetworkMirrorIn", Unit="Count") == []
    assert statistics(watch, cloud, "NetworkPacketsMirrorIn")[0]["Unit"] == "Count"


def test_statistics_of_several_minutes(cloud: ClockedCloud, watch: Any) -> None:
    cloud.clock.forward(1)
    for payloads in ((SHORT,), (), (SHORT, SHORT, SHORT)):
        push(cloud, *payloads) if payloads else None
        cloud.clock.forward(1)
        watch.list_metrics()  # each minute ends while somebody is there, as it does without
    names = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    (point,) = statistics(watch, cloud, "NetworkPacketsMirrorIn", *names, minutes=3)
    assert [point[name] for name in names] == [3.0, 4 / 3, 4.0, 0.0, 3.0]
    each = statistics(watch, cloud, "NetworkPacketsMirrorIn", minutes=3, Period=60)
    assert [point["Sum"] for point in each] == [1.0, 0.0, 3.0]
    assert [point["Timestamp"] for point in each] == [cloud.clock.time(minutes) for minutes in (-3, -2, -1)]


def test_metrics_are_listed_by_their_dimensions(cloud: ClockedCloud, watch: Any) -> None:
    cloud.clock.forward(1)
    listed = watch.list_metrics(Namespace="AWS/EC2", Dimensions=[{"Name": "InstanceId"}])["Metrics"]
    assert {(each["MetricName"], each["Dimensions"][0]["Value"]) for each in listed} == {
        (name, INSTANCE) for name in METRICS
    }
    names = {tuple(each["Name"] for each in metric["Dimensions"]) for metric in watch.list_metrics()["Metrics"]}
    assert {("InstanceId",), ()} <= names
    of_all = statistics(watch, cloud, "NetworkPacketsMirrorIn", "SampleCount", Dimensions=[])
    assert of_all == statistics(watch, cloud, "NetworkPacketsMirrorIn", "SampleCount")
    assert watch.list_metrics(Namespace="AWS/S3")["Metrics"] == []
    assert cloud.client("cloudwatch", SECURITY).list_metrics()["Metrics"] == [], "another account's are not shown"
    assert statistics(cloud.client("cloudwatch", SECURITY), cloud, "NetworkPacketsMirrorIn") == []


def test_data_in_pages(cloud: ClockedCloud, watch: Any) -> None:
    for _ in range(5):
        cloud.clock.forward(1)
        watch.list_metrics()
    query = {
        "Id": "m1",
        "MetricStat": {
            "Metric": {"Namespace": "AWS/EC2", "MetricName": "NetworkMirrorIn", "Dimensions": OF_INSTANCE},
            "Period": 60,
            "Stat": "Sum",
        },
    }
    asked = {
        "MetricDataQueries": [query, {**query, "Id": "m2", "Label": "again"}],
        "StartTime": cloud.clock.time(-5),
        "EndTime": cloud.clock.time(),
    }
    (whole, again) = watch.get_metric_data(**asked)["MetricDataResults"]
    assert whole["Timestamps"] == [cloud.clock.time(-minutes) for minutes in range(1, 6)]
    assert (whole["Label"], again["Label"], whole["StatusCode"]) == ("NetworkMirrorIn", "again", "Complete")
    pages = list(watch.get_paginator("get_metric_data").paginate(**asked, PaginationConfig={"PageSize": 4}))
    assert len(pages) == 3
    for number, result in enumerate((whole, again)):
        parts = [page["MetricDataResults"][number]["Timestamps"] for page in pages]
        assert sum(parts, []) == result["Timestamps"]
    assert error_of(watch.get_metric_data, **asked, NextToken="x")[:2] == ("InvalidNextToken", 400)


def test_an_alarm_on_skipped_copies_can_be_rehearsed(cloud: ClockedCloud, watch: Any) -> None:
    cloud.clock.forward(1)
    watch.put_metric_alarm(
        AlarmName="copies are skipped",
        Namespace="AWS/EC2",
        MetricName="NetworkPacketsSkipMirrorIn",
        Dimensions=OF_INSTANCE,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=["arn:aws:sns:us-east-1:111122223333:pager"],
    )

    def state() -> tuple[str, str]:
        (alarm,) = watch.describe_alarms(AlarmNames=["copies are skipped"])["MetricAlarms"]
        return alarm["StateValue"], alarm["StateReason"]

    assert state() == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    states = []
    for skipped in (0, 0, 1, 1, 0, 0):
        push(cloud, *([LONG] * skipped)) if skipped else None
        cloud.clock.forward(1)
        states.append(state()[0])
    assert states == ["OK", "OK", "OK", "ALARM", "ALARM", "OK"]
    history = watch.describe_alarm_history(AlarmName="copies are skipped", HistoryItemType="StateUpdate")
    assert [each["HistorySummary"] for each in history["AlarmHistoryItems"]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    changed = json.loads(history["AlarmHistoryItems"][1]["HistoryData"])
    assert "2 out of the last 3 datapoints [1.0 (" in changed["newState"]["stateReason"]
    assert "were greater than the threshold (0.0) (minimum 2 datapoints for OK -> ALARM" in json.dumps(changed)
    watch.set_alarm_state(AlarmName="copies are skipped", StateValue="ALARM", StateReason="a rehearsal")
    assert state() == ("ALARM", "a rehearsal")
    cloud.clock.forward(1)
    assert state()[0] == "OK", "it lasts until the next minute has ended"
    watch.delete_alarms(AlarmNames=["copies are skipped"])
    assert watch.describe_alarms()["MetricAlarms"] == []
    assert error_of(watch.delete_alarms, AlarmNames=["copies are skipped"])[:2] == ("ResourceNotFound", 404)


GOOD: dict[str, Any] = {
    "AlarmName": "a",
    "Namespace": "AWS/EC2",
    "MetricName": "NetworkMirrorIn",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "LessThanThreshold",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Period": 90}, "multiple of 60"),
        ({"Period": 1800, "EvaluationPeriods": 49}, "more than a day"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "more than a week"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "perhaps"}, "TreatMissingData must be breaching"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"ExtendedStatistic": "p99", "Statistic": None}, "ExtendedStatistic is not supported"),
        ({"Threshold": None}, "Threshold is required"),
        ({"OKActions": ["arn:aws:sns:us-east-1:111122223333:pager", "pager"]}, "Invalid arn syntax: pager"),
    ],
)
def test_an_alarm_that_cannot_be_evaluated_is_refused(watch: Any, change: dict[str, Any], message: str) -> None:
    asked = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    code, status, said = error_of(watch.put_metric_alarm, **asked)
    assert (code, status) == ("ValidationError", 400) and message in said


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"Period": 90}, "InvalidParameterValue", "multiple of 60"),
        ({"Statistics": ["p99"]}, "ValidationError", "satisfy enum value set: [SampleCount, Average"),
        ({"ExtendedStatistics": ["p99"]}, "InvalidParameterValue", "percentiles are not kept"),
        ({"Statistics": None}, "InvalidParameterCombination", "At least one of the parameters"),
        ({"StartTime": 1, "EndTime": 90_000}, "InvalidParameterCombination", "up to 1,500 datapoints"),
        ({"EndTime": 0}, "InvalidParameterValue", "must be less than the parameter EndTime"),
    ],
)
def test_statistics_that_are_not_there_are_refused(
    watch: Any, cloud: ClockedCloud, change: dict[str, Any], code: str, message: str
) -> None:
    asked = {
        "Namespace": "AWS/EC2",
        "MetricName": "NetworkMirrorIn",
        "StartTime": cloud.clock.time(-1),
        "EndTime": cloud.clock.time(),
        "Period": 60,
        "Statistics": ["Sum"],
        **change,
    }
    found = error_of(watch.get_metric_statistics, **{name: each for name, each in asked.items() if each is not None})
    assert found[:2] == (code, 400) and message in found[2]


def test_the_longest_that_may_be_asked(watch: Any, cloud: ClockedCloud) -> None:
    """A day of minutes that begins within one, and an alarm over a week."""
    assert statistics(watch, cloud, "NetworkMirrorIn", StartTime=30, EndTime=86_430, Period=60) == []
    watch.put_metric_alarm(**{**GOOD, "Period": 86_400, "EvaluationPeriods": 7})
    assert watch.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["EvaluationPeriods"] == 7


def test_policies_are_asked(cloud: ClockedCloud) -> None:
    cloud.add_user(
        "watcher",
        {"Effect": "Allow", "Action": ["cloudwatch:List*", "cloudwatch:PutMetricAlarm"], "Resource": "*"},
        {"Effect": "Deny", "Action": "cloudwatch:*", "Resource": "arn:aws:cloudwatch:*:*:alarm:prod-*"},
    )
    watcher = cloud.client("cloudwatch", user="watcher")
    watcher.list_metrics()
    code, status, message = error_of(watcher.describe_alarms)
    assert (code, status) == ("AccessDenied", 403) and "to perform: cloudwatch:DescribeAlarms" in message
    watcher.put_metric_alarm(**{**GOOD, "AlarmName": "dev-1"})
    refused = error_of(watcher.put_metric_alarm, **{**GOOD, "AlarmName": "prod-1"})
    assert refused[:2] == ("AccessDenied", 403)
    assert f"on resource: arn:aws:cloudwatch:us-east-1:{OWNER}:alarm:prod-1" in refused[2]
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["dev-1"])
    stranger = cloud.new_client("cloudwatch", key=("AKIAAAAAAAAAAAAAAAAA", "no such secret at all"))
    assert error_of(stranger.list_metrics)[:2] == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("protocol", ["smithy-rpc-v2-cbor", "json", "query"])
def test_every_wire_form(cloud: ClockedCloud, protocol: str, tmp_path: Path) -> None:
    """boto3 with the model of today but for its list of protocols: each is what some SDK speaks."""
    folder = tmp_path / "cloudwatch" / "2010-08-01"
    folder.mkdir(parents=True)
    loader = Loader()
    model = loader.load_service_model("cloudwatch", "service-2")
    model["metadata"] = {**model["metadata"], "protocol": protocol, "protocols": [protocol]}
    (folder / "service-2.json").write_text(json.dumps(model))
    session = boto3.session.Session(region_name="us-east-1")
    session._loader.search_paths.insert(0, str(tmp_path))
    key_id, secret = cloud.keys[OWNER, "admin"]
    client = session.client(
        "cloudwatch",
        endpoint_url=cloud.url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert client.meta.service_model.resolved_protocol == protocol
    cloud.clock.forward(1)
    push(cloud, SHORT)
    cloud.clock.forward(1)
    assert statistics(client, cloud, "NetworkPacketsMirrorIn", "Sum", "Average") == statistics(
        cloud.client("cloudwatch"), cloud, "NetworkPacketsMirrorIn", "Sum", "Average"
    )
    assert statistics(client, cloud, "NetworkPacketsMirrorIn")[0]["Sum"] == 1.0
    client.put_metric_alarm(**GOOD)
    (alarm,) = client.describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["Threshold"], alarm["StateUpdatedTimestamp"].tzinfo is not None) == (
        "a",
        1.0,
        True,
    )
    client.delete_alarms(AlarmNames=["a"])
    code, status, message = error_of(client.delete_alarms, AlarmNames=["a"])
    assert (code, status, message) == ("ResourceNotFound", 404, "Unknown alarm")
    metric = {"Namespace": "AWS/EC2", "MetricName": "NetworkMirrorIn", "Period": 60}
    found = error_of(client.get_metric_statistics, **metric, StartTime=0, EndTime=60)
    assert found[:2] == ("InvalidParameterCombination", 400), "not the name of the shape, which ends in Exception"
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.delete_alarms(AlarmNames=["a"])


def test_the_commands_of_the_guide(cloud: ClockedCloud) -> None:
    if shutil.which(AWS) is None:
        pytest.skip(f"the AWS CLI is not installed ({AWS})")

    def run(line: str) -> Any:
        done = subprocess.run(
            [str(AWS), *shlex.split(line)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**cloud.environment(), "PATH": os.environ["PATH"]},
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    cloud.clock.forward(1)
    push(cloud, SHORT)
    cloud.clock.forward(1)
    listed = run('cloudwatch list-metrics --namespace "AWS/EC2"')["Metrics"]
    assert {each["MetricName"] for each in listed} == set(METRICS)
    start, end = (f"{cloud.clock.time(minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (-1, 0))
    found = run(
        "cloudwatch get-metric-statistics --namespace AWS/EC2 --metric-name NetworkPacketsMirrorIn "
        f"--dimensions Name=InstanceId,Value={INSTANCE} --start-time {start} --end-time {end} --period 60 "
        "--statistics Sum"
    )
    assert found["Label"] == "NetworkPacketsMirrorIn"
    assert [(each["Sum"], each["Unit"]) for each in found["Datapoints"]] == [(1.0, "Count")]


@pytest.mark.parametrize("minutes", [-3, -60 * 24, 60 * 24])
def test_what_was_mirrored_before_a_jump_of_the_clock_is_in_the_history(tmp_path: Path, minutes: int) -> None:
    """In its minute, and at once: nobody waits until a clock that went back is there again. What comes is added."""
    with clocked(tmp_path) as cloud:
        ec2, watch = cloud.client(), cloud.client("cloudwatch")
        make_session(ec2, make_filter(ec2, 80), make_target(ec2))
        push(cloud, SHORT, SHORT)
        then = {"StartTime": cloud.clock.time(), "EndTime": cloud.clock.time(1)}
        cloud.clock.forward(minutes)
        assert [each["Sum"] for each in statistics(watch, cloud, "NetworkPacketsMirrorIn", **then)] == [2.0]
        push(cloud, SHORT)
        cloud.clock.forward(1)
        assert [each["Sum"] for each in statistics(watch, cloud, "NetworkPacketsMirrorIn")] == [1.0]
        cloud.clock.forward(-minutes - 1)
        push(cloud, SHORT)
        cloud.clock.forward(1)
        assert [each["Sum"] for each in statistics(watch, cloud, "NetworkPacketsMirrorIn", **then)] == [3.0]


def test_history_outlives_the_server_and_a_new_engine(tmp_path: Path) -> None:
    """Counters of the second engine begin at zero: no minute is negative, and none is counted twice."""
    with clocked(tmp_path) as first:
        ec2 = first.client()
        make_session(ec2, make_filter(ec2, 80), make_target(ec2))
        push(first, SHORT, SHORT, SHORT)
        clock = first.clock
        assert first.server.end() == 0
    with clocked(tmp_path, clock) as second:
        push(second, SHORT)
        clock.forward(1)
        watch = second.client("cloudwatch")
        assert [each["Sum"] for each in statistics(watch, second, "NetworkPacketsMirrorIn")] == [4.0]
        assert statistics(watch, second, "NetworkPacketsMirrorIn", "SampleCount")[0]["SampleCount"] == 1.0
        assert second.server.served.status()["interfaces"][0]["id"] == WEB
