"""The inventory file: what is there to be mirrored, and what the NIC carries of it.

JSON with the lists that AWS's describe commands print, verbatim, in one object: ``NetworkInterfaces``, ``Vpcs``,
``Subnets``, ``Reservations`` (or ``Instances``), ``LoadBalancers``, ``Listeners``, ``TargetGroups``, ``VpcEndpoints``,
``SecurityGroups``, ``NetworkAcls``, ``RouteTables``, ``AvailabilityZones``; ``Accounts`` as ``aws organizations
list-accounts`` prints them; and one key of ours, ``"Nic": {"NetworkInterfaceIds": [...]}``, the interfaces that the NIC
carries (all, where it is not there). Subnets, VPCs, instances and zones that the others name may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from halfsilver.harness.control.inventory import reader
from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.target_resource import why_unusable
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.policy import read_documents
from halfsilver.harness.policy.types import Problem

__all__ = ["Inventory", "InventoryError", "KINDS", "from_documents", "load", "synchronize"]

KINDS = (
    Kind.ACCOUNT,
    Kind.ZONE,
    Kind.VPC,
    Kind.SUBNET,
    Kind.INTERFACE,
    Kind.INSTANCE,
    Kind.ENDPOINT,
    Kind.LOAD_BALANCER,
    Kind.LISTENER,
    Kind.TARGET_GROUP,
    Kind.SECURITY_GROUP,
    Kind.NETWORK_ACL,
    Kind.ROUTE_TABLE,
)
"""Kinds of records that come from an inventory file."""

SURROUNDINGS = (
    "LoadBalancers",
    "TargetGroups",
    "RouteTables",
    "VpcPeeringConnections",
    "TransitGatewayVpcAttachments",
    "SecurityGroups",
    "NetworkAcls",
)
"""Lists that say what is between a source and its target (``docs/mirroring.md`` section 16)."""


class InventoryError(UsageError):
    """An inventory file that cannot be used: one line for each mistake. ``problems`` has them, and the warnings."""

    def __init__(self, where: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.severity == "error"]
        super().__init__("\n".join(f"{where}: {problem.where}: {problem.message}" for problem in errors))


@dataclass(frozen=True)
class Inventory:
    """An inventory file without mistakes.

    records   its objects as the store keeps them; an interface of the NIC has its index in ``note["nic"]``
    nic       ids of the NIC's interfaces, in order of their index, at most 16
    region    the one region of all zones and load balancers, None when nothing names one
    warnings  what the file may say but hardly means
    ways      its lists of SURROUNDINGS, as they are there: they say whether copies reach their targets
    """

    records: tuple[Record, ...]
    nic: tuple[str, ...]
    region: str | None
    warnings: tuple[Problem, ...] = ()
    ways: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def accounts(self) -> tuple[str, ...]:
        """All accounts that are listed or own something, in the order of the file."""
        return tuple(dict.fromkeys(record.account for record in self.records if record.account))


def load(path: str | Path) -> Inventory:
    """Read a file. InventoryError has a line for each mistake, another UsageError says why it is not JSON."""
    return from_documents(read_documents(path), where=str(path))


def from_documents(documents: object, *, where: str = "inventory.json", may_be_empty: bool = False) -> Inventory:
    """The same from what the file holds; ``where`` is what error messages call it.

    ``may_be_empty``: it may have no interfaces, and a NIC that carries none.
    """
    found = reader.read(documents, may_be_empty=may_be_empty)
    if any(problem.severity == "error" for problem in found.problems):
        raise InventoryError(where, found.problems)
    assert isinstance(documents, Mapping)  # anything else is an error
    ways = {name: documents[name] for name in SURROUNDINGS if documents.get(name)}
    return Inventory(found.records, found.nic, found.region, found.problems, ways)


def synchronize(transaction: Transaction, inventory: Inventory, settings: Settings) -> int:
    """Make the store's inventory that of the file; returns how many records changed, sessions included.

    Sessions of an interface that is gone go with it. Sessions whose target has lost its interface, load balancer or
    endpoint, or is shared with their account no longer, stop, with the reason in ``note["stopped"]``. Tags that clients
    gave to an object stay unless the file changes them.
    UsageError when the file is of another region than the server.
    """
    if inventory.region not in (None, settings.region):
        raise UsageError(
            f"the inventory is of region {inventory.region} and the server of {settings.region}; give both the same"
        )
    changed = 0
    for kind in KINDS:
        wanted = {record.id: record for record in inventory.records if record.kind == kind}
        there = {record.id: record for record in transaction.find(kind)}
        for identifier in there.keys() - wanted.keys():
            changed += _remove(transaction, there[identifier])
        for identifier, record in wanted.items():
            changed += _put(transaction, record, there.get(identifier))
    return changed + _stop_sessions(transaction, settings)


def _remove(transaction: Transaction, record: Record) -> int:
    sessions = transaction.find(Kind.SESSION, parent=record.id) if record.kind == Kind.INTERFACE else []
    for each in (*sessions, record):
        transaction.delete(each)
    return len(sessions) + 1


def _put(transaction: Transaction, wanted: Record, there: Record | None) -> int:
    """Insert or update; ``note["file tags"]`` has the tags of the file, to tell them from those of clients."""
    record = replace(wanted, note={**wanted.note, "file tags": wanted.tags})
    if there is None:
        transaction.insert(record)
        return 1
    record.tags = _merge(there.tags, there.note.get("file tags", {}), wanted.tags)
    record.serial = there.serial
    if record == there:
        return 0
    transaction.update(record)
    return 1


def _merge(tags: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """``tags`` with what changed in the file between ``before`` and ``after``."""
    kept = {key: value for key, value in tags.items() if key not in before or key in after}
    return kept | {key: value for key, value in after.items() if before.get(key) != value}


def _stop_sessions(transaction: Transaction, settings: Settings) -> int:
    targets = transaction.find(Kind.TARGET)
    stopped = 0
    for target in targets:
        reason = why_unusable(transaction, target)
        if reason is not None:
            stopped += sharing.stop(transaction, sharing.sessions_on(transaction, target), reason)
    return stopped + sharing.stop_unshared(transaction, settings, targets)
