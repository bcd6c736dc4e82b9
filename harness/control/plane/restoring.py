"""Taking filters, rules, targets and sessions from a ``mirror.json`` into the store, in the place of what is there.

The file may come from ``documents.assemble`` or from the describe commands of a real account. It is judged as any
policy file is, by the server's quotas, and against the inventory: a session's source must be an interface of it.
What belongs together must belong to one account, as for the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from halfsilver.harness.control.ec2.rules import slot as rule_slot
from halfsilver.harness.control.ec2.sessions import DEFAULT_LENGTH
from halfsilver.harness.control.ec2.targets import target_slot
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.tag_rules import RESERVED
from halfsilver.harness.control.plane.documents import why_stopped
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import HOME, Transaction
from halfsilver.harness.policy.filters import ANY_PROTOCOL
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.policy import PolicyError, examine
from halfsilver.harness.policy.reader import DESTINATIONS, STOPPED
from halfsilver.harness.policy.resolve import number_networks
from halfsilver.harness.policy.types import NLB_PACKET_LENGTH, Limits, Problem

__all__ = ["restore"]

_KINDS = (Kind.FILTER, Kind.RULE, Kind.TARGET, Kind.SESSION)
_RESOURCES = {
    "NetworkInterfaceId": Kind.INTERFACE,
    "NetworkLoadBalancerArn": Kind.LOAD_BALANCER,
    "GatewayLoadBalancerEndpointId": Kind.ENDPOINT,
}
"""Where a target leads, each with the kind of record that it is."""
_FILTER = ("TrafficMirrorFilterId", "Description")
_RULE = (
    "TrafficMirrorFilterRuleId",
    "RuleNumber",
    "RuleAction",
    "Protocol",
    "SourceCidrBlock",
    "DestinationCidrBlock",
    "SourcePortRange",
    "DestinationPortRange",
    "Description",
)
_TARGET = ("TrafficMirrorTargetId", "Description", *DESTINATIONS)
_SESSION = (
    "TrafficMirrorSessionId",
    "TrafficMirrorTargetId",
    "TrafficMirrorFilterId",
    "NetworkInterfaceId",
    "SessionNumber",
    "VirtualNetworkId",
    "PacketLength",
    "Description",
)


def restore(
    transaction: Transaction,
    documents: Mapping[str, Any],
    settings: Settings,
    *,
    account: str | None = None,
    where: str = "mirror.json",
) -> dict[str, int]:
    """Put the filters, targets and sessions of the documents into the store, and the tags of known interfaces.

    ``account`` owns what does not say who does. Returns how many objects of each kind there are now. PolicyError has
    all problems; the transaction must not be committed then.
    """
    transaction = transaction.of_region(HOME)
    quotas = settings.quotas
    limits = Limits(quotas.rules_per_filter, quotas.sessions_per_interface)
    described, problems = examine(documents, carried=(), limits=limits)
    if not any(problem.severity == "error" for problem in problems):
        networks = number_networks(described)
        restorer = _Restorer(transaction, documents, networks, account, quotas.tags_per_resource)
        restorer.run()
        problems = restorer.problems
    if any(problem.severity == "error" for problem in problems):
        raise PolicyError(where, problems)
    return {kind: transaction.count(kind) for kind in _KINDS}


def _services(node: Node) -> list[str]:
    return sorted({str(service) for _, service in node.items("NetworkServices")})


class _Restorer:
    """Documents that are a policy without errors, on their way into the store; ``networks`` are its sessions' VNIs."""

    def __init__(
        self,
        transaction: Transaction,
        documents: Mapping[str, Any],
        networks: Mapping[str, int],
        account: str | None,
        most_tags: int,
    ) -> None:
        self.problems: list[Problem] = []
        self._transaction = transaction
        self._root = Node(documents, self.problems)
        self._account = account
        self._most_tags = most_tags
        self._networks = networks

    def run(self) -> None:
        for record in self._transaction.find(_KINDS):
            self._transaction.delete(record)
        for node in self._root.children("NetworkInterfaces"):
            interface = self._transaction.get(Kind.INTERFACE, str(node.values["NetworkInterfaceId"]))
            if interface is not None and "TagSet" in node.values:
                interface.tags = self._tags(node, "TagSet", present=len(interface.tags))
                self._transaction.update(interface)
        for node in self._root.children("TrafficMirrorFilters"):
            self._filter(node)
        for node in self._root.children("TrafficMirrorTargets"):
            self._target(node)
        for node in self._root.children("TrafficMirrorSessions"):
            self._session(node)

    def _filter(self, node: Node) -> None:
        document = self._document(node, _FILTER) | {"NetworkServices": _services(node)}
        record = Record(Kind.FILTER, document["TrafficMirrorFilterId"], self._owner(node), document, self._tags(node))
        self._transaction.insert(record)
        for direction in ("ingress", "egress"):
            for rule in node.children(f"{direction.capitalize()}FilterRules"):
                self._rule(rule, record, direction)

    def _rule(self, node: Node, parent: Record, direction: str) -> None:
        document = self._document(node, _RULE)
        document |= {"TrafficMirrorFilterId": parent.id, "TrafficDirection": direction}
        if document.get("Protocol") in ANY_PROTOCOL:
            del document["Protocol"]
        for name in ("SourcePortRange", "DestinationPortRange"):
            if name in document:
                document[name] = {key: document[name][key] for key in ("FromPort", "ToPort")}
        self._transaction.insert(
            Record(
                Kind.RULE,
                document["TrafficMirrorFilterRuleId"],
                parent.account,
                document,
                self._tags(node),
                parent.id,
                rule_slot(document),
            )
        )

    def _target(self, node: Node) -> None:
        document, account = self._document(node, _TARGET), self._owner(node)
        name, resource_kind = next(each for each in _RESOURCES.items() if each[0] in document)
        self._belongs(node, name, resource_kind, document[name], account)
        document |= {"Type": DESTINATIONS[name], "OwnerId": account}
        self._transaction.insert(
            Record(
                Kind.TARGET,
                document["TrafficMirrorTargetId"],
                account,
                document,
                self._tags(node),
                slot=target_slot(document),
            )
        )

    def _session(self, node: Node) -> None:
        account = self._owner(node)
        document = self._document(node, _SESSION) | {"OwnerId": account}
        record = Record(
            Kind.SESSION,
            document["TrafficMirrorSessionId"],
            account,
            document,
            self._tags(node),
            document["NetworkInterfaceId"],
            str(document["SessionNumber"]),
        )
        self._belongs(node, "TrafficMirrorFilterId", Kind.FILTER, document["TrafficMirrorFilterId"], account)
        document.setdefault("VirtualNetworkId", self._networks[record.id])
        target = self._transaction.get(Kind.TARGET, document["TrafficMirrorTargetId"])
        to_balancer = target is not None and target.document["Type"] == "network-load-balancer"
        if to_balancer and document.setdefault("PacketLength", NLB_PACKET_LENGTH) == NLB_PACKET_LENGTH:
            record.note[DEFAULT_LENGTH] = True  # AWS prints the default as it does any other length
        reason = node.values.get(STOPPED) or why_stopped(self._transaction, record, target)
        if reason is not None:
            record.note["stopped"] = reason
        if self._transaction.get(Kind.INTERFACE, record.parent) is None:
            node.error("NetworkInterfaceId", f"{record.parent} is not in the inventory; describe it there")
        self._transaction.insert(record)

    # What objects have in common.

    def _document(self, node: Node, names: Sequence[str]) -> dict[str, Any]:
        """The members that the store keeps of an object; what the policy does not look at is checked here."""
        node.text("Description")
        return {name: node.values[name] for name in names if node.values.get(name) not in (None, "")}

    def _owner(self, node: Node) -> str:
        right = "the twelve digits of an account"
        stated = node.values.get("OwnerId") or self._account
        if isinstance(stated, str) and re.fullmatch("[0-9]{12}", stated):
            return stated
        node.error("OwnerId", f"must be {right}, not {show(stated)}" if stated else f"is missing; it must be {right}")
        return ""

    def _belongs(self, node: Node, name: str, kind: Kind, identifier: str, account: str) -> None:
        """Refuse what refers to an object of another account; one that is not there is no mistake here."""
        found = self._transaction.get(kind, identifier)
        if account and found is not None and found.account not in (account, ""):
            node.error(
                name, f"{identifier} belongs to {found.account} and this to {account}; it must be of the same account"
            )

    def _tags(self, node: Node, name: str = "Tags", present: int = 0) -> dict[str, str]:
        """As they are, those that only AWS can make included, which no quota counts; ``present`` were there before."""
        found = {}
        for tag in node.children(name):
            key, value = tag.text("Key", required=True), tag.text("Value")
            if key is not None:
                found[key] = value or ""
        own = sum(not key.lower().startswith(RESERVED) for key in found)
        if own > max(self._most_tags, present):
            node.error(name, f"has {own} tags; a resource has at most {self._most_tags}")
        return found
