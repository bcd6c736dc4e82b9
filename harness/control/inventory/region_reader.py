"""From the lists of one region to the records of the store, with all mistakes collected on the way.

Every object keeps the members that AWS describes it with; its tags and its owner are put where the store wants them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from halfsilver.harness.control.inventory.objects import conform, derive, shape, text
from halfsilver.harness.control.inventory.regions import ACCOUNTS, REGIONS
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.members import check_keys, check_lists
from halfsilver.harness.policy.network import region_of
from halfsilver.harness.policy.node import Node, is_identifier, show
from halfsilver.harness.policy.reader import WHOLE_FILE
from halfsilver.harness.policy.types import MAX_INTERFACES, Problem

__all__ = ["MIRRORING", "OF_THE_FILE", "RegionReader"]

_ORGANISATION = re.compile(r"o-[0-9a-z]{10,32}")
_PATH = re.compile(r"o-[0-9a-z]{10,32}/r-[0-9a-z]{4,32}(/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})*(/[0-9]{12})?/?")
_ACCOUNT_ARN = re.compile(r"arn:[\w-]+:organizations::\w*:account/(o-[0-9a-z]{10,32})/[0-9]{12}", re.ASCII)
_BALANCER_ARN = re.compile(
    r"arn:[\w-]+:elasticloadbalancing:[\w-]+:[0-9]{12}:(loadbalancer|listener|targetgroup)/[!-~]+", re.ASCII
)
_AROUND = (Kind.SECURITY_GROUP, Kind.NETWORK_ACL, Kind.ROUTE_TABLE)
"""Kinds that are their VPC's owner's, where that is known and they do not say it."""
MIRRORING = ("TrafficMirrorFilters", "TrafficMirrorSessions", "TrafficMirrorTargets", "TrafficMirrorFilterRules")
OF_THE_FILE = {
    ACCOUNTS: "are of all regions; put the list at the top of the file",
    "Nic": "is in the server's own region; put it at the top of the file",
    REGIONS: "has no other regions inside; put it at the top of the file",
}
"""Keys of the file that no region has, and what is said of them there."""


@dataclass(frozen=True, slots=True)
class _List:
    """A list of the file: what it holds, the member with the id and how that begins, its shape at botocore."""

    kind: Kind
    key: str
    prefix: str
    service: str
    shape: str


_LISTS = {
    "AvailabilityZones": _List(Kind.ZONE, "ZoneName", "", "ec2", "AvailabilityZone"),
    "Vpcs": _List(Kind.VPC, "VpcId", "vpc", "ec2", "Vpc"),
    "Subnets": _List(Kind.SUBNET, "SubnetId", "subnet", "ec2", "Subnet"),
    "NetworkInterfaces": _List(Kind.INTERFACE, "NetworkInterfaceId", "eni", "ec2", "NetworkInterface"),
    "Instances": _List(Kind.INSTANCE, "InstanceId", "i", "ec2", "Instance"),
    "VpcEndpoints": _List(Kind.ENDPOINT, "VpcEndpointId", "vpce", "ec2", "VpcEndpoint"),
    "LoadBalancers": _List(Kind.LOAD_BALANCER, "LoadBalancerArn", "loadbalancer", "elbv2", "LoadBalancer"),
    "Listeners": _List(Kind.LISTENER, "ListenerArn", "listener", "elbv2", "Listener"),
    "TargetGroups": _List(Kind.TARGET_GROUP, "TargetGroupArn", "targetgroup", "elbv2", "TargetGroup"),
    "SecurityGroups": _List(Kind.SECURITY_GROUP, "GroupId", "sg", "ec2", "SecurityGroup"),
    "NetworkAcls": _List(Kind.NETWORK_ACL, "NetworkAclId", "acl", "ec2", "NetworkAcl"),
    "RouteTables": _List(Kind.ROUTE_TABLE, "RouteTableId", "rtb", "ec2", "RouteTable"),
}


_BESIDE = {
    Kind.LOAD_BALANCER: ("Attributes", "LoadBalancerAttribute"),
    Kind.TARGET_GROUP: ("TargetHealthDescriptions", "TargetHealthDescription"),
}
"""Members of ours, which another operation of AWS describes: kept as notes of the record."""


class RegionReader:
    """One pass over the lists of a region. ``nodes`` has the object of each record, ``seen`` those of all regions."""

    def __init__(self, root: Node, accounts: Mapping[str, Record], seen: dict[str, Node]) -> None:
        self.root = root
        self.records: dict[str, Record] = dict(accounts)
        self.nodes: dict[str, Node] = {}
        self.seen = seen
        self.nic: tuple[str, ...] = ()
        self.region: str | None = None

    def read_accounts(self, file: Node) -> None:
        for node in file.children("Accounts"):
            self._read_account(node)

    def read(self) -> None:
        root = self.root
        for name in MIRRORING:
            if name in root.values:
                root.error(name, "is no part of an inventory; filters, targets and sessions are made by clients")
        if root.place():
            for name, why in OF_THE_FILE.items():
                if name in root.values:
                    root.error(name, why)
            check_lists(root, strict=True)
        for name, kind in _LISTS.items():
            for node in root.children(name):
                self._read_object(node, kind)
        for reservation in root.children("Reservations"):
            for node in reservation.children("Instances"):
                self._read_object(node, _LISTS["Instances"], reservation)
        for record in derive(self.records.values()):
            self._add_derived(record)
        self._check_references()

    def _add(self, node: Node, key: str, record: Record) -> None:
        if record.id in self.seen:
            node.error(key, f"{record.id} is that of {self.seen[record.id].place()} already; ids are unique")
        else:
            self.records[record.id] = record
            self.nodes[record.id] = self.seen[record.id] = node.named(record.id)

    def _add_derived(self, record: Record) -> None:
        """What the objects of this region name; it is no other's. Of zones, ``find_region`` says so."""
        if record.id in self.seen and record.kind != Kind.ZONE:
            self.root.error("", f"names {record.id}, which is in {self.seen[record.id].place() or WHOLE_FILE}")
        else:
            self.records[record.id] = record
            self.seen[record.id] = self.root

    # Objects.

    def _read_account(self, node: Node) -> None:
        """As ``aws organizations list-accounts`` prints it, or with ``OrganizationId`` in plain words."""
        account = self._account(node, "Id", required=True)
        organisation = node.text("OrganizationId")
        if organisation is not None and not _ORGANISATION.fullmatch(organisation):
            node.error("OrganizationId", f"must be an id such as o-exampleorgid, not {show(organisation)}")
        arn = _ACCOUNT_ARN.fullmatch(node.text("Arn") or "")
        if organisation is None and arn is not None:
            organisation = arn.group(1)
        paths = self._paths(node, organisation)
        if organisation is None and paths:
            organisation = paths[0].partition("/")[0]
        name = text(node, "Name", node.values.get("Name") or "")
        members = {"Id": account, "Name": name or None, "OrganizationId": organisation, "Paths": paths or None}
        if account is not None:
            document = {key: value for key, value in members.items() if value is not None}
            self._add(node, "Id", Record(Kind.ACCOUNT, account, account, document))

    def _paths(self, node: Node, organisation: str | None) -> list[str]:
        """Where in its organisation an account is: ids of the organisation, its root and units, one in the other."""
        paths = []
        for place, path in node.items("Paths"):
            if not isinstance(path, str) or not _PATH.fullmatch(path):
                node.error(
                    place, f"must be a path such as o-exampleorgid/r-root/ou-root-exampleunit/, not {show(path)}"
                )
            elif organisation is not None and not path.startswith(f"{organisation}/"):
                node.error(place, f"{path} is not in the account's organisation {organisation}")
            else:
                paths.append(path)
        return paths

    def _read_object(self, node: Node, kind: _List, reservation: Node | None = None) -> None:
        identifier = self._identifier(node, kind)
        if identifier is None:
            return
        named = node.named(identifier)
        document = conform(named, shape(kind.service, kind.shape))
        tags = {}
        for field in ("TagSet", "Tags"):
            document.pop(field, None)
            for tag in named.children(field):
                key = text(tag, "Key", tag.get("Key", "a string", required=True) or "")
                value = text(tag, "Value", tag.values.get("Value") or "")
                if key:
                    tags[key] = value or ""
        account = self._owner(named, kind, identifier, reservation)
        if account is None:
            return
        if "OwnerId" in shape(kind.service, kind.shape).members:
            document["OwnerId"] = account
        record = Record(kind.kind, identifier, account, document, tags)
        if kind.kind == Kind.LISTENER:
            record.parent = document.get("LoadBalancerArn", "")
        if kind.kind in _BESIDE:
            name, shown = _BESIDE[kind.kind]
            record.note[name] = [conform(each, shape("elbv2", shown)) for each in named.children(name)]
        if kind.kind == Kind.INSTANCE:
            stated = reservation.text("ReservationId") if reservation else None
            record.note["reservation"] = stated or "r-" + identifier.removeprefix("i-")
        self._add(node, kind.key, record)

    def _identifier(self, node: Node, kind: _List) -> str | None:
        if kind.service == "elbv2":
            name = "NAME" if kind.kind == Kind.TARGET_GROUP else "net/NAME"
            right = f"an ARN such as arn:aws:elasticloadbalancing:REGION:ACCOUNT:{kind.prefix}/{name}/ID"
            value = node.text(kind.key, right, required=True)
            match = _BALANCER_ARN.fullmatch(value or "")
            if value is not None and (match is None or match.group(1) != kind.prefix):
                node.error(kind.key, f"must be {right}, not {show(value)}")
                return None
            return value
        if kind.prefix:
            return node.identifier(kind.key, kind.prefix, required=True)
        value = node.text(kind.key, "a zone such as us-east-1a", required=True)
        if value is not None and region_of(value) is None:
            node.error(kind.key, f"must be a zone such as us-east-1a, not {show(value)}")
            return None
        return value

    # Owners.

    def _account(self, node: Node, key: str, *, required: bool = False) -> str | None:
        right = "the twelve digits of an account"
        value = node.text(key, right, required=required)
        if value is None or re.fullmatch("[0-9]{12}", value):
            return value
        node.error(key, f"must be {right}, not {show(value)}")
        return None

    def _owner(self, node: Node, kind: _List, identifier: str, reservation: Node | None) -> str | None:
        """Stated by the object, else the one account of the file; None (and an error) when nothing tells."""
        if kind.kind == Kind.ZONE:
            return ""
        if kind.service == "elbv2":
            return identifier.split(":")[4]
        place = reservation or node
        if place.values.get("OwnerId") is not None:
            return self._account(place, "OwnerId")
        owners = {record.account for record in self.records.values() if record.kind == Kind.ACCOUNT}
        if kind.kind in _AROUND and len(owners) != 1:
            owners = self._owners_of_vpc(node.values.get("VpcId"))
        if kind.kind == Kind.INSTANCE:
            owners = {
                each.account
                for each in self.records.values()
                if each.kind == Kind.INTERFACE and each.document.get("Attachment", {}).get("InstanceId") == identifier
            } or owners
        if len(owners) == 1:
            return owners.pop()
        node.error("OwnerId", "is missing; it must be the twelve digits of the account that it belongs to")
        return None

    def _owners_of_vpc(self, vpc_id: object) -> set[str]:
        """Its own where it is listed, else those who have interfaces in it."""
        found = [each for each in self.records.values() if vpc_id in (each.id, each.document.get("VpcId", ""))]
        return {each.account for each in found if each.kind == Kind.VPC} or {
            each.account for each in found if each.kind == Kind.INTERFACE
        }

    # The NIC, and what the objects say of one another.

    def read_nic(self, file: Node, may_be_empty: bool) -> None:
        """The interfaces that the NIC carries: those that the file names, else all that have a MAC address."""
        interfaces = {each.id: each for each in self.records.values() if each.kind == Kind.INTERFACE}
        nic = file.child("Nic")
        if nic is None:
            chosen = [each.id for each in interfaces.values() if "MacAddress" in each.document]
        else:
            check_keys(nic, ("NetworkInterfaceIds",), "Nic has no such member", strict=True)
            listed = nic.items("NetworkInterfaceIds")
            if not listed and not may_be_empty:
                nic.error("NetworkInterfaceIds", "is missing; it must name the interfaces that the NIC carries")
            chosen = [each for place, item in listed for each in self._carried(nic, place, item, interfaces)]
        chosen = list(dict.fromkeys(chosen))
        if len(chosen) > MAX_INTERFACES:
            file.error(
                "Nic", f"would carry {len(chosen)} interfaces; name at most {MAX_INTERFACES} in NetworkInterfaceIds"
            )
        for index, identifier in enumerate(chosen):
            interfaces[identifier].note["nic"] = index
        self.nic = tuple(chosen)

    def _carried(self, nic: Node, place: str, item: object, interfaces: Mapping[str, Record]) -> list[str]:
        """The interface that an element of the list names; none (and an error) when the NIC cannot carry it."""
        if not isinstance(item, str) or not is_identifier(item, "eni"):
            nic.error(place, f"must be an id such as eni-0123456789abcdef0, not {show(item)}")
        elif item not in interfaces:
            nic.error(place, f"{item} is not in NetworkInterfaces; describe it there")
        elif "MacAddress" not in interfaces[item].document:
            self.nodes[item].error("MacAddress", "is missing; the NIC knows the interface's frames by it")
        else:
            return [item]
        return []

    def _check_references(self) -> None:
        accounts = [record.id for record in self.records.values() if record.kind == Kind.ACCOUNT]
        for identifier, node in self.nodes.items():
            record = self.records[identifier]
            if record.kind == Kind.LISTENER:
                balancer = self.records.get(record.parent)
                if balancer is None or balancer.kind != Kind.LOAD_BALANCER:
                    node.error("LoadBalancerArn", f"{show(record.parent)} is not in LoadBalancers; describe it there")
            if accounts and record.account and record.account not in accounts:
                node.warn("OwnerId", f"{record.account} is not in Accounts, which has {', '.join(accounts[:3])}")

    def find_region(self, name: str | None) -> None:
        """Zones and load balancers name regions; ``name``: what it must be, None: just one."""
        regions = {record.id.split(":")[3] for record in self.records.values() if record.kind == Kind.LOAD_BALANCER}
        regions |= {region_of(record.id) or "" for record in self.records.values() if record.kind == Kind.ZONE}
        if len(regions | {name or min(regions, default="")}) > 1:
            named = ", ".join(sorted(regions))
            message = f"has zones and load balancers of {named}; put those of other regions into {REGIONS}"
            if name is not None:
                message = f"has zones and load balancers of {named}, and is {name}'s"
            self.root.problems.append(Problem("error", self.root.place() or WHOLE_FILE, message))
        self.region = name or min(regions, default=None)
