"""boto3, unmodified and signing, against a served process: every operation, and what boto3 puts on top of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from halfsilver.harness.control.catalogue import OPERATIONS
from tests.control.kits.inventory_kit import (
    BATCH,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    ORGANISATION,
    OWNER,
    PARTNER,
    SECURITY,
    SECURITY_COLLECTOR,
    SENSORS,
    SENSORS_LISTENER,
    SENSORS_TARGETS,
    WEB,
    with_target_group,
)
from tests.control.kits.serve_kit import ANYWHERE, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud, error_of, ids, running, tags

VPC, SUBNET, INSTANCE = "vpc-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60001", "i-0a1b2c3d4e5f60010"


def test_every_operation(tmp_path: Path) -> None:
    """Each is called at least once, by the code below, and answered with success."""
    answered: set[tuple[str, str]] = set()

    def note(http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            answered.add((model.service_model.service_name, model.name))

    with running(tmp_path / "state", inventory=with_target_group(tmp_path)) as cloud:
        cloud.add_role("visitor")
        cloud.session.events.register("after-call", note)
        use_every_operation(cloud)
    assert answered == set(OPERATIONS)


def use_every_operation(cloud: Any) -> None:
    """What the clients of the cloud are is nothing to this, so long as they have boto3's methods and answers."""
    look_around(cloud)
    filter_id = shape_a_filter(cloud)
    target_id = mirror(cloud, filter_id)
    label(cloud, target_id)
    share(cloud, target_id)
    watch(cloud)
    take_down(cloud, filter_id, target_id)


def watch(cloud: Cloud) -> None:
    """What the metrics say is tested with a clock; here is that every operation answers."""
    client, metric = cloud.client("cloudwatch"), {"Namespace": "AWS/EC2", "MetricName": "NetworkMirrorIn"}
    span = {"StartTime": "2026-11-20T12:00:00Z", "EndTime": "2026-11-20T12:05:00Z"}
    client.list_metrics(**metric)
    client.get_metric_statistics(**metric, **span, Period=60, Statistics=["Sum"])
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    client.get_metric_data(MetricDataQueries=[{"Id": "m", "MetricStat": stat}], **span)
    client.put_metric_alarm(
        AlarmName="a",
        **metric,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    client.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="a rehearsal")
    client.disable_alarm_actions(AlarmNames=["a"])
    client.enable_alarm_actions(AlarmNames=["a"])
    assert [each["AlarmName"] for each in client.describe_alarms()["MetricAlarms"]] == ["a"]
    assert client.describe_alarms_for_metric(**metric)["MetricAlarms"]
    assert client.describe_alarm_history(AlarmName="a")["AlarmHistoryItems"]
    arn = client.describe_alarms()["MetricAlarms"][0]["AlarmArn"]
    client.tag_resource(ResourceARN=arn, Tags=[{"Key": "Name", "Value": "a"}, {"Key": "cost", "Value": "1"}])
    client.untag_resource(ResourceARN=arn, TagKeys=["cost"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "Name", "Value": "a"}]
    client.delete_alarms(AlarmNames=["a"])


def look_at_users(iam: Any) -> None:
    who = {"UserName": "admin"}
    assert iam.get_user()["User"]["Arn"] == f"arn:aws:iam::{OWNER}:user/admin"
    assert iam.list_users()["Users"] == [iam.get_user(**who)["User"]]
    assert len(iam.list_access_keys(**who)["AccessKeyMetadata"]) == 1
    (policy,) = iam.list_user_policies(**who)["PolicyNames"]
    assert iam.get_user_policy(**who, PolicyName=policy)["PolicyDocument"]["Statement"]
    assert iam.list_attached_user_policies(**who)["AttachedPolicies"] == []
    assert iam.list_groups_for_user(**who)["Groups"] == iam.list_groups()["Groups"] == []
    assert [each["RoleName"] for each in iam.list_roles()["Roles"]] == ["visitor"]
    assert iam.get_account_summary()["SummaryMap"]["Users"] == 1
    assert iam.get_account_authorization_details()["UserDetailList"][0]["UserName"] == "admin"


def look_around(cloud: Cloud) -> None:
    ec2, elb = cloud.client(), cloud.client("elbv2")
    identity = cloud.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OWNER, f"arn:aws:iam::{OWNER}:user/admin")
    given = cloud.client("sts").assume_role(RoleArn=f"arn:aws:iam::{OWNER}:role/visitor", RoleSessionName="look")
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OWNER}:assumed-role/visitor/look"
    assert cloud.client("sts").get_session_token()["Credentials"]["SessionToken"]
    look_at_users(cloud.client("iam"))
    assert {"us-east-1", "eu-west-1"} <= {each["RegionName"] for each in ec2.describe_regions()["Regions"]}
    assert [each["ZoneName"] for each in ec2.describe_availability_zones()["AvailabilityZones"]] == [
        "us-east-1a",
        "us-east-1b",
    ]
    assert ec2.describe_vpcs(VpcIds=[VPC])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/16"
    assert ec2.describe_vpc_attribute(VpcId=VPC, Attribute="enableDnsSupport")["EnableDnsSupport"] == {"Value": True}
    assert (
        ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}])["Subnets"][0]["SubnetId"]
        == SUBNET
    )
    (reservation,) = ec2.describe_instances(InstanceIds=[INSTANCE])["Reservations"]
    assert ids(reservation["Instances"][0]["NetworkInterfaces"]) == [WEB]
    assert ids(ec2.describe_network_interfaces(NetworkInterfaceIds=[WEB, DATABASE])["NetworkInterfaces"]) == [
        WEB,
        DATABASE,
    ]
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["VpcEndpointId"] == ENDPOINT
    assert ec2.describe_prefix_lists()["PrefixLists"] == []
    assert ec2.describe_security_groups()["SecurityGroups"] == []
    assert ec2.describe_network_acls()["NetworkAcls"] == []
    assert ec2.describe_route_tables()["RouteTables"] == []
    assert ec2.describe_volumes()["Volumes"] == []
    (kind,) = ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert kind["BurstablePerformanceSupported"] is True
    assert ec2.describe_instance_credit_specifications(InstanceIds=[INSTANCE])["InstanceCreditSpecifications"] == []
    kept = ec2.describe_instance_attribute(InstanceId=INSTANCE, Attribute="disableApiTermination")
    assert kept["DisableApiTermination"] == {"Value": False}
    (balancer,) = elb.describe_load_balancers(Names=["sensors"])["LoadBalancers"]
    assert (balancer["LoadBalancerArn"], balancer["Type"]) == (SENSORS, "network")
    (listener,) = elb.describe_listeners(LoadBalancerArn=SENSORS)["Listeners"]
    assert (listener["ListenerArn"], listener["Protocol"], listener["Port"]) == (SENSORS_LISTENER, "UDP", 4789)
    assert elb.describe_tags(ResourceArns=[SENSORS])["TagDescriptions"] == [{"ResourceArn": SENSORS, "Tags": []}]
    assert elb.describe_load_balancer_attributes(LoadBalancerArn=SENSORS)["Attributes"]
    asked = [{"AttributeKey": "EventName", "AttributeValue": "DescribeLoadBalancerAttributes"}]
    assert cloud.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"][0]["Username"] == "admin"
    (group,) = elb.describe_target_groups(LoadBalancerArn=SENSORS)["TargetGroups"]
    assert (group["TargetGroupArn"], group["Protocol"]) == (SENSORS_TARGETS, "UDP")
    assert len(elb.describe_target_health(TargetGroupArn=SENSORS_TARGETS)["TargetHealthDescriptions"]) == 1
    quotas = cloud.client("service-quotas")
    (quota,) = quotas.list_service_quotas(ServiceCode="vpc", QuotaCode="L-MIRROR02")["Quotas"]
    assert quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-MIRROR02")["Quota"] == quota
    assert "ResourceTagMappingList" in cloud.client("resourcegroupstaggingapi").get_resources()


def shape_a_filter(cloud: Cloud) -> str:
    ec2 = cloud.client()
    made = ec2.create_traffic_mirror_filter(Description="every <&> \"one'", TagSpecifications=tags("filter", Name="f"))
    filter_id: str = made["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert made["TrafficMirrorFilter"] == {
        "TrafficMirrorFilterId": filter_id,
        "IngressFilterRules": [],
        "EgressFilterRules": [],
        "NetworkServices": [],
        "Description": "every <&> \"one'",
        "Tags": [{"Key": "Name", "Value": "f"}],
    }
    rule = ec2.create_traffic_mirror_filter_rule(
        TrafficMirrorFilterId=filter_id,
        TrafficDirection="ingress",
        RuleNumber=100,
        RuleAction="accept",
        Protocol=17,
        DestinationPortRange={"FromPort": 53, "ToPort": 53},
        SourcePortRange={"FromPort": 0, "ToPort": 65535},
        SourceCidrBlock="2001:db8::/32",
        DestinationCidrBlock="::/0",
        Description="DNS",
        TagSpecifications=tags("filter-rule", Name="r"),
    )["TrafficMirrorFilterRule"]
    changed = ec2.modify_traffic_mirror_filter_rule(
        TrafficMirrorFilterRuleId=rule["TrafficMirrorFilterRuleId"],
        TrafficDirection="egress",
        RuleNumber=7,
        RuleAction="reject",
        SourceCidrBlock="10.0.0.0/8",
        DestinationCidrBlock="0.0.0.0/0",
        RemoveFields=["source-port-range", "description"],
    )["TrafficMirrorFilterRule"]
    assert changed == {
        "TrafficMirrorFilterRuleId": rule["TrafficMirrorFilterRuleId"],
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "egress",
        "RuleNumber": 7,
        "RuleAction": "reject",
        "Protocol": 17,
        "DestinationPortRange": {"FromPort": 53, "ToPort": 53},
        "SourceCidrBlock": "10.0.0.0/8",
        "DestinationCidrBlock": "0.0.0.0/0",
    }
    (shown,) = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id)["TrafficMirrorFilterRules"]
    assert shown == {**changed, "Tags": [{"Key": "Name", "Value": "r"}]}
    modified = ec2.modify_traffic_mirror_filter_network_services(
        TrafficMirrorFilterId=filter_id, AddNetworkServices=["amazon-dns"]
    )["TrafficMirrorFilter"]
    assert modified["NetworkServices"] == ["amazon-dns"]
    assert ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"] == [modified]
    assert modified["EgressFilterRules"] == [shown]
    return filter_id


def mirror(cloud: Cloud, filter_id: str) -> str:
    ec2 = cloud.client(account=SECURITY)
    made = ec2.create_traffic_mirror_target(NetworkInterfaceId=SECURITY_COLLECTOR, Description="sensor")
    target_id: str = made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    assert made["TrafficMirrorTarget"] == {
        "TrafficMirrorTargetId": target_id,
        "NetworkInterfaceId": SECURITY_COLLECTOR,
        "Type": "network-interface",
        "Description": "sensor",
        "OwnerId": SECURITY,
        "Tags": [],
    }
    assert ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"] == [made["TrafficMirrorTarget"]]
    own = cloud.client()
    session_id = make_session(own, filter_id, make_target(own), number=32766, PacketLength=9001)
    modified = own.modify_traffic_mirror_session(
        TrafficMirrorSessionId=session_id,
        SessionNumber=1,
        VirtualNetworkId=16777215,
        Description="now",
        RemoveFields=["packet-length"],
    )["TrafficMirrorSession"]
    assert modified["VirtualNetworkId"] == 16777215 and "PacketLength" not in modified
    assert own.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == [modified]
    return target_id


def label(cloud: Cloud, target_id: str) -> None:
    ec2 = cloud.client(account=SECURITY)
    ec2.create_tags(Resources=[target_id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    ec2.delete_tags(Resources=[target_id], Tags=[{"Key": "a"}])
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [target_id]}])["Tags"] == [
        {"Key": "b", "ResourceId": target_id, "ResourceType": "traffic-mirror-target", "Value": ""}
    ]


def share(cloud: Cloud, target_id: str) -> None:
    own, guest = cloud.client("ram", SECURITY), cloud.client("ram", PARTNER)
    target_arn = f"arn:aws:ec2:us-east-1:{SECURITY}:traffic-mirror-target/{target_id}"
    types = own.list_resource_types()["resourceTypes"]
    assert [each["resourceType"] for each in types] == ["ec2:TrafficMirrorTarget"]
    arn = own.create_resource_share(name="sensor", principals=[PARTNER])["resourceShare"]["resourceShareArn"]
    own.associate_resource_share(resourceShareArn=arn, resourceArns=[target_arn], principals=[ORGANISATION])
    assert own.list_resource_share_permissions(resourceShareArn=arn)["permissions"] == []
    (invitation,) = guest.get_resource_share_invitations(resourceShareArns=[arn])["resourceShareInvitations"]
    guest.reject_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])
    own.associate_resource_share(resourceShareArn=arn, principals=[PARTNER])
    _, invitation = guest.get_resource_share_invitations(resourceShareArns=[arn])["resourceShareInvitations"]
    guest.accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])
    assert [each["arn"] for each in guest.list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]] == [target_arn]
    principals = {each["id"] for each in own.list_principals(resourceOwner="SELF")["principals"]}
    assert principals == {PARTNER, ORGANISATION}
    own.disassociate_resource_share(resourceShareArn=arn, principals=[ORGANISATION])
    bound = own.get_resource_share_associations(associationType="PRINCIPAL", associationStatus="ASSOCIATED")
    assert [each["associatedEntity"] for each in bound["resourceShareAssociations"]] == [PARTNER]
    own.update_resource_share(resourceShareArn=arn, name="sensors")
    own.tag_resource(resourceShareArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    own.untag_resource(resourceShareArn=arn, tagKeys=["a"])
    (shared,) = own.get_resource_shares(resourceOwner="SELF", name="sensors")["resourceShares"]
    assert (shared["tags"], shared["status"]) == ([{"key": "b", "value": "2"}], "ACTIVE")
    assert own.delete_resource_share(resourceShareArn=arn)["returnValue"] is True


def take_down(cloud: Cloud, filter_id: str, target_id: str) -> None:
    ec2 = cloud.client()
    (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    (rule,) = ec2.describe_traffic_mirror_filter_rules()["TrafficMirrorFilterRules"]
    assert (
        ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session["TrafficMirrorSessionId"])[
            "TrafficMirrorSessionId"
        ]
        == session["TrafficMirrorSessionId"]
    )
    assert (
        ec2.delete_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=rule["TrafficMirrorFilterRuleId"])[
            "TrafficMirrorFilterRuleId"
        ]
        == rule["TrafficMirrorFilterRuleId"]
    )
    assert ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=filter_id)["TrafficMirrorFilterId"] == filter_id
    assert (
        cloud.client(account=SECURITY).delete_traffic_mirror_target(TrafficMirrorTargetId=target_id)[
            "TrafficMirrorTargetId"
        ]
        == target_id
    )


# What boto3 puts on top.


@pytest.mark.parametrize(
    ("operation", "result", "kind", "count"),
    [
        ("describe_traffic_mirror_filters", "TrafficMirrorFilters", "filter", 13),
        ("describe_traffic_mirror_targets", "TrafficMirrorTargets", "target", 11),
        ("describe_traffic_mirror_sessions", "TrafficMirrorSessions", "session", 6),
    ],
)
def test_paginators(cloud: Cloud, operation: str, result: str, kind: str, count: int) -> None:
    """Pages put together are everything, in the order of creation; so do the numbers of pages and items fit."""
    ec2 = cloud.client()
    if kind == "filter":
        made = [make_filter(ec2) for _ in range(count)]
    elif kind == "target":
        made = [make_target(ec2) for _ in range(count)]
    else:
        filter_id, target_id = make_filter(ec2), make_target(ec2)
        made = [
            make_session(ec2, filter_id, target_id, number=number, eni_id=eni_id)
            for eni_id in (WEB, DATABASE)
            for number in (1, 2, 3)
        ]
    paginator = ec2.get_paginator(operation)
    pages = [ids(page[result]) for page in paginator.paginate(PaginationConfig={"PageSize": 5})]
    assert sum(pages, []) == made and [len(page) for page in pages] == [min(5, count - at) for at in range(0, count, 5)]
    first = paginator.paginate(PaginationConfig={"PageSize": 5, "MaxItems": 4}).build_full_result()
    rest = paginator.paginate(PaginationConfig={"StartingToken": first["NextToken"]}).build_full_result()
    assert ids(first[result]) + ids(rest[result]) == made
    assert list(paginator.paginate().search(f"{result}[].TrafficMirror{kind.capitalize()}Id")) == made


def test_pages_of_rules_and_tags(cloud: Cloud) -> None:
    """boto3 has no paginator for rules; NextToken by hand."""
    ec2 = cloud.client()
    filter_id = make_filter(ec2, *range(80, 90))
    first = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id, MaxResults=6)
    rest = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id, NextToken=first["NextToken"])
    numbers = [rule["RuleNumber"] for page in (first, rest) for rule in page["TrafficMirrorFilterRules"]]
    assert numbers == list(range(1, 11)) and "NextToken" not in rest
    pairs = {f"key{number:02}": str(number) for number in range(12)}
    ec2.create_tags(Resources=[filter_id], Tags=[{"Key": key, "Value": value} for key, value in pairs.items()])
    found = (
        ec2.get_paginator("describe_tags")
        .paginate(Filters=[{"Name": "resource-id", "Values": [filter_id]}], PaginationConfig={"PageSize": 5})
        .build_full_result()
    )
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == pairs


def test_a_dry_run_of_every_operation_that_has_one(cloud: Cloud) -> None:
    """Each would have succeeded, and nothing is different afterwards."""
    ec2 = cloud.client()
    filter_id, target_id = make_filter(ec2, 80), make_target(ec2)
    session_id = make_session(ec2, filter_id, target_id)
    unused_filter, unused_target = make_filter(ec2), make_target(ec2)
    rule_id = ids(ec2.describe_traffic_mirror_filter_rules()["TrafficMirrorFilterRules"])[0]
    parameters: dict[str, dict[str, Any]] = {
        "CreateTags": {"Resources": [filter_id], "Tags": [{"Key": "a", "Value": "b"}]},
        "DeleteTags": {"Resources": [filter_id]},
        "CreateTrafficMirrorFilterRule": {
            "TrafficMirrorFilterId": filter_id,
            "TrafficDirection": "egress",
            "RuleNumber": 1,
            "RuleAction": "accept",
            **ANYWHERE,
        },
        "CreateTrafficMirrorSession": {
            "NetworkInterfaceId": DATABASE,
            "TrafficMirrorTargetId": target_id,
            "TrafficMirrorFilterId": filter_id,
            "SessionNumber": 1,
        },
        "CreateTrafficMirrorTarget": {"NetworkInterfaceId": COLLECTOR},
        "DescribeInstanceAttribute": {"InstanceId": INSTANCE, "Attribute": "userData"},
        "DescribeVpcAttribute": {"VpcId": VPC, "Attribute": "enableDnsHostnames"},
        "DeleteTrafficMirrorFilter": {"TrafficMirrorFilterId": unused_filter},
        "DeleteTrafficMirrorFilterRule": {"TrafficMirrorFilterRuleId": rule_id},
        "DeleteTrafficMirrorSession": {"TrafficMirrorSessionId": session_id},
        "DeleteTrafficMirrorTarget": {"TrafficMirrorTargetId": unused_target},
        "ModifyTrafficMirrorFilterNetworkServices": {
            "TrafficMirrorFilterId": filter_id,
            "AddNetworkServices": ["amazon-dns"],
        },
        "ModifyTrafficMirrorFilterRule": {"TrafficMirrorFilterRuleId": rule_id, "RuleNumber": 9},
        "ModifyTrafficMirrorSession": {"TrafficMirrorSessionId": session_id, "SessionNumber": 9},
    }
    before = cloud.everything()
    for service, operation in sorted(OPERATIONS):
        members = ec2.meta.service_model.operation_model(operation).input_shape.members if service == "ec2" else ()
        if "DryRun" in members:
            method = next(name for name, api in ec2.meta.method_to_api_mapping.items() if api == operation)
            assert error_of(getattr(ec2, method), DryRun=True, **parameters.pop(operation, {})) == (
                "DryRunOperation",
                412,
                "Request would have succeeded, but DryRun flag is set.",
            ), operation
    assert parameters == {}
    assert cloud.everything() == before


def test_a_client_token_makes_one_object(cloud: Cloud) -> None:
    ec2 = cloud.client()
    first = ec2.create_traffic_mirror_filter(ClientToken="one", Description="x")
    again = ec2.create_traffic_mirror_filter(ClientToken="one", Description="x")
    assert {**first, "ResponseMetadata": None} == {**again, "ResponseMetadata": None} and first["ClientToken"] == "one"
    assert error_of(ec2.create_traffic_mirror_filter, ClientToken="one", Description="y")[:2] == (
        "IdempotentParameterMismatch",
        400,
    )
    drawn = {ec2.create_traffic_mirror_filter(Description="x")["ClientToken"] for _ in range(2)}
    assert len(drawn) == 2 and len(ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]) == 3


def test_a_clients_retries_make_nothing_twice(cloud: Cloud) -> None:
    """The answer is lost on the way: boto3 sends the request again, with the token that it drew."""
    ec2 = cloud.new_client(retries={"total_max_attempts": 3})
    sent = []

    def lose_the_first(response: Any, **_: Any) -> float | None:
        sent.append(response)
        return 0 if len(sent) == 1 else None

    ec2.meta.events.register("needs-retry.ec2.CreateTrafficMirrorFilter", lose_the_first)
    made = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]
    assert len(sent) == 2
    assert ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"] == [made]


def test_waiters(cloud: Cloud) -> None:
    """Those of the inventory; and one as people write it for sessions, who wait until one is gone."""
    ec2, elb = cloud.client(), cloud.client("elbv2")
    ec2.get_waiter("vpc_available").wait(VpcIds=[VPC])
    ec2.get_waiter("subnet_available").wait(SubnetIds=[SUBNET])
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[SENSORS])
    gone = create_waiter_with_client(
        "SessionGone",
        WaiterModel(
            {
                "version": 2,
                "waiters": {
                    "SessionGone": {
                        "operation": "DescribeTrafficMirrorSessions",
                        "delay": 0,
                        "maxAttempts": 2,
                        "acceptors": [
                            {
                                "matcher": "error",
                                "expected": "InvalidTrafficMirrorSessionId.NotFound",
                                "state": "success",
                            }
                        ],
                    }
                },
            }
        ),
        ec2,
    )
    session_id = make_session(ec2, make_filter(ec2), make_target(ec2))
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        gone.wait(TrafficMirrorSessionIds=[session_id])
    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session_id)
    gone.wait(TrafficMirrorSessionIds=[session_id])


def test_boto3s_own_objects(cloud: Cloud) -> None:
    """``boto3.resource("ec2")``: interfaces, their VPC, and tags, without an operation's name."""
    ec2 = cloud.resource()
    web = ec2.NetworkInterface(WEB)
    assert (web.mac_address, web.private_ip_address, web.vpc.cidr_block) == (
        "0a:3b:5c:00:00:10",
        "10.0.1.10",
        "10.0.0.0/16",
    )
    found = ec2.network_interfaces.filter(Filters=[{"Name": "subnet-id", "Values": [SUBNET]}])
    assert {each.id for each in found} >= {WEB, BATCH}
    assert {subnet.id for subnet in ec2.Vpc(VPC).subnets.all()} >= {SUBNET}
    filter_id = make_filter(ec2.meta.client)
    ec2.create_tags(Resources=[filter_id], Tags=[{"Key": "a", "Value": "b"}])
    tag = ec2.Tag(filter_id, "a", "b")
    tag.delete()
    assert ec2.meta.client.describe_traffic_mirror_filters()["TrafficMirrorFilters"][0]["Tags"] == []


def test_what_is_made_is_seen_at_once_by_every_client(cloud: Cloud) -> None:
    """By the one that made it and by others, ids and filters alike."""
    one, other = cloud.client(), cloud.new_client()
    for _ in range(5):
        filter_id = make_filter(one)
        by_name = [{"Name": "traffic-mirror-filter-id", "Values": [filter_id]}]
        assert (
            ids(other.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[filter_id])["TrafficMirrorFilters"])
            == ids(one.describe_traffic_mirror_filters(Filters=by_name)["TrafficMirrorFilters"])
            == [filter_id]
        )
        other.delete_traffic_mirror_filter(TrafficMirrorFilterId=filter_id)
        with pytest.raises(ClientError, match="InvalidTrafficMirrorFilterId.NotFound"):
            one.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[filter_id])


def test_what_boto3_refuses_itself_does_not_reach_the_server(cloud: Cloud) -> None:
    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "NetworkInterfaceId"'):
        cloud.client().create_traffic_mirror_session(SessionNumber=1)


def test_every_region_answers(running_cloud: Cloud) -> None:
    """Who goes through all regions, as inventories do, finds nothing in the others, and no error."""
    found = {}
    for region in ("us-east-1", "eu-west-1", "me-central-1"):
        client = running_cloud.new_client(region=region)
        found[region] = len(client.describe_network_interfaces()["NetworkInterfaces"])
        assert running_cloud.new_client("sts", region=region).get_caller_identity()["Account"] == OWNER
    assert found.pop("us-east-1") > 0 and set(found.values()) == {0}
