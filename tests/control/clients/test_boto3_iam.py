"""IAM's operations that read, with boto3: of the users in the server's file, with the members of a look-alike's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from halfsilver.harness.control.state.private_files import write_private
from halfsilver.harness.control.upstream.moto import moto_server
from tests.control.kits.inventory_kit import OWNER, SECURITY
from tests.control.kits.server_kit import Cloud, error_of, running
from tests.control.kits.signing_kit import ALLOW_ALL, role, user

SECRET = "ann's/own+secret/of+forty+characters====="
VIEW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
OWN = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iam:*", "Resource": f"arn:aws:iam::{OWNER}:user/${{aws:username}}"},
        {"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
    ],
}
MIRROR = f"arn:aws:iam::{OWNER}:policy/mirror"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("iam") / "state") as cloud:
        path = cloud.server.state / "keys.json"
        document = json.loads(path.read_text())
        keys = [
            {"AccessKeyId": "AKIAANNANNANNANNANN1", "SecretAccessKey": SECRET},
            {"AccessKeyId": "AKIAANNANNANNANNANN2", "SecretAccessKey": SECRET[::-1], "Status": "Inactive"},
        ]
        ann = user("ann", account=OWNER, policies=(OWN,), AccessKeys=keys, Groups=["viewers"])
        document["Users"].append({**ann, "AttachedManagedPolicies": [{"PolicyArn": MIRROR}]})
        document["Groups"] = [
            {"Account": OWNER, "GroupName": "viewers", "Policies": [{"PolicyName": "v", "PolicyDocument": VIEW}]},
            {"Account": OWNER, "GroupName": "nobody"},
        ]
        document["Roles"] = [role(account=OWNER, trusts={"AWS": OWNER})]
        document["ManagedPolicies"] = [{"Account": OWNER, "PolicyName": "mirror", "PolicyDocument": VIEW}]
        write_private(path, json.dumps(document).encode())
        cloud.keys[OWNER, "ann"] = ("AKIAANNANNANNANNANN1", SECRET)
        yield cloud


def test_who_asks_and_who_is_named(cloud: Cloud) -> None:
    ann = cloud.client("iam", user="ann").get_user()["User"]
    assert ann == {
        "Path": "/",
        "UserName": "ann",
        "UserId": "AIDAANN",
        "Arn": f"arn:aws:iam::{OWNER}:user/ann",
        "CreateDate": datetime(1970, 1, 1, tzinfo=UTC),
    }
    assert cloud.client("sts", user="ann").get_caller_identity()["Arn"] == ann["Arn"]
    assert cloud.client("iam").get_user(UserName="ann")["User"] == ann
    assert [each["UserName"] for each in cloud.client("iam").list_users()["Users"]] == ["admin", "ann"]


def test_keys_are_shown_without_their_secrets(cloud: Cloud) -> None:
    iam = cloud.client("iam", user="ann")
    answer = iam.list_access_keys()
    found = [(each["UserName"], each["AccessKeyId"], each["Status"]) for each in answer["AccessKeyMetadata"]]
    assert found == [("ann", "AKIAANNANNANNANNANN1", "Active"), ("ann", "AKIAANNANNANNANNANN2", "Inactive")]
    everything = cloud.client("iam").get_account_authorization_details()
    assert not any(each in str((answer, everything)) for each in (SECRET, SECRET[::-1]))


def test_groups_and_policies_of_a_user(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    (group,) = iam.list_groups_for_user(UserName="ann")["Groups"]
    assert (group["GroupName"], group["Arn"]) == ("viewers", f"arn:aws:iam::{OWNER}:group/viewers")
    assert [each["GroupName"] for each in iam.list_groups()["Groups"]] == ["nobody", "viewers"]
    assert iam.list_user_policies(UserName="ann")["PolicyNames"] == ["p0"]
    assert iam.get_user_policy(UserName="ann", PolicyName="p0")["PolicyDocument"] == OWN
    attached = iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"]
    assert attached == [{"PolicyName": "mirror", "PolicyArn": MIRROR}]
    assert iam.list_attached_user_policies(UserName="ann", PathPrefix="/team/")["AttachedPolicies"] == []
    (visitor,) = iam.list_roles()["Roles"]
    assert visitor["AssumeRolePolicyDocument"]["Statement"]["Principal"] == {"AWS": OWNER}


def test_the_whole_account(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    whole = iam.get_account_authorization_details()
    assert [each["UserName"] for each in whole["UserDetailList"]] == ["admin", "ann"]
    assert whole["UserDetailList"][1]["GroupList"] == ["viewers"]
    assert whole["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"] == ALLOW_ALL
    assert whole["GroupDetailList"][1]["GroupPolicyList"] == [{"PolicyName": "v", "PolicyDocument": VIEW}]
    assert [each["RoleName"] for each in whole["RoleDetailList"]] == ["visitor"]
    (policy,) = whole["Policies"]
    assert (policy["Arn"], policy["AttachmentCount"]) == (MIRROR, 1)
    assert policy["PolicyVersionList"][0]["Document"] == VIEW
    summary = iam.get_account_summary()["SummaryMap"]
    assert {name: summary[name] for name in ("Users", "Groups", "Roles", "Policies")} == {
        "Users": 2,
        "Groups": 2,
        "Roles": 1,
        "Policies": 1,
    }
    only = iam.get_account_authorization_details(Filter=["Role"])
    assert only["RoleDetailList"] == whole["RoleDetailList"] and only["UserDetailList"] == []
    assert error_of(iam.get_account_authorization_details, Filter=["Rolle"])[:2] == ("ValidationError", 400)


def test_an_account_sees_its_own(cloud: Cloud) -> None:
    other = cloud.client("iam", SECURITY)
    assert [each["Arn"] for each in other.list_users()["Users"]] == [f"arn:aws:iam::{SECURITY}:user/admin"]
    assert other.list_groups()["Groups"] == other.list_roles()["Roles"] == []
    assert error_of(other.get_user, UserName="ann")[0] == "NoSuchEntity"


def test_pages(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    first = iam.list_users(MaxItems=1)
    assert first["IsTruncated"] and [each["UserName"] for each in first["Users"]] == ["admin"]
    last = iam.list_users(MaxItems=1, Marker=first["Marker"])
    assert not last["IsTruncated"] and [each["UserName"] for each in last["Users"]] == ["ann"]
    details = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
    assert sum(len(each) for page in details for each in page.values() if isinstance(each, list)) == 6
    assert error_of(iam.list_users, MaxItems=1, Marker="x")[:2] == ("ValidationError", 400)
    assert error_of(iam.list_groups, MaxItems=1, Marker=first["Marker"])[0] == "ValidationError"


def test_refusals(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    assert error_of(iam.get_user, UserName="bob") == ("NoSuchEntity", 404, "The user with name bob cannot be found.")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.list_access_keys(UserName="bob")
    assert error_of(iam.get_user_policy, UserName="ann", PolicyName="p1")[:2] == ("NoSuchEntity", 404)
    code, status, message = error_of(iam.create_user, UserName="bob")
    assert (code, status) == ("InvalidAction", 400) and "CreateUser for version 2010-05-08" in message
    given = cloud.client("sts").assume_role(RoleArn=f"arn:aws:iam::{OWNER}:role/visitor", RoleSessionName="look")
    credentials = given["Credentials"]
    visitor = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=cloud.url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    assert error_of(visitor.get_user)[:2] == ("ValidationError", 400)
    assert visitor.get_user(UserName="ann")["User"]["UserName"] == "ann"


def test_who_may_ask_about_whom(cloud: Cloud) -> None:
    """A user whom a policy lets look at itself, as AWS's guide has it, is refused everything else."""
    ann = cloud.client("iam", user="ann")
    assert ann.list_user_policies(UserName="ann")["PolicyNames"] == ["p0"]
    for refused, given in ((ann.get_user, {"UserName": "admin"}), (ann.list_users, {}), (ann.list_groups, {})):
        code, status, message = error_of(refused, **given)
        assert (code, status) == ("AccessDenied", 403) and "user/ann is not authorized to perform: iam:" in message


def members(value: Any) -> Any:
    """The names in an answer, without its values."""
    if isinstance(value, dict):
        return {name: members(each) for name, each in value.items()}
    return [members(value[0])] if isinstance(value, list) and value else type(value).__name__


ASKED = (
    ("get_user", {"UserName": "ann"}, "User"),
    ("list_users", {}, "Users"),
    ("list_access_keys", {"UserName": "ann"}, "AccessKeyMetadata"),
    ("list_groups_for_user", {"UserName": "ann"}, "Groups"),
    ("list_user_policies", {"UserName": "ann"}, "PolicyNames"),
    ("get_user_policy", {"UserName": "ann", "PolicyName": "p0"}, "PolicyDocument"),
    ("list_attached_user_policies", {"UserName": "ann"}, "AttachedPolicies"),
)


def test_a_look_alike_answers_with_the_same_members(cloud: Cloud) -> None:
    pytest.importorskip("moto", reason="moto is not installed")
    with moto_server() as url:
        theirs = boto3.client(
            "iam",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )
        theirs.create_user(UserName="ann")
        theirs.create_access_key(UserName="ann")
        theirs.create_group(GroupName="viewers")
        theirs.add_user_to_group(GroupName="viewers", UserName="ann")
        theirs.put_user_policy(UserName="ann", PolicyName="p0", PolicyDocument=json.dumps(OWN))
        arn = theirs.create_policy(PolicyName="mirror", PolicyDocument=json.dumps(VIEW))["Policy"]["Arn"]
        theirs.attach_user_policy(UserName="ann", PolicyArn=arn)
        for operation, given, name in ASKED:
            ours = getattr(cloud.client("iam"), operation)(**given)[name]
            there = getattr(theirs, operation)(**given)[name]
            assert members(ours) == members(there), operation
        with pytest.raises(theirs.exceptions.NoSuchEntityException) as raised:
            theirs.get_user(UserName="bob")
        assert error_of(cloud.client("iam").get_user, UserName="bob")[2] == raised.value.response["Error"]["Message"]
        detail = {"Filter": ["User"]}
        ours, there = (
            next(
                each
                for each in client.get_account_authorization_details(**detail)["UserDetailList"]
                if each["UserName"] == "ann"
            )
            for client in (cloud.client("iam"), theirs)
        )
        assert ours.keys() - {"Tags"} == there.keys() - {"Tags"}


def test_without_signatures_the_caller_is_the_root(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--insecure") as cloud:
        root = cloud.client("iam").get_user()["User"]
        assert (root["Arn"], root["UserId"]) == (f"arn:aws:iam::{OWNER}:root", OWNER)
        assert error_of(cloud.client("iam").list_access_keys)[0] == "ValidationError"
