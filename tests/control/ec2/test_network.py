"""The inventory through boto3: what each account sees, filters, ids, pages, errors; who the caller is."""

from __future__ import annotations

import pytest

from tests.control.kits.inventory_kit import (
    APPLICATION,
    BATCH,
    CACHE,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    ENDPOINT_ENI,
    OWNER,
    PARTNER,
    SCANNER,
    SECOND_COLLECTOR,
    SECURITY,
    SECURITY_COLLECTOR,
    WEB,
    Lab,
    example,
    refused,
)

SHARED_SUBNET, SENSOR_SUBNET = "subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60003"
VPC, SECURITY_VPC, PARTNER_VPC = (f"vpc-0a1b2c3d4e5f6000{number}" for number in (1, 2, 3))


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.fixture(scope="module")
def ec2(lab):
    return lab.client("ec2")


def interfaces(client, **parameters):
    found = client.describe_network_interfaces(**parameters)["NetworkInterfaces"]
    return {each["NetworkInterfaceId"] for each in found}


def where(**filters):
    """``where(status="in-use")``; a double underscore is a dot, a single one a hyphen."""
    return [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [values] if isinstance(values, str) else values}
        for name, values in filters.items()
    ]


# Who sees what.


def test_an_account_sees_its_interfaces_and_those_in_its_subnets(lab, ec2):
    seen = interfaces(ec2)
    assert {WEB, DATABASE, BATCH, CACHE, COLLECTOR, SCANNER} < seen
    assert not {APPLICATION, SECURITY_COLLECTOR} & seen
    assert interfaces(lab.client("ec2", SECURITY)) == {SCANNER, SECURITY_COLLECTOR}
    assert interfaces(lab.client("ec2", PARTNER)) == {APPLICATION}
    assert interfaces(lab.client("ec2", "999999999999")) == set()


def test_an_interface_of_another_account_is_not_found(lab):
    with refused("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{WEB}' does not exist"):
        lab.client("ec2", PARTNER).describe_network_interfaces(NetworkInterfaceIds=[WEB])


def test_a_participant_sees_the_shared_subnet_and_its_vpc_only(lab):
    security = lab.client("ec2", SECURITY)
    subnets = {each["SubnetId"]: each["OwnerId"] for each in security.describe_subnets()["Subnets"]}
    assert subnets == {SHARED_SUBNET: OWNER, "subnet-0a1b2c3d4e5f60004": SECURITY}
    assert {each["VpcId"] for each in security.describe_vpcs()["Vpcs"]} == {VPC, SECURITY_VPC}
    assert {each["VpcId"] for each in lab.client("ec2", PARTNER).describe_vpcs()["Vpcs"]} == {PARTNER_VPC}
    with refused("InvalidSubnetID.NotFound", SENSOR_SUBNET):
        security.describe_subnets(SubnetIds=[SENSOR_SUBNET])


def test_tags_are_the_owners_to_see(lab, ec2):
    own = ec2.describe_network_interfaces(NetworkInterfaceIds=[WEB])["NetworkInterfaces"][0]
    assert own["TagSet"] == [{"Key": "Name", "Value": "web"}]
    shared = lab.client("ec2", SECURITY).describe_subnets(SubnetIds=[SHARED_SUBNET])["Subnets"][0]
    assert shared["Tags"] == []


# What is shown.


def test_an_interface_is_shown_as_the_file_has_it(ec2):
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[CACHE])["NetworkInterfaces"][0]
    written = next(each for each in example()["NetworkInterfaces"] if each["NetworkInterfaceId"] == CACHE)
    assert shown["Attachment"].pop("AttachTime").isoformat() == written["Attachment"].pop("AttachTime")
    assert shown == written


def test_instances_come_from_attachments(ec2):
    reservations = ec2.describe_instances(Filters=where(network_interface__network_interface_id=WEB))["Reservations"]
    assert [(each["OwnerId"], each["ReservationId"]) for each in reservations] == [(OWNER, "r-0a1b2c3d4e5f60010")]
    (instance,) = reservations[0]["Instances"]
    assert (instance["InstanceId"], instance["State"]["Name"]) == ("i-0a1b2c3d4e5f60010", "running")
    assert (instance["PrivateIpAddress"], instance["SubnetId"]) == ("10.0.1.10", SHARED_SUBNET)
    assert instance["Placement"]["AvailabilityZone"] == "us-east-1a"
    (inner,) = instance["NetworkInterfaces"]
    assert (inner["NetworkInterfaceId"], inner["Attachment"]["DeviceIndex"]) == (WEB, 0)
    assert sum(len(each["Instances"]) for each in ec2.describe_instances()["Reservations"]) == 6


def test_instances_that_the_file_lists_keep_their_reservation():
    listed = {"InstanceId": "i-0a1b2c3d4e5f60010", "InstanceType": "m5.large", "ImageId": "ami-1", "Tags": []}
    other = {**listed, "InstanceId": "i-0a1b2c3d4e5f60999", "InstanceType": "t3.micro"}
    lab = Lab(example(Reservations=[{"ReservationId": "r-1", "OwnerId": OWNER, "Instances": [listed, other]}]))
    ec2 = lab.client("ec2")
    found = ec2.describe_instances(Filters=where(instance_type=["m5.*", "t3.micro"]))["Reservations"]
    assert [
        (each["ReservationId"], [instance["InstanceType"] for instance in each["Instances"]]) for each in found
    ] == [("r-1", ["m5.large", "t3.micro"])]
    assert ec2.describe_instances(Filters=where(reservation_id="r-1", image_id="ami-1"))["Reservations"] == found


def test_endpoints(lab, ec2):
    (endpoint,) = ec2.describe_vpc_endpoints(Filters=where(vpc_endpoint_type="GatewayLoadBalancer"))["VpcEndpoints"]
    assert (endpoint["VpcEndpointId"], endpoint["NetworkInterfaceIds"]) == (ENDPOINT, [ENDPOINT_ENI])
    assert endpoint["CreationTimestamp"].isoformat() == "2026-01-15T09:10:00+00:00"
    assert ec2.describe_vpc_endpoints(Filters=where(vpc_endpoint_state="pending"))["VpcEndpoints"] == []
    assert lab.client("ec2", PARTNER).describe_vpc_endpoints()["VpcEndpoints"] == []


def test_the_region_and_its_zones(ec2):
    (region,) = ec2.describe_regions()["Regions"]  # without others, as beside an upstream
    assert (region["RegionName"], region["Endpoint"]) == ("us-east-1", "ec2.us-east-1.amazonaws.com")
    assert ec2.describe_regions(RegionNames=["us-east-1"])["Regions"] == [region]
    assert ec2.describe_regions(Filters=where(region_name="eu-*"))["Regions"] == []
    with refused("InvalidParameterValue", "mars-north-1"):
        ec2.describe_regions(RegionNames=["mars-north-1"])
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(each["ZoneName"], each["ZoneId"], each["State"]) for each in zones] == [
        ("us-east-1a", "use1-az1", "available"),
        ("us-east-1b", "use1-az2", "available"),
    ]
    assert ec2.describe_availability_zones(ZoneIds=["use1-az2"])["AvailabilityZones"] == zones[1:]
    assert ec2.describe_availability_zones(Filters=where(zone_name="us-east-1a"))["AvailabilityZones"] == zones[:1]
    with refused("InvalidParameterValue", "Invalid availability zone: [us-east-1x]"):
        ec2.describe_availability_zones(ZoneNames=["us-east-1a", "us-east-1x"])


def test_the_callers_identity(lab):
    assert {
        key: value
        for key, value in lab.client("sts", SECURITY).get_caller_identity().items()
        if key != "ResponseMetadata"
    } == {"UserId": "AIDAEXAMPLE", "Account": SECURITY, "Arn": f"arn:aws:iam::{SECURITY}:user/ann"}


# Filters.


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"network_interface_id": [WEB, CACHE]}, {WEB, CACHE}),
        ({"subnet_id": "subnet-0a1b2c3d4e5f60002"}, {DATABASE, CACHE}),
        ({"subnet_id": SHARED_SUBNET, "owner_id": SECURITY}, {SCANNER}),
        ({"vpc_id": PARTNER_VPC}, set()),
        ({"private_ip_address": "10.0.1.10"}, {WEB}),
        ({"addresses__private_ip_address": ["10.0.2.20", "10.0.2.40"]}, {DATABASE, CACHE}),
        ({"ipv6_addresses__ipv6_address": "2001:db8:1:2::20"}, {DATABASE}),
        ({"mac_address": "0a:3b:5c:00:00:40"}, {CACHE}),
        ({"status": "available"}, set()),
        ({"interface_type": "gateway_load_balancer_endpoint"}, {ENDPOINT_ENI}),
        ({"attachment__instance_id": "i-0a1b2c3d4e5f60030"}, {BATCH}),
        ({"attachment__status": "attached", "description": "*collector"}, {COLLECTOR, SECOND_COLLECTOR}),
        ({"attachment__delete_on_termination": "true", "description": "cache"}, {CACHE}),
        ({"attachment__device_index": "0", "description": "data?ase"}, {DATABASE}),
        ({"availability_zone": "us-east-1b"}, {DATABASE, CACHE}),
        (
            {"requester_managed": "true", "interface_type": "network_load_balancer"},
            {"eni-0a1b2c3d4e5f60102", "eni-0a1b2c3d4e5f60103"},
        ),
        ({"source_dest_check": "false", "description": "VPC Endpoint*"}, {ENDPOINT_ENI}),
        ({"tag:Name": "web"}, {WEB}),
        ({"tag_key": "Name"}, {WEB, DATABASE, COLLECTOR}),
        ({"tag:Name": "WEB"}, set()),
    ],
)
def test_filters_of_interfaces(ec2, filters, expected):
    assert interfaces(ec2, Filters=where(**filters)) == expected


@pytest.mark.parametrize(
    ("operation", "result", "filters", "count"),
    [
        ("describe_vpcs", "Vpcs", {"cidr": "10.0.0.0/16"}, 1),
        ("describe_vpcs", "Vpcs", {"is_default": "true"}, 0),
        ("describe_vpcs", "Vpcs", {"tag:Name": "prod*"}, 1),
        ("describe_subnets", "Subnets", {"vpc_id": VPC}, 3),
        ("describe_subnets", "Subnets", {"availability_zone": "us-east-1b"}, 1),
        ("describe_subnets", "Subnets", {"cidr_block": ["10.0.1.0/24", "10.0.3.0/24"]}, 2),
        ("describe_instances", "Reservations", {"instance_state_name": "stopped"}, 0),
        ("describe_instances", "Reservations", {"private_ip_address": "10.0.2.20"}, 1),
        ("describe_instances", "Reservations", {"owner_id": OWNER, "vpc_id": VPC}, 6),
    ],
)
def test_filters_of_the_others(ec2, operation, result, filters, count):
    assert len(getattr(ec2, operation)(Filters=where(**filters))[result]) == count


def test_a_filter_that_nobody_knows(ec2):
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_network_interfaces(Filters=where(colour="red"))


# Ids and pages.


@pytest.mark.parametrize(
    ("operation", "parameter", "prefix", "malformed", "not_found", "noun"),
    [
        (
            "describe_network_interfaces",
            "NetworkInterfaceIds",
            "eni",
            "InvalidNetworkInterfaceId.Malformed",
            "InvalidNetworkInterfaceID.NotFound",
            "networkInterface",
        ),
        ("describe_vpcs", "VpcIds", "vpc", "InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "vpc"),
        ("describe_subnets", "SubnetIds", "subnet", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound", "subnet"),
        (
            "describe_instances",
            "InstanceIds",
            "i",
            "InvalidInstanceID.Malformed",
            "InvalidInstanceID.NotFound",
            "instance",
        ),
        (
            "describe_vpc_endpoints",
            "VpcEndpointIds",
            "vpce",
            "InvalidVpcEndpointId.Malformed",
            "InvalidVpcEndpointId.NotFound",
            "Vpc Endpoint",
        ),
    ],
)
def test_ids_that_are_none_and_ids_of_nothing(ec2, operation, parameter, prefix, malformed, not_found, noun):
    for wrong in ("to-set", f"{prefix}-", f"{prefix}x-1", f"{prefix}-1 ", f"{prefix}-ü", f"{prefix}-zzz", ""):
        with refused(malformed, f'Invalid id: "{wrong}" (expecting "{prefix}-...")'):
            getattr(ec2, operation)(**{parameter: [wrong]})
    with refused(not_found, f"The {noun} ID '{prefix}-0123456789abcdef0' does not exist"):
        getattr(ec2, operation)(**{parameter: [f"{prefix}-0123456789abcdef0"]})


def test_several_ids_at_once(ec2):
    assert interfaces(ec2, NetworkInterfaceIds=[CACHE, WEB, CACHE]) == {WEB, CACHE}
    assert interfaces(ec2, NetworkInterfaceIds=[CACHE, WEB], Filters=where(description="cache")) == {CACHE}
    with refused("InvalidNetworkInterfaceID.NotFound", "IDs 'eni-1, eni-2' do not exist"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[WEB, "eni-1", "eni-2"])


def test_pages(ec2):
    pages = list(ec2.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["NetworkInterfaces"]) for page in pages] == [5, 5]
    assert {each["NetworkInterfaceId"] for page in pages for each in page["NetworkInterfaces"]} == interfaces(ec2)
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    assert [sum(len(each["Instances"]) for each in page["Reservations"]) for page in pages] == [5, 1]
    with refused("InvalidParameterCombination"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[WEB], MaxResults=5)
    for wrong in (4, 1001):
        with refused("InvalidParameterValue"):
            ec2.describe_network_interfaces(MaxResults=wrong)
    with refused("InvalidNextToken"):
        ec2.describe_network_interfaces(NextToken="abc", MaxResults=5)


def test_there_are_no_prefix_lists(ec2):
    assert ec2.describe_prefix_lists(Filters=where(prefix_list_name="com.amazonaws.us-east-1.s3"))["PrefixLists"] == []
