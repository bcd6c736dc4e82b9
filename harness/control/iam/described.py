"""The file of users as IAM describes an account: the lists of GetAccountAuthorizationDetails, and the keys' ids.

No secret is in it. The file has no dates, paths and groups' ids, which IAM's clients need: everything is from the
beginning of time and at ``/``, and what has no id has one that follows from its ARN.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["DATE", "PATH", "Described", "describe"]

DATE = "1970-01-01T00:00:00Z"
PATH = "/"
_ID_LENGTH = 17
"""Characters of a unique id behind the four that say of what it is (IAM User Guide, "IAM identifiers")."""
_ONLY_VERSION = "v1"

Lists = Mapping[str, list[Any]]
Described = dict[str, list[dict[str, Any]]]


def describe(lists: Lists, account: str, arn: str) -> Described:
    """One account of a file that has been read without an error; ``arn`` begins that of what is in the account."""

    def mine(name: str) -> Iterator[Any]:
        return (each for each in lists.get(name, ()) if each["Account"] == account)

    def common(kind: str, name: str) -> dict[str, Any]:
        return {"Path": PATH, "Arn": f"{arn}:{kind}/{name}", "CreateDate": DATE}

    users = [
        {
            **common("user", each["UserName"]),
            "UserName": each["UserName"],
            "UserId": each["UserId"],
            "GroupList": each.get("Groups", []),
            "UserPolicyList": _inline(each),
            "AttachedManagedPolicies": _attached(each),
        }
        for each in mine("Users")
    ]
    groups = [
        {
            **common("group", each["GroupName"]),
            "GroupName": each["GroupName"],
            "GroupId": _made("AGPA", f"{arn}:group/{each['GroupName']}"),
            "GroupPolicyList": _inline(each),
            "AttachedManagedPolicies": _attached(each),
        }
        for each in mine("Groups")
    ]
    roles = [
        {
            **common("role", each["RoleName"]),
            "RoleName": each["RoleName"],
            "RoleId": each["RoleId"],
            "AssumeRolePolicyDocument": _written(each["AssumeRolePolicyDocument"]),
            "MaxSessionDuration": each.get("MaxSessionDuration", 3600),
            "RolePolicyList": _inline(each),
            "AttachedManagedPolicies": _attached(each),
            "InstanceProfileList": [],
        }
        for each in mine("Roles")
    ]
    attached = [one["PolicyArn"] for each in (*users, *groups, *roles) for one in each["AttachedManagedPolicies"]]
    policies = [
        {
            **common("policy", each["PolicyName"]),
            "PolicyName": each["PolicyName"],
            "PolicyId": _made("ANPA", f"{arn}:policy/{each['PolicyName']}"),
            "DefaultVersionId": _ONLY_VERSION,
            "AttachmentCount": attached.count(f"{arn}:policy/{each['PolicyName']}"),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "UpdateDate": DATE,
            "PolicyVersionList": [
                {
                    "Document": _written(each["PolicyDocument"]),
                    "VersionId": _ONLY_VERSION,
                    "IsDefaultVersion": True,
                    "CreateDate": DATE,
                }
            ],
        }
        for each in mine("ManagedPolicies")
    ]
    keys = [
        {
            "UserName": each["UserName"],
            "AccessKeyId": key["AccessKeyId"],
            "Status": key.get("Status", "Active"),
            "CreateDate": DATE,
        }
        for each in mine("Users")
        for key in each.get("AccessKeys", ())
    ]
    return {
        "UserDetailList": _sorted(users, "UserName"),
        "GroupDetailList": _sorted(groups, "GroupName"),
        "RoleDetailList": _sorted(roles, "RoleName"),
        "Policies": _sorted(policies, "PolicyName"),
        "AccessKeyMetadata": keys,
    }


def _sorted(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return sorted(found, key=lambda each: str(each[name]))


def _inline(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"PolicyName": each["PolicyName"], "PolicyDocument": _written(each["PolicyDocument"])}
        for each in document.get("Policies", ())
    ]


def _attached(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    arns = [each["PolicyArn"] for each in document.get("AttachedManagedPolicies", ())]
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def _written(document: object) -> str:
    """A policy as IAM gives it: JSON, percent-encoded (IAM API, GetUserPolicy)."""
    return quote(json.dumps(document), safe="")


def _made(prefix: str, arn: str) -> str:
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:_ID_LENGTH]
