"""Regions: what is made in one is not seen in another, and the inventory is the server's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.cloudwatch.states import evaluate_all
from halfsilver.harness.control.control import Control
from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies, load_policy
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.regions import ALWAYS_ON, known_regions, region_words
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.plane.documents import assemble
from halfsilver.harness.control.plane.restoring import restore
from halfsilver.harness.control.state.minutes import Minute
from halfsilver.harness.control.state.store import HOME, Store
from halfsilver.harness.records import METRICS
from tests.control.kits.data_plane_kit import Refusing
from tests.control.kits.inventory_kit import EXAMPLE, OWNER, SENSORS, WEB

ELSEWHERE, FURTHER = "eu-west-1", "ap-south-1"
SETTINGS = Settings(regions=(FURTHER, ELSEWHERE))
ANN = Caller(OWNER, f"arn:aws:iam::{OWNER}:user/ann", "AIDAEXAMPLE", "ann")
ALARM = {
    "AlarmName": "quiet",
    "Namespace": "AWS/EC2",
    "MetricName": "NetworkMirrorIn",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
Ask = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "state.sqlite"))
    yield opened
    opened.close()


@pytest.fixture
def allowed() -> list[Policies]:
    """What everybody may, the last one."""
    return [ADMINISTRATOR]


@pytest.fixture
def ask(store: Store, allowed: list[Policies]) -> Iterator[Ask]:
    inventory = inventory_file.load(EXAMPLE)
    plane = DataPlane(Refusing, inventory.nic)
    control = Control(store, inventory, SETTINGS, plane, lambda caller: allowed[-1])

    def call(operation: str, region: str = HOME, service: str = "ec2", **parameters: Any) -> Any:
        now = datetime.now(UTC)
        asked = Call(service, operation, parameters, ANN, str(uuid.uuid4()), "127.0.0.1", now, region=region)
        return control.execute(asked)

    yield call
    control.close()


def filters(ask: Ask, region: str = HOME) -> list[str]:
    found = ask("DescribeTrafficMirrorFilters", region)["TrafficMirrorFilters"]
    return [each["TrafficMirrorFilterId"] for each in found]


def make_filter(ask: Ask, region: str = HOME, **parameters: Any) -> str:
    made = ask("CreateTrafficMirrorFilter", region, **parameters)["TrafficMirrorFilter"]
    return str(made["TrafficMirrorFilterId"])


def code(ask: Ask, *call: Any, **parameters: Any) -> str:
    with pytest.raises(ApiError) as caught:
        ask(*call, **parameters)
    return caught.value.code


def test_what_is_made_in_a_region_is_not_found_in_another(ask: Ask) -> None:
    home, there = make_filter(ask), make_filter(ask, ELSEWHERE)
    assert (filters(ask), filters(ask, ELSEWHERE), filters(ask, FURTHER)) == ([home], [there], [])
    for region, other in ((HOME, there), (ELSEWHERE, home), (FURTHER, home)):
        unknown = "InvalidTrafficMirrorFilterId.NotFound"
        assert code(ask, "DescribeTrafficMirrorFilters", region, TrafficMirrorFilterIds=[other]) == unknown
        assert code(ask, "DeleteTrafficMirrorFilter", region, TrafficMirrorFilterId=other) == unknown
        assert code(ask, "CreateTags", region, Resources=[other], Tags=[{"Key": "k", "Value": "v"}]) == unknown
    ask("CreateTags", ELSEWHERE, Resources=[there], Tags=[{"Key": "k", "Value": "v"}])
    assert ask("DescribeTags", FURTHER)["Tags"] == []
    assert [each["ResourceId"] for each in ask("DescribeTags", ELSEWHERE)["Tags"]] == [there]
    ask("DeleteTrafficMirrorFilter", ELSEWHERE, TrafficMirrorFilterId=there)
    assert (filters(ask), filters(ask, ELSEWHERE)) == ([home], [])


def test_the_inventory_is_the_servers_own(ask: Ask) -> None:
    assert ask("DescribeNetworkInterfaces")["NetworkInterfaces"]
    for operation in ("DescribeNetworkInterfaces", "DescribeVpcs", "DescribeSubnets", "DescribeAvailabilityZones"):
        (found,) = ask(operation, ELSEWHERE).values()
        assert found == [], operation
    assert ask("DescribeLoadBalancers", ELSEWHERE, "elbv2")["LoadBalancers"] == []
    assert code(ask, "DescribeLoadBalancers", ELSEWHERE, "elbv2", LoadBalancerArns=[SENSORS]) == "ValidationError"
    assert code(ask, "CreateTrafficMirrorTarget", ELSEWHERE, NetworkInterfaceId=WEB) == "InvalidTrafficMirrorTarget"


def test_a_token_is_of_its_region(ask: Ask) -> None:
    made = [make_filter(ask, region, ClientToken="one") for region in (HOME, ELSEWHERE, HOME, ELSEWHERE)]
    assert made[:2] == made[2:] and made[0] != made[1]


def test_policies_and_arns_know_the_region(ask: Ask, allowed: list[Policies]) -> None:
    share = ask("CreateResourceShare", ELSEWHERE, "ram", name="s")["resourceShare"]
    assert share["resourceShareArn"].startswith(f"arn:aws:ram:{ELSEWHERE}:{OWNER}:")
    assert ask("GetResourceShares", HOME, "ram", resourceOwner="SELF")["resourceShares"] == []
    only = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": ELSEWHERE}},
    }
    allowed.append(Policies((load_policy({"Statement": only}, "p"),)))
    make_filter(ask, ELSEWHERE)
    assert code(ask, "CreateTrafficMirrorFilter", HOME) == "UnauthorizedOperation"
    on = {"Effect": "Allow", "Action": "*", "Resource": f"arn:aws:ec2:{FURTHER}:*:*"}
    allowed.append(Policies((load_policy({"Statement": on}, "p"),)))
    make_filter(ask, FURTHER)
    assert code(ask, "CreateTrafficMirrorFilter", ELSEWHERE) == "UnauthorizedOperation"


def test_quotas_are_of_one_region(ask: Ask) -> None:
    listed = ask("ListServiceQuotas", ELSEWHERE, "service-quotas", ServiceCode="vpc")["Quotas"]
    assert all(f":{ELSEWHERE}:" in each["QuotaArn"] for each in listed)


def test_all_regions_are_listed_wherever_one_asks(ask: Ask) -> None:
    for region in (HOME, ELSEWHERE):
        found = ask("DescribeRegions", region)["Regions"]
        assert [each["RegionName"] for each in found] == [FURTHER, ELSEWHERE, "us-east-1"]
        assert {each["OptInStatus"] for each in found} == {"opt-in-not-required"}
    assert ask("DescribeRegions", RegionNames=[ELSEWHERE])["Regions"][0]["Endpoint"] == "ec2.eu-west-1.amazonaws.com"
    assert set(known_regions("aws")) > ALWAYS_ON and "cn-north-1" not in known_regions("aws")
    assert "cn-north-1" in known_regions("aws-cn") and known_regions("none") == ()
    assert region_words("aws")[ELSEWHERE] == "Europe (Ireland)" and dict(region_words("none")) == {}


def test_metrics_and_alarms_of_another_region_have_no_samples(ask: Ask, store: Store) -> None:
    now = datetime.now(UTC).replace(second=1, microsecond=0)
    minute = int((now - timedelta(seconds=61)).timestamp())
    for region in (HOME, ELSEWHERE):
        ask("PutMetricAlarm", region, "cloudwatch", **ALARM)
    with store.begin(write=True) as transaction:
        transaction.minutes.add([Minute(minute, "tms-1", WEB, "i-1", OWNER, dict.fromkeys(METRICS, 5))])
    with store.begin(write=True) as transaction:
        evaluate_all(transaction, now)
        there = transaction.of_region(ELSEWHERE).minutes
        assert transaction.minutes.instances(OWNER, 0) == ["i-1"] and there.instances(OWNER, 0) == []
        assert there.find(0, minute + 60) == []
    states = [ask("DescribeAlarms", region, "cloudwatch")["MetricAlarms"] for region in (HOME, ELSEWHERE, FURTHER)]
    assert [[each["StateValue"] for each in found] for found in states] == [["ALARM"], ["INSUFFICIENT_DATA"], []]


def test_the_mirror_file_is_of_the_servers_own_region(ask: Ask, store: Store) -> None:
    home, there = make_filter(ask), make_filter(ask, ELSEWHERE)
    with store.begin() as transaction:
        documents = assemble(transaction)
    assert [each["TrafficMirrorFilterId"] for each in documents["TrafficMirrorFilters"]] == [home]
    with store.begin(write=True) as transaction:
        restore(transaction, {**documents, "TrafficMirrorFilters": []}, SETTINGS)
    assert (filters(ask), filters(ask, ELSEWHERE)) == ([], [there])
