"""What is passed on and what is not, and what is put right in what was read, without a look-alike."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.parsers import ResponseParserFactory

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.inventory.objects import model
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.upstream.answers import mended
from halfsilver.harness.control.upstream.arns import BalancerArns
from halfsilver.harness.control.upstream.asked import Asked, ask
from halfsilver.harness.control.upstream.bridges import DETACHED_SECONDS, Bridges
from halfsilver.harness.control.upstream.connection import Connection, Scope, UpstreamError, check_url
from halfsilver.harness.control.upstream.division import is_ours
from halfsilver.harness.control.upstream.reading import UpstreamReader
from halfsilver.harness.control.upstream.stock import carry
from halfsilver.harness.errors import UsageError

FORM = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
JSON = ("content-type", "application/x-amz-json-1.1")
OWNER = "123456789012"
ARN = f"arn:aws:elasticloadbalancing:us-east-1:{OWNER}"


def form(body: str) -> Request:
    return Request("POST", "/", "", FORM, body.encode())


# Whose a request is.


@pytest.mark.parametrize(
    ("service", "request_", "operation"),
    [
        ("ec2", form("Action=RunInstances&Version=2016-11-15"), "RunInstances"),
        ("ec2", Request("GET", "/", "Action=DescribeVpcs&Version=2016-11-15"), "DescribeVpcs"),
        ("logs", Request("POST", "/", "", (JSON, ("x-amz-target", "Logs_2014.CreateLogGroup"))), "CreateLogGroup"),
        ("cloudwatch", Request("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics"), "ListMetrics"),
        ("s3", Request("PUT", "/bucket"), "CreateBucket"),
        ("s3", Request("PUT", "/bucket", "policy"), "PutBucketPolicy"),
        ("s3", Request("GET", "/bucket", "list-type=2&prefix=a"), "ListObjectsV2"),
        ("s3", Request("GET", "/bucket", "list-type=1"), "ListObjects"),
        ("s3", Request("GET", "/"), "ListBuckets"),
        ("s3", Request("GET", "/bucket/a"), "GetObject"),
        ("s3", Request("GET", "/bucket/a", "%61cl"), "GetObjectAcl"),
        ("s3", Request("GET", "/bucket/a", "uploadId=1"), "ListParts"),
        ("s3", Request("GET", "/bucket", "lifecycle"), "GetBucketLifecycleConfiguration"),
        ("s3", Request("GET", "/bucket", "metrics"), "ListBucketMetricsConfigurations"),
        ("s3", Request("GET", "/bucket", "metrics&id=a"), "GetBucketMetricsConfiguration"),
        ("s3", Request("PUT", "/bucket/a"), "PutObject"),
        ("s3", Request("PUT", "/bucket/a", "", (("x-amz-copy-source", "bucket/b"),)), "CopyObject"),
        ("s3", Request("PUT", "/bucket/a", "partNumber=1&uploadId=1"), "UploadPart"),
        ("s3", Request("PUT", "/service/a/operation/GetObject"), "PutObject"),
        ("s3", Request("GET", "/", "Action=GetObject"), "ListBuckets"),
        ("s3", Request("DELETE", "/bucket/a/b"), "DeleteObject"),
        ("s3", Request("DELETE", "/bucket/a/b", "uploadId=1"), "AbortMultipartUpload"),
        ("lambda", Request("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda"), "GetFunction"),
        ("eks", Request("GET", "/tags/arn%3Aaws%3Aeks%3Acluster%2Fa"), "ListTagsForResource"),
        ("lambda", Request("GET", "/2015-03-31/functions/name"), "GetFunction"),
    ],
)
def test_what_is_asked(service: str, request_: Request, operation: str) -> None:
    assert ask(service, request_).operation == operation


@pytest.mark.parametrize(
    ("service", "request_", "words"),
    [
        ("ec2", form("Action=DescribeVpcs&Action=RunInstances"), "one parameter twice"),
        ("ec2", Request("POST", "/", "Action=DescribeVpcs", FORM, b"Action=RunInstances"), "one parameter twice"),
        ("ec2", form("Version=2016-11-15"), "must contain the parameter Action"),
        (
            "logs",
            Request("POST", "/", "Action=RunInstances", (JSON, ("x-amz-target", "Logs.CreateLogGroup"))),
            "no query string",
        ),
        ("logs", Request("POST", "/", "", (*FORM, ("x-amz-target", "Logs.CreateLogGroup"))), "JSON body"),
        ("s3", Request("POST", "/moto-api/reset"), "nothing at"),
        ("s3", Request("POST", "/%6doto-api/reset"), "nothing at"),
        ("s3", Request("GET", "//moto-api/data.json"), "nothing at"),
        ("s3", Request("GET", "/bucket/%2e%2e/_localstack/health"), "nothing at"),
        ("s3", Request("GET", "/bucket%2Fkey"), "could be two"),
        ("s3", Request("GET", "/bucket/key", "uploadId="), "could be two"),
        ("s3", Request("GET", "/bucket", "acl&policy"), "could be two"),
        ("s3", Request("PATCH", "/bucket"), "No operation"),
        ("nonsense", Request("GET", "/"), "No operation"),
    ],
)
def test_what_could_be_two_things_or_none_is_refused(service: str, request_: Request, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        ask(service, request_)


@pytest.mark.parametrize(
    ("service", "body", "ours"),
    [
        ("ec2", "Action=CreateTrafficMirrorSession", True),
        ("ec2", "Action=DescribeNetworkInterfaces", True),
        ("ec2", "Action=DescribeSubnets", True),
        ("ec2", "Action=DescribeInstances", False),
        ("ec2", "Action=RunInstances", False),
        ("ec2", "Action=CreateTags&ResourceId.1=tms-1&ResourceId.2=tmt-2&Tag.1.Key=vpc-1", True),
        ("ec2", "Action=CreateTags&ResourceId.1=vpc-1&Tag.1.Key=tms-1", False),
        ("ec2", "Action=DescribeTags&Filter.1.Name=resource-id&Filter.1.Value.1=tmf-1", True),
        ("ec2", "Action=DescribeTags&Filter.1.Name=resource-type&Filter.1.Value.1=traffic-mirror-session", True),
        ("ec2", "Action=DescribeTags&Filter.1.Name=resource-id&Filter.1.Value.1=igw-1", False),
        ("elbv2", "Action=DescribeLoadBalancers", False),
        ("sts", "Action=GetCallerIdentity", True),
        ("sts", "Action=AssumeRole", True),
        ("iam", "Action=CreateRole", False),
        ("iam", "Action=GetUser", False),
    ],
)
def test_what_is_ours(service: str, body: str, ours: bool) -> None:
    assert is_ours(ask(service, form(body)), OPERATIONS) == ours


def test_tags_of_both_sides_are_two_requests() -> None:
    with pytest.raises(ApiError, match="two requests"):
        is_ours(ask("ec2", form("Action=CreateTags&ResourceId.1=tms-1&ResourceId.2=vpc-1")), OPERATIONS)


def test_what_only_reads() -> None:
    assert Asked("ec2", "DescribeVpcs").reads and Asked("iam", "GetRole").reads
    assert not Asked("ec2", "RunInstances").reads and not Asked("ec2", "ModifyVpcAttribute").reads


@pytest.mark.parametrize(
    "url", ["127.0.0.1:5000", "ftp://host", "http://", "http://host/path", "http://user@host", "http://host:99999"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="must be the address"):
        check_url(url)


# ARNs.


def test_load_balancers_have_the_kind_of_their_type() -> None:
    arns = BalancerArns()
    arns.learn(
        [
            {"LoadBalancerArn": f"{ARN}:loadbalancer/app/copies/0123456789abcdef", "Type": "network"},
            {"LoadBalancerArn": f"{ARN}:loadbalancer/app/shop/0123456789abcdef", "Type": "application"},
        ]
    )
    theirs = f"{ARN}:listener/app/copies/0123456789abcdef/1a {ARN}:loadbalancer/app/shop/0123456789abcdef"
    clients = theirs.replace("app/copies", "net/copies")
    assert arns.to_clients(theirs.encode()) == clients.encode()
    assert arns.to_upstream(clients.encode()) == theirs.encode()
    encoded = clients.replace(":", "%3A").replace("/", "%2F").encode()
    assert arns.to_upstream(encoded) == theirs.replace(":", "%3A").replace("/", "%2F").encode()
    other = f"{ARN}:loadbalancer/net/copies/fedcba9876543210".encode()
    assert arns.to_upstream(other) == other
    assert arns.to_clients(b"loadbalancer/app/copies/0123456789abcdef") == b"loadbalancer/app/copies/0123456789abcdef"


# What is put right.


def interface(number: int, **members: Any) -> dict[str, Any]:
    address = f"10.0.0.{number}"
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "SubnetId": "subnet-1",
        "MacAddress": f"02:00:00:00:00:{number:02x}",
        "PrivateIpAddresses": [{"PrivateIpAddress": address}],
        "Status": "in-use",
        "Attachment": {"AttachmentId": f"eni-attach-{number}", "InstanceId": f"i-{number}", "Status": "attached"},
        **members,
    }


def lists(**members: Any) -> dict[str, Any]:
    subnet = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/28", "AvailabilityZone": "us-east-1a"}
    empty: dict[str, Any] = {"NetworkInterfaces": [], "LoadBalancers": [], "VpcEndpoints": [], "Reservations": []}
    return {**empty, "Subnets": [subnet], **members}


def balancer(name: str, kind: str = "network") -> dict[str, Any]:
    short = {"network": "net", "application": "app"}[kind]
    return {
        "LoadBalancerArn": f"{ARN}:loadbalancer/{short}/{name}/0123456789abcdef",
        "Type": kind,
        "AvailabilityZones": [{"ZoneName": "us-east-1a", "SubnetId": "subnet-1"}],
    }


def test_a_network_load_balancer_has_an_interface_in_each_subnet() -> None:
    bridges, taken = Bridges(), [interface(14), interface(13)]
    found = lists(LoadBalancers=[balancer("copies"), balancer("shop", "application")], NetworkInterfaces=[*taken])
    bridges.mend(found, {})
    (made,) = [each for each in found["NetworkInterfaces"] if each not in taken]
    assert made["Description"] == "ELB net/copies/0123456789abcdef"
    assert (made["InterfaceType"], made["SubnetId"], made["OwnerId"]) == ("network_load_balancer", "subnet-1", OWNER)
    assert made["PrivateIpAddress"] == "10.0.0.12", "the highest that nobody has"
    again = lists(LoadBalancers=[balancer("copies")])
    bridges.mend(again, found)
    assert again["NetworkInterfaces"] == [made], "it stays what it is, though a higher address is free now"
    moved = lists(LoadBalancers=[balancer("copies")], NetworkInterfaces=[interface(12)])
    bridges.mend(moved, again)
    assert moved["NetworkInterfaces"][1]["PrivateIpAddress"] == "10.0.0.14", "the look-alike gave it to somebody else"


def test_an_endpoint_of_a_gateway_load_balancer_has_an_interface() -> None:
    endpoint = {
        "VpcEndpointId": "vpce-1",
        "VpcEndpointType": "GatewayLoadBalancer",
        "OwnerId": OWNER,
        "SubnetIds": ["subnet-1"],
        "NetworkInterfaceIds": [],
    }
    found = lists(VpcEndpoints=[endpoint])
    Bridges().mend(found, {})
    (made,) = found["NetworkInterfaces"]
    assert endpoint["NetworkInterfaceIds"] == [made["NetworkInterfaceId"]]
    assert made["InterfaceType"] == "gateway_load_balancer_endpoint"


def test_a_mac_address_that_is_none_is_another_and_stays_it() -> None:
    once, again = lists(NetworkInterfaces=[interface(1), interface(2)]), lists(NetworkInterfaces=[interface(2)])
    right = once["NetworkInterfaces"][0]["MacAddress"] = "02:00:00:AA:bb:01"
    for found in (once, again):
        found["NetworkInterfaces"][-1]["MacAddress"] = "02:00:00:9102x:3002x:24002x"
        Bridges().mend(found, {})
    first, second = (each["MacAddress"] for each in once["NetworkInterfaces"])
    assert first == right and re.fullmatch("06(:[0-9a-f]{2}){5}", second)
    assert second == again["NetworkInterfaces"][0]["MacAddress"]


def test_what_an_ended_instance_leaves() -> None:
    instances = [
        {"InstanceId": "i-1", "State": {"Name": "terminated"}},
        {"InstanceId": "i-2", "State": {"Name": "terminated"}},
        {"InstanceId": "i-3", "State": {"Name": "running"}},
    ]
    own = {"Description": "Primary network interface"}
    found = lists(
        Reservations=[{"Instances": instances[:1]}, {"Instances": instances[1:]}],
        NetworkInterfaces=[interface(1, **own), interface(2), interface(3, **own)],
    )
    Bridges().mend(found, {})
    assert [each["Instances"] for each in found["Reservations"]] == [[instances[2]]]
    free, kept = found["NetworkInterfaces"]
    assert (free["NetworkInterfaceId"], free["Status"], "Attachment" in free) == ("eni-2", "available", False)
    assert kept["Attachment"]["DeleteOnTermination"], "it goes when its instance does"


def test_an_interface_goes_with_its_subnet() -> None:
    found = lists(NetworkInterfaces=[interface(1), interface(2, SubnetId="subnet-2")])
    Bridges().mend(found, {})
    assert [each["NetworkInterfaceId"] for each in found["NetworkInterfaces"]] == ["eni-1"]


def test_an_attachment_that_ended_is_seen_for_a_while() -> None:
    now = [0.0]
    bridges, before = Bridges(clock=lambda: now[0]), lists(NetworkInterfaces=[interface(1), interface(2)])
    bridges.detach(before["NetworkInterfaces"][0]["Attachment"])
    free = {**interface(1, Status="available"), "Attachment": None}
    shown = lists(NetworkInterfaces=[dict(free), interface(2)])
    bridges.mend(shown, before)
    first, other = shown["NetworkInterfaces"]
    assert (first["Attachment"]["Status"], first["Status"]) == ("detached", "available")
    assert other == interface(2)
    now[0] = DETACHED_SECONDS + 1
    later = lists(NetworkInterfaces=[dict(free), interface(2)])
    bridges.mend(later, shown)
    assert later["NetworkInterfaces"][0]["Attachment"] is None


# What the NIC carries.


def test_sources_are_carried_first_and_who_is_carried_stays_where_it_is() -> None:
    many = [interface(number) for number in range(1, 21)]
    carried = carry(many, (), ())
    assert carried == [f"eni-{number}" for number in range(1, 17)]
    with_last = carry(many, ["eni-20"], carried)
    assert with_last == [*carried[:15], "eni-20"]
    assert carry(many[1:], ["eni-20"], with_last) == [*with_last[1:], "eni-16"]


def test_only_interfaces_of_instances_are_carried() -> None:
    loose = interface(1, Attachment={})
    ended = interface(2, Attachment={**interface(2)["Attachment"], "Status": "detached"})
    assert carry([loose, ended, interface(3)], ["eni-1"], ()) == ["eni-3"]


# What is read.


LISTS = {
    "DescribeAvailabilityZones": "<availabilityZoneInfo/>",
    "DescribeInstances": "<reservationSet/>",
    "DescribeLoadBalancers": "<DescribeLoadBalancersResult><LoadBalancers/></DescribeLoadBalancersResult>",
    "DescribeNetworkAcls": "<networkAclSet/>",
    "DescribeNetworkInterfaces": "<networkInterfaceSet/>",
    "DescribeRouteTables": "<routeTableSet/>",
    "DescribeSecurityGroups": "<securityGroupInfo/>",
    "DescribeSubnets": "<subnetSet/>",
    "DescribeTargetGroups": "<DescribeTargetGroupsResult><TargetGroups/></DescribeTargetGroupsResult>",
    "DescribeVpcEndpoints": "<vpcEndpointSet/>",
    "DescribeVpcPeeringConnections": "<vpcPeeringConnectionSet><item><vpcPeeringConnectionId>pcx-1"
    "</vpcPeeringConnectionId></item></vpcPeeringConnectionSet>",
    "DescribeVpcs": "<vpcSet/>",
}
"""What each account has: nothing but one peering."""


class Canned(Connection):
    """A look-alike that has what ``LISTS`` says, but for a service that it has not got."""

    lacks = ""

    def send(self, request: Request, scope: Scope, *, wait: bool = False) -> Response:
        name = parse_qs(request.body.decode())["Action"][0]
        if scope.service == self.lacks:
            return Response(501, b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>")
        return Response(200, f"<{name}Response>{LISTS[name]}</{name}Response>".encode())


def test_a_peering_of_two_accounts_is_read_once() -> None:
    reader = UpstreamReader(Canned("http://127.0.0.1:1"), "us-east-1", [OWNER, "210987654321"])
    assert [each["VpcPeeringConnectionId"] for each in reader.read()["VpcPeeringConnections"]] == ["pcx-1"]


def test_without_load_balancing_there_are_no_load_balancers() -> None:
    """As in LocalStack's community edition. Without EC2 there is no inventory."""
    there = Canned("http://127.0.0.1:1")
    there.lacks = "elasticloadbalancing"
    reader = UpstreamReader(there, "us-east-1", [OWNER])
    assert reader.read()["LoadBalancers"] == []
    there.lacks = "ec2"
    with pytest.raises(UpstreamError, match="refuses Describe"):
        reader.read()


def test_the_service_of_a_gateway_load_balancer_has_its_type() -> None:
    """As AWS has it, and Terraform makes the endpoints of it."""
    text = b"<serviceType><item><serviceType>Gateway</serviceType></item></serviceType>"
    right = text.replace(b"Gateway", b"GatewayLoadBalancer")
    for operation in ("CreateVpcEndpointServiceConfiguration", "DescribeVpcEndpointServiceConfigurations"):
        assert mended(operation, text) == right == mended(operation, right)
    assert mended("DescribeVpcEndpointServices", text) == text  # S3's is one


def test_an_instance_has_the_groups_of_its_first_interface() -> None:
    def answer(own: str, index: int) -> bytes:
        group = "<item><groupId>sg-1</groupId></item>"
        there = f"<attachment><deviceIndex>{index}</deviceIndex></attachment><groupSet>{group}</groupSet>"
        return (
            '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>'
            f"<instancesSet><item><instanceId>i-1</instanceId><groupSet>{own}</groupSet><networkInterfaceSet>"
            f"<item>{there}</item></networkInterfaceSet></item></instancesSet></item></reservationSet>"
            "</DescribeInstancesResponse>"
        ).encode()

    def groups(body: bytes) -> object:
        shape = model("ec2").operation_model("DescribeInstances").output_shape
        answered = {"status_code": 200, "headers": {}, "body": mended("DescribeInstances", body)}
        read = ResponseParserFactory().create_parser("ec2").parse(answered, shape)
        return read["Reservations"][0]["Instances"][0].get("SecurityGroups")

    assert groups(answer("", 0)) == [{"GroupId": "sg-1"}]
    assert groups(answer("", 1)) == []
    assert groups(answer("<item><groupId>sg-2</groupId></item>", 0)) == [{"GroupId": "sg-2"}]
    assert mended("DescribeInstances", b"<no XML") == b"<no XML"
