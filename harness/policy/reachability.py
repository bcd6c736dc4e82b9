"""Whether copies come through to their target: route tables, peerings, transit gateways, and what guards the target.

What the file does not have is not guessed: an obstacle is said only where a list shows it. None changes what is
mirrored (``docs/mirroring.md`` section 16).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfsilver.harness.law import VXLAN_PORT
from halfsilver.harness.policy.fields import Cidr, Flag, Identifier, Object, Objects, Text
from halfsilver.harness.policy.network import SUBNET_ID, VPC_ID, load_balancer_name
from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.security import acl_of, group_rules
from halfsilver.harness.policy.types import Described, Joint, Listener, NetworkInterface, Outer, Route, RouteTable, Rule

__all__ = ["obstacles", "read_attachment", "read_peering", "read_route_table", "vxlan_listeners"]

_UDP = 17
_BLACKHOLE, _LOCAL, _HEALTHY = "blackhole", "local", "healthy"

_TO_IPV4 = Cidr("DestinationCidrBlock", "the IPv4 network that the route is for")
_TO_IPV6 = Cidr("DestinationIpv6CidrBlock", "the IPv6 network that the route is for")
_HOPS = tuple(
    Text(name, "where the route leads")
    for name in ("GatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NatGatewayId", "NetworkInterfaceId")
)
_STATE = Text("State", "`blackhole`: it leads nowhere")
_ROUTES = Objects(
    "Routes", "its routes; one for a prefix list is not read", fields=(_TO_IPV4, _TO_IPV6, *_HOPS, _STATE)
)
_MAIN = Flag("Main", "whether it is that of the VPC's other subnets")
_ASSOCIATIONS = Objects("Associations", "the subnets that have it", fields=(SUBNET_ID, _MAIN))
ROUTE_TABLE = (VPC_ID, _ASSOCIATIONS, _ROUTES)

_ACCEPTER = Object("AccepterVpcInfo", "one of the two VPCs", fields=(VPC_ID,))
_REQUESTER = Object("RequesterVpcInfo", "the other one", fields=(VPC_ID,))
_CODE = Text("Code", "`active`: it carries packets")
_STATUS = Object("Status", "its state", fields=(_CODE,))
PEERING = (_ACCEPTER, _REQUESTER, _STATUS)

_TRANSIT_GATEWAY = Identifier("TransitGatewayId", "the transit gateway", prefix="tgw")
_ATTACHED = Text("State", "`available`: it carries packets")
ATTACHMENT = (_TRANSIT_GATEWAY, VPC_ID, _ATTACHED)


def read_route_table(node: Node, table_id: str) -> RouteTable:
    entries = _ASSOCIATIONS.of(node)
    subnets = [subnet for subnet in (SUBNET_ID.of(entry) for entry in entries) if subnet is not None]
    main = any([_MAIN.of(entry) for entry in entries])
    routes = [route for entry in _ROUTES.of(node) for route in _read_route(entry)]
    return RouteTable(table_id, VPC_ID.of(node), main, frozenset(subnets), tuple(routes))


def _read_route(node: Node) -> Iterator[Route]:
    hops = [hop for hop in (field.of(node) for field in _HOPS) if hop is not None]
    active = _STATE.of(node) != _BLACKHOLE
    for network in (_TO_IPV4.of(node), _TO_IPV6.of(node)):
        if network is not None:
            yield Route(network, hops[0] if hops else "", active)


def read_peering(node: Node, peering_id: str) -> Joint:
    ends = [None if end is None else VPC_ID.of(end) for end in (_ACCEPTER.of(node), _REQUESTER.of(node))]
    status = _STATUS.of(node)
    state = None if status is None else _CODE.of(status)
    return Joint(peering_id, frozenset(end for end in ends if end is not None), state in (None, "active"), state or "")


def read_attachment(node: Node, _: str) -> Joint:
    """Of one VPC to a transit gateway, whose id it has."""
    vpc_id, state = VPC_ID.of(node), _ATTACHED.of(node)
    gateway = _TRANSIT_GATEWAY.of(node) or ""
    return Joint(gateway, frozenset([vpc_id] if vpc_id else []), state in (None, "available"), state or "")


def vxlan_listeners(described: Described, arn: str) -> list[Listener]:
    """Those of a load balancer that take copies."""
    listeners = [each for each in (described.listeners or {}).values() if each.balancer_arn == arn]
    return [each for each in listeners if each.port == VXLAN_PORT and each.protocol in ("UDP", "TCP_UDP")]


def obstacles(
    described: Described, source: NetworkInterface, target: NetworkInterface, outer: Outer, destination: str
) -> tuple[str, ...]:
    """Why the target's interface cannot receive the copies that ``source`` sends as ``outer`` says; none if it can, or
    nothing is known. ``destination`` is what the target leads to: a load balancer's ARN, an id."""
    found = [_on_the_way(described, source, target, outer)]
    if outer.endpoint_id is None:  # an endpoint has no security group that copies would meet
        found.append(_at_groups(described, target, outer))
    found.append(_at_acl(described, source, target, outer))
    found.append(_behind(described, target, destination))
    return tuple(each for each in found if each is not None)


def _on_the_way(described: Described, source: NetworkInterface, target: NetworkInterface, outer: Outer) -> str | None:
    """The route from the source's subnet, and the joint between two VPCs that it leads to."""
    table = _table_of(described, source)
    if table is None:
        return None
    routes = [route for route in table.routes if outer.destination in route.network]
    if not routes:
        return f"{table.table_id} has no route to {outer.destination}; add one"
    route = max(routes, key=lambda route: route.network.prefixlen)
    if not route.active:
        return f"{table.table_id}'s route to {route.network} is a blackhole ({route.hop or 'to nothing'}); replace it"
    if None in (source.vpc_id, target.vpc_id) or source.vpc_id == target.vpc_id:
        return None
    between = f"from {source.vpc_id} to {target.vpc_id}"
    if not route.hop.startswith(("pcx-", "tgw-")):
        what = "stays in its VPC" if route.hop == _LOCAL else f"leads to {route.hop or 'nothing'}"
        return (
            f"{table.table_id}'s route to {route.network} {what}; {between} a peering connection or a transit gateway "
            "carries copies"
        )
    return _at_joint(described, route.hop, {source.vpc_id or "", target.vpc_id or ""}, between)


def _at_joint(described: Described, hop: str, vpcs: set[str], between: str) -> str | None:
    """What keeps a peering connection or a transit gateway from joining both VPCs, as far as its list is there."""
    joints = described.peerings if hop.startswith("pcx-") else described.attachments
    if joints is None:
        return None
    own = [joint for joint in joints.values() if joint.joint_id == hop]
    missing = vpcs.difference(*(joint.vpcs for joint in own))
    if missing:
        return f"{hop} does not join {' and '.join(sorted(missing))}, so nothing comes {between}"
    idle = next((joint for joint in own if not joint.active and joint.vpcs & vpcs), None)
    return None if idle is None else f"{hop} is {idle.state}, so nothing comes {between}"


def _table_of(described: Described, source: NetworkInterface) -> RouteTable | None:
    """The table associated with the source's subnet, else the main one of its VPC."""
    tables = (described.route_tables or {}).values()
    own = next((table for table in tables if source.subnet_id in table.subnets), None)
    main = (table for table in tables if table.main and table.vpc_id is not None and table.vpc_id == source.vpc_id)
    return own or (None if source.subnet_id is None else next(main, None))


def _at_groups(described: Described, target: NetworkInterface, outer: Outer) -> str | None:
    groups = described.groups
    if groups is None or not target.group_ids or not set(target.group_ids) <= groups.keys():
        return None
    rules = (rule for group_id in target.group_ids for rule in group_rules(described, groups[group_id]))
    if any(_takes(rule, outer) for rule in rules):
        return None
    return (
        f"no security group of {target.eni_id} ({', '.join(target.group_ids)}) lets in UDP {VXLAN_PORT} "
        f"from {outer.source}; add a permission"
    )


def _at_acl(described: Described, source: NetworkInterface, target: NetworkInterface, outer: Outer) -> str | None:
    """A network ACL stands before its subnet; within the subnet packets do not pass it."""
    acl = acl_of(described, target)
    if acl is None or (source.subnet_id is not None and source.subnet_id == target.subnet_id):
        return None
    entry = _first(acl.ingress, outer)
    if entry is not None and entry.accept:
        return None
    by = "has no entry that allows" if entry is None else f"denies by entry {entry.number}"
    return f"{acl.acl_id} of {target.eni_id}'s subnet {by} UDP {VXLAN_PORT} from {outer.source}; allow it"


def _behind(described: Described, node: NetworkInterface, arn: str) -> str | None:
    """A load balancer's node without a healthy target: anywhere, or in its zone where it does not balance across."""
    known = described.target_groups or {}
    groups = [known.get(each) for listener in vxlan_listeners(described, arn) for each in listener.group_arns]
    stated = [group for group in groups if group is not None]
    if not stated or len(stated) < len(groups):
        return None
    healthy = [each for group in stated for each in group if each.state == _HEALTHY]
    name = load_balancer_name(arn)
    if not healthy:
        return f"{name} has no healthy target; register one, or see why its health check fails"
    balancer = described.load_balancers.get(arn)
    if balancer is None or balancer.cross_zone or any(each.zone in (None, node.zone) for each in healthy):
        return None
    return (
        f"{name} has no healthy target in {node.zone}, where its copies arrive, and does not balance across zones; "
        "enable cross-zone load balancing"
    )


def _first(rules: Iterable[Rule], outer: Outer) -> Rule | None:
    return next((rule for rule in rules if _takes(rule, outer)), None)


def _takes(rule: Rule, outer: Outer) -> bool:
    """Whether the rule matches VXLAN from the source."""
    first, last = rule.destination_ports or (VXLAN_PORT, VXLAN_PORT)
    return outer.source in rule.source and rule.protocol in (None, _UDP) and first <= VXLAN_PORT <= last
