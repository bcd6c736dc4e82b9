"""A look-alike in two regions: what it has in each is that region's inventory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.iam.access_keys import create_user
from halfsilver.harness.control.upstream.moto import moto_server
from tests.control.kits.serve_kit import QUICK, REGION, Server
from tests.control.kits.server_kit import error_of
from tests.control.kits.upstream_kit import ACCOUNT, IMAGE, Relay, look_alike, with_moto

AWAY = "eu-west-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with with_moto(tmp_path_factory.mktemp("moto") / "state") as server:
        yield server


def client(server: Server, region: str, service: str = "ec2") -> Any:
    return server.served.client(service, region_name=region)


def interfaces(ec2: Any) -> list[str]:
    return [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]]


def run_two(ec2: Any) -> list[str]:
    """The interfaces of two new instances."""
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    asked = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 2, "MaxCount": 2, "SubnetId": subnet}
    made = ec2.run_instances(**asked)["Instances"]
    return [each["NetworkInterfaces"][0]["NetworkInterfaceId"] for each in made]


def mirror(ec2: Any, source: str, target: dict[str, str]) -> str:
    target_id = ec2.create_traffic_mirror_target(**target)["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    filter_id = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    asked = {"TrafficMirrorTargetId": target_id, "TrafficMirrorFilterId": filter_id, "SessionNumber": 1}
    made = ec2.create_traffic_mirror_session(NetworkInterfaceId=source, **asked)["TrafficMirrorSession"]
    return str(made["TrafficMirrorSessionId"])


def sessions(ec2: Any) -> list[str]:
    return [each["TrafficMirrorSessionId"] for each in ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]]


def test_each_region_is_read_back_by_itself(server: Server) -> None:
    home, away = client(server, REGION), client(server, AWAY)
    zones = {each["AvailabilityZone"][:-1] for each in away.describe_subnets()["Subnets"]}
    assert zones == {AWAY}
    at_home, far = run_two(home), run_two(away)
    assert (interfaces(home), interfaces(away)) == (at_home, far)
    code = error_of(home.describe_network_interfaces, NetworkInterfaceIds=far[:1])[0]
    assert code == "InvalidNetworkInterfaceID.NotFound"
    made = [mirror(ec2, own[0], {"NetworkInterfaceId": own[1]}) for ec2, own in ((home, at_home), (away, far))]
    assert [sessions(home), sessions(away)] == [[made[0]], [made[1]]]
    shown = {each["id"]: len(each["sessions"]) for each in server.served.status()["interfaces"]}
    assert shown == {at_home[0]: 1, at_home[1]: 0}
    instance = away.describe_network_interfaces(NetworkInterfaceIds=far[:1])["NetworkInterfaces"][0]["Attachment"]
    away.terminate_instances(InstanceIds=[instance["InstanceId"]])
    assert (sessions(home), sessions(away)) == ([made[0]], []) and interfaces(away) == far[1:]


def test_load_balancers_are_targets_in_their_region(server: Server) -> None:
    away = client(server, AWAY)
    source = run_two(away)[0]
    subnet = away.describe_subnets()["Subnets"][0]["SubnetId"]
    asked = {"Name": "far", "Type": "network", "Subnets": [subnet]}
    (made,) = client(server, AWAY, "elbv2").create_load_balancer(**asked)["LoadBalancers"]
    assert made["LoadBalancerArn"].startswith(f"arn:aws:elasticloadbalancing:{AWAY}:{ACCOUNT}:loadbalancer/net/far/")
    assert mirror(away, source, {"NetworkLoadBalancerArn": made["LoadBalancerArn"]}) in sessions(away)
    assert client(server, REGION, "elbv2").describe_load_balancers()["LoadBalancers"] == []
    refused = error_of(
        client(server, REGION).create_traffic_mirror_target, NetworkLoadBalancerArn=made["LoadBalancerArn"]
    )
    assert refused[0] == "NetworkLoadBalancerNotFoundException"


def test_a_detached_interface_is_shown_so_in_its_region(server: Server) -> None:
    away = client(server, AWAY)
    subnet = away.describe_subnets()["Subnets"][0]["SubnetId"]
    instance = away.describe_instances()["Reservations"][-1]["Instances"][0]["InstanceId"]
    own = away.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    attachment = away.attach_network_interface(DeviceIndex=1, InstanceId=instance, NetworkInterfaceId=own)
    unknown = error_of(client(server, REGION).detach_network_interface, AttachmentId=attachment["AttachmentId"])
    assert unknown[0] == "InvalidAttachmentID.NotFound"
    away.detach_network_interface(AttachmentId=attachment["AttachmentId"])
    (shown,) = away.describe_network_interfaces(NetworkInterfaceIds=[own])["NetworkInterfaces"]
    assert shown["Attachment"]["Status"] == "detached"


def test_policies_are_asked_for_the_region(server: Server) -> None:
    allowed = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": AWAY}},
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    key = create_user(server.state / "keys.json", ACCOUNT, "far", policy=policy)
    home, away = (
        server.served.session("default").client(
            "ec2",
            region_name=region,
            endpoint_url=server.served.url,
            config=QUICK,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
        )
        for region in (REGION, AWAY)
    )
    vpc = away.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    assert vpc in [each["VpcId"] for each in away.describe_vpcs()["Vpcs"]]
    assert error_of(home.create_vpc, CidrBlock="10.8.0.0/16")[0] == "UnauthorizedOperation"


def test_a_region_is_known_after_a_new_start(tmp_path: Path) -> None:
    """Its sessions stay, although nobody has asked for the region yet."""
    pytest.importorskip("moto", reason="moto is not installed")
    with moto_server() as url:
        with Server(tmp_path / "state", "--upstream", url, inventory=None) as server:
            away = client(server, AWAY)
            source, collector = run_two(away)
            made = mirror(away, source, {"NetworkInterfaceId": collector})
        with Server(tmp_path / "state", "--upstream", url, inventory=None) as server:
            away = client(server, AWAY)
            assert sessions(away) == [made] and interfaces(away) == [source, collector]


def test_a_region_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    pytest.importorskip("moto", reason="moto is not installed")
    relay = Relay()
    with moto_server() as moto, look_alike(relay) as url:
        relay.to = moto
        with Server(tmp_path / "state", "--upstream", url, inventory=None) as server:
            away, subnets = client(server, AWAY), client(server, REGION).describe_subnets()["Subnets"]
            relay.to = None
            assert error_of(away.describe_subnets)[:2] == ("ServiceUnavailable", 503)
            assert client(server, REGION).describe_subnets()["Subnets"] == subnets
            relay.to = moto
            assert {each["AvailabilityZone"][:-1] for each in away.describe_subnets()["Subnets"]} == {AWAY}
