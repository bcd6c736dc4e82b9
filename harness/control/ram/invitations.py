"""RAM: invitations to use another account's resources, seen and answered by the account that is invited."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.resources import INVITATION
from halfsilver.harness.control.ram.lists import PAGING, share_names
from halfsilver.harness.control.ram.shares import check_share_arn, invitation_status, touch, unknown_share
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["accept_resource_share_invitation", "get_resource_share_invitations", "reject_resource_share_invitation"]

_ARN = re.compile(rf"arn:[a-z-]+:ram:[a-z0-9-]+:[0-9]{{12}}:{TYPES[Kind.SHARE_INVITATION]}/[0-9a-f-]{{36}}")
_ANSWERED = {
    "ACCEPTED": ("ResourceShareInvitationAlreadyAcceptedException", "was already accepted"),
    "REJECTED": ("ResourceShareInvitationAlreadyRejectedException", "was already rejected"),
    "EXPIRED": ("ResourceShareInvitationExpiredException", "has expired"),
}


@operation("ram", "GetResourceShareInvitations")
def get_resource_share_invitations(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Those that the caller has received; some by their ARNs or those of their shares."""
    arns, shares = parameters.get("resourceShareInvitationArns") or [], parameters.get("resourceShareArns") or []
    found = [_invitation(context, arn) for arn in dict.fromkeys(arns)]
    if not arns:
        found = context.transaction.find(Kind.SHARE_INVITATION, account=context.caller.account)
    for arn in shares:
        check_share_arn(arn)
        if all(each.parent != arn for each in found):
            raise unknown_share(arn)
    found = sorted((each for each in found if not shares or each.parent in shares), key=lambda each: each.serial)
    page, token = PAGING.cut(context, parameters, found)
    return {"resourceShareInvitations": _render(context, page), **token}


@operation("ram", "AcceptResourceShareInvitation", writes=True, on=(INVITATION,))
def accept_resource_share_invitation(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _answer(context, parameters, "ACCEPTED", "ASSOCIATED")


@operation("ram", "RejectResourceShareInvitation", writes=True, on=(INVITATION,))
def reject_resource_share_invitation(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _answer(context, parameters, "REJECTED", "FAILED")


def _answer(context: Context, parameters: Parameters, answer: str, association_status: str) -> dict[str, Any]:
    invitation = _invitation(context, parameters["resourceShareInvitationArn"])
    status = invitation_status(context, invitation)
    if status != "PENDING":
        code, words = _ANSWERED[status]
        raise ApiError(code, f"The invitation {invitation.id} {words}.")
    invitation.document["status"] = answer
    context.transaction.update(invitation)
    association = context.transaction.get(Kind.SHARE_ASSOCIATION, f"{invitation.parent}/principal/{invitation.account}")
    if association is not None:
        touch(context, association, status=association_status)
    return {"resourceShareInvitation": _render(context, [invitation])[0]}


def _invitation(context: Context, arn: str) -> Record:
    if not _ARN.fullmatch(arn):
        raise ApiError(
            "MalformedArnException",
            f"The specified resource share invitation ARN {arn[:256]} is not valid. Verify the ARN and try again.",
        )
    invitation = context.transaction.get(Kind.SHARE_INVITATION, arn)
    if invitation is None or invitation.account != context.caller.account:
        raise ApiError(
            "ResourceShareInvitationArnNotFoundException", f"ResourceShareInvitation {arn} could not be found."
        )
    return invitation


def _render(context: Context, invitations: Sequence[Record]) -> list[dict[str, Any]]:
    names = share_names(context, invitations)
    return [
        {**each.document, "resourceShareName": names[each.parent], "status": invitation_status(context, each)}
        for each in invitations
    ]
