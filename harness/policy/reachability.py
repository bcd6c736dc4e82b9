"""Whether copies come through to their target: route tables, peerings, transit gateways, what guards the target, and
which registered targets are behind a Network Load Balancer's node.

What the file does not have is not guessed: an obstacle is said only where a list shows it, and none changes what is
mirrored (``docs/mirroring.md`` section 16). Without the health of all targets of the listener's groups, copies go to
the node (section 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from halfsilver.harness.law import VXLAN_PORT
from halfsilver.harness.policy.fields import Cidr, Flag, Identifier, Object, Objects, Text
from halfsilver.harness.policy.network import SUBNET_ID, VPC_ID, load_balancer_name
from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.security import acl_of, group_rules
from halfsilver.harness.policy.types import (
    ANYWHERE,
    Address,
    Described,
    Joint,
    Listener,
    NetworkInterface,
    Outer,
    RegisteredTarget,
    Route,
    RouteTable,
    Rule,
)

__all__ = [
    "Behind",
    "look_behind",
    "obstacles",
    "read_attachment",
    "read_peering",
    "read_route_table",
    "registered_interfaces",
    "vxlan_listeners",
]

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


def obstacles(
    described: Described, source: NetworkInterface, target: NetworkInterface, outer: Outer
) -> tuple[str, ...]:
    """Why the target's interface cannot receive the copies that ``source`` sends as ``outer`` says; none if it can, or
    nothing is known."""
    way = _on_the_way(described, source, target, outer)
    return (*(() if way is None else (way,)), *_at_door(described, source, target, outer))


def _at_door(described: Described, before: NetworkInterface, target: NetworkInterface, outer: Outer) -> tuple[str, ...]:
    """What guards the target's interface against copies that come from where the interface ``before`` is."""
    # An endpoint has no security group that copies would meet.
    groups = _at_groups(described, target, outer) if outer.endpoint_id is None else None
    return tuple(each for each in (groups, _at_acl(described, before, target, outer)) if each is not None)


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


def _first(rules: Iterable[Rule], outer: Outer) -> Rule | None:
    return next((rule for rule in rules if _takes(rule, outer)), None)


def _takes(rule: Rule, outer: Outer) -> bool:
    """Whether the rule matches VXLAN from the source."""
    first, last = rule.destination_ports or (VXLAN_PORT, VXLAN_PORT)
    return outer.source in rule.source and rule.protocol in (None, _UDP) and first <= VXLAN_PORT <= last


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a node: the ways of copies to ``receivers``, none if they go to the node; why others get none
    (``left_out``); and why copies do not arrive (``obstacles``)."""

    receivers: tuple[Outer, ...] = ()
    left_out: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def vxlan_listeners(described: Described, arn: str) -> list[Listener]:
    """Those of a load balancer that take copies."""
    listeners = [each for each in (described.listeners or {}).values() if each.balancer_arn == arn]
    return [each for each in listeners if each.port == VXLAN_PORT and each.protocol in ("UDP", "TCP_UDP")]


def registered_interfaces(described: Described, arn: str) -> list[NetworkInterface]:
    """Those of the targets behind a load balancer, healthy or not, as far as they are described."""
    found = [_interface_of(described, arn, target) for target in _registered(described, arn) or ()]
    return [interface for interface in found if interface is not None]


def look_behind(described: Described, node: NetworkInterface, outer: Outer, arn: str) -> Behind:
    """What is behind a load balancer's node, to which copies would go as ``outer`` says."""
    targets = _registered(described, arn)
    if targets is None:
        return Behind()
    zones = [_zone(described, arn, target) for target in targets]
    healthy = [zone for target, zone in zip(targets, zones, strict=True) if target.state == _HEALTHY]
    balancer = described.load_balancers.get(arn)
    everywhere = balancer is None or balancer.cross_zone
    receivers: dict[Address, Outer] = {}
    left_out, obstacles = [], list(_nobody(healthy, node, arn, everywhere=everywhere))
    for target, zone in zip(targets, zones, strict=True):
        why = None if everywhere or _shares_zone(zone, node) else f"it is in {zone}, and {_across(node, arn)}"
        if target.state != _HEALTHY:
            why = f"its state is {target.state or 'not known'}"
        way = _way_to(described, arn, target, outer) if why is None else why
        if isinstance(way, str):
            left_out.append(f"{target.name or 'a registered target'} gets no copies: {way}")
            continue
        interface, receiver = way
        if receivers.setdefault(receiver.destination, receiver) is receiver:
            obstacles += _at_door(described, node, interface, receiver)
        if target.port not in (None, VXLAN_PORT):
            obstacles.append(
                f"{target.name} is registered with port {target.port}; register it with {VXLAN_PORT}, to which copies "
                "are sent"
            )
    return Behind(tuple(receivers.values()), tuple(left_out), tuple(dict.fromkeys(obstacles)))


def _registered(described: Described, arn: str) -> list[RegisteredTarget] | None:
    """The targets of all groups that the listeners forward to; None where the file does not say it of each group."""
    known = described.target_groups or {}
    names = dict.fromkeys(each for listener in vxlan_listeners(described, arn) for each in listener.group_arns)
    groups = [known.get(each) for each in names]
    stated = [group for group in groups if group is not None]
    if not stated or len(stated) < len(groups):
        return None
    return [target for group in stated for target in group]


def _interface_of(described: Described, arn: str, target: RegisteredTarget) -> NetworkInterface | None:
    """The primary interface of the instance, or the one with the address; in the load balancer's VPC if one is."""
    balancer = described.load_balancers.get(arn)
    vpc_id = None if balancer is None else balancer.vpc_id
    found = [
        each
        for each in described.interfaces.values()
        if target.name and (each.instance_id == target.name or target.name in map(str, each.addresses))
    ]
    return min(found, key=lambda each: each.vpc_id != vpc_id, default=None)


def _zone(described: Described, arn: str, target: RegisteredTarget) -> str | None:
    """The Availability Zone in which the target is; None if it is in all of them, or that is not known."""
    if target.zone is not None:
        return None if target.zone == ANYWHERE else target.zone
    interface = _interface_of(described, arn, target)
    return None if interface is None else interface.zone


def _shares_zone(zone: str | None, node: NetworkInterface) -> bool:
    return None in (zone, node.zone) or zone == node.zone


def _across(node: NetworkInterface, arn: str) -> str:
    return f"{load_balancer_name(arn)}, whose node is in {node.zone}, does not balance across zones"


def _nobody(healthy: Sequence[str | None], node: NetworkInterface, arn: str, *, everywhere: bool) -> Iterable[str]:
    """Why no target gets copies; ``healthy`` are the zones of those that could."""
    name = load_balancer_name(arn)
    if not healthy:
        yield f"{name} has no healthy target; register one, or see why its health check fails"
    elif not everywhere and not any(_shares_zone(zone, node) for zone in healthy):
        yield (
            f"{name} has no healthy target in {node.zone}, where its copies arrive, and does not balance across zones; "
            "enable cross-zone load balancing"
        )


def _way_to(
    described: Described, arn: str, target: RegisteredTarget, outer: Outer
) -> tuple[NetworkInterface, Outer] | str:
    """The target's interface and how copies are addressed to it, in the family in which they go to the node; or why
    they are not."""
    interface = _interface_of(described, arn, target)
    if interface is None:
        return "no interface in NetworkInterfaces is its; describe it there"
    if interface.mac is None:
        return f"{interface.eni_id} has no known MAC address; give it a MacAddress in NetworkInterfaces"
    version = outer.destination.version
    stated = [address for address in interface.addresses if str(address) == target.name]
    primary = [interface.ipv4 if version == 4 else interface.ipv6]
    for address in stated or primary:
        if address is not None and address.version == version:
            return interface, replace(outer, destination_mac=interface.mac, destination=address)
    return f"{interface.eni_id} has no IPv{version} address, by which copies go to the load balancer"
