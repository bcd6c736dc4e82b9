"""What AWS calls each kind of object, and its ids: a prefix that names the kind, and 17 hexadecimal digits."""

from __future__ import annotations

import re

from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Kind

__all__ = ["PREFIXES", "TAGGED", "TYPES", "check_form", "kind_of", "new"]

PREFIXES = {
    Kind.FILTER: "tmf",
    Kind.RULE: "tmfr",
    Kind.SESSION: "tms",
    Kind.TARGET: "tmt",
    Kind.INTERFACE: "eni",
    Kind.VPC: "vpc",
    Kind.SUBNET: "subnet",
    Kind.INSTANCE: "i",
    Kind.ENDPOINT: "vpce",
    Kind.SECURITY_GROUP: "sg",
    Kind.NETWORK_ACL: "acl",
    Kind.ROUTE_TABLE: "rtb",
}
"""How the ids of each kind begin."""
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}

TAGGED = {
    Kind.FILTER: "traffic-mirror-filter",
    Kind.RULE: "traffic-mirror-filter-rule",
    Kind.SESSION: "traffic-mirror-session",
    Kind.TARGET: "traffic-mirror-target",
    Kind.INTERFACE: "network-interface",
    Kind.VPC: "vpc",
    Kind.SUBNET: "subnet",
    Kind.INSTANCE: "instance",
    Kind.ENDPOINT: "vpc-endpoint",
    Kind.SECURITY_GROUP: "security-group",
    Kind.NETWORK_ACL: "network-acl",
    Kind.ROUTE_TABLE: "route-table",
}
"""What EC2 calls the kinds of objects that can have tags."""
TYPES = {
    **TAGGED,
    Kind.RESOURCE_SHARE: "resource-share",
    Kind.SHARE_INVITATION: "resource-share-invitation",
    Kind.ALARM: "alarm",
}
"""The kinds that policies and tags name, as their ARNs have them."""
_DIGITS = 16
"""Behind the 0 that all ids of seventeen digits begin with at AWS."""
_FORM = re.compile("[0-9a-f]{1,64}|[0-9A-Za-z]*EXAMPLE")
"""Behind the prefix of an id; those in AWS's documents end in EXAMPLE."""
_MALFORMED = {
    Kind.INTERFACE: "InvalidNetworkInterfaceId.Malformed",
    Kind.VPC: "InvalidVpcID.Malformed",
    Kind.SUBNET: "InvalidSubnetID.Malformed",
    Kind.INSTANCE: "InvalidInstanceID.Malformed",
    Kind.ENDPOINT: "InvalidVpcEndpointId.Malformed",
}
"""What EC2 says to an id that none of a kind can have; its codes are not written alike. It documents none for the four
kinds of traffic mirroring: there an id that cannot be is one that does not exist."""


def new(context: Context, kind: Kind) -> str:
    """An id that no record has: a server whose random numbers start anew does not run into its earlier ones."""
    while True:
        identifier = f"{PREFIXES[kind]}-0{context.random.getrandbits(4 * _DIGITS):0{_DIGITS}x}"
        if context.transaction.get(kind, identifier) is None:
            return identifier


def kind_of(identifier: str) -> Kind | None:
    """The kind that an id is of by its form, whether or not there is such an object; None for what is no id."""
    prefix, _, digits = identifier.rpartition("-")
    return _KINDS.get(prefix) if _FORM.fullmatch(digits) else None


def check_form(kind: Kind, identifier: str) -> None:
    """Refuse what cannot be an id of this kind, in the words that EC2 has for it."""
    if kind in _MALFORMED and kind_of(identifier) != kind:
        expected = f'Invalid id: "{identifier[:64]}" (expecting "{PREFIXES[kind]}-...")'
        raise ApiError(_MALFORMED[kind], expected)
