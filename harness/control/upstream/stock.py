"""What the look-alike has, as an inventory: read, put right, with the interfaces chosen that the NIC carries."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from halfsilver.harness.control.inventory.regions import REGIONS
from halfsilver.harness.control.upstream.arns import BalancerArns
from halfsilver.harness.control.upstream.bridges import Bridges
from halfsilver.harness.control.upstream.connection import Connection, UpstreamError
from halfsilver.harness.control.upstream.reading import Documents, UpstreamReader
from halfsilver.harness.policy.types import MAX_INTERFACES

__all__ = ["DEFAULT_ACCOUNT", "Stock", "UpstreamLost"]

DEFAULT_ACCOUNT = "123456789012"
"""Whose everything is when no file names accounts: moto's own."""

_LOG = logging.getLogger(__name__)


class UpstreamLost(UpstreamError):
    """What answers has forgotten all, or is another look-alike: it has VPCs, and not one of those before."""


@dataclass
class _Part:
    """What a region had when it was read last. ``accepted``: the next reading counts, even if nothing is left."""

    bridges: Bridges = field(default_factory=Bridges)
    lists: Documents = field(default_factory=dict)
    accepted: bool = False


class Stock:
    """What was read last, and how the next reading is made of what the look-alike has then.

    region    the server's own, where the NIC is; others are there from their first reading on
    accounts  as an inventory file has them; what others have is not read
    sources   ids of the interfaces that have sessions in the server's own region, the oldest first
    """

    def __init__(self, connection: Connection, region: str, accounts: Sequence[Mapping[str, Any]]) -> None:
        self.arns = BalancerArns()
        self.region = region
        self.sources: Callable[[], Sequence[str]] = tuple
        self._connection = connection
        self._accounts = [dict(each) for each in accounts] or [{"Id": DEFAULT_ACCOUNT}]
        self._parts = {region: _Part()}
        self._carried: list[str] = []

    @property
    def account(self) -> str:
        """The first one."""
        return str(self._accounts[0]["Id"])

    @property
    def regions(self) -> Sequence[str]:
        """Those that there are, the server's own first."""
        return tuple(self._parts)

    def read(self, region: str, until: float = math.inf) -> dict[str, Any]:
        """The documents of an inventory, this region anew. UpstreamError when it cannot be had, and all is as before.

        until  when the last list must be asked for, by ``time.monotonic``
        """
        lists = UpstreamReader(self._connection, region, [each["Id"] for each in self._accounts]).read(until)
        self.arns.learn(lists["LoadBalancers"])
        lists = json.loads(self.arns.to_clients(json.dumps(lists).encode()))
        part = self._parts.get(region) or _Part()
        before, now = ({each["VpcId"] for each in some.get("Vpcs", ())} for some in (part.lists, lists))
        if before and now and not before & now and not part.accepted:
            raise UpstreamLost("the upstream has forgotten all that it had; the inventory stays until SIGHUP")
        part.bridges.mend(lists, part.lists)
        part.lists = lists
        part.accepted = False
        self._parts[region] = part
        return self.documents()

    def documents(self) -> dict[str, Any]:
        """What was read last, with the NIC that it takes for the sessions of now."""
        own, *others = self._parts.values()
        self._carried = carry(own.lists["NetworkInterfaces"], self.sources(), self._carried)
        found = {"Accounts": self._accounts, **own.lists, "Nic": {"NetworkInterfaceIds": self._carried}}
        names = self.regions[1:]
        return (
            {**found, REGIONS: {name: part.lists for name, part in zip(names, others, strict=True)}} if names else found
        )

    @property
    def carried(self) -> Sequence[str]:
        """Ids of the interfaces that the NIC carries."""
        return self._carried

    def accept(self, region: str) -> None:
        """The region's next reading counts, even if nothing is left of what was there."""
        self._parts[region].accepted = True

    def attachment(self, identifier: str, region: str) -> Mapping[str, Any] | None:
        """An attachment that has not ended, by its id."""
        part = self._parts.get(region) or _Part()
        for each in part.lists.get("NetworkInterfaces", ()):
            attachment: Mapping[str, Any] = each.get("Attachment") or {}
            if attachment.get("AttachmentId") == identifier and attachment.get("Status") != "detached":
                return attachment
        return None

    def detach(self, attachment: Mapping[str, Any], region: str) -> None:
        """It ends now."""
        self._parts[region].bridges.detach(attachment)


def carry(interfaces: Iterable[Mapping[str, Any]], sources: Sequence[str], before: Sequence[str]) -> list[str]:
    """Which interfaces the NIC carries: those with sessions first, then those that it carried, then the others.

    ``sources`` are the oldest session's first, ``interfaces`` in the order of the look-alike. Only interfaces of
    instances are frames' own; those of load balancers and endpoints are where copies go. Who stays keeps the order.
    """
    own = [each["NetworkInterfaceId"] for each in interfaces if _is_of_instance(each)]
    wanted = list(dict.fromkeys([each for each in (*sources, *before) if each in own] + own))[:MAX_INTERFACES]
    return [each for each in before if each in wanted] + [each for each in wanted if each not in before]


def _is_of_instance(interface: Mapping[str, Any]) -> bool:
    attachment = interface.get("Attachment") or {}
    return "MacAddress" in interface and "InstanceId" in attachment and attachment.get("Status") != "detached"
