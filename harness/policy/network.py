"""What surrounds mirroring in a policy file: VPCs, network interfaces, load balancers, endpoints, tags.

Each function reads one object (a ``Node``) of ``aws ec2 describe-vpcs``, ``describe-network-interfaces``,
``describe-vpc-endpoints`` or ``aws elbv2 describe-load-balancers``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv4Network

from halfsilver.harness.law import LONGEST_FRAME
from halfsilver.harness.policy.fields import (
    AnyAddress,
    Cidr,
    Flag,
    Identifier,
    Ipv4,
    Ipv6,
    Mac,
    Object,
    Objects,
    Text,
    Values,
    Whole,
)
from halfsilver.harness.policy.node import Node, is_identifier, show
from halfsilver.harness.policy.types import (
    DEFAULT_MTU,
    Address,
    Listener,
    LoadBalancer,
    LoadBalancerAddress,
    NetworkInterface,
    RegisteredTarget,
    VpcEndpoint,
)
from halfsilver.harness.spelling import nearest

__all__ = [
    "load_balancer_name",
    "read_endpoint",
    "read_interface",
    "read_listener",
    "read_load_balancer",
    "read_resolver",
    "read_tags",
    "read_target_group",
    "region_of",
]

_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9]+)(?:-[a-z]+-[0-9]+)?[a-z]")

MIN_MTU, MAX_MTU = 576, LONGEST_FRAME
"""The smallest datagram every IPv4 host takes (RFC 791), and the longest frame the NIC handles; in bytes."""
TAG_PREFIX = "halfsilver:"
MTU_TAG, RESOLVER_TAG = TAG_PREFIX + "mtu", TAG_PREFIX + "resolver"

TAG = (Text("Key", "the tag's key"), Text("Value", "the tag's value"))
TAG_KEY, TAG_VALUE = TAG
TAGS = Objects("Tags", "tags; none of ours, `halfsilver:...`, is known here", fields=TAG)
INTERFACE_TAGS = f"tags; of ours `{MTU_TAG}` (bytes, {MIN_MTU} to {MAX_MTU}) and `{RESOLVER_TAG}` (an IPv4 address)"

VPC_ID = Identifier("VpcId", "the VPC", prefix="vpc")
SUBNET_ID = Identifier("SubnetId", "the subnet, by which its network ACL is found", prefix="subnet")
GROUP_ID = Identifier("GroupId", "the security group's id", prefix="sg")
GROUPS = Objects("Groups", "its security groups", fields=(GROUP_ID,))
VPC_BLOCK = Cidr("CidrBlock", "its primary IPv4 network, /16 to /28; the address base + 2 is the DNS resolver")
VPC = (VPC_BLOCK,)

MAC_ADDRESS = Mac("MacAddress", "by which its frames are known; a source needs it")
PRIMARY_IPV4 = Ipv4("PrivateIpAddress", "its primary IPv4 address: the source of its copies, where copies to it go")
PRIMARY_IPV6 = Ipv6("Ipv6Address", "its IPv6 address, where there is no list")
EACH_IPV4 = Ipv4("PrivateIpAddress", "the address")
IPV4_ADDRESSES = Objects(
    "PrivateIpAddresses", "its IPv4 addresses; without PrivateIpAddress, the first", fields=(EACH_IPV4,)
)
EACH_IPV6 = Ipv6("Ipv6Address", "the address")
IS_PRIMARY = Flag("IsPrimaryIpv6", "whether this address stands for the interface")
IPV6_ADDRESSES = Objects(
    "Ipv6Addresses", "its IPv6 addresses; the primary one, else the first", fields=(EACH_IPV6, IS_PRIMARY)
)
ZONE = Text("AvailabilityZone", "of several interfaces behind a target, the one in the source's zone is taken")
INTERFACE_TYPE = Text(
    "InterfaceType", "`gateway_load_balancer`: it is that of a Gateway Load Balancer, which sends to its appliances"
)
INSTANCE = Text("InstanceId", "the instance, by which a target that is registered with a load balancer is found")
DEVICE = Whole("DeviceIndex", "0: the instance's primary interface, which its copies go to", low=0, high=255)
ATTACHMENT = Object("Attachment", "what it is attached to", fields=(INSTANCE, DEVICE))
DESCRIPTION = Text("Description", "`ELB net/NAME/ID` says that it is an interface of this load balancer")
TAG_LISTS = (Objects("TagSet", INTERFACE_TAGS, fields=TAG), Objects("Tags", INTERFACE_TAGS, fields=TAG))
INTERFACE = (
    MAC_ADDRESS,
    PRIMARY_IPV4,
    IPV4_ADDRESSES,
    PRIMARY_IPV6,
    IPV6_ADDRESSES,
    VPC_ID,
    SUBNET_ID,
    GROUPS,
    ZONE,
    INTERFACE_TYPE,
    ATTACHMENT,
    DESCRIPTION,
    *TAG_LISTS,
)

ZONE_NAME = Text("ZoneName", "the Availability Zone")
ZONE_IPV4 = Ipv4("PrivateIPv4Address", "its IPv4 address there, by which its interface is found")
ZONE_IPV6 = Ipv6("IPv6Address", "its IPv6 address there")
ZONE_ADDRESS = AnyAddress("IpAddress", "its address there, where it faces the Internet")
ZONE_ADDRESSES = Objects(
    "LoadBalancerAddresses", "its addresses in the zone", fields=(ZONE_IPV4, ZONE_IPV6, ZONE_ADDRESS)
)
ZONES = Objects("AvailabilityZones", "where it has interfaces", fields=(ZONE_NAME, ZONE_ADDRESSES))
ATTRIBUTE_KEY, ATTRIBUTE_VALUE = Text("Key", "the attribute's name"), Text("Value", "its value")
ATTRIBUTES = Objects(
    "Attributes",
    "a member of ours: what describe-load-balancer-attributes prints; of it `load_balancing.cross_zone.enabled`",
    fields=(ATTRIBUTE_KEY, ATTRIBUTE_VALUE),
)
CROSS_ZONE = ("load_balancing.cross_zone.enabled", "true")
LOAD_BALANCER = (ZONES, VPC_ID, ATTRIBUTES)

LISTENER_OF = Text("LoadBalancerArn", "its load balancer", required=True)
LISTENER_PROTOCOL = Text("Protocol", "a target's must have one for UDP or TCP_UDP")
LISTENER_PORT = Whole("Port", "and it must be 4789", low=1, high=65535)
GROUP_ARN = Text("TargetGroupArn", "the target group it forwards to")
FORWARD_GROUPS = Objects("TargetGroups", "several of them", fields=(GROUP_ARN,))
FORWARD = Object("ForwardConfig", "where it forwards to", fields=(FORWARD_GROUPS,))
ACTIONS = Objects("DefaultActions", "what it does", fields=(GROUP_ARN, FORWARD))
LISTENER = (LISTENER_OF, LISTENER_PROTOCOL, LISTENER_PORT, ACTIONS)

REGISTERED_ID = Text("Id", "an instance's id or an address, by which its interface is found")
REGISTERED_PORT = Whole("Port", "the UDP port that it listens on; copies are sent to 4789", low=1, high=65535)
REGISTERED_ZONE = Text("AvailabilityZone", "where it is, `all`: anywhere; absent, its interface's")
REGISTERED = Object("Target", "the registered target", fields=(REGISTERED_ID, REGISTERED_PORT, REGISTERED_ZONE))
HEALTH_STATE = Text("State", "`healthy`, or another state, in which it gets no copies")
HEALTH = Object("TargetHealth", "its health", fields=(HEALTH_STATE,))
HEALTHS = Objects(
    "TargetHealthDescriptions",
    "a member of ours: what describe-target-health prints for this group",
    fields=(REGISTERED, HEALTH),
)
TARGET_GROUP = (HEALTHS,)

ENDPOINT_TYPE = Text("VpcEndpointType", "a target's must be GatewayLoadBalancer")
ENDPOINT_ENI = Identifier("NetworkInterfaceIds", "the id of one of its interfaces", prefix="eni")
ENDPOINT_ENIS = Values("NetworkInterfaceIds", "its interfaces, where copies go", each=ENDPOINT_ENI)
ENDPOINT = (ENDPOINT_TYPE, ENDPOINT_ENIS)

_NLB_ARN = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]*:\w*:loadbalancer/(net/[\w-]+/\w+)", re.ASCII)


def load_balancer_name(arn: str) -> str | None:
    """``net/name/id`` of a Network Load Balancer's ARN, None for any other text."""
    match = _NLB_ARN.fullmatch(arn)
    return match.group(1) if match else None


def read_resolver(node: Node) -> IPv4Address | None:
    """The DNS resolver of a VPC: base + 2 of its primary IPv4 network, which AWS allows from /16 to /28."""
    block = VPC_BLOCK.of(node)
    if block is None:
        return None
    if isinstance(block, IPv4Network) and 16 <= block.prefixlen <= 28:
        return block.network_address + 2
    node.error("CidrBlock", f"must be an IPv4 network of /16 to /28, not {block}")
    return None


def read_interface(node: Node, eni_id: str, resolvers: Mapping[str, IPv4Address]) -> NetworkInterface:
    """An interface with whatever could be read of it; ``resolvers`` are those of the VPCs, by id."""
    ipv4, ipv6, primary_ipv6 = PRIMARY_IPV4.of(node), PRIMARY_IPV6.of(node), None
    addresses: set[Address | None] = {ipv4, ipv6}
    for entry in IPV4_ADDRESSES.of(node):
        address4 = EACH_IPV4.of(entry)
        addresses.add(address4)
        ipv4 = ipv4 or address4
    for entry in IPV6_ADDRESSES.of(node):
        address6 = EACH_IPV6.of(entry)
        addresses.add(address6)
        ipv6 = ipv6 or address6
        if IS_PRIMARY.of(entry):
            primary_ipv6 = primary_ipv6 or address6
    vpc_id = VPC_ID.of(node)
    mtu, resolver = _read_settings(node)
    return NetworkInterface(
        eni_id=eni_id,
        mac=MAC_ADDRESS.of(node),
        ipv4=ipv4,
        ipv6=primary_ipv6 or ipv6,
        addresses=frozenset(address for address in addresses if address is not None),
        mtu=mtu or DEFAULT_MTU,
        resolver=resolver or resolvers.get(vpc_id or ""),
        vpc_id=vpc_id,
        zone=ZONE.of(node),
        description=DESCRIPTION.of(node) or "",
        subnet_id=SUBNET_ID.of(node),
        group_ids=_read_groups(node),
        interface_type=INTERFACE_TYPE.of(node),
        instance_id=_read_instance(node),
    )


def _read_instance(node: Node) -> str | None:
    """The instance whose primary interface this is."""
    attachment = ATTACHMENT.of(node)
    if attachment is None or DEVICE.of(attachment) != 0:
        return None
    return INSTANCE.of(attachment)


def _read_groups(node: Node) -> tuple[str, ...]:
    """The ids of an interface's security groups."""
    found = [GROUP_ID.of(entry) for entry in GROUPS.of(node)]
    return tuple(group_id for group_id in found if group_id is not None)


def _read_settings(node: Node) -> tuple[int | None, IPv4Address | None]:
    """MTU and resolver from the interface's tags."""
    mtu, resolver = None, None
    known = (MTU_TAG, RESOLVER_TAG)
    for key, place, value in (found for each in TAG_LISTS for found in read_tags(node, each, known)):
        if key == MTU_TAG:
            if re.fullmatch("[0-9]{1,5}", value) and MIN_MTU <= int(value) <= MAX_MTU:
                mtu = int(value)
            else:
                node.error(place, f"{key} must be a whole number from {MIN_MTU} to {MAX_MTU}, not {show(value)}")
        else:
            try:
                resolver = ipaddress.IPv4Address(value)
            except ValueError:
                node.error(place, f"{key} must be an IPv4 address such as 10.0.0.2, not {show(value)}")
    return mtu, resolver


def read_tags(node: Node, field: Objects = TAGS, known: Collection[str] = ()) -> list[tuple[str, str, str]]:
    """The ``halfsilver:`` tags that are known, as (key, place, value); each that is not is refused."""
    tags: list[tuple[str, str, str]] = []
    for index, tag in enumerate(field.of(node)):
        key, value = TAG_KEY.of(tag), TAG_VALUE.of(tag)
        if key is None or not key.casefold().startswith(TAG_PREFIX):
            continue
        if any(key == other for other, _, _ in tags):
            tag.error("Key", f"{key} is there twice; an object has one tag of a key")
        elif key in known:
            tags.append((key, f"{field.name}[{index}]", value or ""))
        else:
            # Ignored, a misspelt setting would leave the usual one in force: longer copies than were asked for.
            meant = nearest(key[len(TAG_PREFIX) :], (name[len(TAG_PREFIX) :] for name in known))
            right = (
                f"did you mean {TAG_PREFIX}{meant}?"
                if meant
                else f"known here: {', '.join(known) or 'none'}; remove it"
            )
            tag.error("Key", f"{show(key)} is no setting of this project; {right}")
    return tags


def read_load_balancer(node: Node, arn: str) -> LoadBalancer:
    places = []
    for zone in ZONES.of(node):
        name = ZONE_NAME.of(zone)
        for entry in ZONE_ADDRESSES.of(zone):
            found = (ZONE_IPV4.of(entry), ZONE_IPV6.of(entry), ZONE_ADDRESS.of(entry))
            places.append(LoadBalancerAddress(name, tuple(address for address in found if address is not None)))
    attributes = [(ATTRIBUTE_KEY.of(each), ATTRIBUTE_VALUE.of(each)) for each in ATTRIBUTES.of(node)]
    return LoadBalancer(arn, VPC_ID.of(node), tuple(places), CROSS_ZONE in attributes)


def read_listener(node: Node, _: str) -> Listener:
    groups = []
    for action in ACTIONS.of(node):
        forward = FORWARD.of(action)
        for place in (action, *([] if forward is None else FORWARD_GROUPS.of(forward))):
            groups.append(GROUP_ARN.of(place))
    named = tuple(dict.fromkeys(group for group in groups if group is not None))
    return Listener(LISTENER_OF.of(node) or "", LISTENER_PROTOCOL.of(node) or "", LISTENER_PORT.of(node), named)


def read_target_group(node: Node, _: str) -> tuple[RegisteredTarget, ...] | None:
    """The targets that are registered with it; None where the file does not say."""
    if node.values.get(HEALTHS.name) is None:
        return None
    found = []
    for each in HEALTHS.of(node):
        target, health = REGISTERED.of(each), HEALTH.of(each)
        state = (None if health is None else HEALTH_STATE.of(health)) or ""
        if target is None:
            found.append(RegisteredTarget(None, state))
        else:
            zone, name, port = REGISTERED_ZONE.of(target), REGISTERED_ID.of(target), REGISTERED_PORT.of(target)
            found.append(RegisteredTarget(zone, state, name or "", port))
    return tuple(found)


def read_endpoint(node: Node, endpoint_id: str) -> VpcEndpoint:
    eni_ids = []
    for name, item in ENDPOINT_ENIS.of(node):
        if isinstance(item, str) and is_identifier(item, "eni"):
            eni_ids.append(item)
        else:
            node.error(name, f"must be an id such as eni-0123456789abcdef0, not {show(item)}")
    return VpcEndpoint(endpoint_id, ENDPOINT_TYPE.of(node), tuple(eni_ids))


def region_of(zone: str) -> str | None:
    """The region of an Availability Zone or Local Zone by its name, None for a name that is of neither form."""
    match = _ZONE.fullmatch(zone)
    return match.group(1) if match else None
