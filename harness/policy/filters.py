"""Filters and their rules, as ``aws ec2 describe-traffic-mirror-filters`` prints them."""

from __future__ import annotations

from halfsilver.harness.policy.network import read_tags
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.types import MAX_NUMBER, Filter, Rule

__all__ = ["AMAZON_DNS", "ANY_PROTOCOL", "PORT_PROTOCOLS", "read_filter", "read_rule"]

AMAZON_DNS = "amazon-dns"
"""The one network service a filter can have (EC2 API)."""
MAX_PORT = 65535
PORT_PROTOCOLS = (6, 17)
"""TCP and UDP (IANA): the protocols whose ports a rule can name."""
ANY_PROTOCOL = (-1, 0)
"""What AWS's tools write for "all protocols", besides leaving the field out."""


def read_filter(node: Node, filter_id: str, places: dict[str, str], most: int) -> Filter:
    """A filter with the rules that could be read, ``most`` at most; the ids of its rules are added to ``places``."""
    read_tags(node, "Tags")
    lists = {direction: node.children(f"{direction.capitalize()}FilterRules") for direction in ("ingress", "egress")}
    listed = sum(len(entries) for entries in lists.values())
    if listed > most:
        node.error("", f"has {listed} rules; a filter has at most {most}, both directions together")
    rules = {}
    for direction, entries in lists.items():
        numbers: dict[int, str] = {}
        found = [read_rule(entry, filter_id, direction, numbers, places) for entry in entries]
        rules[direction] = tuple(sorted((rule for rule in found if rule), key=lambda rule: rule.number))
    amazon_dns = False
    for name, service in node.items("NetworkServices"):
        if service == AMAZON_DNS:
            amazon_dns = True
        else:
            node.error(name, f"must be {AMAZON_DNS}, the only network service, not {show(service)}")
    return Filter(filter_id, rules["ingress"], rules["egress"], amazon_dns, listed)


def read_rule(
    node: Node, filter_id: str, direction: str, numbers: dict[int, str], places: dict[str, str]
) -> Rule | None:
    """One rule, None if it cannot be used; ``numbers`` are those taken in this filter and direction."""
    rule_id = node.identifier("TrafficMirrorFilterRuleId", "tmfr", required=True)
    if rule_id is not None:
        if rule_id in places:
            node.error("TrafficMirrorFilterRuleId", f"{rule_id} is there already ({places[rule_id]}); ids are unique")
        places.setdefault(rule_id, node.place())
    number = node.integer("RuleNumber", 1, MAX_NUMBER, required=True)
    if number is not None:
        other = numbers.setdefault(number, node.path)
        if other != node.path:
            node.error("RuleNumber", f"{number} is also that of {other}; numbers are unique per filter and direction")
    owner = node.identifier("TrafficMirrorFilterId", "tmf")
    if owner is not None and owner != filter_id:
        node.error("TrafficMirrorFilterId", f"must be {filter_id}, the filter the rule is in, not {owner}")
    stated = node.choice("TrafficDirection", ("ingress", "egress"))
    if stated is not None and stated != direction:
        node.error("TrafficDirection", f"must be {direction} in this list, not {stated}")
    action = node.choice("RuleAction", ("accept", "reject"), required=True)
    protocol = node.integer("Protocol", min(ANY_PROTOCOL), 255)
    if protocol in ANY_PROTOCOL:
        protocol = None
    source_ports = _read_ports(node, "SourcePortRange", protocol)
    destination_ports = _read_ports(node, "DestinationPortRange", protocol)
    source = node.cidr("SourceCidrBlock", required=True)
    destination = node.cidr("DestinationCidrBlock", required=True)
    if source is None or destination is None:
        return None
    if source.version != destination.version:
        node.error(
            "SourceCidrBlock",
            f"{source} is IPv{source.version} but DestinationCidrBlock {destination} is "
            f"IPv{destination.version}; both must be of one family",
        )
        return None
    if rule_id is None or number is None or action is None:
        return None
    return Rule(rule_id, number, action == "accept", source, destination, protocol, source_ports, destination_ports)


def _read_ports(node: Node, key: str, protocol: int | None) -> tuple[int, int] | None:
    """An inclusive port range, None for all ports."""
    ports = node.child(key)
    if ports is None:
        return None
    if protocol not in PORT_PROTOCOLS:
        node.error(key, "needs Protocol 6 (TCP) or 17 (UDP); leave the range out for any other")
    first = ports.integer("FromPort", 0, MAX_PORT, required=True)
    last = ports.integer("ToPort", 0, MAX_PORT, required=True)
    if first is None or last is None:
        return None
    if first > last:
        node.error(key, f"is reversed: FromPort {first} is above ToPort {last}; write from {last} to {first}")
        return None
    return first, last
