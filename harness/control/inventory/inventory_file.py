"""The inventory file: what is there to be mirrored, and what the NIC carries of it.

JSON with the lists that AWS's describe commands print, verbatim, in one object: ``NetworkInterfaces``, ``Vpcs``,
``Subnets``, ``Reservations`` (or ``Instances``), ``LoadBalancers``, ``Listeners``, ``TargetGroups``, ``VpcEndpoints``,
``SecurityGroups``, ``NetworkAcls``, ``RouteTables``, ``AvailabilityZones``; ``Accounts`` as ``aws organizations
list-accounts`` prints them; and two keys of ours: ``"Nic": {"NetworkInterfaceIds": [...]}``, the interfaces that the
NIC carries (all, where it is not there), and ``Regions``, which has the lists of other regions (``inventory.regions``).
Subnets, VPCs, instances and zones that the others name may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from halfsilver.harness.control.inventory import reader
from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.target_resource import why_unusable
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import HOME, Transaction
from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.policy import read_documents
from halfsilver.harness.policy.types import Problem

__all__ = ["Inventory", "InventoryError", "KINDS", "from_documents", "load", "regions_of", "synchronize"]

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
    region    the one that these are of, None when nothing names one
    warnings  what the file may say but hardly means
    ways      the lists of SURROUNDINGS, as they are there: they say whether copies reach their targets
    others    the objects of other regions, by region
    """

    records: tuple[Record, ...]
    nic: tuple[str, ...]
    region: str | None
    warnings: tuple[Problem, ...] = ()
    ways: Mapping[str, Any] = field(default_factory=dict, repr=False)
    others: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        """All accounts that are listed or own something, in the order of the file."""
        everything = chain(self.records, *self.others.values())
        return tuple(dict.fromkeys(record.account for record in everything if record.account))


def load(path: str | Path) -> Inventory:
    """Read a file. InventoryError has a line for each mistake, another UsageError says why it is not JSON."""
    return from_documents(read_documents(path), where=str(path))


def from_documents(
    documents: object, *, where: str = "inventory.json", may_be_empty: bool = False, region: str | None = None
) -> Inventory:
    """The same from what the file holds; ``where`` is what error messages call it.

    may_be_empty  it may have no interfaces, and a NIC that carries none
    region        the server's own, None where the file is to say which
    """
    found = reader.read(documents, region=region, may_be_empty=may_be_empty)
    if any(problem.severity == "error" for problem in found.problems):
        raise InventoryError(where, found.problems)
    ways = {name: found.lists[name] for name in SURROUNDINGS if found.lists.get(name)}
    return Inventory(found.records, found.nic, found.region, found.problems, ways, found.others)


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
    parts = _parts(transaction, inventory)
    changed = sum(_take_out(transaction, region, wanted) for region, wanted in parts.items())
    changed += sum(_put_in(transaction, region, wanted) for region, wanted in parts.items())
    return changed + sum(_stop_sessions(transaction.of_region(each), settings.within(each)) for each in parts)


def _parts(transaction: Transaction, inventory: Inventory) -> dict[str, Sequence[Record]]:
    """What is to be in each region, those that are to lose all they have included."""
    there: dict[str, Sequence[Record]] = dict.fromkeys(regions_of(transaction), ())
    return {**there, HOME: inventory.records, **inventory.others}


def regions_of(transaction: Transaction) -> list[str]:
    """The regions that have something of an inventory."""
    return sorted({region for kind in KINDS for region in transaction.regions(kind)})


def _take_out(transaction: Transaction, region: str, wanted: Sequence[Record]) -> int:
    """What is not wanted. All regions lose theirs before one gets anything: an id may come from another."""
    transaction = transaction.of_region(region)
    changed = 0
    for kind in _kinds(region):
        kept = {record.id for record in wanted if record.kind == kind}
        changed += sum(_remove(transaction, each) for each in transaction.find(kind) if each.id not in kept)
    return changed


def _put_in(transaction: Transaction, region: str, wanted: Sequence[Record]) -> int:
    transaction = transaction.of_region(region)
    changed = 0
    for kind in _kinds(region):
        there = {record.id: record for record in transaction.find(kind)}
        changed += sum(_put(transaction, each, there.get(each.id)) for each in wanted if each.kind == kind)
    return changed


def _kinds(region: str) -> Sequence[Kind]:
    """Those that a region has; accounts are of all, and come with the server's own."""
    return KINDS if region == HOME else [kind for kind in KINDS if kind != Kind.ACCOUNT]


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
