"""Resource shares and what they bind together, in the store: one record per share, resource, principal, invitation.

A share of the Resource Access Manager (RAM) has resources and principals. A principal outside the owner's organisation
is invited, and bound when it accepts. Only traffic mirror targets are shared here; who may use them by it is asked of
``sharing``. Error codes are those of RAM's model; messages are AWS's where they are publicly known.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "INVITATION_LIFE",
    "associate",
    "check_share_arn",
    "disassociate",
    "invitation_status",
    "new_arn",
    "own_share",
    "shared_target",
    "touch",
    "unknown_share",
]

INVITATION_LIFE = timedelta(days=7)
"""How long an invitation can be accepted (RAM user guide)."""

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHARE_ARN = re.compile(rf"arn:[a-z-]+:ram:[a-z0-9-]+:[0-9]{{12}}:{TYPES[Kind.RESOURCE_SHARE]}/{_UUID}")
_RESOURCE_ARN = re.compile(
    r"arn:[a-z-]+:(?P<service>[a-z0-9-]+):[a-z0-9-]*:[0-9]{12}:(?P<type>[a-z-]+)/(?P<id>[\w-]+)", re.ASCII
)
_UNIT_ARN = re.compile(
    r"arn:[a-z-]+:organizations::[0-9]{12}:ou/(o-[0-9a-z]{10,32})/(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})"
)
_ORGANISATION_ARN = re.compile(r"arn:[a-z-]+:organizations::[0-9]{12}:organization/(o-[0-9a-z]{10,32})")
_NOT_PERMITTED = "OperationNotPermittedException"


def new_arn(context: Context, account: str, resource: str) -> str:
    """An ARN of RAM with a random UUID, e.g. of a ``resource-share``."""
    name = uuid.UUID(int=context.random.getrandbits(128), version=4)
    return context.settings.arn("ram", account, f"{resource}/{name}")


def touch(context: Context, record: Record, **members: object) -> None:
    """Change members of a document, and with them the time of its last change."""
    record.document.update(members, lastUpdatedTime=context.call.now.isoformat())
    context.transaction.update(record)


# Shares.


def check_share_arn(arn: str) -> None:
    if not _SHARE_ARN.fullmatch(arn):
        raise ApiError(
            "MalformedArnException",
            f"The specified resource share ARN {arn[:256]} is not valid. Verify the ARN and try again.",
        )


def unknown_share(arn: str) -> ApiError:
    return ApiError("UnknownResourceException", f"ResourceShare {arn[:256]} could not be found.")


def own_share(context: Context, arn: str) -> Record:
    """The caller's share of this ARN, to be changed. A share that was deleted is gone."""
    check_share_arn(arn)
    share = context.transaction.get(Kind.RESOURCE_SHARE, arn)
    if (
        share is not None
        and share.account != context.caller.account
        and share in sharing.shares_with(context.transaction, context.caller.account)
    ):
        raise ApiError(_NOT_PERMITTED, f"Only the owner of resource share {arn} can change it.")
    if share is None or share.account != context.caller.account or share.document["status"] != "ACTIVE":
        raise unknown_share(arn)
    return share


# Resources and principals.


def shared_target(context: Context, arn: str) -> Record:
    """The caller's target of this ARN; other resources cannot be shared here."""
    match = _RESOURCE_ARN.fullmatch(arn)
    if match is None:
        raise ApiError(
            "MalformedArnException",
            f"The specified resource ARN {arn[:256]} is not valid. Verify the ARN and try again.",
        )
    if (match["service"], match["type"]) != ("ec2", TYPES[Kind.TARGET]):
        raise ApiError("MalformedArnException", f"You cannot share the selected resource type: {arn[:256]}")
    target = context.transaction.get(Kind.TARGET, match["id"])
    if (
        target is None
        or target.account != context.caller.account
        or sharing.target_arn(context.settings, target) != arn
    ):
        raise ApiError("UnknownResourceException", f"Resource {arn[:256]} could not be found.")
    return target


def associate(context: Context, share: Record, resources: Sequence[str], principals: Sequence[str]) -> list[Record]:
    """Bind resources and principals to a share; one that is bound already stays as it is."""
    bound = []
    for arn in dict.fromkeys(resources):
        shared_target(context, arn)
        bound.append(_bind(context, share, "RESOURCE", arn, external=False))
    for principal in dict.fromkeys(principals):
        external = _is_external(context, share, principal)
        if external and not share.document["allowExternalPrincipals"]:
            raise ApiError(
                _NOT_PERMITTED,
                "The resource you are attempting to share can only be shared within your "
                "AWS Organization. This error may also occur if you have not enabled sharing with your AWS "
                "organization, or that onboarding process is still in progress.",
            )
        bound.append(_bind(context, share, "PRINCIPAL", principal, external=external))
    return bound


def _is_external(context: Context, share: Record, principal: str) -> bool:
    """Whether a principal must be invited; an error when it is none."""
    organisation = _ORGANISATION_ARN.fullmatch(principal)
    if organisation is not None:
        if not sharing.is_principal(context.transaction, share.account, principal):
            raise ApiError("UnknownResourceException", f"Organization {organisation.group(1)} could not be found.")
        return False
    unit = _UNIT_ARN.fullmatch(principal)
    if unit is not None:
        _check_unit(context, share, *unit.groups())
        return False
    if not re.fullmatch("[0-9]{12}", principal):
        raise ApiError(
            "InvalidParameterException", f"Principal ID {principal[:256]} is malformed. Verify the ID and try again."
        )
    if principal == share.account:
        raise ApiError(
            "InvalidParameterException",
            f"Account {principal} owns the resource share and cannot be one of its principals.",
        )
    return not sharing.same_organisation(context.transaction, share.account, principal)


def _check_unit(context: Context, share: Record, organisation: str, unit: str) -> None:
    """It is a unit of the owner's organisation, which has an account that the inventory puts there."""
    own = sharing.organisation(context.transaction, share.account)
    accounts = [each.id for each in context.transaction.find(Kind.ACCOUNT)]
    there = [each for each in accounts if sharing.organisation(context.transaction, each) == organisation]
    if own != organisation or not any(unit in sharing.units(context.transaction, each) for each in there):
        raise ApiError("UnknownResourceException", f"OrganizationalUnit {unit} could not be found.")


def _bind(context: Context, share: Record, kind: str, entity: str, *, external: bool) -> Record:
    now = context.call.now.isoformat()
    identifier = f"{share.id}/{kind.lower()}/{entity}"
    record = context.transaction.get(Kind.SHARE_ASSOCIATION, identifier)
    if record is None:
        document = {
            "resourceShareArn": share.id,
            "associatedEntity": entity,
            "associationType": kind,
            "creationTime": now,
            "status": "",
        }
        record = Record(Kind.SHARE_ASSOCIATION, identifier, share.account, document, parent=share.id)
        context.transaction.insert(record)
    if record.document["status"] == "ASSOCIATED" or _pending(context, share, entity):
        return record
    if external:
        _invite(context, share, entity)
    touch(context, record, status="ASSOCIATING" if external else "ASSOCIATED", external=external)
    return record


def disassociate(context: Context, share: Record, associations: Sequence[Record]) -> None:
    """Part resources and principals from a share: invitations end, and sessions that needed it stop."""
    targets = _targets(context, share)
    for association in associations:
        touch(context, association, status="DISASSOCIATED")
        invitation = _pending(context, share, association.document["associatedEntity"])
        if invitation is not None:
            invitation.document["status"] = "EXPIRED"
            context.transaction.update(invitation)
    sharing.stop_unshared(context.transaction, context.settings, targets)


def _targets(context: Context, share: Record) -> list[Record]:
    """The targets that a share has."""
    resources = [
        each.document["associatedEntity"]
        for each in context.transaction.find(Kind.SHARE_ASSOCIATION, parent=share.id)
        if sharing.is_live(each, "RESOURCE")
    ]
    return context.transaction.find(Kind.TARGET, identifiers=[arn.rpartition("/")[2] for arn in resources])


# Invitations: the account of the record is the one that is invited.


def _invite(context: Context, share: Record, account: str) -> None:
    arn = new_arn(context, share.account, TYPES[Kind.SHARE_INVITATION])
    document = {
        "resourceShareInvitationArn": arn,
        "resourceShareArn": share.id,
        "senderAccountId": share.account,
        "receiverAccountId": account,
        "invitationTimestamp": context.call.now.isoformat(),
        "status": "PENDING",
    }
    context.transaction.insert(Record(Kind.SHARE_INVITATION, arn, account, document, parent=share.id))


def _pending(context: Context, share: Record, account: str) -> Record | None:
    """The invitation that an account can still accept."""
    invitations = context.transaction.find(Kind.SHARE_INVITATION, account=account, parent=share.id)
    return next((each for each in invitations if invitation_status(context, each) == "PENDING"), None)


def invitation_status(context: Context, invitation: Record) -> str:
    """PENDING, ACCEPTED, REJECTED or EXPIRED."""
    status = str(invitation.document["status"])
    age = context.call.now - datetime.fromisoformat(invitation.document["invitationTimestamp"])
    return "EXPIRED" if status == "PENDING" and age > INVITATION_LIFE else status
