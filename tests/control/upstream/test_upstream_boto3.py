"""boto3 from the first VPC to the last copy: what moto makes is mirrored, and when it goes it is gone."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from halfsilver.harness.control.iam.access_keys import create_user
from tests.control.kits.serve_kit import ANYWHERE, QUICK, REGION, Server
from tests.control.kits.server_kit import error_of
from tests.control.kits.upstream_kit import ACCOUNT, IMAGE, with_moto


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with with_moto(tmp_path_factory.mktemp("moto") / "state") as server:
        yield server


@pytest.fixture(scope="module")
def ec2(server: Server) -> Any:
    return server.served.client()


@pytest.fixture
def subnet(ec2: Any) -> Iterator[tuple[str, str]]:
    """A VPC and its subnet."""
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    yield vpc, made
    ec2.delete_subnet(SubnetId=made)
    ec2.delete_vpc(VpcId=vpc)


def run(ec2: Any, subnet: str, **members: Any) -> tuple[str, dict[str, Any]]:
    """An instance, and its first interface."""
    asked = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, **members}
    made = ec2.run_instances(**asked)["Instances"][0]
    (interface,) = ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [made["InstanceId"]]}]
    )["NetworkInterfaces"]
    return made["InstanceId"], interface


def interfaces(ec2: Any, *identifiers: str) -> list[dict[str, Any]]:
    asked = [{"Name": "network-interface-id", "Values": list(identifiers)}] if identifiers else []
    found: list[dict[str, Any]] = ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"]
    return found


def accept_all(ec2: Any) -> str:
    identifier: str = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    ec2.create_traffic_mirror_filter_rule(
        TrafficMirrorFilterId=identifier, TrafficDirection="ingress", RuleNumber=1, RuleAction="accept", **ANYWHERE
    )
    return identifier


def test_from_the_vpc_to_the_copy_and_back(server: Server, ec2: Any, subnet: tuple[str, str]) -> None:
    elbv2 = server.served.client("elbv2")
    vpc, place = subnet
    instance, source = run(ec2, place)
    balancer = elbv2.create_load_balancer(Name="copies", Type="network", Scheme="internal", Subnets=[place])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    assert ":loadbalancer/net/copies/" in arn
    (door,) = ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": [f"ELB {arn.partition(':loadbalancer/')[2]}"]}]
    )["NetworkInterfaces"]
    group = elbv2.create_target_group(Name="appliances", Protocol="UDP", Port=4789, VpcId=vpc, TargetType="instance")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    listener = elbv2.create_listener(
        LoadBalancerArn=arn,
        Protocol="UDP",
        Port=4789,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
    )["Listeners"][0]["ListenerArn"]
    assert ":listener/net/copies/" in listener
    (seen,) = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert (seen["LoadBalancerArn"], seen["Type"]) == (arn, "network")

    target = ec2.create_traffic_mirror_target(NetworkLoadBalancerArn=arn)["TrafficMirrorTarget"]
    session = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=source["NetworkInterfaceId"],
        TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
        TrafficMirrorFilterId=(filter_id := accept_all(ec2)),
        SessionNumber=1,
        VirtualNetworkId=77,
    )["TrafficMirrorSession"]
    frame = Ether(src="0a:00:00:00:00:99", dst=source["MacAddress"]) / IP(
        src="10.9.9.9", dst=source["PrivateIpAddress"]
    )
    verdicts, copies = server.served.push([frame / TCP(sport=1234, dport=80)])
    assert verdicts == "mirrored=1"
    assert (copies[0][VXLAN].vni, copies[0][IP].dst) == (77, door["PrivateIpAddress"])

    # A listener that goes takes the copies with it.
    elbv2.delete_listener(ListenerArn=listener)
    (engine_session,) = server.served.status()["interfaces"][0]["sessions"]
    assert engine_session["state"] == "down" and "4789" in engine_session["reason"]

    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session["TrafficMirrorSessionId"])
    ec2.delete_traffic_mirror_target(TrafficMirrorTargetId=target["TrafficMirrorTargetId"])
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=filter_id)
    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    elbv2.delete_target_group(TargetGroupArn=group_arn)
    ec2.terminate_instances(InstanceIds=[instance])
    assert interfaces(ec2) == []
    assert server.served.status()["interfaces"] == []
    assert error_of(elbv2.describe_load_balancers, LoadBalancerArns=[arn])[0] == "LoadBalancerNotFound"


def test_groups_are_looked_at_and_an_instance_that_ends_takes_its_sessions_along(
    server: Server, ec2: Any, subnet: tuple[str, str]
) -> None:
    _, place = subnet
    instance, source = run(ec2, place)
    appliance, collector = run(ec2, place)
    target = ec2.create_traffic_mirror_target(NetworkInterfaceId=collector["NetworkInterfaceId"])
    target_id = target["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    filter_id = accept_all(ec2)
    ec2.create_traffic_mirror_session(
        NetworkInterfaceId=source["NetworkInterfaceId"],
        TrafficMirrorTargetId=target_id,
        TrafficMirrorFilterId=filter_id,
        SessionNumber=1,
    )

    def obstacles() -> list[str]:
        (session,) = [each for interface in server.served.status()["interfaces"] for each in interface["sessions"]]
        found: list[str] = session["obstacles"]
        return found

    group = collector["Groups"][0]["GroupId"]
    assert any(group in each for each in obstacles()), "the default group lets its own members in alone"
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="udp", FromPort=4789, ToPort=4789, CidrIp="10.1.0.0/16"
    )
    assert obstacles() == []
    ec2.terminate_instances(InstanceIds=[instance])
    assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
    ec2.delete_traffic_mirror_target(TrafficMirrorTargetId=target_id)
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=filter_id)
    ec2.terminate_instances(InstanceIds=[appliance])


def test_interfaces_are_detached_as_at_aws(ec2: Any, subnet: tuple[str, str]) -> None:
    """For a while the attachment that ended is seen; one whose instance ended is gone."""
    _, place = subnet
    first = ec2.create_network_interface(SubnetId=place)["NetworkInterface"]["NetworkInterfaceId"]
    second = ec2.create_network_interface(SubnetId=place)["NetworkInterface"]["NetworkInterfaceId"]
    device = {"DeviceIndex": 0, "NetworkInterfaceId": first}
    made = ec2.run_instances(
        ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1, NetworkInterfaces=[device]
    )["Instances"][0]["InstanceId"]
    attachment = ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=made, DeviceIndex=1)["AttachmentId"]
    ec2.detach_network_interface(AttachmentId=attachment)
    (seen,) = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.attachment-id", "Values": [attachment]}])[
        "NetworkInterfaces"
    ]
    assert (seen["Attachment"]["Status"], seen["Status"]) == ("detached", "available")
    assert error_of(ec2.detach_network_interface, AttachmentId=attachment)[0] == "InvalidAttachmentID.NotFound"

    (attached,) = interfaces(ec2, first)
    ec2.terminate_instances(InstanceIds=[made])
    (free,) = interfaces(ec2, first)
    assert free["Status"] == "available" and "Attachment" not in free
    code = error_of(ec2.detach_network_interface, AttachmentId=attached["Attachment"]["AttachmentId"])[0]
    assert code == "InvalidAttachmentID.NotFound"
    for each in (first, second):
        ec2.delete_network_interface(NetworkInterfaceId=each)
    assert interfaces(ec2) == []


def test_subnets_have_the_filter_by_ipv6_block(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    (block,) = vpc["Ipv6CidrBlockAssociationSet"]
    subnet = ec2.create_subnet(
        VpcId=vpc["VpcId"], CidrBlock="10.2.0.0/24", Ipv6CidrBlock=block["Ipv6CidrBlock"].replace("/56", "/64")
    )["Subnet"]
    (association,) = subnet["Ipv6CidrBlockAssociationSet"]
    name = "ipv6-cidr-block-association.association-id"
    found = ec2.describe_subnets(Filters=[{"Name": name, "Values": [association["AssociationId"]]}])["Subnets"]
    assert [each["SubnetId"] for each in found] == [subnet["SubnetId"]]
    assert found[0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlockState"]["State"] == "associated"
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])


def test_other_services_and_their_protocols(server: Server) -> None:
    """Forms, JSON, Smithy's RPC and REST with a key that must be encoded."""
    assert server.served.client("iam").list_users()["Users"] == []
    logs, s3 = server.served.client("logs"), server.served.client("s3")
    logs.create_log_group(logGroupName="/mirror/flows")
    assert [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]] == ["/mirror/flows"]
    s3.create_bucket(Bucket="captures")
    s3.put_object(Bucket="captures", Key="day one/a+b.pcap", Body=b"frames")
    assert s3.get_object(Bucket="captures", Key="day one/a+b.pcap")["Body"].read() == b"frames"
    signer = server.served.session("default").client(
        "s3", endpoint_url=server.served.url, config=QUICK.merge(Config(signature_version="s3v4"))
    )
    link = signer.generate_presigned_url("get_object", Params={"Bucket": "captures", "Key": "day one/a+b.pcap"})
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert answer.read() == b"frames"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.replace("a%2Bb", "other"), timeout=10)


def test_who_may_not_is_not_passed_on(server: Server, ec2: Any) -> None:
    """The signature is ours to check, and so are the policies."""
    before = len(ec2.describe_vpcs()["Vpcs"])
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}}
    key = create_user(server.state / "keys.json", ACCOUNT, "looker", policy=policy)
    session = server.served.session("default")

    def client(service: str, secret: str) -> Any:
        return session.client(
            service,
            endpoint_url=server.served.url,
            region_name=REGION,
            config=QUICK,
            aws_access_key_id=key.id,
            aws_secret_access_key=secret,
        )

    looker = client("ec2", key.secret)
    assert len(looker.describe_vpcs()["Vpcs"]) == before
    code, status, message = error_of(looker.create_vpc, CidrBlock="10.3.0.0/16")
    assert (code, status) == ("UnauthorizedOperation", 403) and "ec2:CreateVpc" in message
    with pytest.raises(ClientError, match="s3:CreateBucket"):
        client("s3", key.secret).create_bucket(Bucket="no")
    assert error_of(client("ec2", "0" * 40).create_vpc, CidrBlock="10.3.0.0/16")[0] == "AuthFailure"
    assert len(ec2.describe_vpcs()["Vpcs"]) == before
    assert server.served.request("POST", "/moto-api/reset")[0] == 404
