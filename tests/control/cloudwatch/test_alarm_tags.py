"""Tags of alarms, by boto3 in this process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from halfsilver.harness.control.operations.operation import OPERATIONS, Context
from tests.control.kits.authorization_kit import SETTINGS, allow, call, permitted, small_account
from tests.control.kits.inventory_kit import OWNER, SECURITY, Lab, refused
from tests.control.kits.signing_kit import ACCOUNT, REGION

ALARM = {
    "AlarmName": "skipped \u00fc",
    "Namespace": "AWS/EC2",
    "MetricName": "NetworkPacketsSkipMirrorIn",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
}
ARN = f"arn:aws:cloudwatch:us-east-1:{OWNER}:alarm:skipped \u00fc"


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.store.close()


@pytest.fixture
def watch(lab: Lab) -> Any:
    return lab.client("cloudwatch")


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_tags_come_with_the_alarm_and_change_alone(watch: Any) -> None:
    """What PutMetricAlarm says of the tags of an alarm that is there is passed over, as by AWS."""
    watch.put_metric_alarm(**ALARM, Tags=pairs(Name="a", cost="42"))
    assert watch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == pairs(Name="a", cost="42")
    watch.tag_resource(ResourceARN=ARN, Tags=pairs(cost="43", team=""))
    watch.put_metric_alarm(**{**ALARM, "Threshold": 5}, Tags=pairs(other="x"))
    assert watch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == pairs(Name="a", cost="43", team="")
    watch.untag_resource(ResourceARN=ARN, TagKeys=["cost", "nothing"])
    assert watch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == pairs(Name="a", team="")
    (alarm,) = watch.describe_alarms(AlarmNames=[ALARM["AlarmName"]])["MetricAlarms"]
    assert (alarm["AlarmArn"], alarm["Threshold"]) == (ARN, 5.0) and "Tags" not in alarm
    watch.delete_alarms(AlarmNames=[ALARM["AlarmName"]])
    with refused("ResourceNotFoundException", status=404):
        watch.list_tags_for_resource(ResourceARN=ARN)
    watch.put_metric_alarm(**ALARM)
    assert watch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == []


def test_what_cannot_be_tagged(lab: Lab, watch: Any) -> None:
    watch.put_metric_alarm(**ALARM)
    other = lab.client("cloudwatch", SECURITY)
    for request in (
        lambda: other.tag_resource(ResourceARN=ARN, Tags=pairs(a="b")),
        lambda: other.list_tags_for_resource(ResourceARN=ARN),
        lambda: watch.untag_resource(ResourceARN=ARN + "2", TagKeys=["a"]),
    ):
        with refused("ResourceNotFoundException", status=404):
            request()
    with refused("InvalidParameterValue", "begins with aws:"):
        watch.tag_resource(ResourceARN=ARN, Tags=[{"Key": "AWS:x", "Value": ""}])
    with refused("InvalidParameterValue", "at most 50"):
        watch.tag_resource(ResourceARN=ARN, Tags=pairs(**{f"k{number}": "" for number in range(51)}))
    with refused("InvalidParameterValue", "at most 50"):
        watch.put_metric_alarm(**{**ALARM, "AlarmName": "b"}, Tags=pairs(**{f"k{n}": "" for n in range(51)}))
    assert len(watch.describe_alarms()["MetricAlarms"]) == 1
    assert watch.list_tags_for_resource(ResourceARN=ARN)["Tags"] == []


def test_policies_can_ask_about_an_alarms_tags() -> None:
    """To make an alarm with tags takes the permission to tag as well, as the API reference says."""
    name = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:a"
    tagged = call("PutMetricAlarm", {**ALARM, "AlarmName": "a", "Tags": pairs(team="x")}, "cloudwatch")
    plain = call("PutMetricAlarm", {**ALARM, "AlarmName": "a"}, "cloudwatch")
    delete = call("DeleteAlarms", {"AlarmNames": ["a"]}, "cloudwatch")
    put = allow("cloudwatch:PutMetricAlarm", name)
    tag = allow("cloudwatch:TagResource", name, StringEquals={"aws:RequestTag/team": "x"})
    of_team = allow("cloudwatch:DeleteAlarms", name, StringEquals={"aws:ResourceTag/team": "x"})
    untag = call("UntagResource", {"ResourceARN": name, "TagKeys": ["team"]}, "cloudwatch")
    kept = allow("cloudwatch:UntagResource", name, **{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["team"]}})
    with small_account() as transaction:
        assert permitted(transaction, plain, put) and not permitted(transaction, tagged, put)
        assert permitted(transaction, tagged, put, tag) and not permitted(transaction, untag, kept)
        assert not permitted(transaction, delete, of_team)
        context = Context(transaction, tagged, SETTINGS, random.Random(0))
        OPERATIONS["cloudwatch", "PutMetricAlarm"].handler(context, tagged.parameters)
        assert permitted(transaction, delete, of_team)
