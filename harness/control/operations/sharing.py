"""Who may use and see what of another account: shared targets, the sessions on them, interfaces in shared subnets.

The facts are records that other modules keep: shares of the Resource Access Manager (``ram``) and the accounts,
subnets and interfaces of the inventory file. Source: the Traffic Mirroring guide, "Share a traffic mirror target",
"Accept or delete a shared traffic mirror target" and "Shared VPCs and subnets".

A share that an account has accepted, or that an account of the same organisation made, lets it use the target: it
sees the target and mirrors to it. The target's owner alone changes or deletes the target, and sees the sessions of
others on it. When access ends, sessions that needed it stay where they are and stop; the reason is in
``Record.note["stopped"]``, and modifying the session starts it again if its target can be used by then.
"""

from __future__ import annotations

from collections.abc import Iterable

from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction

__all__ = [
    "SHARED_TYPE",
    "end_target",
    "is_live",
    "is_principal",
    "may_mirror",
    "may_use_target",
    "organisation",
    "same_organisation",
    "sees_session",
    "sessions_on",
    "shared_targets",
    "shares_with",
    "stop",
    "stop_unshared",
    "target_arn",
    "units",
]


SHARED_TYPE = "ec2:TrafficMirrorTarget"
"""The one type of resource that this server shares, in RAM's words."""


def target_arn(settings: Settings, target: Record) -> str:
    """The name of a target as a shared resource."""
    return settings.arn("ec2", target.account, f"{TYPES[Kind.TARGET]}/{target.id}")


# What an operation asks.


def may_use_target(context: Context, target: Record) -> bool:
    """Whether the caller may see the target and mirror to it: the owner, and those it is shared with."""
    return _may_use(context.transaction, context.settings, context.caller.account, target)


def shared_targets(context: Context) -> set[str]:
    """Ids of the targets of other accounts that the caller may use; DescribeTrafficMirrorTargets shows them too."""
    transaction, account = context.transaction, context.caller.account
    return {
        association.document["associatedEntity"].rpartition("/")[2]
        for share in shares_with(transaction, account)
        if share.account != account
        for association in transaction.find(Kind.SHARE_ASSOCIATION, parent=share.id)
        if is_live(association, "RESOURCE")
    }


def sees_session(context: Context, session: Record) -> bool:
    """Whether DescribeTrafficMirrorSessions shows it to the caller: the session's owner, and its target's."""
    account = context.caller.account
    if session.account == account:
        return True
    target = context.transaction.get(Kind.TARGET, session.document["TrafficMirrorTargetId"])
    return target is not None and target.account == account


def may_mirror(context: Context, interface: Record) -> bool:
    """Whether the caller sees the interface and may make it a source: its owner, and the owner of its subnet."""
    if interface.account == context.caller.account:
        return True
    subnet = context.transaction.get(Kind.SUBNET, interface.document.get("SubnetId", ""))
    return subnet is not None and subnet.account == context.caller.account


# When access ends.


def sessions_on(transaction: Transaction, target: Record) -> list[Record]:
    """The sessions that have a target, of all accounts."""
    return transaction.find(Kind.SESSION, where=("TrafficMirrorTargetId", target.id))


def stop(transaction: Transaction, sessions: Iterable[Record], reason: str) -> int:
    """Stop sessions that are not stopped yet; the first reason stays. Returns how many were stopped."""
    stopped = 0
    for session in sessions:
        if "stopped" not in session.note:
            session.note["stopped"] = reason
            transaction.update(session)
            stopped += 1
    return stopped


def stop_unshared(transaction: Transaction, settings: Settings, targets: Iterable[Record]) -> int:
    """Stop the sessions on ``targets`` whose owners may no longer use them. Returns how many were stopped."""
    return sum(
        stop(transaction, [session], f"{target.id} is no longer shared with {session.account}")
        for target in targets
        for session in sessions_on(transaction, target)
        if not _may_use(transaction, settings, session.account, target)
    )


def end_target(context: Context, target: Record) -> None:
    """Before a target is deleted: sessions of other accounts on it stop, and no share has it any more.

    Sessions of its owner are not asked about here: they refuse the deletion (TrafficMirrorTargetInUse).
    """
    sessions = [each for each in sessions_on(context.transaction, target) if each.account != target.account]
    stop(context.transaction, sessions, f"{target.id} was deleted by its owner {target.account}")
    arn = target_arn(context.settings, target)
    for association in context.transaction.find(Kind.SHARE_ASSOCIATION, where=("associatedEntity", arn)):
        if is_live(association, "RESOURCE"):
            association.document["status"] = "DISASSOCIATED"
            association.document["lastUpdatedTime"] = context.call.now.isoformat()
            context.transaction.update(association)


# Organisations, principals and shares.


def organisation(transaction: Transaction, account: str) -> str | None:
    """The id (``o-...``) of the organisation that an account is in, None for an account that is in none."""
    record = transaction.get(Kind.ACCOUNT, account)
    return record.document.get("OrganizationId") if record else None


def units(transaction: Transaction, account: str) -> frozenset[str]:
    """The ids (``ou-...``) of the organisational units that an account is in, those that hold others included."""
    record = transaction.get(Kind.ACCOUNT, account)
    paths: list[str] = record.document.get("Paths", []) if record else []
    return frozenset(part for path in paths for part in path.split("/") if part.startswith("ou-"))


def same_organisation(transaction: Transaction, one: str, other: str) -> bool:
    """Whether two accounts are in one organisation, so that shares need no acceptance."""
    first = organisation(transaction, one)
    return first is not None and first == organisation(transaction, other)


def is_principal(transaction: Transaction, account: str, principal: str) -> bool:
    """Whether a principal of a share (account id, or ARN of an organisation or of its unit) stands for the account."""
    if principal == account:
        return True
    own = organisation(transaction, account)
    if own is None or not principal.startswith("arn:"):
        return False
    if f":ou/{own}/" in principal:
        return principal.rpartition("/")[2] in units(transaction, account)
    return principal.endswith(f":organization/{own}")


def shares_with(transaction: Transaction, account: str) -> list[Record]:
    """Shares that the account has access to as one of their principals. (One that was deleted has none any more.)"""
    names = {
        association.parent
        for association in transaction.find(Kind.SHARE_ASSOCIATION)
        if is_live(association, "PRINCIPAL")
        and is_principal(transaction, account, association.document["associatedEntity"])
    }
    return transaction.find(Kind.RESOURCE_SHARE, identifiers=sorted(names))


def is_live(association: Record, kind: str) -> bool:
    """Whether it binds a resource or a principal (``kind``, as AWS writes it: RESOURCE, PRINCIPAL) to its share."""
    document = association.document
    return bool(document["associationType"] == kind and document["status"] == "ASSOCIATED")


def _may_use(transaction: Transaction, settings: Settings, account: str, target: Record) -> bool:
    if target.account == account:
        return True
    there = transaction.find(Kind.SHARE_ASSOCIATION, where=("associatedEntity", target_arn(settings, target)))
    return any(
        is_live(association, "PRINCIPAL")
        and is_principal(transaction, account, association.document["associatedEntity"])
        for resource in there
        if is_live(resource, "RESOURCE")
        for association in transaction.find(Kind.SHARE_ASSOCIATION, parent=resource.parent)
    )
