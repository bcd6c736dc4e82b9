"""The store as one ``mirror.json``, and back: what AWS's describe commands print, in one JSON object.

Beside AWS's members: ``OwnerId`` in filters, and ``StoppedReason`` in sessions that do not mirror
(``halfsilver.harness.policy.reader.STOPPED``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from halfsilver.harness.control.operations.target_resource import why_unusable
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import HOME, Transaction
from halfsilver.harness.policy.reader import STOPPED

__all__ = ["assemble", "why_stopped"]

_HEALTH = "TargetHealthDescriptions"
"""Of a target group's record, a note: what elbv2 describes by an operation of its own."""


def assemble(transaction: Transaction, carried: Sequence[str] | None = None) -> dict[str, Any]:
    """Everything of all accounts, in the server's own region; or what one NIC needs, which carries these interfaces.

    What one NIC needs: the sessions of its interfaces and the filters and targets of these; its interfaces, in the
    order given, and those that may be behind the targets; and what the targets lead to.
    """
    transaction = transaction.of_region(HOME)
    parts = _Everything(transaction) if carried is None else _Needed(transaction, carried)
    rules: dict[str, list[Record]] = {}
    for rule in parts.rules:
        rules.setdefault(rule.parent, []).append(rule)
    unusable = {target.id: why_unusable(transaction, target) for target in parts.targets}
    return {
        "Vpcs": [_tagged(each) for each in parts.vpcs],
        "NetworkInterfaces": [_tagged(each, "TagSet") for each in parts.interfaces],
        "LoadBalancers": [_with_note(each, "Attributes") for each in parts.balancers],
        "Listeners": [
            {**each.document, "ListenerArn": each.id, "LoadBalancerArn": each.parent} for each in parts.listeners
        ],
        **({"TargetGroups": [_with_note(each, _HEALTH) for each in parts.groups]} if parts.groups else {}),
        "VpcEndpoints": [_tagged(each) for each in parts.endpoints],
        "TrafficMirrorFilters": [_filter(each, rules.get(each.id, [])) for each in parts.filters],
        "TrafficMirrorTargets": [_tagged(each) for each in parts.targets],
        "TrafficMirrorSessions": [_session(each, _why_stopped(each, unusable)) for each in parts.sessions],
    }


def why_stopped(transaction: Transaction, session: Record, target: Record | None) -> str | None:
    """Why a session does not mirror, None if it does; ``target`` is its target, None when that was deleted."""
    return _why_stopped(session, {} if target is None else {target.id: why_unusable(transaction, target)})


class _Everything:
    """All records that a policy is made of, in order of creation."""

    def __init__(self, transaction: Transaction) -> None:
        self.sessions = transaction.find(Kind.SESSION)
        self.targets = transaction.find(Kind.TARGET)
        self.filters = transaction.find(Kind.FILTER)
        self.rules = transaction.find(Kind.RULE)
        self.interfaces = transaction.find(Kind.INTERFACE)
        self.balancers = transaction.find(Kind.LOAD_BALANCER)
        self.listeners = transaction.find(Kind.LISTENER)
        self.groups = transaction.find(Kind.TARGET_GROUP)
        self.endpoints = transaction.find(Kind.ENDPOINT)
        self.vpcs = transaction.find(Kind.VPC)


class _Needed:
    """Those that one NIC's policy is made of."""

    def __init__(self, transaction: Transaction, carried: Sequence[str]) -> None:
        self._transaction = transaction
        self.sessions = transaction.find(Kind.SESSION, parent=list(carried))
        self.targets = self._named(Kind.TARGET, _values(self.sessions, "TrafficMirrorTargetId"))
        self.filters = self._named(Kind.FILTER, _values(self.sessions, "TrafficMirrorFilterId"))
        self.rules = transaction.find(Kind.RULE, parent=[each.id for each in self.filters])
        self.balancers = self._named(Kind.LOAD_BALANCER, _values(self.targets, "NetworkLoadBalancerArn"))
        self.listeners = transaction.find(Kind.LISTENER, parent=[each.id for each in self.balancers])
        self.groups = self._named(Kind.TARGET_GROUP, _forwarded(self.listeners))
        self.endpoints = self._named(Kind.ENDPOINT, _values(self.targets, "GatewayLoadBalancerEndpointId"))
        own = {each.id: each for each in self._named(Kind.INTERFACE, carried)}
        behind = self._named(
            Kind.INTERFACE,
            [
                *_values(self.targets, "NetworkInterfaceId"),
                *(eni_id for endpoint in self.endpoints for eni_id in endpoint.document.get("NetworkInterfaceIds", ())),
            ],
        )
        doors = [*behind, *(each for balancer in self.balancers for each in self._doors(balancer)), *self._receivers()]
        own_first = [own[eni_id] for eni_id in carried if eni_id in own] + doors
        self.interfaces = list({each.id: each for each in own_first}.values())
        self.vpcs = self._named(Kind.VPC, _values(self.interfaces, "VpcId"))

    def _named(self, kind: Kind, identifiers: Iterable[str]) -> list[Record]:
        return self._transaction.find(kind, identifiers=sorted(set(identifiers)))

    def _doors(self, balancer: Record) -> list[Record]:
        """Interfaces that may be the load balancer's, as ``halfsilver.harness.policy.resolve`` finds them."""
        wanted = [("Description", f"ELB {balancer.id.partition(':loadbalancer/')[2]}")]
        for zone in balancer.document.get("AvailabilityZones", ()):
            for place in zone.get("LoadBalancerAddresses", ()):
                wanted += [("Address", address) for name, address in place.items() if name != "AllocationId"]
        return [each for where in wanted for each in self._transaction.find(Kind.INTERFACE, where=where)]

    def _receivers(self) -> list[Record]:
        """Interfaces of the targets that are registered, healthy or not."""
        names = dict.fromkeys(
            each.get("Target", {}).get("Id", "") for group in self.groups for each in group.note.get(_HEALTH, ())
        )
        instances = self._named(Kind.INSTANCE, [name for name in names if name.startswith("i-")])
        attached = [each for record in instances for each in record.document.get("NetworkInterfaces", ())]
        found = self._named(Kind.INTERFACE, [each["NetworkInterfaceId"] for each in attached])
        for name in names:
            if name and not name.startswith("i-"):
                found += self._transaction.find(Kind.INTERFACE, where=("Address", name))
        return found


def _forwarded(listeners: Iterable[Record]) -> Iterator[str]:
    """The target groups that listeners forward to."""
    for listener in listeners:
        for action in listener.document.get("DefaultActions", ()):
            for place in (action, *action.get("ForwardConfig", {}).get("TargetGroups", ())):
                if "TargetGroupArn" in place:
                    yield place["TargetGroupArn"]


def _with_note(record: Record, member: str) -> dict[str, Any]:
    """The document with a member of ours, which the record has as a note."""
    return {**record.document, **({member: record.note[member]} if member in record.note else {})}


def _values(records: Iterable[Record], name: str) -> list[str]:
    return [record.document[name] for record in records if record.document.get(name)]


def _tagged(record: Record, name: str = "Tags") -> dict[str, Any]:
    return {**record.document, name: [{"Key": key, "Value": value} for key, value in record.tags.items()]}


def _why_stopped(session: Record, unusable: Mapping[str, str | None]) -> str | None:
    """``unusable``: of each target that there is, why it cannot be used."""
    if "stopped" in session.note:
        return str(session.note["stopped"])
    target_id = session.document["TrafficMirrorTargetId"]
    return unusable.get(target_id, f"{target_id} was deleted")


def _filter(record: Record, rules: Sequence[Record]) -> dict[str, Any]:
    found: dict[str, Any] = {"IngressFilterRules": [], "EgressFilterRules": []}
    for rule in sorted(rules, key=lambda rule: rule.document["RuleNumber"]):
        found[f"{rule.document['TrafficDirection'].capitalize()}FilterRules"].append(_tagged(rule))
    return {**_tagged(record), "OwnerId": record.account, **found}


def _session(record: Record, stopped: str | None) -> dict[str, Any]:
    return {**_tagged(record), **({} if stopped is None else {STOPPED: stopped})}
