"""From the store to what one NIC is configured with: sessions of its interfaces, and all that these refer to.

Sessions of other interfaces exist only in the store. A session that is stopped, or whose target's resource cannot be
mirrored to, stays in the policy with its target down: it claims its frames, and they are not copied anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.control.operations import Record, Transaction
from harness.control.target_resource import why_unusable
from harness.errors import CapacityExceeded
from harness.policy import Interface, Policy, Session
from harness.policy_network import load_balancer_name
from harness.policy_types import MAX_RULES, MAX_SESSIONS

__all__ = ["NicPolicy", "read_nic_policy"]

_ADDRESSES = ("PrivateIPv4Address", "IPv6Address", "IpAddress")
_NOWHERE = "eni-00000000000000000"
"""Destination of a target that was deleted while sessions of other accounts used it."""


@dataclass(frozen=True, slots=True)
class NicPolicy:
    """What a NIC is to do, and whose it is.

    carried  ids of the NIC's interfaces in index order
    owners   accounts by interface id and by session id
    stopped  why a session is stopped, by session id; one that is down without being stopped is not in it
    """

    policy: Policy
    carried: tuple[str, ...]
    owners: Mapping[str, str]
    stopped: Mapping[str, str]


def read_nic_policy(transaction: Transaction, carried: Sequence[str]) -> NicPolicy:
    """CapacityExceeded if there is more of something than any NIC has; PolicyError if an address makes no sense."""
    sessions = [record for eni_id in carried for record in transaction.find("session", parent=eni_id)]
    filters = _named(transaction, "filter", (record.document["TrafficMirrorFilterId"] for record in sessions))
    targets = _named(transaction, "target", (record.document["TrafficMirrorTargetId"] for record in sessions))
    balancers = _named(transaction, "load-balancer", _values(targets, "NetworkLoadBalancerArn"))
    endpoints = _named(transaction, "endpoint", _values(targets, "GatewayLoadBalancerEndpointId"))
    interfaces = _interfaces(transaction, carried, targets, balancers, endpoints)
    documents = {
        "Vpcs": [each.document for each in _named(transaction, "vpc", _values(interfaces, "VpcId"))],
        "NetworkInterfaces": [{**each.document, "TagSet": _tags(each)} for each in interfaces],
        "LoadBalancers": [each.document for each in balancers],
        "VpcEndpoints": [each.document for each in endpoints],
        "TrafficMirrorFilters": [_filter(transaction, each) for each in filters],
        "TrafficMirrorTargets": _targets(sessions, targets),
        "TrafficMirrorSessions": [{**each.document, "Tags": _tags(each)} for each in sessions],
    }
    _check_capacity(documents)
    policy = Policy.from_documents(documents, carried=carried, where="the stored policy")
    stopped = {each.id: str(each.note["stopped"]) for each in sessions if "stopped" in each.note}
    down = _unusable(transaction, sessions, targets) | stopped
    return NicPolicy(
        policy=replace(policy, interfaces=_take_down(policy.interfaces, down)),
        carried=tuple(carried),
        owners={each.id: each.account for each in (*interfaces, *sessions)},
        stopped=stopped,
    )


def _named(transaction: Transaction, kind: str, names: Iterable[str]) -> list[Record]:
    """The records of these ids that exist, each once."""
    wanted = sorted(set(names))
    return transaction.find(kind, identifiers=wanted) if wanted else []


def _values(records: Iterable[Record], key: str) -> list[str]:
    return [record.document[key] for record in records if record.document.get(key)]


def _tags(record: Record) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in record.tags.items()]


def _interfaces(transaction: Transaction, carried: Sequence[str], targets: Sequence[Record],
                balancers: Sequence[Record], endpoints: Sequence[Record]) -> list[Record]:
    """The NIC's own, and those behind targets."""
    ids = [*carried, *_values(targets, "NetworkInterfaceId")]
    ids += [eni_id for endpoint in endpoints for eni_id in endpoint.document.get("NetworkInterfaceIds", ())]
    found = {record.id: record for record in _named(transaction, "interface", ids)}
    for place in {place for balancer in balancers for place in _places(balancer)}:
        found |= {record.id: record for record in transaction.find("interface", where=place)}
    return list(found.values())


def _places(balancer: Record) -> Iterator[tuple[str, str]]:
    """What the interfaces of a load balancer are known by: description and addresses."""
    yield "Description", f"ELB {load_balancer_name(balancer.id)}"
    for zone in balancer.document.get("AvailabilityZones", ()):
        for addresses in zone.get("LoadBalancerAddresses", ()):
            yield from (("Address", addresses[key]) for key in _ADDRESSES if key in addresses)


def _filter(transaction: Transaction, record: Record) -> dict[str, Any]:
    rules = [rule.document for rule in transaction.find("rule", parent=record.id)]
    return {**record.document, "Tags": _tags(record),
            **{f"{direction.capitalize()}FilterRules": [rule for rule in rules if rule["TrafficDirection"] == direction]
               for direction in ("ingress", "egress")}}


def _targets(sessions: Sequence[Record], targets: Sequence[Record]) -> list[dict[str, Any]]:
    """Those that exist, and one that leads nowhere for each that is gone."""
    present = {target.id for target in targets}
    gone = sorted({session.document["TrafficMirrorTargetId"] for session in sessions} - present)
    return [{**target.document, "Tags": _tags(target)} for target in targets] + [
        {"TrafficMirrorTargetId": target_id, "NetworkInterfaceId": _NOWHERE} for target_id in gone]


def _check_capacity(documents: Mapping[str, Any]) -> None:
    """What quotas above AWS's own allow, and no NIC can do."""
    for each in documents["TrafficMirrorFilters"]:
        rules = len(each["IngressFilterRules"]) + len(each["EgressFilterRules"])
        if rules > MAX_RULES:
            raise CapacityExceeded(
                f"{each['TrafficMirrorFilterId']} has {rules} rules, a NIC takes {MAX_RULES} per filter", "rules")
    sources = [each["NetworkInterfaceId"] for each in documents["TrafficMirrorSessions"]]
    for eni_id in sources:
        if sources.count(eni_id) > MAX_SESSIONS:
            raise CapacityExceeded(f"{eni_id} has {sources.count(eni_id)} sessions, a NIC takes {MAX_SESSIONS} "
                                   "per interface", "sessions")


def _unusable(transaction: Transaction, sessions: Sequence[Record], targets: Sequence[Record]) -> dict[str, str]:
    """Why nothing can be mirrored to a session's target, by session id."""
    reasons = {target.id: why_unusable(transaction, target) for target in targets}
    found = {}
    for session in sessions:
        target_id = session.document["TrafficMirrorTargetId"]
        reason = reasons.get(target_id, f"{target_id} was deleted")
        if reason is not None:
            found[session.id] = reason
    return found


def _take_down(interfaces: Sequence[Interface], reasons: Mapping[str, str]) -> tuple[Interface, ...]:
    """The interfaces with the targets of some sessions down."""

    def change(session: Session) -> Session:
        reason = reasons.get(session.session_id)
        return session if reason is None else replace(session, outer=None, down_reason=reason)

    return tuple(replace(each, sessions=tuple(map(change, each.sessions))) for each in interfaces)
