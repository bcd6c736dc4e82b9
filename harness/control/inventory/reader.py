"""From the lists of an inventory file to the records of the store, with all mistakes collected on the way.

Each region is read by itself (``region_reader``). Interfaces, load balancers, endpoints and VPCs are read by
``halfsilver.harness.policy.reader`` as well, which knows what a policy needs of them, so that nothing gets into the
store that a data plane could not be configured from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from halfsilver.harness.control.inventory.region_reader import MIRRORING, OF_THE_FILE, RegionReader
from halfsilver.harness.control.inventory.regions import REGIONS, check_apart, divide
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.members import check_lists
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.reader import WHOLE_FILE
from halfsilver.harness.policy.reader import read as read_policy
from halfsilver.harness.policy.types import Problem

__all__ = ["Found", "read"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds.

    records   of the server's own region
    nic       ids of the NIC's interfaces
    region    the one that these records are of, None when nothing names it
    problems  errors and warnings
    others    records of other regions, by region
    lists     those of the server's own region, as they are
    """

    records: tuple[Record, ...] = ()
    nic: tuple[str, ...] = ()
    region: str | None = None
    problems: tuple[Problem, ...] = ()
    others: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    lists: Mapping[str, Any] = field(default_factory=dict)


def read(documents: object, *, region: str | None = None, may_be_empty: bool = False) -> Found:
    """Read the documents. Never raises for what it is given. Without interfaces they ``may_be_empty``, or wrong.

    region  the server's own; None: the one that the file names
    """
    if not isinstance(documents, Mapping):
        problem = Problem("error", WHOLE_FILE, f"must be a JSON object, not {show(documents)}")
        return Found(problems=(problem,))
    root = Node(documents, [])
    check_lists(root, strict=True)
    parts = divide(root, region)
    own = RegionReader(parts.own, {}, {})
    own.read_accounts(root)
    accounts = dict(own.records)
    own.read()
    own.read_nic(root, may_be_empty)
    if not own.root.items("NetworkInterfaces") and not may_be_empty:
        missing = "has no NetworkInterfaces; put what `aws ec2 describe-network-interfaces` prints into it"
        root.problems.append(Problem("error", parts.own.place() or WHOLE_FILE, missing))
    own.find_region(None if parts.own is root else parts.region)
    check_apart(parts, own.region)
    others = {}
    for name, part in parts.others.items():
        reader = RegionReader(part, accounts, own.seen)
        reader.read()
        reader.find_region(name)
        others[name] = tuple(each for each in reader.records.values() if each.kind != Kind.ACCOUNT)
    nodes = [root, *parts.others.values()] + ([] if parts.own is root else [parts.own])
    more = [problem for node in nodes for problem in _of_policy(node)]
    return Found(tuple(own.records.values()), own.nic, own.region, (*root.problems, *more), others, parts.own.values)


def _of_policy(part: Node) -> list[Problem]:
    """What the reader of policies finds in the lists of a region, and has not been said."""
    said = {problem.where for problem in part.problems}
    before = f"{part.place()}." if part.place() else ""
    left_out = (*MIRRORING, *(OF_THE_FILE if before else [REGIONS]))
    lists = {name: each for name, each in part.values.items() if name not in left_out}
    found = [replace(each, where=before + each.where) for each in read_policy({"NetworkInterfaces": [], **lists})[1]]
    return [problem for problem in found if problem.where not in said]
