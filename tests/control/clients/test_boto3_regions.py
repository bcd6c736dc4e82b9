"""boto3 in two regions of one server, each with an inventory of its own."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.kits.inventory_kit import (
    ABROAD,
    ABROAD_SENSORS,
    BATCH,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    SENSORS,
    WEB,
    abroad,
    example,
    there,
)
from tests.control.kits.serve_kit import REGION
from tests.control.kits.server_kit import Cloud, error_of, ids, running, tags

VPC, SUBNET, INSTANCE = "vpc-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60001", "i-0a1b2c3d4e5f60010"
GROUP, TABLE, ACL = "sg-0a1b2c3d4e5f60001", "rtb-0a1b2c3d4e5f60001", "acl-0a1b2c3d4e5f60001"
NOT_FOUND = "InvalidNetworkInterfaceID.NotFound"


def with_surroundings(lists: dict[str, Any], name: Any) -> dict[str, Any]:
    around = {"VpcId": name(VPC), "OwnerId": "111122223333"}
    return {
        **lists,
        "SecurityGroups": [{"GroupId": name(GROUP), "GroupName": "web", **around}],
        "RouteTables": [{"RouteTableId": name(TABLE), "Routes": [], **around}],
        "NetworkAcls": [{"NetworkAclId": name(ACL), "Entries": [], **around}],
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("regions") / "inventory.json"
    both = {**with_surroundings(example(), str), "Regions": {ABROAD: with_surroundings(abroad(), there)}}
    path.write_text(json.dumps(both))
    return path


@pytest.fixture(scope="module")
def served(file: Path) -> Iterator[Cloud]:
    options = ("--state", str(file.with_name("mirror.json")), "--quota", "sessions=2")
    with running(file.parent / "state", *options, inventory=file) as cloud:
        yield cloud


@pytest.fixture
def cloud(served: Cloud) -> Iterator[Cloud]:
    yield served
    for region in (REGION, ABROAD):
        ec2 = served.new_client(region=region)
        for each in ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]:
            ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=each["TrafficMirrorSessionId"])
    served.empty()


def make_session(ec2: Any, source: str, collector: str, number: int = 1) -> Any:
    target = ec2.create_traffic_mirror_target(NetworkInterfaceId=collector)["TrafficMirrorTarget"]
    made = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]
    return ec2.create_traffic_mirror_session(
        NetworkInterfaceId=source,
        TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
        TrafficMirrorFilterId=made["TrafficMirrorFilterId"],
        SessionNumber=number,
    )["TrafficMirrorSession"]


@pytest.mark.parametrize(
    ("operation", "parameter", "name", "code"),
    [
        ("describe_network_interfaces", "NetworkInterfaceIds", WEB, NOT_FOUND),
        ("describe_vpcs", "VpcIds", VPC, "InvalidVpcID.NotFound"),
        ("describe_subnets", "SubnetIds", SUBNET, "InvalidSubnetID.NotFound"),
        ("describe_instances", "InstanceIds", INSTANCE, "InvalidInstanceID.NotFound"),
        ("describe_vpc_endpoints", "VpcEndpointIds", ENDPOINT, "InvalidVpcEndpointId.NotFound"),
        ("describe_security_groups", "GroupIds", GROUP, "InvalidGroup.NotFound"),
        ("describe_route_tables", "RouteTableIds", TABLE, "InvalidRouteTableID.NotFound"),
        ("describe_network_acls", "NetworkAclIds", ACL, "InvalidNetworkAclID.NotFound"),
    ],
)
def test_each_region_has_its_own_and_no_others(
    cloud: Cloud, operation: str, parameter: str, name: str, code: str
) -> None:
    at_home, away = (getattr(cloud.new_client(region=each), operation) for each in (REGION, ABROAD))
    for call, own, other in ((at_home, name, there(name)), (away, there(name), name)):
        text = json.dumps(call(), default=str)
        assert f'"{own}"' in text and f'"{other}"' not in text
        assert f'"{own}"' in json.dumps(call(**{parameter: [own]}), default=str)
        assert error_of(call, **{parameter: [other]})[0] == code


def test_zones_and_load_balancers_are_of_their_region(cloud: Cloud) -> None:
    zones = [
        {
            each["ZoneName"]
            for each in cloud.new_client(region=region).describe_availability_zones()["AvailabilityZones"]
        }
        for region in (REGION, ABROAD)
    ]
    assert zones == [{"us-east-1a", "us-east-1b"}, {"eu-west-1a", "eu-west-1b"}]
    away = cloud.new_client("elbv2", region=ABROAD)
    found = [each["LoadBalancerArn"] for each in away.describe_load_balancers()["LoadBalancers"]]
    assert ABROAD_SENSORS in found and SENSORS not in found
    (listener,) = away.describe_listeners(LoadBalancerArn=ABROAD_SENSORS)["Listeners"]
    assert f":{ABROAD}:" in listener["ListenerArn"]
    assert error_of(away.describe_load_balancers, LoadBalancerArns=[SENSORS])[0] == "ValidationError"


def test_a_session_is_made_of_what_its_region_has(cloud: Cloud) -> None:
    at_home, away = cloud.client(), cloud.new_client(region=ABROAD)
    made = [make_session(at_home, WEB, COLLECTOR), make_session(away, there(WEB), there(COLLECTOR))]
    for ec2, own in zip((at_home, away), made, strict=True):
        assert ids(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]) == [own["TrafficMirrorSessionId"]]
    own, other = made
    create = away.create_traffic_mirror_session
    parts = ("NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId")
    session = {"SessionNumber": 2, **{name: other[name] for name in parts}}
    codes = [error_of(create, **{**session, name: own[name]})[0] for name in parts]
    assert codes == [NOT_FOUND, *(f"Invalid{name}.NotFound" for name in parts[1:])]
    assert error_of(away.create_traffic_mirror_target, NetworkInterfaceId=COLLECTOR)[0] == "InvalidTrafficMirrorTarget"
    balancer = error_of(away.create_traffic_mirror_target, NetworkLoadBalancerArn=SENSORS)[0]
    assert balancer == "NetworkLoadBalancerNotFoundException"
    target = away.create_traffic_mirror_target(NetworkLoadBalancerArn=ABROAD_SENSORS)["TrafficMirrorTarget"]
    assert target["NetworkLoadBalancerArn"] == ABROAD_SENSORS
    delete = at_home.delete_traffic_mirror_target
    assert error_of(delete, TrafficMirrorTargetId=target["TrafficMirrorTargetId"])[0].endswith("Id.NotFound")
    away.delete_traffic_mirror_session(TrafficMirrorSessionId=other["TrafficMirrorSessionId"])
    for each in (target, other):
        away.delete_traffic_mirror_target(TrafficMirrorTargetId=each["TrafficMirrorTargetId"])
    away.delete_traffic_mirror_filter(TrafficMirrorFilterId=other["TrafficMirrorFilterId"])


def test_tags_of_an_interface_are_its_regions(cloud: Cloud) -> None:
    at_home, away = cloud.client(), cloud.new_client(region=ABROAD)
    pair = {"Key": "team", "Value": "far"}
    assert error_of(at_home.create_tags, Resources=[there(WEB)], Tags=[pair])[0] == NOT_FOUND
    away.create_tags(Resources=[there(WEB)], Tags=[pair])
    asked = {"Filters": [{"Name": "key", "Values": ["team"]}]}
    assert [each["ResourceId"] for each in away.describe_tags(**asked)["Tags"]] == [there(WEB)]
    assert at_home.describe_tags(**asked)["Tags"] == []
    away.delete_tags(Resources=[there(WEB)], Tags=[pair])


def test_a_quota_is_of_one_region(cloud: Cloud) -> None:
    for region, name in ((REGION, str), (ABROAD, there)):
        ec2 = cloud.new_client(region=region)
        first = make_session(ec2, name(WEB), name(COLLECTOR))
        session = {each: first[each] for each in ("TrafficMirrorTargetId", "TrafficMirrorFilterId")}
        made = ec2.create_traffic_mirror_session(NetworkInterfaceId=name(DATABASE), SessionNumber=1, **session)
        assert made["TrafficMirrorSession"]["NetworkInterfaceId"] == name(DATABASE)
        refused = error_of(
            ec2.create_traffic_mirror_session, NetworkInterfaceId=name(BATCH), SessionNumber=1, **session
        )
        assert refused[0] == "TrafficMirrorSessionLimitExceeded"


def test_the_nic_and_the_mirror_file_are_of_the_servers_own(cloud: Cloud, file: Path) -> None:
    own = make_session(cloud.client(), WEB, COLLECTOR)["TrafficMirrorSessionId"]
    other = make_session(cloud.new_client(region=ABROAD), there(WEB), there(COLLECTOR))["TrafficMirrorSessionId"]
    sessions = [each for interface in cloud.server.served.status()["interfaces"] for each in interface["sessions"]]
    assert [each["id"] for each in sessions] == [own]
    written = json.loads(file.with_name("mirror.json").read_text())
    assert [each["TrafficMirrorSessionId"] for each in written["TrafficMirrorSessions"]] == [own]
    assert written["Regions"] == json.loads(file.read_text())["Regions"]
    assert other not in file.with_name("mirror.json").read_text()


def test_a_share_of_another_region_is_seen_there(cloud: Cloud) -> None:
    away = cloud.new_client(region=ABROAD)
    target = away.create_traffic_mirror_target(
        NetworkInterfaceId=there(COLLECTOR), TagSpecifications=tags("target", Name="far")
    )["TrafficMirrorTarget"]
    arn = f"arn:aws:ec2:{ABROAD}:111122223333:traffic-mirror-target/{target['TrafficMirrorTargetId']}"
    share = {"name": "far", "resourceArns": [arn], "principals": ["222233334444"]}
    made = cloud.new_client("ram", region=ABROAD).create_resource_share(**share)["resourceShare"]
    assert (
        cloud.client("ram").get_resource_shares(resourceOwner="SELF", resourceShareStatus="ACTIVE")["resourceShares"]
        == []
    )
    cloud.new_client("ram", region=ABROAD).delete_resource_share(resourceShareArn=made["resourceShareArn"])
    away.delete_traffic_mirror_target(TrafficMirrorTargetId=target["TrafficMirrorTargetId"])


def test_a_reload_may_take_a_region_with_its_sessions(tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(example(Regions={ABROAD: abroad()})))
    with running(tmp_path / "state", inventory=path) as cloud:
        away = cloud.new_client(region=ABROAD)
        make_session(away, there(WEB), there(COLLECTOR))
        path.write_text(json.dumps(example()))
        cloud.server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while away.describe_network_interfaces()["NetworkInterfaces"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert away.describe_network_interfaces()["NetworkInterfaces"] == []
        assert away.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
        assert ids(cloud.client().describe_network_interfaces()["NetworkInterfaces"])
