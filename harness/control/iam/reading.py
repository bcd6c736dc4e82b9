"""IAM's operations that read: the users, groups, roles and policies of the caller's account, as the file has them.

Who may is asked of the user that is named, or who asks where none is; of lists of all, on ``*`` (Service Authorization
Reference, "Actions, resources, and condition keys for AWS Identity and Access Management").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.iam.described import DATE, PATH
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import decode_token, encode_token
from halfsilver.harness.control.operations.operation import Context, operation

__all__ = [
    *("get_account_authorization_details", "get_account_summary", "get_user", "get_user_policy", "list_access_keys"),
    *("list_attached_user_policies", "list_groups", "list_groups_for_user", "list_roles", "list_user_policies"),
    "list_users",
]

_USUAL_PAGE = 100
"""Of a list, where ``MaxItems`` does not say (IAM API)."""
_DETAILS = {
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "",
}
"""What ``Filter`` names -> the list. AWS's own policies are in no file, so there are none."""
_ABSENT = (
    *("AccountAccessKeysPresent", "AccountMFAEnabled", "InstanceProfiles", "MFADevices", "MFADevicesInUse"),
    *("Providers", "ServerCertificates"),
)
"""What a summary counts and the file cannot have."""


@operation("iam", "GetUser")
def get_user(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A user; without a name, who asks."""
    caller = context.caller
    if "UserName" not in parameters and caller.arn.endswith(":root"):
        return {"User": {"UserId": caller.account, "Arn": caller.arn, "CreateDate": DATE}}
    return {"User": _user(context, parameters)}


@operation("iam", "ListUsers")
def list_users(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _page(context, parameters, "Users", _below(parameters, _described(context)["UserDetailList"]))


@operation("iam", "ListAccessKeys")
def list_access_keys(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A user's keys, inactive ones too; without a name, those of who asks."""
    name = _user(context, parameters)["UserName"]
    found = [each for each in _described(context)["AccessKeyMetadata"] if each["UserName"] == name]
    return _page(context, parameters, "AccessKeyMetadata", found)


@operation("iam", "ListGroupsForUser")
def list_groups_for_user(context: Context, parameters: Parameters) -> dict[str, Any]:
    of = _user(context, parameters)["GroupList"]
    found = [each for each in _described(context)["GroupDetailList"] if each["GroupName"] in of]
    return _page(context, parameters, "Groups", found)


@operation("iam", "ListUserPolicies")
def list_user_policies(context: Context, parameters: Parameters) -> dict[str, Any]:
    names = [each["PolicyName"] for each in _user(context, parameters)["UserPolicyList"]]
    return _page(context, parameters, "PolicyNames", names)


@operation("iam", "GetUserPolicy")
def get_user_policy(context: Context, parameters: Parameters) -> dict[str, Any]:
    name = parameters["PolicyName"]
    for each in _user(context, parameters)["UserPolicyList"]:
        if each["PolicyName"] == name:
            return {"UserName": parameters["UserName"], **each}
    raise ApiError("NoSuchEntity", f"The user policy with name {name} cannot be found.", 404)


@operation("iam", "ListAttachedUserPolicies")
def list_attached_user_policies(context: Context, parameters: Parameters) -> dict[str, Any]:
    found = _user(context, parameters)["AttachedManagedPolicies"]
    return _page(context, parameters, "AttachedPolicies", _below(parameters, found))


@operation("iam", "ListGroups")
def list_groups(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _page(context, parameters, "Groups", _below(parameters, _described(context)["GroupDetailList"]))


@operation("iam", "ListRoles")
def list_roles(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _page(context, parameters, "Roles", _below(parameters, _described(context)["RoleDetailList"]))


@operation("iam", "GetAccountSummary")
def get_account_summary(context: Context, parameters: Parameters) -> dict[str, Any]:
    """How many there are. Quotas are left out: a file has none."""
    there = _described(context)
    counted = {name: len(there[f"{name[:-1]}DetailList"]) for name in ("Users", "Groups", "Roles")}
    return {"SummaryMap": {**counted, "Policies": len(there["Policies"]), **dict.fromkeys(_ABSENT, 0)}}


@operation("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(context: Context, parameters: Parameters) -> dict[str, Any]:
    """All of an account; a page is of all lists together."""
    there = _described(context)
    for each in parameters.get("Filter") or ():
        if each not in _DETAILS:
            raise ApiError("ValidationError", f"Filter may have {', '.join(_DETAILS)}, and not {each[:64]!r}")
    names = [_DETAILS[each] for each in parameters.get("Filter") or _DETAILS if _DETAILS[each]]
    page = _page(context, parameters, "", [(name, each) for name in names for each in there[name]])
    found: dict[str, list[Any]] = {name: [] for name in _DETAILS.values() if name}
    for name, each in page.pop(""):
        found[name].append(each)
    return {**found, **page}


def _described(context: Context) -> dict[str, list[dict[str, Any]]]:
    assert context.roles is not None, "a server has a keeper of roles"
    return context.roles.described(context.caller.account)


def _user(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The user that is named, or who asks. ApiError where there is none."""
    name = parameters.get("UserName")
    if name is None:
        name = context.caller.user_name
        if context.caller.session is not None or context.caller.arn.endswith(":root"):
            raise ApiError("ValidationError", "Must specify userName when calling with non-User credentials")
    for each in _described(context)["UserDetailList"]:
        if each["UserName"] == name:
            return each
    raise ApiError("NoSuchEntity", f"The user with name {name} cannot be found.", 404)


def _below(parameters: Parameters, found: Sequence[Any]) -> Sequence[Any]:
    """Those below a path; all are at the same."""
    return found if PATH.startswith(parameters.get("PathPrefix", PATH)) else ()


def _page(context: Context, parameters: Parameters, name: str, found: Sequence[Any]) -> dict[str, Any]:
    asked = {key: value for key, value in parameters.items() if key not in ("Marker", "MaxItems")}
    behind = 0
    if "Marker" in parameters:
        try:
            behind = decode_token(context, {**asked, "NextToken": parameters["Marker"]}, int)[0]
        except ApiError:
            raise ApiError("ValidationError", "The Marker is not valid for this request.") from None
    end = behind + parameters.get("MaxItems", _USUAL_PAGE)
    more = end < len(found)
    marker = {"Marker": encode_token(context, asked, end)} if more else {}
    return {name: list(found[behind:end]), "IsTruncated": more, **marker}
