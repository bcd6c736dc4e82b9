"""One member of an object in a policy file: how it is read, what it must be, and what it is for.

This is the one place where that is said: the reader reads through fields, and the JSON Schema and the reference page
are made from them. JSON null counts as absent. A field ``of`` a node is its value, or None where it is absent or wrong;
what is wrong is noted at the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.types import Address, Network

__all__ = [
    "AnyAddress",
    "Choice",
    "Cidr",
    "Field",
    "Flag",
    "Identifier",
    "Ipv4",
    "Ipv6",
    "Mac",
    "Object",
    "Objects",
    "Pattern",
    "Schema",
    "Text",
    "Values",
    "Whole",
]

Schema = dict[str, Any]
"""A part of a JSON Schema, draft 2020-12."""


@dataclass(frozen=True)
class Field:
    """``name`` is the key; ``meaning`` says what mirroring makes of it."""

    name: str
    meaning: str
    required: bool = False

    @property
    def form(self) -> str:
        """What a value must be, in a few words."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """What a schema can say of a value that is there."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Field):
    """Any text."""

    @property
    def form(self) -> str:
        return "text"

    def of(self, node: Node) -> str | None:
        return node.text(self.name, required=self.required)

    def schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Pattern(Field):
    """Text of a form of its own, which the reader looks into; ``pattern`` is what a schema can say of it."""

    pattern: str = ""
    right: str = ""

    @property
    def form(self) -> str:
        return self.right

    def of(self, node: Node) -> str | None:
        return node.text(self.name, self.right, required=self.required)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True)
class Choice(Field):
    """One of a few words."""

    options: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        return " or ".join(f"`{option}`" for option in self.options)

    def of(self, node: Node) -> str | None:
        return node.choice(self.name, self.options, required=self.required)

    def schema(self) -> Schema:
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class Whole(Field):
    """A whole number from ``low`` to ``high``."""

    low: int = 0
    high: int = 0

    @property
    def form(self) -> str:
        return f"{self.low} to {self.high}"

    def of(self, node: Node) -> int | None:
        return node.integer(self.name, self.low, self.high, required=self.required)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Flag(Field):
    """True or false; what is neither counts as false unless it is required."""

    @property
    def form(self) -> str:
        return "`true` or `false`"

    def of(self, node: Node) -> bool | None:
        value = node.values.get(self.name)
        if isinstance(value, bool) or not self.required:
            return value is True
        node.error(self.name, f"must be true or false, not {node.shown(self.name)}")
        return None

    def schema(self) -> Schema:
        return {"type": "boolean"} if self.required else {}


@dataclass(frozen=True)
class Identifier(Field):
    """An AWS id."""

    prefix: str = ""

    @property
    def form(self) -> str:
        return f"`{self.prefix}-` and letters and digits"

    def of(self, node: Node) -> str | None:
        return node.identifier(self.name, self.prefix, required=self.required)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{self.prefix}-[0-9A-Za-z]{{1,64}}$"}


@dataclass(frozen=True)
class Mac(Field):
    """A unicast MAC address."""

    @property
    def form(self) -> str:
        return "a unicast MAC address such as `0a:00:00:00:00:01`"

    def of(self, node: Node) -> bytes | None:
        return node.mac(self.name)

    def schema(self) -> Schema:
        pattern = "^(?!00:00:00:00:00:00)[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$"
        return {"type": "string", "pattern": pattern}


@dataclass(frozen=True)
class Ipv4(Field):
    """A unicast IPv4 address."""

    @property
    def form(self) -> str:
        return "an IPv4 address"

    def of(self, node: Node) -> IPv4Address | None:
        return node.ipv4(self.name)

    def schema(self) -> Schema:
        return {"type": "string", "format": "ipv4"}


@dataclass(frozen=True)
class Ipv6(Field):
    """A unicast IPv6 address."""

    @property
    def form(self) -> str:
        return "an IPv6 address"

    def of(self, node: Node) -> IPv6Address | None:
        return node.ipv6(self.name)

    def schema(self) -> Schema:
        return {"type": "string", "format": "ipv6"}


@dataclass(frozen=True)
class AnyAddress(Field):
    """A unicast address of either version."""

    @property
    def form(self) -> str:
        return "an IPv4 or IPv6 address"

    def of(self, node: Node) -> Address | None:
        return node.address(self.name)

    def schema(self) -> Schema:
        return {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}


_IPV4_NETWORK = r"[0-9.]{7,15}/([0-9]|[12][0-9]|3[0-2])"
_IPV6_NETWORK = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,44}/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])"
"""No prefix is longer than the address; whether that is one, the reader says."""


@dataclass(frozen=True)
class Cidr(Field):
    """A network without host bits."""

    @property
    def form(self) -> str:
        return "a network such as `10.0.0.0/16` or `2001:db8::/32`"

    def of(self, node: Node) -> Network | None:
        return node.cidr(self.name, required=self.required)

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^({_IPV4_NETWORK}|{_IPV6_NETWORK})$"}


@dataclass(frozen=True)
class Object(Field):
    """An object; ``fields`` are those of its members that are read."""

    fields: tuple[Field, ...] = ()

    @property
    def form(self) -> str:
        return "an object"

    def of(self, node: Node) -> Node | None:
        return node.child(self.name)

    def schema(self) -> Schema:
        return {"type": "object"}


@dataclass(frozen=True)
class Objects(Field):
    """A list of objects; ``fields`` are those of their members that are read.

    With ``when``, a member and a value, the others are read only of objects in which it has this value.
    """

    fields: tuple[Field, ...] = ()
    when: tuple[str, object] | None = None

    @property
    def form(self) -> str:
        return "a list of objects"

    def of(self, node: Node) -> list[Node]:
        return node.children(self.name)

    def schema(self) -> Schema:
        return {"type": "array", "items": {"type": "object"}}


@dataclass(frozen=True)
class Values(Field):
    """A list of what one field would be, such as ids."""

    each: Field | None = None

    @property
    def form(self) -> str:
        return "a list" if self.each is None else f"a list of {self.each.form}"

    def of(self, node: Node) -> list[tuple[str, object]]:
        return node.items(self.name)

    def schema(self) -> Schema:
        return {"type": "array"} if self.each is None else {"type": "array", "items": self.each.schema()}
