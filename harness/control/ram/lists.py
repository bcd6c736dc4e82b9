"""RAM: who shares what with whom, as its owner sees it (SELF) and as those see it that it is shared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import Paging
from halfsilver.harness.control.ram.shares import check_share_arn, unknown_share
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "PAGING",
    "get_resource_share_associations",
    "get_resource_shares",
    "list_principals",
    "list_resource_share_permissions",
    "list_resource_types",
    "list_resources",
    "render_associations",
    "render_share",
    "share_names",
]

PAGING = Paging("maxResults", "nextToken", "nextToken", 500, "InvalidNextTokenException")


@operation("ram", "GetResourceShares")
def get_resource_shares(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The caller's own, those deleted lately among them; or those of others that it has access to."""
    shares = _shares(context, parameters)
    for parameter, name in (("resourceShareStatus", "status"), ("name", "name")):
        if parameters.get(parameter):
            shares = [share for share in shares if share.document[name] == parameters[parameter]]
    for each in parameters.get("tagFilters") or ():
        key, values = each.get("tagKey"), each.get("tagValues")
        shares = [
            share
            for share in shares
            if share.account == context.caller.account
            and key in share.tags
            and (not values or share.tags[key] in values)
        ]
    page, token = PAGING.cut(context, parameters, shares)
    return {"resourceShares": [render_share(context, share) for share in page], **token}


@operation("ram", "GetResourceShareAssociations")
def get_resource_share_associations(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The resources or the principals of the caller's own shares."""
    kind = parameters["associationType"]
    wrong = {"RESOURCE": "principal", "PRINCIPAL": "resourceArn"}.get(kind)
    if wrong is not None and parameters.get(wrong):
        raise ApiError("InvalidParameterException", f"{wrong} cannot be specified with association type {kind}.")
    entity = parameters.get("resourceArn") or parameters.get("principal")
    shares = {share.id for share in _shares(context, {**parameters, "resourceOwner": "SELF"})}
    found = [
        each
        for each in context.transaction.find(Kind.SHARE_ASSOCIATION, account=context.caller.account)
        if each.parent in shares
        and each.document["associationType"] == kind
        and entity in (None, each.document["associatedEntity"])
        and parameters.get("associationStatus") in (None, each.document["status"])
    ]
    page, token = PAGING.cut(context, parameters, found)
    return {"resourceShareAssociations": render_associations(context, page), **token}


@operation("ram", "ListResources")
def list_resources(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Resources in shares: the caller's own that it shares, or those of others that it has access to."""
    _check_resource_type(parameters, "InvalidResourceTypeException")
    shares = _shares(context, parameters)
    if parameters.get("principal"):
        shares = [share for share in shares if _has(context, share, "PRINCIPAL", parameters["principal"])]
    found = _associations(context, shares, "RESOURCE", parameters.get("resourceArns"))
    page, token = PAGING.cut(context, parameters, found)
    return {
        "resources": [
            {
                "arn": each.document["associatedEntity"],
                "type": sharing.SHARED_TYPE,
                "resourceShareArn": each.parent,
                "status": "AVAILABLE",
                "creationTime": each.document["creationTime"],
                "lastUpdatedTime": each.document["lastUpdatedTime"],
                "resourceRegionScope": "REGIONAL",
            }
            for each in page
        ],
        **token,
    }


@operation("ram", "ListPrincipals")
def list_principals(context: Context, parameters: Parameters) -> dict[str, Any]:
    """With whom the caller shares; or who shares with the caller."""
    _check_resource_type(parameters, "InvalidParameterException")
    shares = _shares(context, parameters)
    if parameters.get("resourceArn"):
        shares = [share for share in shares if _has(context, share, "RESOURCE", parameters["resourceArn"])]
    wanted = parameters.get("principals")
    if parameters["resourceOwner"] == "SELF":
        page, token = PAGING.cut(context, parameters, _associations(context, shares, "PRINCIPAL", wanted))
        found = [(each.document["associatedEntity"], each.parent, each, each.document["external"]) for each in page]
    else:
        page, token = PAGING.cut(context, parameters, [each for each in shares if not wanted or each.account in wanted])
        found = [
            (
                share.account,
                share.id,
                share,
                not sharing.same_organisation(context.transaction, share.account, context.caller.account),
            )
            for share in page
        ]
    return {
        "principals": [
            {
                "id": principal,
                "resourceShareArn": arn,
                "creationTime": record.document["creationTime"],
                "lastUpdatedTime": record.document["lastUpdatedTime"],
                "external": external,
            }
            for principal, arn, record, external in found
        ],
        **token,
    }


@operation("ram", "ListResourceTypes")
def list_resource_types(context: Context, parameters: Parameters) -> dict[str, Any]:
    if parameters.get("resourceRegionScope") == "GLOBAL":
        return {"resourceTypes": []}
    return {
        "resourceTypes": [
            {"resourceType": sharing.SHARED_TYPE, "serviceName": "ec2", "resourceRegionScope": "REGIONAL"}
        ]
    }


@operation("ram", "ListResourceSharePermissions")
def list_resource_share_permissions(context: Context, parameters: Parameters) -> dict[str, Any]:
    """None beyond the default, which is not listed; Terraform asks whenever it reads a share."""
    _shares(context, {"resourceOwner": "SELF", "resourceShareArns": [parameters["resourceShareArn"]]})
    return {"permissions": []}


# What the operations have in common.


def render_share(context: Context, share: Record) -> dict[str, Any]:
    """Its tags are its owner's to see."""
    own = share.account == context.caller.account
    return {
        **share.document,
        **({"tags": [{"key": key, "value": value} for key, value in share.tags.items()]} if own else {}),
    }


def render_associations(context: Context, associations: Sequence[Record]) -> list[dict[str, Any]]:
    names = share_names(context, associations)
    return [{**each.document, "resourceShareName": names[each.parent]} for each in associations]


def share_names(context: Context, records: Sequence[Record]) -> dict[str, str]:
    """The names of the shares that records belong to."""
    shares = context.transaction.find(Kind.RESOURCE_SHARE, identifiers=sorted({each.parent for each in records}))
    return {share.id: share.document["name"] for share in shares}


def _shares(context: Context, parameters: Parameters) -> list[Record]:
    """The shares that a request is about, by owner and ARN."""
    account = context.caller.account
    if parameters["resourceOwner"] == "SELF":
        shares = context.transaction.find(Kind.RESOURCE_SHARE, account=account)
    else:
        shares = [each for each in sharing.shares_with(context.transaction, account) if each.account != account]
    wanted = parameters.get("resourceShareArns")
    if not wanted:
        return shares
    known = {share.id for share in shares}
    for arn in wanted:
        check_share_arn(arn)
        if arn not in known:
            raise unknown_share(arn)
    return [share for share in shares if share.id in wanted]


def _associations(
    context: Context, shares: Sequence[Record], kind: str, entities: Sequence[str] | None
) -> list[Record]:
    """What is bound to shares, in order of creation; only some entities where they are given."""
    names = {share.id for share in shares}
    owners = {share.account for share in shares}
    return sorted(
        (
            each
            for owner in owners
            for each in context.transaction.find(Kind.SHARE_ASSOCIATION, account=owner)
            if each.parent in names
            and sharing.is_live(each, kind)
            and (not entities or each.document["associatedEntity"] in entities)
        ),
        key=lambda each: each.serial,
    )


def _has(context: Context, share: Record, kind: str, entity: str) -> bool:
    return bool(_associations(context, [share], kind, [entity]))


def _check_resource_type(parameters: Parameters, code: str) -> None:
    stated = parameters.get("resourceType")
    if stated and stated.lower() != sharing.SHARED_TYPE.lower():
        raise ApiError(code, f"Resource type {stated[:64]} cannot be shared here; there is {sharing.SHARED_TYPE}.")
