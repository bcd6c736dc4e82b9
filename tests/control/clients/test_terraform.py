"""Terraform and its real AWS provider: what is applied stays as it is planned, and goes when it is destroyed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.control.kits.inventory_kit import (
    ABROAD,
    ABROAD_SENSORS,
    BATCH,
    COLLECTOR,
    ENDPOINT,
    OWNER,
    PARTNER,
    SECOND_COLLECTOR,
    SECURITY,
    SENSORS,
    abroad,
    example,
    there,
)
from tests.control.kits.serve_kit import REGION
from tests.control.kits.server_kit import Cloud, running, tags
from tests.control.kits.terraform_kit import NO_CHANGE, Workspace, environment_of, find_provider, initialise

New = Callable[[str], Workspace]


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terraform")
    initialise(folder)
    return folder


@pytest.fixture
def workspace(initialised: Path, cloud: Cloud, tmp_path: Path) -> Workspace:
    """A folder without a state, for the first account."""
    shutil.copytree(initialised, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Workspace(tmp_path, cloud.environment())


def test_it_initialises_while_its_cache_is_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user has it who points every Terraform at the one folder with the provider."""
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(find_provider()[0]))
    initialise(tmp_path)
    assert "hashicorp/aws" in (tmp_path / ".terraform.lock.hcl").read_text()


def test_what_the_user_has_set_for_terraform_is_not_handed_on(tmp_path: Path) -> None:
    """Where there is no Terraform, too."""
    shell = {"PATH": "/bin", "TF_PLUGIN_CACHE_DIR": "/mirror", "TF_CLI_ARGS_plan": "-destroy", "TF_VAR_name": "x"}
    handed_on = environment_of(tmp_path, shell)
    assert handed_on["PATH"] == "/bin" and handed_on["TF_CLI_CONFIG_FILE"] == str(tmp_path / "terraform.rc")
    assert not handed_on.keys() & {"TF_PLUGIN_CACHE_DIR", "TF_CLI_ARGS_plan", "TF_VAR_name"}


def has_tags(described: Mapping[str, Any], **expected: str) -> bool:
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]} == expected


def by_number(sessions: list[Any]) -> list[Any]:
    return sorted(sessions, key=lambda each: each["SessionNumber"])


def test_apply_change_clear_and_destroy(workspace: Workspace, cloud: Cloud) -> None:
    """Every argument of filter, rule, target and session; after each step the plan is to do nothing."""
    ec2 = cloud.client()
    assert workspace.apply("first") == "Apply complete! Resources: 8 added, 0 changed, 0 destroyed."
    assert workspace.plan() == NO_CHANGE
    plain, filter_ = sorted(
        ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"], key=lambda each: "Description" in each
    )
    assert filter_["NetworkServices"] == plain["NetworkServices"] == []
    assert has_tags(filter_, Name="filter", team="security", cost="42") and has_tags(plain, team="security", cost="42")
    (web,) = filter_["IngressFilterRules"]
    assert (web["Protocol"], web["SourcePortRange"], web["DestinationPortRange"]) == (
        6,
        {"FromPort": 1024, "ToPort": 65535},
        {"FromPort": 80, "ToPort": 80},
    )
    session, other = by_number(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"])
    assert (session["PacketLength"], session["VirtualNetworkId"], other["PacketLength"]) == (100, 4711, 8500)
    assert has_tags(session, Name="session", team="security", cost="43")
    made = {session["TrafficMirrorSessionId"], other["TrafficMirrorSessionId"]}

    assert workspace.apply("changed") == "Apply complete! Resources: 0 added, 8 changed, 0 destroyed."
    (filter_,) = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[filter_["TrafficMirrorFilterId"]])[
        "TrafficMirrorFilters"
    ]
    assert filter_["NetworkServices"] == ["amazon-dns"]
    assert has_tags(filter_, Name="filter 2", rack="7", team="network", cost="42")
    assert filter_["IngressFilterRules"] == []
    web, rest = filter_["EgressFilterRules"]
    assert {name: value for name, value in web.items() if not name.endswith("Id")} == {
        "TrafficDirection": "egress",
        "RuleNumber": 101,
        "RuleAction": "reject",
        "Protocol": 17,
        "SourceCidrBlock": "10.1.0.0/16",
        "DestinationCidrBlock": "10.2.0.0/16",
        "Description": "UDP, from the inside",
        "SourcePortRange": {"FromPort": 53, "ToPort": 54},
        "DestinationPortRange": {"FromPort": 0, "ToPort": 53},
        "Tags": [],
    }
    assert (rest["Protocol"], rest["DestinationPortRange"]) == (17, {"FromPort": 53, "ToPort": 53})
    (target,) = ec2.describe_traffic_mirror_targets(Filters=[{"Name": "network-interface-id", "Values": [COLLECTOR]}])[
        "TrafficMirrorTargets"
    ]
    assert has_tags(target, Name="collector 2", rack="7", team="network", cost="42")
    session, other = by_number(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"])
    assert (session["SessionNumber"], session["PacketLength"], session["VirtualNetworkId"]) == (2, 200, 4712)
    assert (other["SessionNumber"], other["PacketLength"], other["VirtualNetworkId"]) == (32765, 8499, (1 << 24) - 1)
    assert session["Description"] == "another description"
    assert session["TrafficMirrorFilterId"] == plain["TrafficMirrorFilterId"]
    assert session["TrafficMirrorTargetId"] != target["TrafficMirrorTargetId"]
    assert has_tags(session, Name="session 2", team="network", cost="42")

    assert workspace.apply("cleared") == "Apply complete! Resources: 0 added, 8 changed, 0 destroyed."
    assert workspace.plan() == NO_CHANGE
    (filter_,) = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[filter_["TrafficMirrorFilterId"]])[
        "TrafficMirrorFilters"
    ]
    assert filter_["NetworkServices"] == []
    web, rest = filter_["EgressFilterRules"]
    assert web["Protocol"] == 17 and "Protocol" not in rest
    assert not {"Description", "SourcePortRange", "DestinationPortRange"} & {*web, *rest}
    session, other = by_number(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"])
    assert "Description" not in session
    # The provider asks for nothing when these two are left out: they keep their values.
    assert (session["PacketLength"], session["VirtualNetworkId"]) == (200, 4712)
    assert {session["TrafficMirrorSessionId"], other["TrafficMirrorSessionId"]} == made
    assert ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["traffic-mirror-*"]}])["Tags"] == []

    assert workspace.destroy() == "Destroy complete! Resources: 8 destroyed."
    assert not any(cloud.everything()[OWNER])


def test_import(workspace: Workspace, cloud: Cloud) -> None:
    """Objects that boto3 made are taken over as they are, each by the id that the documentation gives."""
    ec2 = cloud.client()
    filter_id = ec2.create_traffic_mirror_filter(
        Description="made elsewhere", TagSpecifications=tags("filter", Name="filter")
    )["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    ec2.modify_traffic_mirror_filter_network_services(
        TrafficMirrorFilterId=filter_id, AddNetworkServices=["amazon-dns"]
    )
    rule_id = ec2.create_traffic_mirror_filter_rule(
        TrafficMirrorFilterId=filter_id,
        TrafficDirection="ingress",
        RuleNumber=10,
        RuleAction="accept",
        Protocol=17,
        SourceCidrBlock="0.0.0.0/0",
        DestinationCidrBlock="0.0.0.0/0",
        DestinationPortRange={"FromPort": 0, "ToPort": 0},
    )["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]
    target_id = ec2.create_traffic_mirror_target(
        GatewayLoadBalancerEndpointId=ENDPOINT, TagSpecifications=tags("target", Name="target")
    )["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    session_id = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=BATCH,
        TrafficMirrorTargetId=target_id,
        TrafficMirrorFilterId=filter_id,
        SessionNumber=7,
        Description="made elsewhere",
        TagSpecifications=tags("session", Name="session"),
    )["TrafficMirrorSession"]["TrafficMirrorSessionId"]
    before = cloud.everything()
    assert workspace.apply("imported", filter=filter_id, rule=rule_id, target=target_id, session=session_id) == (
        "Apply complete! Resources: 4 imported, 0 added, 0 changed, 0 destroyed."
    )
    assert cloud.everything() == before


def test_a_target_in_use_cannot_be_replaced(workspace: Workspace, cloud: Cloud) -> None:
    """Terraform deletes the old target before it makes the new one; the user reads by which session it is used."""
    ec2 = cloud.client()
    workspace.apply("replaced", collector=COLLECTOR)
    before = cloud.everything()
    (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    target_id, session_id = session["TrafficMirrorTargetId"], session["TrafficMirrorSessionId"]
    error = workspace.fail_to_apply("replaced", collector=SECOND_COLLECTOR)
    assert f"deleting EC2 Traffic Mirror Target ({target_id})" in error
    assert f"api error TrafficMirrorTargetInUse: Cannot delete {target_id}. Target is in use by {session_id}" in error
    assert cloud.everything() == before

    # What the provider's users are advised to do.
    assert workspace.apply("replaced_in_order", collector=SECOND_COLLECTOR) == (
        "Apply complete! Resources: 1 added, 1 changed, 1 destroyed."
    )
    (target,) = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
    (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert target["NetworkInterfaceId"] == SECOND_COLLECTOR
    assert (session["TrafficMirrorSessionId"], session["TrafficMirrorTargetId"]) == (
        session_id,
        target["TrafficMirrorTargetId"],
    )


def test_a_target_shared_between_accounts(workspace: Workspace, cloud: Cloud) -> None:
    """Share, invitation and acceptance are resources of two providers in one configuration."""
    assert workspace.apply("shared") == "Apply complete! Resources: 7 added, 0 changed, 0 destroyed."
    for account in (PARTNER, SECURITY):
        (session,) = cloud.client(account=account).describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
        assert session["OwnerId"] == PARTNER
    assert workspace.destroy() == "Destroy complete! Resources: 7 destroyed."
    assert not any(any(lists) for lists in cloud.everything().values())


@pytest.mark.long
def test_a_role_data_sources_and_another_region(initialised: Path, tmp_path: Path) -> None:
    """On a server of its own, whose inventory has an instance, a security group and a route table."""
    shutil.copytree(initialised, tmp_path, dirs_exist_ok=True, symlinks=True)
    instance = {
        "InstanceId": "i-0a1b2c3d4e5f60010",
        "InstanceType": "t3.micro",
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "State": {"Code": 16, "Name": "running"},
        "LaunchTime": "2026-01-15T09:10:00+00:00",
    }
    around = {"VpcId": "vpc-0a1b2c3d4e5f60001", "OwnerId": OWNER}
    documents = example(
        Instances=[instance],
        SecurityGroups=[{"GroupId": "sg-0a1b2c3d4e5f60100", "GroupName": "web", **around}],
        RouteTables=[{"RouteTableId": "rtb-0a1b2c3d4e5f60100", "Routes": [], **around}],
    )
    (tmp_path / "inventory.json").write_text(json.dumps(documents))
    with running(tmp_path / "state", inventory=tmp_path / "inventory.json") as cloud:
        cloud.add_role("visitor")
        workspace = Workspace(tmp_path, cloud.environment())
        assert workspace.apply("reading") == "Apply complete! Resources: 1 added, 0 changed, 0 destroyed."
        assert workspace.plan() == NO_CHANGE
        printed = json.loads((tmp_path / "terraform.tfstate").read_text())["outputs"]
        assert {name: each["value"] for name, each in printed.items()} == {
            "who": f"arn:aws:sts::{OWNER}:assumed-role/visitor/apply",
            "credits": "unlimited",
            "elsewhere": 0,
        }
        assert not cloud.client().describe_traffic_mirror_filters()["TrafficMirrorFilters"]
        there = cloud.new_client(region="eu-west-1").describe_traffic_mirror_filters()["TrafficMirrorFilters"]
        assert [each["Description"] for each in there] == ["t3.micro sg-0a1b2c3d4e5f60100"]
        assert workspace.destroy() == "Destroy complete! Resources: 1 destroyed."


@pytest.mark.long
def test_two_regions(initialised: Path, tmp_path: Path) -> None:
    """Two providers, one an alias: what each finds and makes is its region's."""
    shutil.copytree(initialised, tmp_path, dirs_exist_ok=True, symlinks=True)
    (tmp_path / "inventory.json").write_text(json.dumps(example(Regions={ABROAD: abroad()})))
    with running(tmp_path / "state", inventory=tmp_path / "inventory.json") as cloud:
        workspace = Workspace(tmp_path, cloud.environment())
        assert workspace.apply("regions") == "Apply complete! Resources: 8 added, 0 changed, 0 destroyed."
        assert workspace.plan() == NO_CHANGE
        for region, name, balancer in ((REGION, str, SENSORS), (ABROAD, there, ABROAD_SENSORS)):
            ec2 = cloud.new_client(region=region)
            (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
            assert session["NetworkInterfaceId"] == name(BATCH)
            targets = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
            assert {each.get("NetworkInterfaceId", each.get("NetworkLoadBalancerArn")) for each in targets} == {
                name(COLLECTOR),
                balancer,
            }
        assert workspace.destroy() == "Destroy complete! Resources: 8 destroyed."


@pytest.mark.long
def test_an_alarm_with_tags(workspace: Workspace, cloud: Cloud) -> None:
    """Made, changed and destroyed as the plan says, and the same as the plan in between."""
    watch = cloud.client("cloudwatch")
    for threshold, cost, done in (("0", "42", "1 added, 0 changed"), ("5", "43", "0 added, 1 changed")):
        assert workspace.apply("alarm", threshold=threshold, cost=cost).endswith(f"{done}, 0 destroyed.")
        assert workspace.plan() == NO_CHANGE
        (alarm,) = watch.describe_alarms()["MetricAlarms"]
        tagged = watch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
        assert alarm["Threshold"] == float(threshold)
        assert has_tags(tagged, Name="skipped", team="security", cost=cost)
    assert workspace.destroy() == "Destroy complete! Resources: 1 destroyed."
    assert watch.describe_alarms()["MetricAlarms"] == []
