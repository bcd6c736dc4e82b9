"""Typed access to one JSON object of a policy file, collecting problems instead of raising.

Each reader method returns the value, or None where it is absent or wrong; what is wrong becomes a ``Problem``
that names the object, the field and what would be right. JSON null counts as absent.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from halfsilver.harness.policy.types import Address, Network, Problem

__all__ = ["Node", "is_identifier", "show"]

_AFTER_PREFIX = re.compile(r"-[0-9A-Za-z]{1,64}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_CIDR = re.compile(r"[0-9A-Fa-f.:]{2,45}/(0|[1-9][0-9]{0,2})")
_SHOWN = 48


def show(value: object) -> str:
    """A value as an error message shows it: one short line, whatever it is."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    text = json.dumps(value) if isinstance(value, bool | int | float | str) else type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def is_identifier(value: object, prefix: str) -> bool:
    """Whether it is an AWS id: prefix, hyphen, letters and digits (ids in AWS's documents end in EXAMPLE)."""
    return isinstance(value, str) and value.startswith(prefix) and bool(_AFTER_PREFIX.fullmatch(value, len(prefix)))


class Node:
    """A JSON object and its place in the file.

    owner   the named object it belongs to, such as ``TrafficMirrorFilters[0] tmf-1``; empty at the top
    path    the way from there to this object, such as ``IngressFilterRules[2]``
    """

    def __init__(self, values: Mapping[Any, object], problems: list[Problem], owner: str = "", path: str = "") -> None:
        self.values = values
        self.problems = problems
        self.owner = owner
        self.path = path

    # Where things are, and saying so.

    def place(self, key: str = "") -> str:
        """The place of this object, or of one of its fields."""
        return " ".join(part for part in (self.owner, self._inside(key)) if part)

    def _inside(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)

    def named(self, identifier: str) -> Node:
        """The same object, with its id as part of its place."""
        return Node(self.values, self.problems, f"{self.place()} {identifier}")

    def error(self, key: str, message: str) -> None:
        self.problems.append(Problem("error", self.place(key), message))

    def shown(self, key: str) -> str:
        """The raw value of a field, as a message shows it."""
        return show(self.values.get(key))

    def warn(self, key: str, message: str) -> None:
        self.problems.append(Problem("warning", self.place(key), message))

    # Plain values.

    def get(self, key: str, right: str, *, required: bool = False) -> object:
        """The raw value, or None; ``right`` is what an absent one that is required must be."""
        value = self.values.get(key)
        if value is None and required:
            self.error(key, f"is missing; it must be {right}")
        return value

    def text(self, key: str, right: str = "a string", *, required: bool = False) -> str | None:
        value = self.get(key, right, required=required)
        if value is None or isinstance(value, str):
            return value
        self.error(key, f"must be {right}, not {show(value)}")
        return None

    def choice(self, key: str, options: Collection[str], *, required: bool = False) -> str | None:
        right = " or ".join(options)
        value = self.text(key, right, required=required)
        if value is None or value in options:
            return value
        self.error(key, f"must be {right}, not {show(value)}")
        return None

    def integer(self, key: str, low: int, high: int, *, required: bool = False) -> int | None:
        """A whole number within [low, high]."""
        right = f"a whole number from {low} to {high}"
        value = self.get(key, right, required=required)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.error(key, f"must be {right}, not {show(value)}")
        return None

    # AWS's notations.

    def identifier(self, key: str, prefix: str, *, required: bool = False) -> str | None:
        right = f"an id such as {prefix}-0123456789abcdef0"
        value = self.text(key, right, required=required)
        if value is None or is_identifier(value, prefix):
            return value
        self.error(key, f"must be {right}, not {show(value)}")
        return None

    def mac(self, key: str) -> bytes | None:
        right = "a unicast MAC address such as 0a:00:00:00:00:01"
        value = self.text(key, right)
        if value is None:
            return None
        if _MAC.fullmatch(value):
            mac = bytes.fromhex(value.replace(":", ""))
            if any(mac) and not mac[0] & 1:
                return mac
        self.error(key, f"must be {right}, not {show(value)}")
        return None

    def address(self, key: str) -> Address | None:
        """A unicast IPv4 or IPv6 address."""
        return self._address(key, "an IPv4 or IPv6 address", (IPv4Address, IPv6Address))

    def ipv4(self, key: str) -> IPv4Address | None:
        value = self._address(key, "an IPv4 address such as 10.0.0.10", (IPv4Address,))
        return value if isinstance(value, IPv4Address) else None

    def ipv6(self, key: str) -> IPv6Address | None:
        value = self._address(key, "an IPv6 address such as 2001:db8::10", (IPv6Address,))
        return value if isinstance(value, IPv6Address) else None

    def _address(self, key: str, right: str, families: tuple[type[Address], ...]) -> Address | None:
        value = self.text(key, right)
        if value is None:
            return None
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            address = None
        unusable = address is None or address.is_multicast or address.is_unspecified or "%" in value
        if unusable or not isinstance(address, families):
            self.error(key, f"must be {right}, not {show(value)}")
            return None
        return address

    def cidr(self, key: str, *, required: bool = False) -> Network | None:
        """A network in CIDR notation, without host bits."""
        right = "a network such as 10.0.0.0/16 or 2001:db8::/32"
        value = self.text(key, right, required=required)
        if value is None:
            return None
        try:
            network = ipaddress.ip_network(value, strict=False) if _CIDR.fullmatch(value) else None
        except ValueError:
            network = None
        if network is None:
            self.error(key, f"must be {right}, not {show(value)}")
            return None
        if ipaddress.ip_address(value.partition("/")[0]) != network.network_address:
            self.error(key, f"{value} has host bits set; the network is {network}")
            return None
        return network

    # What is inside.

    def child(self, key: str) -> Node | None:
        """A nested object."""
        value = self.get(key, "an object")
        if value is None:
            return None
        if isinstance(value, Mapping):
            return Node(value, self.problems, self.owner, self._inside(key))
        self.error(key, f"must be an object, not {show(value)}")
        return None

    def items(self, key: str) -> list[tuple[str, object]]:
        """The elements of a list, each with its name (``key[index]``); empty when the list is absent."""
        value = self.get(key, "a list")
        if value is None:
            return []
        if isinstance(value, list | tuple):
            return [(f"{key}[{index}]", item) for index, item in enumerate(value)]
        self.error(key, f"must be a list, not {show(value)}")
        return []

    def children(self, key: str) -> list[Node]:
        """The elements of a list of objects; an element that is none is an error and left out."""
        nodes = []
        for name, item in self.items(key):
            if isinstance(item, Mapping):
                nodes.append(Node(item, self.problems, self.owner, self._inside(name)))
            else:
                self.error(name, f"must be an object, not {show(item)}")
        return nodes

    def nested(self, key: str) -> list[Node]:
        """The object, or the objects of the list, at ``key``; what is neither is left out without a word."""
        value = self.values.get(key)
        if isinstance(value, Mapping):
            return [Node(value, self.problems, self.owner, self._inside(key))]
        items = enumerate(value) if isinstance(value, list | tuple) else ()
        return [
            Node(item, self.problems, self.owner, self._inside(f"{key}[{index}]"))
            for index, item in items
            if isinstance(item, Mapping)
        ]
