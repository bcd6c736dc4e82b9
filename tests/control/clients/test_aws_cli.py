"""The AWS CLI in processes of its own, as somebody types it who has read the guide and the command's page."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.kits.inventory_kit import (
    COLLECTOR,
    OWNER,
    PARTNER,
    SECOND_COLLECTOR,
    SECURITY,
    SECURITY_COLLECTOR,
    SENSORS,
    WEB,
)
from tests.control.kits.server_kit import Cloud, ids

AWS = Path(sys.executable).with_name("aws")
REFUSED = (254, 255)
"""What the CLI's versions 2 and 1 end with when the service refuses; other errors of use and set-up are below."""
USAGE = (2, 252)
NO_SET_UP = (253, 255)


class Shell:
    """A shell in which ``AWS_ENDPOINT_URL`` and credentials are set."""

    def __init__(self, cloud: Cloud) -> None:
        self._environment = {**cloud.environment(), "AWS_MAX_ATTEMPTS": "1", "COLUMNS": "100", "LC_ALL": "C.UTF-8"}

    def run(self, line: str, profile: str = OWNER, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(AWS), *shlex.split(line)],
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            env={**self._environment, "AWS_PROFILE": profile, **environment},
        )

    def text(self, line: str, profile: str = OWNER) -> str:
        done = self.run(line, profile)
        assert (done.returncode, done.stderr) == (0, ""), (line, done.stderr)
        return done.stdout

    def json(self, line: str, profile: str = OWNER) -> Any:
        printed = self.text(line, profile)
        return json.loads(printed) if printed else None

    def refused(self, line: str, profile: str = OWNER) -> str:
        """The error as it is printed."""
        done = self.run(line, profile)
        assert done.returncode in REFUSED and done.stdout == "", (line, done)
        return done.stderr.strip()


@pytest.fixture
def aws(cloud: Cloud) -> Iterator[Shell]:
    if not os.access(AWS, os.X_OK):
        pytest.skip(f"the AWS CLI is not installed ({AWS})")
    yield Shell(cloud)


def test_from_the_target_to_the_session_and_back(aws: Shell, cloud: Cloud) -> None:
    """The commands of the guide, with what the pages of the commands say that they print."""
    target_id = aws.text(
        "ec2 create-traffic-mirror-target --description 'Target A' "
        f"--network-interface-id {COLLECTOR} "
        "--query TrafficMirrorTarget.TrafficMirrorTargetId --output text"
    ).strip()
    made = aws.json(
        "ec2 create-traffic-mirror-filter --description 'Filter 1' "
        "--tag-specifications "
        "'ResourceType=traffic-mirror-filter,Tags=[{Key=Name,Value=a b},{Key=k,Value=v}]'"
    )
    filter_id = made["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert made == {
        "TrafficMirrorFilter": {
            "TrafficMirrorFilterId": filter_id,
            "IngressFilterRules": [],
            "EgressFilterRules": [],
            "NetworkServices": [],
            "Description": "Filter 1",
            "Tags": [{"Key": "Name", "Value": "a b"}, {"Key": "k", "Value": "v"}],
        },
        "ClientToken": made["ClientToken"],
    }

    made = aws.json(
        f"ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id {filter_id} "
        "--traffic-direction ingress --rule-number 10 --rule-action reject --protocol 6 "
        "--source-cidr-block 192.0.2.0/24 --destination-cidr-block 10.0.0.0/16 "
        "--destination-port-range FromPort=22,ToPort=22 --description 'no SSH'"
    )
    rule = made["TrafficMirrorFilterRule"]
    rule_id = rule["TrafficMirrorFilterRuleId"]
    assert rule == {
        "TrafficMirrorFilterRuleId": rule_id,
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "ingress",
        "RuleNumber": 10,
        "RuleAction": "reject",
        "Protocol": 6,
        "DestinationPortRange": {"FromPort": 22, "ToPort": 22},
        "SourceCidrBlock": "192.0.2.0/24",
        "DestinationCidrBlock": "10.0.0.0/16",
        "Description": "no SSH",
        "Tags": [],
    }
    aws.json(
        f"ec2 create-traffic-mirror-filter-rule --traffic-mirror-filter-id {filter_id} "
        "--traffic-direction ingress --rule-number 20 --rule-action accept --protocol 6 "
        "--source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0"
    )
    changed = aws.json(
        f"ec2 modify-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id {rule_id} "
        "--rule-action accept --remove-fields destination-port-range description"
    )
    assert "DestinationPortRange" not in changed["TrafficMirrorFilterRule"]
    services = aws.text(
        f"ec2 modify-traffic-mirror-filter-network-services --traffic-mirror-filter-id {filter_id} "
        "--add-network-services amazon-dns --query TrafficMirrorFilter.NetworkServices --output text"
    )
    assert services == "amazon-dns\n"

    made = aws.json(f"""ec2 create-traffic-mirror-session
        --description 'example session'
        --traffic-mirror-target-id {target_id}
        --network-interface-id {WEB}
        --session-number 1
        --packet-length 25
        --traffic-mirror-filter-id {filter_id}""")
    session = made["TrafficMirrorSession"]
    session_id = session["TrafficMirrorSessionId"]
    assert list(session) == [
        "TrafficMirrorSessionId",
        "TrafficMirrorTargetId",
        "TrafficMirrorFilterId",
        "NetworkInterfaceId",
        "OwnerId",
        "PacketLength",
        "SessionNumber",
        "VirtualNetworkId",
        "Description",
        "Tags",
    ]
    assert (session["OwnerId"], session["PacketLength"], session["Tags"]) == (OWNER, 25, [])
    changed = aws.json(
        f"ec2 modify-traffic-mirror-session --traffic-mirror-session-id {session_id} "
        "--session-number 2 --virtual-network-id 7159709 --remove-fields packet-length description"
    )
    assert changed["TrafficMirrorSession"] == {
        name: value
        for name, value in {**session, "SessionNumber": 2, "VirtualNetworkId": 7159709}.items()
        if name not in ("PacketLength", "Description")
    }

    table = aws.text("ec2 describe-traffic-mirror-sessions --output table")
    cells = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()}
    assert {("NetworkInterfaceId", WEB), ("VirtualNetworkId", "7159709"), ("OwnerId", OWNER)} <= cells
    rules = aws.text(
        f"ec2 describe-traffic-mirror-filter-rules --traffic-mirror-filter-id {filter_id} --output text "
        "--query 'TrafficMirrorFilterRules[].[RuleNumber,RuleAction]'"
    )
    assert rules == "10\taccept\n20\taccept\n"
    assert aws.refused(f"ec2 delete-traffic-mirror-target --traffic-mirror-target-id {target_id}") == (
        "An error occurred (TrafficMirrorTargetInUse) when calling the DeleteTrafficMirrorTarget operation: "
        f"Cannot delete {target_id}. Target is in use by {session_id}"
    )

    for kind, identifier in (
        ("session", session_id),
        ("filter-rule", rule_id),
        ("filter", filter_id),
        ("target", target_id),
    ):
        printed = aws.json(f"ec2 delete-traffic-mirror-{kind} --traffic-mirror-{kind}-id {identifier}")
        assert list(printed.values()) == [identifier]
    assert not any(cloud.everything()[OWNER])


def test_tags(aws: Shell, cloud: Cloud) -> None:
    target_id = aws.text(
        f"ec2 create-traffic-mirror-target --network-load-balancer-arn {SENSORS} --output text "
        "--query TrafficMirrorTarget.TrafficMirrorTargetId"
    ).strip()
    assert aws.text(f"ec2 create-tags --resources {target_id} --tags Key=Stack,Value=Größe Key=empty,Value=") == ""
    assert aws.text(f"ec2 delete-tags --resources {target_id} --tags Key=empty") == ""
    assert aws.json(f"ec2 describe-tags --filters Name=resource-id,Values={target_id}") == {
        "Tags": [{"Key": "Stack", "ResourceId": target_id, "ResourceType": "traffic-mirror-target", "Value": "Größe"}]
    }
    shown = aws.text(
        "ec2 describe-traffic-mirror-targets --filters Name=tag:Stack,Values='Gr*' Name=owner-id,"
        f"Values={OWNER},{PARTNER} --query TrafficMirrorTargets[].Tags[].Value --output text"
    )
    assert shown == "Größe\n"


def test_pages_of_the_client_and_of_the_service(aws: Shell, cloud: Cloud) -> None:
    """``--max-items`` counts in the client, ``--page-size`` and ``--max-results`` on the server."""
    ec2 = cloud.client()
    made = ids(ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"] for _ in range(12))
    describe = "ec2 describe-traffic-mirror-filters"
    first = aws.json(f"{describe} --max-items 7 --page-size 5")
    rest = aws.json(f"{describe} --starting-token {first['NextToken']}")
    assert ids(first["TrafficMirrorFilters"]) == made[:7]
    assert ids(rest["TrafficMirrorFilters"]) == made[7:] and "NextToken" not in rest
    page = aws.json(f"{describe} --max-results 5 --no-paginate")
    assert ids(page["TrafficMirrorFilters"]) == made[:5] and page["NextToken"]
    every = aws.text(f"{describe} --page-size 5 --query TrafficMirrorFilters[].TrafficMirrorFilterId --output text")
    assert every.split() == made
    assert "(InvalidNextToken)" in aws.refused(f"{describe} --max-results 5 --next-token {page['NextToken'][:-4]}")


def test_a_dry_run_changes_nothing(aws: Shell, cloud: Cloud) -> None:
    assert aws.refused("ec2 create-traffic-mirror-filter --dry-run") == (
        "An error occurred (DryRunOperation) when calling the CreateTrafficMirrorFilter operation: "
        "Request would have succeeded, but DryRun flag is set."
    )
    assert aws.json("ec2 describe-traffic-mirror-filters --no-dry-run") == {"TrafficMirrorFilters": []}


def test_arguments_from_json_and_a_token(aws: Shell, cloud: Cloud, tmp_path: Path) -> None:
    """A skeleton that is filled in is a request; sent twice with one token, it makes one object."""
    skeleton = aws.json("ec2 create-traffic-mirror-target --generate-cli-skeleton")
    wanted = {"NetworkInterfaceId": SECOND_COLLECTOR, "Description": "Träger", "ClientToken": "a-token"}
    assert set(wanted) < set(skeleton)
    (tmp_path / "target.json").write_text(json.dumps(wanted), "utf-8")
    line = f"ec2 create-traffic-mirror-target --cli-input-json file://{tmp_path}/target.json"
    made = aws.json(line)
    assert made == aws.json(line) and made["ClientToken"] == "a-token"
    assert made["TrafficMirrorTarget"] == cloud.client().describe_traffic_mirror_targets()["TrafficMirrorTargets"][0]
    assert "(IdempotentParameterMismatch)" in aws.refused(f"{line} --description other")


def test_what_is_refused(aws: Shell, cloud: Cloud) -> None:
    """By the service, by the client, and for want of a set-up: message and exit code."""
    assert aws.refused("ec2 describe-traffic-mirror-sessions --traffic-mirror-session-ids tms-00000000000000000") == (
        "An error occurred (InvalidTrafficMirrorSessionId.NotFound) when calling the DescribeTrafficMirrorSessions "
        "operation: The traffic mirror session ID 'tms-00000000000000000' does not exist"
    )
    assert "(MissingAuthenticationToken)" in aws.refused("ec2 describe-regions --no-sign-request")
    assert "(InvalidAction)" in aws.refused("ec2 describe-key-pairs")
    missing = aws.run("ec2 create-traffic-mirror-session --session-number 1")
    assert missing.returncode in USAGE and "--network-interface-id" in missing.stderr
    nobody = aws.run("ec2 describe-traffic-mirror-targets", profile="nobody")
    assert nobody.returncode in NO_SET_UP and "nobody" in nobody.stderr
    for command, code in (("sts get-caller-identity", "InvalidClientTokenId"), ("ec2 describe-regions", "AuthFailure")):
        wrong = aws.run(command, AWS_ACCESS_KEY_ID="AKIA0000000000000000", AWS_SECRET_ACCESS_KEY="x" * 40)
        assert wrong.returncode in REFUSED and f"({code})" in wrong.stderr


def test_sharing_a_target(aws: Shell, cloud: Cloud) -> None:
    """The guide's "Share a traffic mirror target", in two shells."""
    assert aws.json("sts get-caller-identity", PARTNER)["Account"] == PARTNER
    target_id = aws.text(
        f"ec2 create-traffic-mirror-target --network-interface-id {SECURITY_COLLECTOR} --output text "
        "--query TrafficMirrorTarget.TrafficMirrorTargetId",
        SECURITY,
    ).strip()
    arn = aws.text(
        f"ram create-resource-share --name collector --principals {PARTNER} --resource-arns "
        f"arn:aws:ec2:us-east-1:{SECURITY}:traffic-mirror-target/{target_id} --output text "
        "--query resourceShare.resourceShareArn",
        SECURITY,
    ).strip()
    invitation = aws.text(
        f"ram get-resource-share-invitations --resource-share-arns {arn} --output text "
        "--query resourceShareInvitations[].resourceShareInvitationArn",
        PARTNER,
    ).strip()
    accepted = aws.json(f"ram accept-resource-share-invitation --resource-share-invitation-arn {invitation}", PARTNER)
    assert accepted["resourceShareInvitation"]["status"] == "ACCEPTED"
    seen = aws.json("ec2 describe-traffic-mirror-targets", PARTNER)["TrafficMirrorTargets"]
    assert [(each["TrafficMirrorTargetId"], each["OwnerId"]) for each in seen] == [(target_id, SECURITY)]


def test_looking_for_sources_and_waiting(aws: Shell) -> None:
    found = aws.json("ec2 describe-network-interfaces --filters Name=private-ip-address,Values=10.0.1.10")
    assert ids(found["NetworkInterfaces"]) == [WEB]
    assert aws.text("ec2 wait vpc-available --vpc-ids vpc-0a1b2c3d4e5f60001") == ""
    assert aws.text("elbv2 wait load-balancer-available --names sensors") == ""
    assert (
        aws.text(
            f"elbv2 describe-listeners --query Listeners[].[Protocol,Port] --output text --load-balancer-arn {SENSORS}"
        )
        == "UDP\t4789\n"
    )
