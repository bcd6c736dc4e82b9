"""The words of a policy: what AWS's objects say, and what a data plane needs to know of them.

Two families of plain objects. *Described* holds filters, targets, sessions and interfaces as the EC2 API
names them, each referring to others by id. The *resolved* objects (``Interface``, ``Session``, ``Outer``) are
what an engine is configured with: no reference is left, every address is known or the session says why it is
down. Neither knows of JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from halfsilver.harness.law import ETHERNET, HEADROOM_IPV4, HEADROOM_IPV6

__all__ = [
    "ANYWHERE",
    "Address",
    "DEFAULT_MTU",
    "ENDPOINT_MTU",
    "Filter",
    "Guard",
    "Interface",
    "Joint",
    "Described",
    "Limits",
    "Listener",
    "LoadBalancer",
    "LoadBalancerAddress",
    "MAX_INTERFACES",
    "MAX_NUMBER",
    "MAX_PACKET_LENGTH",
    "MAX_RULES",
    "MAX_SESSIONS",
    "MAX_VNI",
    "MirrorSession",
    "Network",
    "NetworkAcl",
    "NetworkInterface",
    "NLB_PACKET_LENGTH",
    "OUTER_IPV4",
    "OUTER_IPV6",
    "Outer",
    "Permission",
    "Problem",
    "RegisteredTarget",
    "Route",
    "RouteTable",
    "Rule",
    "SecurityGroup",
    "Session",
    "Target",
    "TargetKind",
    "VpcEndpoint",
]

ANYWHERE = "all"
"""AWS's Availability Zone of a registered target that the nodes of every zone send to."""
MAX_INTERFACES = 16
"""Interfaces one NIC can carry (the verdict record has room for 255, the register map for 16)."""
MAX_SESSIONS = 3
"""Sessions per source interface: AWS's quota, and what a NIC has room for at most."""
MAX_RULES = 10
"""Rules per filter, both directions together: AWS's quota, and what a NIC has room for at most."""
MAX_NUMBER = 32766
"""Largest session number (guide, EC2 API); rule numbers have the same range."""
MAX_PACKET_LENGTH = 9001
"""Largest packet length for interface and endpoint targets: the jumbo MTU of a VPC."""
MAX_VNI = (1 << 24) - 1
"""A VXLAN network identifier has 24 bits (RFC 7348); 0 is not used (``docs/mirroring.md`` section 12)."""
NLB_PACKET_LENGTH = 8500
"""Largest packet length for load balancer targets, and the one used when none is given (EC2 API)."""
DEFAULT_MTU = 9001
"""MTU of an interface without the tag ``halfsilver:mtu``."""
ENDPOINT_MTU = 8500
"""MTU of a Gateway Load Balancer endpoint (guide, quotas)."""
OUTER_IPV4, OUTER_IPV6 = HEADROOM_IPV4 - ETHERNET, HEADROOM_IPV6 - ETHERNET
"""MTU minus longest inner frame: the guide's 54 and 74 bytes of headroom, less 14 of inner Ethernet."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
TargetKind = Literal["network-interface", "network-load-balancer", "gateway-load-balancer-endpoint"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``where`` names object and field, ``message`` what is wrong and what would be right."""

    severity: Literal["error", "warning"]
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a policy may have: AWS's quotas, or those of somebody who has set their own."""

    rules: int = MAX_RULES
    sessions: int = MAX_SESSIONS


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a filter, in one direction. Port ranges are inclusive; None means any."""

    rule_id: str
    number: int
    accept: bool
    source: Network
    destination: Network
    protocol: int | None
    source_ports: tuple[int, int] | None
    destination_ports: tuple[int, int] | None


# Described: AWS's objects, referring to one another by id.


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """An ENI: ``ipv4`` and ``ipv6`` are its primary addresses, ``addresses`` all of them; MTU in bytes.

    ``interface_type`` is AWS's InterfaceType; ``instance_id`` is the instance that has it as its primary interface.
    None where the file does not say.
    """

    eni_id: str
    mac: bytes | None
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    addresses: frozenset[Address]
    mtu: int
    resolver: IPv4Address | None
    vpc_id: str | None
    zone: str | None
    description: str
    subnet_id: str | None = None
    group_ids: tuple[str, ...] = ()
    interface_type: str | None = None
    instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """What a security group lets in: from ``networks``, and from the members of groups. None means any."""

    place: str
    protocol: int | None
    ports: tuple[int, int] | None
    networks: tuple[Network, ...]
    group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group's permissions for ingress."""

    group_id: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """A network ACL's entries for ingress, in ascending number, and the subnets that have it."""

    acl_id: str
    vpc_id: str | None
    default: bool
    subnets: frozenset[str]
    ingress: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A route to a network; ``hop`` is what it leads to, ``local`` within the VPC; not ``active``: a blackhole."""

    network: Network
    hop: str
    active: bool


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A route table, and the subnets that have it; ``main``: those of the VPC that have none of their own, too."""

    table_id: str
    vpc_id: str | None
    main: bool
    subnets: frozenset[str]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Joint:
    """What joins VPCs: a peering connection of two, or the attachment of one to a transit gateway, whose id it has.

    ``state`` is AWS's word for it, empty where the file does not say.
    """

    joint_id: str
    vpcs: frozenset[str]
    active: bool
    state: str


@dataclass(frozen=True, slots=True)
class LoadBalancerAddress:
    """The addresses of a Network Load Balancer in one Availability Zone."""

    zone: str | None
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer of any type, as elbv2 describes it; ``cross_zone``: its nodes send to targets of all zones."""

    arn: str
    vpc_id: str | None
    addresses: tuple[LoadBalancerAddress, ...]
    cross_zone: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener of a load balancer, and the target groups that it forwards to, by their ARNs."""

    balancer_arn: str
    protocol: str
    port: int | None
    group_arns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisteredTarget:
    """A target of a group: an instance's id or an address, and AWS's word for its health.

    ``zone`` is where it is: `ANYWHERE`, or None where the file does not say; ``port`` likewise.
    """

    zone: str | None
    state: str
    name: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """A VPC endpoint; ``kind`` is AWS's VpcEndpointType, None where the file does not say."""

    endpoint_id: str
    kind: str | None
    eni_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Where copies go: ``destination`` is an ENI id, a load balancer's ARN or an endpoint's id."""

    target_id: str
    kind: TargetKind
    destination: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Rules in ascending number; ``listed`` counts all that are written, readable or not."""

    filter_id: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]
    amazon_dns: bool
    listed: int


@dataclass(frozen=True, slots=True)
class MirrorSession:
    """A session as configured: None where the file says nothing; ``stopped`` is why it does not mirror."""

    session_id: str
    number: int
    eni_id: str
    filter_id: str
    target_id: str
    vni: int | None
    packet_length: int | None
    stopped: str | None = None


@dataclass(slots=True)
class Described:
    """Everything in the file that could be read, by id, in file order; ``places`` says where each id was.

    The lists that may be None are, where the file does not have them.
    """

    interfaces: dict[str, NetworkInterface] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    endpoints: dict[str, VpcEndpoint] = field(default_factory=dict)
    filters: dict[str, Filter] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    sessions: dict[str, MirrorSession] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] | None = None
    acls: dict[str, NetworkAcl] | None = None
    route_tables: dict[str, RouteTable] | None = None
    peerings: dict[str, Joint] | None = None
    attachments: dict[str, Joint] | None = None
    listeners: dict[str, Listener] | None = None
    target_groups: dict[str, tuple[RegisteredTarget, ...] | None] | None = None
    places: dict[str, str] = field(default_factory=dict)


# What a data plane is configured with.


@dataclass(frozen=True, slots=True)
class Outer:
    """How a copy is addressed. Both addresses are of one family.

    ``mtu_limit`` is the longest inner frame in bytes (MTU - 40 over IPv4, - 60 over IPv6), None for load
    balancer targets. ``endpoint_id`` is the Gateway Load Balancer endpoint that copies go to, None for other targets.
    """

    destination_mac: bytes
    source_mac: bytes
    source: Address
    destination: Address
    mtu_limit: int | None
    endpoint_id: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session ready for use.

    ``packet_length`` is as configured (8500 filled in for a load balancer target), None for the whole frame.
    ``amazon_dns`` is the filter's network service. ``outer`` is None when the target is down, and
    ``down_reason`` then says why. ``obstacles`` are why the target cannot receive the copies, which are sent all the
    same. ``receivers`` are the registered targets that copies are spread over, where there are several, and ``outer``
    is then the first of them; ``left_out`` are those that get none, and why.
    """

    session_id: str
    number: int
    filter_id: str
    target_id: str
    vni: int
    packet_length: int | None
    amazon_dns: bool
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]
    outer: Outer | None
    down_reason: str | None
    obstacles: tuple[str, ...] = ()
    receivers: tuple[Outer, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def outers(self) -> tuple[Outer, ...]:
        """All ways that its copies may go; none when the target is down."""
        return self.receivers or (() if self.outer is None else (self.outer,))

    @property
    def where(self) -> str:
        """Where its copies go, for people."""
        if not self.outers:
            return "target down"
        more = f" and {len(self.outers) - 1} more" if self.receivers else ""
        return f"{self.outers[0].destination}{more}"


@dataclass(frozen=True, slots=True)
class Guard:
    """What may come in to an interface (``docs/mirroring.md`` section 14); None where nothing is known of it.

    ``groups`` are the permissions of its security groups, all of which accept; ``acl`` the entries of its network ACL
    in ascending number.
    """

    groups: tuple[Rule, ...] | None
    acl: tuple[Rule, ...] | None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of it in a line: the entries first."""
        return (self.acl or ()) + (self.groups or ())


@dataclass(frozen=True, slots=True)
class Interface:
    """One ENI of the NIC: MAC (6 bytes), the VPC's DNS resolver, sessions in ascending number (at most 3)."""

    eni_id: str
    mac: bytes
    resolver: IPv4Address | None
    sessions: tuple[Session, ...]
    guard: Guard | None = None
