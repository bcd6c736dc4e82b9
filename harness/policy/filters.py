"""Filters and their rules, as ``aws ec2 describe-traffic-mirror-filters`` prints them."""

from __future__ import annotations

from halfsilver.harness.policy.fields import Choice, Cidr, Identifier, Object, Objects, Values, Whole
from halfsilver.harness.policy.network import TAGS, read_tags
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.types import MAX_NUMBER, Filter, Rule

__all__ = ["AMAZON_DNS", "ANY_PROTOCOL", "PORT_PROTOCOLS", "read_filter", "read_rule"]

AMAZON_DNS = "amazon-dns"
"""The one network service a filter can have (EC2 API)."""
DIRECTIONS = ("ingress", "egress")
PROTOCOL_NAMES = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "all": -1, "any": -1}
"""What people write for a protocol's number."""
MAX_PORT = 65535
PORT_PROTOCOLS = (6, 17)
"""TCP and UDP (IANA): the protocols whose ports a rule can name."""
ANY_PROTOCOL = (-1, 0)
"""What AWS's tools write for "all protocols", besides leaving the field out."""


PORT_RANGE = (
    Whole("FromPort", "the first port", required=True, low=0, high=MAX_PORT),
    Whole("ToPort", "the last port, which is not below the first", required=True, low=0, high=MAX_PORT),
)
FROM_PORT, TO_PORT = PORT_RANGE
RULE_ID = Identifier("TrafficMirrorFilterRuleId", "its id, unique in the file", required=True, prefix="tmfr")
RULE_NUMBER = Whole(
    "RuleNumber",
    "rules of a direction are tried in ascending number; unique there",
    required=True,
    low=1,
    high=MAX_NUMBER,
)
RULE_FILTER = Identifier("TrafficMirrorFilterId", "the filter that it is in, if stated", prefix="tmf")
RULE_DIRECTION = Choice("TrafficDirection", "that of the list that it is in, if stated", options=DIRECTIONS)
RULE_ACTION = Choice(
    "RuleAction", "what it does with a frame that it matches", required=True, options=("accept", "reject")
)
PROTOCOL = Whole(
    "Protocol",
    "IANA's number, as AWS prints it: 6 is TCP, 17 UDP, 1 ICMP, 58 ICMPv6; names are not taken. Absent, -1 or 0: any",
    low=min(ANY_PROTOCOL),
    high=255,
)
SOURCE_PORTS, DESTINATION_PORTS = (
    Object(f"{which}PortRange", "needs Protocol 6 or 17; absent: all ports", fields=PORT_RANGE)
    for which in ("Source", "Destination")
)
SOURCE, DESTINATION = (
    Cidr(f"{which}CidrBlock", "the addresses it matches; both blocks are of one family", required=True)
    for which in ("Source", "Destination")
)
RULE = (
    RULE_ID,
    RULE_FILTER,
    RULE_DIRECTION,
    RULE_NUMBER,
    RULE_ACTION,
    PROTOCOL,
    DESTINATION_PORTS,
    SOURCE_PORTS,
    DESTINATION,
    SOURCE,
)
RULES = {
    direction: Objects(f"{direction.capitalize()}FilterRules", f"the rules for {direction} frames", fields=RULE)
    for direction in DIRECTIONS
}
SERVICE = Choice("NetworkServices", "Amazon DNS, which no rule sees", options=(AMAZON_DNS,))
SERVICES = Values("NetworkServices", "what it mirrors beside its rules: Amazon DNS, which no rule sees", each=SERVICE)
FILTER = (*RULES.values(), SERVICES, TAGS)


def read_filter(node: Node, filter_id: str, places: dict[str, str], most: int) -> Filter:
    """A filter with the rules that could be read, ``most`` at most; the ids of its rules are added to ``places``."""
    read_tags(node)
    lists = {direction: rules.of(node) for direction, rules in RULES.items()}
    listed = sum(len(entries) for entries in lists.values())
    if listed > most:
        node.error("", f"has {listed} rules; a filter has at most {most}, both directions together")
    rules = {}
    for direction, entries in lists.items():
        numbers: dict[int, str] = {}
        found = [read_rule(entry, filter_id, direction, numbers, places) for entry in entries]
        rules[direction] = tuple(sorted((rule for rule in found if rule), key=lambda rule: rule.number))
    amazon_dns = False
    for name, service in SERVICES.of(node):
        if service == AMAZON_DNS:
            amazon_dns = True
        else:
            node.error(name, f"must be {AMAZON_DNS}, the only network service, not {show(service)}")
    return Filter(filter_id, rules["ingress"], rules["egress"], amazon_dns, listed)


def read_rule(
    node: Node, filter_id: str, direction: str, numbers: dict[int, str], places: dict[str, str]
) -> Rule | None:
    """One rule, None if it cannot be used; ``numbers`` are those taken in this filter and direction."""
    rule_id = RULE_ID.of(node)
    if rule_id is not None:
        if rule_id in places:
            node.error("TrafficMirrorFilterRuleId", f"{rule_id} is there already ({places[rule_id]}); ids are unique")
        places.setdefault(rule_id, node.place())
    number = RULE_NUMBER.of(node)
    if number is not None:
        other = numbers.setdefault(number, node.path)
        if other != node.path:
            node.error("RuleNumber", f"{number} is also that of {other}; numbers are unique per filter and direction")
    owner = RULE_FILTER.of(node)
    if owner is not None and owner != filter_id:
        node.error("TrafficMirrorFilterId", f"must be {filter_id}, the filter the rule is in, not {owner}")
    stated = RULE_DIRECTION.of(node)
    if stated is not None and stated != direction:
        node.error("TrafficDirection", f"must be {direction} in this list, not {stated}")
    action = RULE_ACTION.of(node)
    protocol = _read_protocol(node)
    if protocol in ANY_PROTOCOL:
        protocol = None
    source_ports = _read_ports(node, SOURCE_PORTS, protocol)
    destination_ports = _read_ports(node, DESTINATION_PORTS, protocol)
    source = SOURCE.of(node)
    destination = DESTINATION.of(node)
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


def _read_protocol(node: Node) -> int | None:
    """The number; the name of a protocol is refused with its number."""
    stated = node.values.get(PROTOCOL.name)
    number = PROTOCOL_NAMES.get(stated.casefold()) if isinstance(stated, str) else None
    if number is None:
        return PROTOCOL.of(node)
    node.error(PROTOCOL.name, f"must be a number, as AWS prints it: {show(stated)} is {number}")
    return number


def _read_ports(node: Node, field: Object, protocol: int | None) -> tuple[int, int] | None:
    """An inclusive port range, None for all ports."""
    key, ports = field.name, field.of(node)
    if ports is None:
        return None
    if protocol not in PORT_PROTOCOLS:
        node.error(key, "needs Protocol 6 (TCP) or 17 (UDP); leave the range out for any other")
    first = FROM_PORT.of(ports)
    last = TO_PORT.of(ports)
    if first is None or last is None:
        return None
    if first > last:
        node.error(key, f"is reversed: FromPort {first} is above ToPort {last}; write from {last} to {first}")
        return None
    return first, last
