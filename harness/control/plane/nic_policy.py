"""From the store to what one NIC is configured with: sessions of its interfaces, and all that these refer to.

Sessions of other interfaces exist only in the store. A session that has stopped stays in the policy with its target
down: it claims its frames, and they are not copied anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.control.plane.documents import assemble
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.reader import STOPPED
from halfsilver.harness.policy.types import MAX_RULES, MAX_SESSIONS

__all__ = ["NicPolicy", "concerns", "read_nic_policy"]

_NEVER = frozenset({Kind.TOKEN, Kind.RESOURCE_SHARE, Kind.SHARE_ASSOCIATION, Kind.SHARE_INVITATION})
"""Nothing of these is in a policy. The end of a share changes sessions, and these are looked at."""
_FILTERS = ("TrafficMirrorFilters", "TrafficMirrorFilterId")
_USED = {Kind.FILTER: _FILTERS, Kind.RULE: _FILTERS, Kind.TARGET: ("TrafficMirrorTargets", "TrafficMirrorTargetId")}
"""Where a policy's documents have what its sessions use, and its id. A new one is used by nothing."""


@dataclass(frozen=True, slots=True)
class NicPolicy:
    """What a NIC is to do, and whose it is.

    carried    ids of the NIC's interfaces in index order
    documents  what the policy was read from
    owners     accounts by interface id and by session id
    stopped    ids of sessions that have stopped; one that is down for want of an address is not among them
    """

    policy: Policy
    carried: tuple[str, ...]
    documents: Mapping[str, Any]
    owners: Mapping[str, str]
    stopped: frozenset[str]


def concerns(nic: NicPolicy, record: Record) -> bool:
    """Whether a record that has changed may change what the NIC does; where that is not plain, it may."""
    if record.kind in _NEVER:
        return False
    if record.kind == Kind.SESSION:
        return record.parent in nic.carried
    used = _USED.get(record.kind)
    if used is None:
        return True
    name = record.parent if record.kind == Kind.RULE else record.id
    return any(each[used[1]] == name for each in nic.documents[used[0]])


def read_nic_policy(transaction: Transaction, carried: Sequence[str], present: NicPolicy | None = None) -> NicPolicy:
    """What a NIC that carries these interfaces is to do; ``present`` itself if that is just the same.

    CapacityExceeded if there is more of something than any NIC has; PolicyError if an address makes no sense.
    """
    documents = assemble(transaction, carried)
    if present is not None and present.carried == tuple(carried) and present.documents == documents:
        return present
    _check_capacity(documents)
    policy = Policy.from_documents(documents, carried=carried, where="the stored policy")
    sessions = documents["TrafficMirrorSessions"]
    owners = {each["NetworkInterfaceId"]: each["OwnerId"] for each in documents["NetworkInterfaces"]}
    owners |= {each["TrafficMirrorSessionId"]: each["OwnerId"] for each in sessions}
    stopped = frozenset(each["TrafficMirrorSessionId"] for each in sessions if STOPPED in each)
    return NicPolicy(policy, tuple(carried), documents, owners, stopped)


def _check_capacity(documents: Mapping[str, Any]) -> None:
    """What quotas above AWS's own allow, and no NIC can do."""
    for each in documents["TrafficMirrorFilters"]:
        rules = len(each["IngressFilterRules"]) + len(each["EgressFilterRules"])
        if rules > MAX_RULES:
            raise CapacityExceeded(
                f"{each['TrafficMirrorFilterId']} has {rules} rules, a NIC takes {MAX_RULES} per filter", "rules"
            )
    sources = [each["NetworkInterfaceId"] for each in documents["TrafficMirrorSessions"]]
    for eni_id in sources:
        if sources.count(eni_id) > MAX_SESSIONS:
            raise CapacityExceeded(
                f"{eni_id} has {sources.count(eni_id)} sessions, a NIC takes {MAX_SESSIONS} per interface", "sessions"
            )
