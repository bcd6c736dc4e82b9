"""Where an inventory file has the lists of which region.

Those of the server's own are at the top, of others in ``{"Regions": {"eu-west-1": {"Vpcs": [...]}}}``. A file that has
lists in ``Regions`` alone is good for a server of any of these regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.control.operations.call import DEFAULT_REGION, Settings
from halfsilver.harness.control.operations.regions import known_regions
from halfsilver.harness.policy.members import list_shapes
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.spelling import nearest

__all__ = ["ACCOUNTS", "REGIONS", "Parts", "check_apart", "divide", "of_one_server"]

REGIONS = "Regions"
ACCOUNTS = "Accounts"


@dataclass(frozen=True, slots=True)
class Parts:
    """What has the lists of the server's own region, and of others. ``region``: its name, if that is said."""

    own: Node
    region: str | None
    others: Mapping[str, Node]


def divide(root: Node, region: str | None) -> Parts:
    """``region`` is the server's own where it was said. Mistakes are among the problems of ``root``."""
    regions = root.child(REGIONS)
    if regions is None:
        return Parts(root, region, {})
    known = known_regions(Settings().partition)
    others = {}
    for name in regions.values:
        if name not in known:
            meant = nearest(name, known) or f"a name such as {DEFAULT_REGION}"
            root.error(f"{REGIONS}.{_written(name)}", f"is no region; did you mean {meant}?")
        elif (part := regions.child(name)) is not None:
            others[name] = part
    if not others or any(name in list_shapes() and name != ACCOUNTS for name in root.values):
        return Parts(root, region, others)
    if region is None and len(others) > 1:
        root.error(REGIONS, f"has all lists; say by --region which is the server's own: {' or '.join(sorted(others))}")
    own = region or min(others)
    return Parts(others.pop(own, root), own, others)


def check_apart(parts: Parts, region: str | None) -> None:
    """An error if the server's own region is among the others too; ``region``: the one that its zones name."""
    own = parts.region or region or DEFAULT_REGION
    if own in parts.others:
        parts.others[own].error("", "is the server's own region, whose lists are at the top; put them in one place")


def of_one_server(documents: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The same with the lists of this region at the top, from where a policy is read."""
    regions = dict(documents.get(REGIONS) or {})
    own = regions.pop(region, None)
    if own is None:
        return dict(documents)
    return {**{name: each for name, each in documents.items() if name != REGIONS}, **own, REGIONS: regions}


def _written(name: str) -> str:
    return name if name.replace("-", "").isalnum() and len(name) < 64 else show(name)
