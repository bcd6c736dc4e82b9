"""Invitations to use targets that other accounts share: accepted or rejected by the account that is invited."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.visit import RAM, Visit, page
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["pending"]

_ARN = "resourceShareInvitationArn"
_REJECTED = "Its targets are not there for this account until it is invited again."


def pending(visit: Visit) -> list[Any] | None:
    """Those that wait for an answer; None if the user may not see them."""
    try:
        return _all(visit, "PENDING")
    except ApiError:
        return None


@page("POST", "/shares/invitations/{invitation_id}/accept")
def accept(visit: Visit, invitation_id: str) -> Response:
    visit.ask("AcceptResourceShareInvitation", {_ARN: _find(visit, invitation_id)[_ARN]}, RAM)
    return visit.done("/shares", "accepted")


@page("GET", "/shares/invitations/{invitation_id}/reject")
def ask_to_reject(visit: Visit, invitation_id: str) -> Response:
    return ask_first(visit, _question(_find(visit, invitation_id)))


@page("POST", "/shares/invitations/{invitation_id}/reject")
def reject(visit: Visit, invitation_id: str) -> Response:
    found = _find(visit, invitation_id)
    fields = {_ARN: found[_ARN]}
    action = "RejectResourceShareInvitation"
    return delete(visit, _question(found), action, fields, behind="/shares", done="rejected")


def _question(invitation: Any) -> Question:
    return Question(invitation["resourceShareName"], _REJECTED, "/shares", "reject", RAM)


def _all(visit: Visit, status: str | None) -> list[Any]:
    found = visit.everything("GetResourceShareInvitations", "resourceShareInvitations", {}, RAM)
    return [{**each, "id": each[_ARN].rpartition("/")[2]} for each in found if status in (None, each["status"])]


def _find(visit: Visit, invitation_id: str) -> Any:
    """One that this account has received, answered or not. ApiError if there is none."""
    found = next((each for each in _all(visit, None) if each["id"] == invitation_id), None)
    if found is None:
        message = f"ResourceShareInvitation {invitation_id} could not be found."
        raise ApiError("ResourceShareInvitationArnNotFoundException", message)
    return found
