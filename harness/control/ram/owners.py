"""RAM: resource shares, made and changed by their owner. A target in a share can be used by the share's principals.

``invitations`` is the principals' side, ``lists`` shows who shares what with whom.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.resources import SHARE, TAGGED_SHARE, New
from halfsilver.harness.control.ram.lists import render_associations, render_share
from halfsilver.harness.control.ram.shares import (
    associate,
    check_share_arn,
    disassociate,
    new_arn,
    own_share,
    touch,
    unknown_share,
)
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "associate_resource_share",
    "create_resource_share",
    "delete_resource_share",
    "disassociate_resource_share",
    "tag_resource",
    "untag_resource",
    "update_resource_share",
]

_SHOWN_DELETED = timedelta(hours=2)
"""How long a share that was deleted is still shown (RAM user guide)."""
_MAX_NAME = 255
_DEFAULT_PERMISSION = ":ram::aws:permission/AWSRAMDefaultPermission"


@operation("ram", "CreateResourceShare", writes=True, on=(New(Kind.RESOURCE_SHARE),))
def create_resource_share(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Share targets of the caller with accounts and organisations; both can be added later."""
    _check_unsupported(parameters)
    _forget_deleted(context)
    account, now = context.caller.account, context.call.now.isoformat()
    arn = new_arn(context, account, TYPES[Kind.RESOURCE_SHARE])
    document = {
        "resourceShareArn": arn,
        "name": _name(parameters["name"]),
        "owningAccountId": account,
        "allowExternalPrincipals": parameters.get("allowExternalPrincipals", True),
        "status": "ACTIVE",
        "creationTime": now,
        "lastUpdatedTime": now,
        "featureSet": "STANDARD",
    }
    share = Record(Kind.RESOURCE_SHARE, arn, account, document, _tags(context, {}, parameters.get("tags", ())))
    context.transaction.insert(share)
    associate(context, share, parameters.get("resourceArns") or (), parameters.get("principals") or ())
    return {"resourceShare": render_share(context, share)}


@operation("ram", "UpdateResourceShare", writes=True, on=(SHARE,))
def update_resource_share(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Another name, or whether accounts outside the organisation may be principals."""
    share = own_share(context, parameters["resourceShareArn"])
    members = {name: parameters[name] for name in ("name", "allowExternalPrincipals") if name in parameters}
    if not members:
        raise ApiError("MissingRequiredParameterException", "Specify a name or whether to allow external principals.")
    _name(members.get("name", share.document["name"]))
    associations = context.transaction.find(Kind.SHARE_ASSOCIATION, parent=share.id)
    if members.get("allowExternalPrincipals") is False and any(
        each.document.get("external") and each.document["status"] in ("ASSOCIATED", "ASSOCIATING")
        for each in associations
    ):
        raise ApiError(
            "OperationNotPermittedException",
            "The resource share has principals outside your organization. Disassociate them first.",
        )
    touch(context, share, **members)
    return {"resourceShare": render_share(context, share)}


@operation("ram", "AssociateResourceShare", writes=True, on=(SHARE,))
def associate_resource_share(context: Context, parameters: Parameters) -> dict[str, Any]:
    _check_unsupported(parameters)
    share = own_share(context, parameters["resourceShareArn"])
    resources, principals = parameters.get("resourceArns") or [], parameters.get("principals") or []
    _check_not_empty(resources, principals)
    return {"resourceShareAssociations": render_associations(context, associate(context, share, resources, principals))}


@operation("ram", "DisassociateResourceShare", mirrors=True, on=(SHARE,))
def disassociate_resource_share(context: Context, parameters: Parameters) -> dict[str, Any]:
    """By the owner; and a principal that accepted an invitation can leave by itself."""
    _check_unsupported(parameters)
    resources, principals = parameters.get("resourceArns") or [], parameters.get("principals") or []
    _check_not_empty(resources, principals)
    arn = parameters["resourceShareArn"]
    leaves = not resources and principals == [context.caller.account]
    share = _left_share(context, arn) if leaves else own_share(context, arn)
    there = {
        each.document["associatedEntity"]: each
        for each in context.transaction.find(Kind.SHARE_ASSOCIATION, parent=share.id)
        if each.document["status"] in ("ASSOCIATED", "ASSOCIATING")
    }
    unknown = [entity for entity in (*resources, *principals) if entity not in there]
    if unknown:
        raise ApiError(
            "UnknownResourceException", f"{unknown[0][:256]} is not associated with ResourceShare {share.id}."
        )
    associations = [there[entity] for entity in dict.fromkeys((*resources, *principals))]
    if leaves and not associations[0].document["external"]:
        raise ApiError(
            "OperationNotPermittedException", "An account cannot leave a resource share of its organization."
        )
    disassociate(context, share, associations)
    return {"resourceShareAssociations": render_associations(context, associations)}


@operation("ram", "DeleteResourceShare", mirrors=True, on=(SHARE,))
def delete_resource_share(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Principals lose access; the targets stay. The share is shown as deleted for a while."""
    share = own_share(context, parameters["resourceShareArn"])
    associations = context.transaction.find(Kind.SHARE_ASSOCIATION, parent=share.id)
    disassociate(context, share, [each for each in associations if each.document["status"] != "DISASSOCIATED"])
    touch(context, share, status="DELETED")
    return {"returnValue": True}


@operation("ram", "TagResource", writes=True, on=(TAGGED_SHARE,))
def tag_resource(context: Context, parameters: Parameters) -> dict[str, Any]:
    share = _tagged_share(context, parameters)
    share.tags = _tags(context, share.tags, parameters["tags"])
    context.transaction.update(share)
    return {}


@operation("ram", "UntagResource", writes=True, on=(TAGGED_SHARE,))
def untag_resource(context: Context, parameters: Parameters) -> dict[str, Any]:
    share = _tagged_share(context, parameters)
    share.tags = {key: value for key, value in share.tags.items() if key not in parameters["tagKeys"]}
    context.transaction.update(share)
    return {}


def _name(name: str) -> str:
    if not 1 <= len(name) <= _MAX_NAME:
        raise ApiError("InvalidParameterException", f"The name of a resource share has 1 to {_MAX_NAME} characters.")
    return name


def _check_unsupported(parameters: Parameters) -> None:
    """Sources are of services that this server is none of; permissions other than the default have no effect here."""
    if parameters.get("sources"):
        raise ApiError("InvalidParameterException", "Sources are only for principals that are AWS services.")
    for arn in parameters.get("permissionArns") or ():
        if _DEFAULT_PERMISSION not in arn:
            raise ApiError(
                "InvalidParameterException",
                f"Permission {arn[:256]} does not fit the resource types: they have a default permission only.",
            )


def _check_not_empty(resources: list[str], principals: list[str]) -> None:
    if not resources and not principals:
        raise ApiError("InvalidParameterException", "Specify at least one resource or principal.")


def _left_share(context: Context, arn: str) -> Record:
    """The share of another account that the caller wants to leave."""
    check_share_arn(arn)
    for share in sharing.shares_with(context.transaction, context.caller.account):
        if share.id == arn:
            return share
    raise unknown_share(arn)


def _tagged_share(context: Context, parameters: Parameters) -> Record:
    arn = parameters.get("resourceShareArn") or parameters.get("resourceArn")
    if not arn:
        raise ApiError("InvalidParameterException", "Specify the ARN of a resource share.")
    share = context.transaction.get(Kind.RESOURCE_SHARE, arn)
    if share is not None and share.account != context.caller.account:
        raise unknown_share(arn)  # the model has no other error for these operations
    return own_share(context, arn)


def _tags(context: Context, present: dict[str, str], added: Any) -> dict[str, str]:
    limit = context.settings.quotas.tags_per_resource
    tags = dict(present)
    for tag in added:
        key = tag.get("key") or ""
        if not 1 <= len(key) <= 128 or len(tag.get("value") or "") > 256 or key.lower().startswith("aws:"):
            raise ApiError(
                "InvalidParameterException",
                "A tag has a key of 1 to 128 characters that does not begin "
                "with aws:, and a value of at most 256 characters.",
            )
        tags[key] = tag.get("value") or ""
    if len(tags) > limit:
        raise ApiError("TagLimitExceededException", f"A resource share can have at most {limit} tags.")
    return tags


def _forget_deleted(context: Context) -> None:
    for share in context.transaction.find(Kind.RESOURCE_SHARE, account=context.caller.account):
        age = context.call.now - datetime.fromisoformat(share.document["lastUpdatedTime"])
        if share.document["status"] == "DELETED" and age > _SHOWN_DELETED:
            for each in (
                *context.transaction.find((Kind.SHARE_ASSOCIATION, Kind.SHARE_INVITATION), parent=share.id),
                share,
            ):
                context.transaction.delete(each)
