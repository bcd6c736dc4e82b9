"""Groups, lists, routes, target groups, types, attributes, quotas and tags of everything, as boto3 is told of them."""

from __future__ import annotations

import pytest

from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.inventory.inventory_file import InventoryError
from tests.control.kits.inventory_kit import OWNER, PARTNER, SECURITY, SENSORS, WEBSHOP, Lab, example, refused

VPC, SECURITY_VPC, SUBNET = "vpc-0a1b2c3d4e5f60001", "vpc-0a1b2c3d4e5f60002", "subnet-0a1b2c3d4e5f60001"
INSTANCE, VOLUME = "i-0a1b2c3d4e5f60010", "vol-0a1b2c3d4e5f60010"
WEB_GROUP, ALL_GROUP, OTHER_GROUP = (f"sg-0a1b2c3d4e5f6010{number}" for number in range(3))
ACL, TABLE = "acl-0a1b2c3d4e5f60100", "rtb-0a1b2c3d4e5f60100"
TARGETS = f"arn:aws:elasticloadbalancing:us-east-1:{OWNER}:targetgroup/sensors/943f017f100becff"


def permission(port, **members):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **members}


def surrounded():
    """The example with all that can be around it."""
    documents = example()
    for balancer in documents["LoadBalancers"]:
        if balancer["LoadBalancerArn"] == SENSORS:
            balancer["Attributes"] = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    described = {"InstanceId": INSTANCE, "InstanceType": "m5.large", "SecurityGroups": [{"GroupId": WEB_GROUP}]}
    target = {"Target": {"Id": INSTANCE, "Port": 4789}, "TargetHealth": {"State": "healthy"}}
    ill = {"Target": {"Id": "i-0a1b2c3d4e5f60011", "Port": 4789}, "TargetHealth": {"State": "unhealthy"}}
    return {
        **documents,
        "Instances": [described | {"Placement": {"AvailabilityZone": "us-east-1a"}}],
        "SecurityGroups": [
            {
                "GroupId": WEB_GROUP,
                "GroupName": "web",
                "VpcId": VPC,
                "OwnerId": OWNER,
                "IpPermissions": [permission(443, IpRanges=[{"CidrIp": "0.0.0.0/0"}])],
                "Tags": [{"Key": "Name", "Value": "web"}],
            },
            {"GroupId": ALL_GROUP, "GroupName": "*", "VpcId": VPC, "IpPermissions": [permission(22)]},
            {"GroupId": OTHER_GROUP, "GroupName": "web", "VpcId": SECURITY_VPC},
        ],
        "NetworkAcls": [
            {
                "NetworkAclId": ACL,
                "VpcId": VPC,
                "IsDefault": True,
                "Associations": [{"NetworkAclAssociationId": "aclassoc-1", "NetworkAclId": ACL, "SubnetId": SUBNET}],
                "Entries": [
                    {
                        "RuleNumber": 100,
                        "Protocol": "-1",
                        "RuleAction": "allow",
                        "Egress": False,
                        "CidrBlock": "0.0.0.0/0",
                    }
                ],
            }
        ],
        "RouteTables": [
            {
                "RouteTableId": TABLE,
                "VpcId": VPC,
                "Associations": [{"Main": True, "RouteTableId": TABLE}],
                "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}],
            }
        ],
        "TargetGroups": [
            {
                "TargetGroupArn": TARGETS,
                "TargetGroupName": "sensors",
                "Protocol": "UDP",
                "Port": 4789,
                "VpcId": VPC,
                "LoadBalancerArns": [SENSORS],
                "TargetHealthDescriptions": [target, ill],
            }
        ],
    }


@pytest.fixture(scope="module")
def lab():
    return Lab(surrounded())


@pytest.fixture(scope="module")
def ec2(lab):
    return lab.client("ec2")


def where(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


# What guards, and what leads where.


def groups(client, **parameters):
    return [each["GroupId"] for each in client.describe_security_groups(**parameters)["SecurityGroups"]]


def test_security_groups_by_id_name_and_filter(lab, ec2):
    assert groups(ec2) == [WEB_GROUP, ALL_GROUP] and groups(lab.client("ec2", SECURITY)) == [OTHER_GROUP]
    (web,) = ec2.describe_security_groups(GroupIds=[WEB_GROUP])["SecurityGroups"]
    assert web["Tags"] == [{"Key": "Name", "Value": "web"}] and web["OwnerId"] == OWNER
    assert web["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    for parameters, found in (
        (where("group-name", "web"), [WEB_GROUP]),
        (where("ip-permission.from-port", "443"), [WEB_GROUP]),
        (where("ip-permission.cidr", "0.0.0.0/*"), [WEB_GROUP]),
        (where("tag:Name", "web"), [WEB_GROUP]),
        (where("vpc-id", VPC), [WEB_GROUP, ALL_GROUP]),
        ({"GroupNames": ["*"]}, [ALL_GROUP]),  # a name, and no wildcard
        ({"GroupNames": ["web", "*"]}, [WEB_GROUP, ALL_GROUP]),
    ):
        assert groups(ec2, **parameters) == found, parameters
    with refused("InvalidGroup.NotFound", "'none' does not exist"):
        groups(ec2, GroupNames=["none"])
    with refused("InvalidGroup.NotFound", OTHER_GROUP):
        groups(ec2, GroupIds=[OTHER_GROUP])
    with refused("InvalidParameterValue"):
        groups(ec2, **where("colour", "red"))


def test_network_acls_and_route_tables(lab, ec2):
    (acl,) = ec2.describe_network_acls(**where("association.subnet-id", SUBNET))["NetworkAcls"]
    assert acl["NetworkAclId"] == ACL and acl["Entries"][0]["RuleAction"] == "allow" and acl["OwnerId"] == OWNER
    assert not ec2.describe_network_acls(**where("entry.egress", "true"))["NetworkAcls"]
    (table,) = ec2.describe_route_tables(**where("association.main", "true"))["RouteTables"]
    assert table["Routes"][0]["GatewayId"] == "local"
    assert not ec2.describe_route_tables(**where("route.gateway-id", "igw-1"))["RouteTables"]
    other = lab.client("ec2", PARTNER)
    assert not other.describe_network_acls()["NetworkAcls"] and not other.describe_route_tables()["RouteTables"]
    with refused("InvalidNetworkAclID.NotFound"):
        other.describe_network_acls(NetworkAclIds=[ACL])
    with refused("InvalidRouteTableID.NotFound"):
        other.describe_route_tables(RouteTableIds=[TABLE])


def test_they_are_tagged_as_all_else_is():
    lab = Lab(surrounded())
    ec2 = lab.client("ec2")
    ec2.create_tags(Resources=[WEB_GROUP, ACL, TABLE], Tags=[{"Key": "team", "Value": "red"}])
    found = ec2.describe_tags(**where("key", "team"))["Tags"]
    assert {(each["ResourceId"], each["ResourceType"]) for each in found} == {
        (WEB_GROUP, "security-group"),
        (ACL, "network-acl"),
        (TABLE, "route-table"),
    }
    assert [each["NetworkAclId"] for each in ec2.describe_network_acls(**where("tag:team", "red"))["NetworkAcls"]] == [
        ACL
    ]
    with refused("InvalidRouteTableID.NotFound"):
        ec2.create_tags(Resources=["rtb-0a1b2c3d4e5f60199"], Tags=[{"Key": "team", "Value": "red"}])


def test_whose_they_are_who_do_not_say_it():
    documents = surrounded()
    assert len(documents["Accounts"]) > 1
    documents["SecurityGroups"].append({"GroupId": "sg-0a1b2c3d4e5f60199", "VpcId": "vpc-0a1b2c3d4e5f60099"})
    with pytest.raises(InventoryError, match=r"sg-0a1b2c3d4e5f60199.*OwnerId.*is missing"):
        inventory_file.from_documents(documents)


# Load balancing.


def test_target_groups_and_their_health(lab):
    elb = lab.client("elbv2")
    for parameters in ({}, {"Names": ["sensors"]}, {"TargetGroupArns": [TARGETS]}, {"LoadBalancerArn": SENSORS}):
        (group,) = elb.describe_target_groups(**parameters)["TargetGroups"]
        assert (group["TargetGroupArn"], group["Port"], group["LoadBalancerArns"]) == (TARGETS, 4789, [SENSORS])
    assert not elb.describe_target_groups(LoadBalancerArn=WEBSHOP)["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=TARGETS)["TargetHealthDescriptions"]
    assert [each["TargetHealth"]["State"] for each in health] == ["healthy", "unhealthy"]
    (one,) = elb.describe_target_health(TargetGroupArn=TARGETS, Targets=[{"Id": INSTANCE}])["TargetHealthDescriptions"]
    assert one["Target"] == {"Id": INSTANCE, "Port": 4789}
    with refused("InvalidTarget"):
        elb.describe_target_health(TargetGroupArn=TARGETS, Targets=[{"Id": INSTANCE, "Port": 80}])
    for call in (
        elb.describe_target_health,
        lambda **named: elb.describe_target_groups(TargetGroupArns=[TARGETS + "0"]),
    ):
        with refused("TargetGroupNotFound"):
            call(TargetGroupArn=TARGETS + "0")
    with refused("TargetGroupNotFound"):
        elb.describe_target_groups(Names=["other"])
    with refused("ValidationError"):
        elb.describe_target_groups(Names=["sensors"], LoadBalancerArn=SENSORS)
    with refused("ValidationError"):
        elb.describe_target_health(TargetGroupArn=SENSORS)
    assert not lab.client("elbv2", PARTNER).describe_target_groups()["TargetGroups"]
    assert elb.describe_tags(ResourceArns=[TARGETS])["TagDescriptions"] == [{"ResourceArn": TARGETS, "Tags": []}]


def test_cross_zone_balancing_is_what_the_inventory_says(lab):
    for arn, cross in ((SENSORS, "true"), (WEBSHOP, "false")):
        found = lab.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        assert {"Key": "load_balancing.cross_zone.enabled", "Value": cross} in found
        assert {"Key": "deletion_protection.enabled", "Value": "false"} in found and len(found) == 2


# Instances.


def test_instance_types(ec2):
    asked = ec2.describe_instance_types(InstanceTypes=["t3.micro", "m5.metal", "m5.large"])["InstanceTypes"]
    facts = {each["InstanceType"]: (each["BareMetal"], each["BurstablePerformanceSupported"]) for each in asked}
    assert facts == {"t3.micro": (False, True), "m5.metal": (True, False), "m5.large": (False, False)}
    everything = [
        each["InstanceType"]
        for page in ec2.get_paginator("describe_instance_types").paginate(**where("bare-metal", "false"))
        for each in page["InstanceTypes"]
    ]
    assert len(everything) == len(set(everything)) > 500 and everything == sorted(everything)
    assert "m5.metal" not in everything and "t3.micro" in everything
    six = ["m5.large", "m5.xlarge", "c5.large", "c5.xlarge", "r5.large", "r5.xlarge"]
    pages = ec2.get_paginator("describe_instance_types").paginate(InstanceTypes=six, PaginationConfig={"PageSize": 5})
    assert [len(page["InstanceTypes"]) for page in pages] == [5, 1]
    with refused("InvalidParameterValue", "m5.enormous"):
        ec2.describe_instance_types(InstanceTypes=["m5.large", "m5.enormous"])
    with refused("InvalidParameterValue"):
        ec2.describe_instance_types(MaxResults=4)


def test_volumes_of_instances():
    documents = surrounded()
    others = [f"vol-0a1b2c3d4e5f6{number:04x}" for number in range(6)]
    root = {"VolumeId": VOLUME, "Status": "attached", "AttachTime": "2026-01-31T12:00:00Z", "DeleteOnTermination": True}
    devices = [{"DeviceName": "/dev/xvda", "Ebs": root}]
    devices += [{"DeviceName": f"/dev/sd{number}", "Ebs": {"VolumeId": each}} for number, each in enumerate(others)]
    documents["Instances"][0]["BlockDeviceMappings"] = devices
    lab = Lab(documents)
    ec2 = lab.client("ec2")
    (volume,) = ec2.describe_volumes(VolumeIds=[VOLUME])["Volumes"]
    (attachment,) = volume.pop("Attachments")
    assert attachment.pop("AttachTime").year == 2026
    assert attachment == {
        "DeleteOnTermination": True,
        "Device": "/dev/xvda",
        "InstanceId": INSTANCE,
        "State": "attached",
        "VolumeId": VOLUME,
    }
    assert volume == {"AvailabilityZone": "us-east-1a", "State": "in-use", "VolumeId": VOLUME}
    pages = ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5})
    assert [[each["VolumeId"] for each in page["Volumes"]] for page in pages] == [[VOLUME, *others[:4]], others[4:]]
    (second,) = ec2.describe_volumes(**where("attachment.device", "/dev/sd1"))["Volumes"]
    assert second["VolumeId"] == others[1]
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=["vol-0a1b2c3d4e5f69999"])
    with refused("InvalidParameterValue", "banana"):
        ec2.describe_volumes(VolumeIds=["banana"])
    with refused("InvalidVolume.NotFound"):
        lab.client("ec2", PARTNER).describe_volumes(VolumeIds=[VOLUME])


def test_credits_of_burstable_instances():
    documents = surrounded()
    others = {"i-0a1b2c3d4e5f60020": "t2.micro", "i-0a1b2c3d4e5f60030": "t4g.small"}
    documents["Instances"] += [{"InstanceId": name, "InstanceType": kind} for name, kind in others.items()]
    ec2 = Lab(documents).client("ec2")
    found = ec2.describe_instance_credit_specifications(InstanceIds=[INSTANCE, *others])["InstanceCreditSpecifications"]
    assert [(each["InstanceId"], each["CpuCredits"]) for each in found] == [
        ("i-0a1b2c3d4e5f60020", "standard"),
        ("i-0a1b2c3d4e5f60030", "unlimited"),
    ]
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instance_credit_specifications(InstanceIds=["i-0a1b2c3d4e5f60099"])


def test_attributes_of_an_instance(lab, ec2):
    def attribute(name):
        answer = ec2.describe_instance_attribute(InstanceId=INSTANCE, Attribute=name)
        assert answer.pop("InstanceId") == INSTANCE
        answer.pop("ResponseMetadata")
        return answer

    assert attribute("instanceType") == {"InstanceType": {"Value": "m5.large"}}
    assert attribute("groupSet") == {"Groups": [{"GroupId": WEB_GROUP}]}
    assert attribute("disableApiTermination") == {"DisableApiTermination": {"Value": False}}
    assert attribute("disableApiStop") == {"DisableApiStop": {"Value": False}}
    assert attribute("instanceInitiatedShutdownBehavior") == {"InstanceInitiatedShutdownBehavior": {"Value": "stop"}}
    assert attribute("sourceDestCheck") == {"SourceDestCheck": {"Value": True}}
    assert attribute("enclaveOptions") == {"EnclaveOptions": {"Enabled": False}}
    assert attribute("userData") == {"UserData": {}} and attribute("kernel") == {"KernelId": {}}
    assert attribute("blockDeviceMapping") == {"BlockDeviceMappings": []}
    with refused("InvalidInstanceID.NotFound"):
        lab.client("ec2", PARTNER).describe_instance_attribute(InstanceId=INSTANCE, Attribute="userData")
    with refused("InvalidParameterValue"):
        ec2.describe_instance_attribute(InstanceId=INSTANCE, Attribute="colour")


# Quotas, and the tags of everything.


def test_service_quotas(lab):
    quotas = lab.client("service-quotas")
    found = quotas.list_service_quotas(ServiceCode="vpc")["Quotas"]
    values = {each["QuotaName"]: each["Value"] for each in found}
    assert values["Traffic mirror sessions per source network interface"] == 3.0
    assert values["Traffic mirror filter rules per filter"] == 10.0
    for each in found:
        one = quotas.get_service_quota(ServiceCode="vpc", QuotaCode=each["QuotaCode"])["Quota"]
        assert one == each and each["QuotaArn"].startswith(f"arn:aws:servicequotas:us-east-1:{OWNER}:vpc/L-")
    paged = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="vpc", PaginationConfig={"PageSize": 2})
    assert [each for page in paged for each in page["Quotas"]] == found
    assert quotas.list_service_quotas(ServiceCode="vpc", QuotaCode=found[1]["QuotaCode"])["Quotas"] == [found[1]]
    assert not quotas.list_service_quotas(ServiceCode="vpc", QuotaAppliedAtLevel="RESOURCE")["Quotas"]
    assert quotas.list_service_quotas(ServiceCode="ec2")["Quotas"] == []
    with refused("NoSuchResourceException"):
        quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-NONE")
    with refused("NoSuchResourceException"):
        quotas.list_service_quotas(ServiceCode="unknown")


def test_the_tags_of_everything():
    lab = Lab(surrounded())
    ec2, tagging = lab.client("ec2"), lab.client("resourcegroupstaggingapi")
    made = ec2.create_traffic_mirror_filter(
        TagSpecifications=[
            {
                "ResourceType": "traffic-mirror-filter",
                "Tags": [{"Key": "team", "Value": "red"}, {"Key": "stage", "Value": "test"}],
            }
        ]
    )["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    ec2.create_tags(Resources=[WEB_GROUP], Tags=[{"Key": "team", "Value": "blue"}])
    the_filter = f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-filter/{made}"
    the_group = f"arn:aws:ec2:us-east-1:{OWNER}:security-group/{WEB_GROUP}"

    def arns(**parameters):
        found = tagging.get_resources(**parameters)
        assert found["PaginationToken"] == ""
        return {each["ResourceARN"] for each in found["ResourceTagMappingList"]}

    def team(*values, key="team"):
        return {"TagFilters": [{"Key": key, "Values": list(values)}]}

    assert {the_filter, the_group} <= arns() and arns(ResourceTypeFilters=["ram"]) == set()
    assert arns(**team("red")) == {the_filter} and arns(**team("red", "blue")) == {the_filter, the_group}
    assert arns(**team()) == {the_filter, the_group} and arns(**team(key="stage")) == {the_filter}
    assert arns(**team(), ResourceTypeFilters=["ec2:security-group", "s3"]) == {the_group}
    assert arns(ResourceTypeFilters=["ec2"]) == arns()
    assert arns(ResourceARNList=[the_group]) == {the_group}
    paged = tagging.get_paginator("get_resources").paginate(**team(), PaginationConfig={"PageSize": 1})
    pages = [[each["ResourceARN"] for each in page["ResourceTagMappingList"]] for page in paged]
    assert sorted(pages) == sorted([[the_filter], [the_group]])
    assert not lab.client("resourcegroupstaggingapi", PARTNER).get_resources(**team())["ResourceTagMappingList"]
    for wrong in ({"TagsPerPage": 100}, {"ResourcesPerPage": 101}, {"ResourceARNList": [the_group], **team()}):
        with refused("InvalidParameterException"):
            tagging.get_resources(**wrong)
    with refused("PaginationTokenExpiredException"):
        tagging.get_resources(PaginationToken="x")
