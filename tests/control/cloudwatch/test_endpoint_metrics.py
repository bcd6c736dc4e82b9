"""AWS/PrivateLinkEndpoints: what a Gateway Load Balancer endpoint gets as a mirror target."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from halfsilver.harness.control.control import Control
from halfsilver.harness.control.iam.policies import ADMINISTRATOR
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.metrics.book import Book
from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.control.kits.inventory_kit import COLLECTOR, ENDPOINT, SECURITY, WEB, Lab, example
from tests.control.kits.serve_kit import to_web

NOON = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
NAMESPACE = "AWS/PrivateLinkEndpoints"
OF_ENDPOINT = [
    {"Name": "Endpoint Type", "Value": "GatewayLoadBalancer"},
    {"Name": "Service Name", "Value": "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60001"},
    {"Name": "VPC Endpoint Id", "Value": ENDPOINT},
    {"Name": "VPC Id", "Value": "vpc-0a1b2c3d4e5f60001"},
]
SUBNET = {"Name": "Subnet Id", "Value": "subnet-0a1b2c3d4e5f60003"}
HEADERS = 20 + 8 + 8
"""IPv4, UDP, VXLAN."""


class Spoke(Lab):
    """One session, which sends all that comes in to the endpoint; ``more`` is of the inventory."""

    def __init__(self, **more: Any) -> None:
        super().__init__(example(**more))
        self.clock = lambda: NOON
        inventory = inventory_file.from_documents(example(**more))
        plane = DataPlane(GoldenEngine, inventory.nic, Book(self._now))
        self.control = Control(
            self.store, inventory, self.settings, plane, lambda _: ADMINISTRATOR, poll=3600, clock=self._now
        )
        self.watch = self.client("cloudwatch")
        ec2 = self.client("ec2")
        self.filter = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        ec2.create_traffic_mirror_filter_rule(
            TrafficMirrorFilterId=self.filter,
            TrafficDirection="ingress",
            RuleNumber=1,
            RuleAction="accept",
            SourceCidrBlock="0.0.0.0/0",
            DestinationCidrBlock="0.0.0.0/0",
        )
        made = ec2.create_traffic_mirror_session(
            NetworkInterfaceId=WEB,
            TrafficMirrorTargetId=self.target(GatewayLoadBalancerEndpointId=ENDPOINT),
            TrafficMirrorFilterId=self.filter,
            SessionNumber=1,
        )
        self.session = made["TrafficMirrorSession"]["TrafficMirrorSessionId"]

    def target(self, **destination: str) -> str:
        made = self.client("ec2").create_traffic_mirror_target(**destination)
        return str(made["TrafficMirrorTarget"]["TrafficMirrorTargetId"])

    def execute(self, call: Call) -> Any:
        return self.control.execute(call)

    def push(self, count: int) -> int:
        """Frames that are mirrored; bytes of one."""
        data = bytes(to_web(80))
        self.control.process([Frame(data, Direction.INGRESS)] * count)
        return len(data)

    def forward(self) -> None:
        self.later += timedelta(minutes=1)

    def sums(self, metric: str, *more: dict[str, str], account: str | None = None) -> list[tuple[int, float, str]]:
        """Minute, sum and unit of the last ten minutes."""
        watch = self.watch if account is None else self.client("cloudwatch", account)
        points = watch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=[*OF_ENDPOINT, *more],
            StartTime=self._now() - timedelta(minutes=10),
            EndTime=self._now(),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return [((each["Timestamp"] - NOON).seconds // 60, each["Sum"], each["Unit"]) for each in points]

    def close(self) -> None:
        self.control.close()
        self.store.close()


@pytest.fixture
def spoke() -> Iterator[Spoke]:
    made = Spoke()
    yield made
    made.close()


def minute(at: int) -> int:
    """As ``sums`` has it: NOON is five seconds into its minute."""
    return (timedelta(minutes=at, seconds=-5) % timedelta(days=1)).seconds // 60


def test_what_an_endpoint_was_sent_is_listed_and_summed(spoke: Spoke) -> None:
    assert spoke.watch.list_metrics(Namespace=NAMESPACE)["Metrics"] == []
    length = spoke.push(3)
    spoke.forward()
    spoke.forward()  # nothing comes: there is no sample, not even a zero
    spoke.push(1)
    spoke.forward()
    for dimensions in ((), (SUBNET,)):
        sums = [(minute(0), 3.0 * (length + HEADERS), "Bytes"), (minute(2), 1.0 * (length + HEADERS), "Bytes")]
        assert spoke.sums("BytesProcessed", *dimensions) == sums
        assert spoke.sums("PacketsDropped", *dimensions) == [(minute(0), 0.0, "Count"), (minute(2), 0.0, "Count")]
    listed = spoke.watch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {each["MetricName"] for each in listed} == {"BytesProcessed", "PacketsDropped"}
    sets = [sorted((each["Name"], each["Value"]) for each in metric["Dimensions"]) for metric in listed]
    whole = sorted((each["Name"], each["Value"]) for each in OF_ENDPOINT)
    assert sets == [whole] * 2 + [sorted([*whole, (SUBNET["Name"], SUBNET["Value"])])] * 2
    stat = {"Metric": {"Namespace": NAMESPACE, "MetricName": "BytesProcessed", "Dimensions": OF_ENDPOINT}}
    (data,) = spoke.watch.get_metric_data(
        MetricDataQueries=[{"Id": "b", "MetricStat": {**stat, "Period": 600, "Stat": "Sum"}}],
        StartTime=NOON - timedelta(minutes=5),
        EndTime=NOON + timedelta(minutes=5),
    )["MetricDataResults"]
    assert data["Values"] == [4.0 * (length + HEADERS)]


def test_whose_they_are_and_of_which_dimensions(spoke: Spoke) -> None:
    spoke.push(1)
    spoke.forward()
    assert spoke.sums("BytesProcessed") and spoke.sums("BytesProcessed", account=SECURITY) == []
    assert spoke.client("cloudwatch", SECURITY).list_metrics(Namespace=NAMESPACE)["Metrics"] == []
    assert spoke.sums("BytesProcessed", {"Name": "Subnet Id", "Value": "subnet-0"}) == []
    assert spoke.sums("NewConnections") == []
    (one,) = {each["Namespace"] for each in spoke.watch.list_metrics(MetricName="BytesProcessed")["Metrics"]}
    assert one == NAMESPACE


def test_a_session_with_another_target_sends_it_no_more(spoke: Spoke) -> None:
    length = spoke.push(2)
    target = spoke.target(NetworkInterfaceId=COLLECTOR)
    spoke.client("ec2").modify_traffic_mirror_session(
        TrafficMirrorSessionId=spoke.session, TrafficMirrorTargetId=target
    )
    spoke.push(5)
    spoke.forward()
    assert spoke.sums("BytesProcessed") == [(minute(0), 2.0 * (length + HEADERS), "Bytes")]


def test_an_alarm_may_watch_it(spoke: Spoke) -> None:
    spoke.watch.put_metric_alarm(
        AlarmName="busy",
        Namespace=NAMESPACE,
        MetricName="BytesProcessed",
        Dimensions=OF_ENDPOINT,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    spoke.push(1)
    spoke.forward()
    spoke.control._collector.collect()
    (alarm,) = spoke.watch.describe_alarms()["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"


def test_what_is_lost_on_the_way_does_not_reach_it() -> None:
    """A network ACL that lets nothing in: copies are sent, and the endpoint gets none."""
    acl = {
        "NetworkAclId": "acl-0a1b2c3d4e5f60001",
        "VpcId": "vpc-0a1b2c3d4e5f60001",
        "OwnerId": "111122223333",
        "IsDefault": False,
        "Associations": [
            {
                "NetworkAclAssociationId": "aclassoc-0a1b2c3d4e5f60001",
                "NetworkAclId": "acl-0a1b2c3d4e5f60001",
                "SubnetId": SUBNET["Value"],
            }
        ],
        "Entries": [
            {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": way, "CidrBlock": "0.0.0.0/0"}
            for way in (False, True)
        ],
        "Tags": [],
    }
    spoke = Spoke(NetworkAcls=[acl])
    spoke.push(3)
    spoke.forward()
    assert spoke.sums("BytesProcessed") == []
    spoke.close()
