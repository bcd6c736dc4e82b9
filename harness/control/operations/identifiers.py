"""What AWS calls each kind of object, and its ids: a prefix that names the kind, and 17 hexadecimal digits."""

from __future__ import annotations

from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Kind

__all__ = ["PREFIXES", "TAGGED", "TYPES", "kind_of", "new"]

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
}
"""What EC2 calls the kinds of objects that can have tags."""
TYPES = {
    **TAGGED,
    Kind.RESOURCE_SHARE: "resource-share",
    Kind.SHARE_INVITATION: "resource-share-invitation",
    Kind.ALARM: "alarm",
}
"""The kinds that policies and tags name, as their ARNs have them."""
_DIGITS = 17


def new(context: Context, kind: Kind) -> str:
    """An id that no record has: a server whose random numbers start anew does not run into its earlier ones."""
    while True:
        identifier = f"{PREFIXES[kind]}-{context.random.getrandbits(4 * _DIGITS):0{_DIGITS}x}"
        if context.transaction.get(kind, identifier) is None:
            return identifier


def kind_of(identifier: str) -> Kind | None:
    """The kind that an id is of by its prefix, whether or not there is such an object."""
    return _KINDS.get(identifier.rpartition("-")[0])
