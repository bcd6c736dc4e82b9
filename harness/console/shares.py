"""Resource shares: the guide's "Cross-account mirror targets"; those of others are offered by ``invitations``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.invitations import pending
from halfsilver.harness.console.targets import named
from halfsilver.harness.console.visit import RAM, Visit, page
from halfsilver.harness.console.web import Form
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.state.record import Kind

__all__: list[str] = []

_SELF, _OTHERS = "SELF", "OTHER-ACCOUNTS"
_LOST = "Sessions of accounts that may no longer use a target by it stop."


@page("GET", "/shares")
def show_shares(visit: Visit) -> Response:
    own, others = (_shares(visit, owner) for owner in (_SELF, _OTHERS))
    return visit.show("shares.html", own=own, others=others, invitations=pending(visit))


@page("GET", "/shares/create")
def ask_share(visit: Visit) -> Response:
    wanted = visit.query.get("target")
    return _form(visit, Form({"External": "yes", **({f"Target.{wanted}": "yes"} if wanted else {})}))


@page("POST", "/shares/create")
def create_share(visit: Visit) -> Response:
    targets = [name.removeprefix("Target.") for name in visit.form.values if name.startswith("Target.")]
    fields = {
        "name": visit.form.get("ShareName"),
        "resourceArns": [_arn(visit, each) for each in targets],
        "principals": _principals(visit),
        "allowExternalPrincipals": bool(visit.form.get("External")),
        "clientToken": visit.form.get("ClientToken"),
    }
    try:
        made = visit.ask("CreateResourceShare", fields, RAM)["resourceShare"]
    except ApiError as error:
        return _form(visit, visit.form, error)
    return visit.done(f"/shares/{_id(made['resourceShareArn'])}", "created")


@page("GET", "/shares/{share_id}")
def show_share(visit: Visit, share_id: str) -> Response:
    return _show(visit, share_id)


@page("POST", "/shares/{share_id}/associate")
def associate(visit: Visit, share_id: str) -> Response:
    """Another target, or other accounts: each has a form of its own."""
    fields: dict[str, Any] = {"resourceShareArn": _find(visit, share_id)["resourceShareArn"]}
    if target := visit.form.get("Target"):
        fields["resourceArns"] = [_arn(visit, target)]
    if principals := _principals(visit):
        fields["principals"] = principals
    try:
        visit.ask("AssociateResourceShare", fields, RAM)
    except ApiError as error:
        return _show(visit, share_id, error)
    return visit.done(f"/shares/{share_id}", "shared")


@page("GET", "/shares/{share_id}/disassociate")
def ask_to_disassociate(visit: Visit, share_id: str) -> Response:
    """The query has which: the ARN of a target, or a principal."""
    return ask_first(visit, _disassociation(visit, share_id))


@page("POST", "/shares/{share_id}/disassociate")
def disassociate(visit: Visit, share_id: str) -> Response:
    entity = visit.query.get("entity")
    fields = {
        "resourceShareArn": _find(visit, share_id)["resourceShareArn"],
        "resourceArns" if f":{TYPES[Kind.TARGET]}/" in entity else "principals": [entity],
    }
    leaves = entity == visit.caller.account
    behind = "/shares" if leaves else f"/shares/{share_id}"
    question = _disassociation(visit, share_id)
    return delete(visit, question, "DisassociateResourceShare", fields, behind=behind, done="unshared")


@page("GET", "/shares/{share_id}/delete")
def ask_to_delete_share(visit: Visit, share_id: str) -> Response:
    return ask_first(visit, _deletion(visit, share_id))


@page("POST", "/shares/{share_id}/delete")
def delete_share(visit: Visit, share_id: str) -> Response:
    fields = {"resourceShareArn": _find(visit, share_id)["resourceShareArn"]}
    return delete(visit, _deletion(visit, share_id), "DeleteResourceShare", fields, behind="/shares")


def _deletion(visit: Visit, share_id: str) -> Question:
    name = _find(visit, share_id)["name"]
    return Question(name, f"Its targets stay. {_LOST}", f"/shares/{share_id}", service=RAM)


def _disassociation(visit: Visit, share_id: str) -> Question:
    entity, name = visit.query.get("entity"), _find(visit, share_id)["name"]
    words = f"It is taken out of the resource share {name}. {_LOST}"
    return Question(_id(entity), words, f"/shares/{share_id}", "disassociate", RAM)


def _shares(visit: Visit, owner: str) -> list[Any] | None:
    """Those that are active, each with its id; None if the user may not see them."""
    fields = {"resourceOwner": owner, "resourceShareStatus": "ACTIVE"}
    try:
        found = visit.everything("GetResourceShares", "resourceShares", fields, RAM)
    except ApiError:
        return None
    return [{**each, "id": _id(each["resourceShareArn"])} for each in found]


def _find(visit: Visit, share_id: str) -> Mapping[str, Any]:
    """A share of this account, or one with it. ApiError if there is none, or none for this user."""
    for owner in (_SELF, _OTHERS):
        fields = {"resourceOwner": owner, "resourceShareStatus": "ACTIVE"}
        for each in visit.everything("GetResourceShares", "resourceShares", fields, RAM):
            if _id(each["resourceShareArn"]) == share_id:
                return dict(each)
    raise ApiError("UnknownResourceException", f"ResourceShare {share_id} could not be found.")


def _show(visit: Visit, share_id: str, error: ApiError | None = None) -> Response:
    share = _find(visit, share_id)
    arn = share["resourceShareArn"]
    own = share["owningAccountId"] == visit.caller.account
    resources, principals = [], []
    if own:
        resources, principals = (_associations(visit, arn, kind) for kind in ("RESOURCE", "PRINCIPAL"))
    else:
        fields = {"resourceOwner": _OTHERS, "resourceShareArns": [arn]}
        resources = [each["arn"] for each in visit.everything("ListResources", "resources", fields, RAM)]
        resources = [{"associatedEntity": each, "status": "ASSOCIATED"} for each in resources]
    there = {_id(each["associatedEntity"]) for each in resources}
    choices = [each for each in _target_choices(visit) or () if each[0] not in there]
    return visit.show(
        "share.html",
        error=error,
        share=share,
        id=share_id,
        own=own,
        resources=[{**each, "id": _id(each["associatedEntity"])} for each in resources],
        principals=principals,
        targets=choices,
    )


def _associations(visit: Visit, arn: str, kind: str) -> list[Any]:
    """What is in a share, but for what was taken out of it."""
    fields = {"associationType": kind, "resourceShareArns": [arn]}
    found = visit.everything("GetResourceShareAssociations", "resourceShareAssociations", fields, RAM)
    return [each for each in found if each["status"] != "DISASSOCIATED"]


def _form(visit: Visit, form: Form, error: ApiError | None = None) -> Response:
    return visit.show("share_create.html", form=form, error=error, targets=_target_choices(visit))


def _target_choices(visit: Visit) -> list[tuple[str, str]] | None:
    """This account's targets; None if the user may not see them."""
    found = visit.try_list("DescribeTrafficMirrorTargets", "TrafficMirrorTargets")
    if found is None:
        return None
    return [named(each, "TrafficMirrorTargetId") for each in found if each["OwnerId"] == visit.caller.account]


def _principals(visit: Visit) -> list[str]:
    return visit.form.get("Principals").replace(",", " ").split()


def _arn(visit: Visit, target_id: str) -> str:
    return visit.settings.arn("ec2", visit.caller.account, f"{TYPES[Kind.TARGET]}/{target_id}")


def _id(arn: str) -> str:
    """The last part of an ARN; an account id is its own."""
    return arn.rpartition("/")[2]
