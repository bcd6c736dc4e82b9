"""The members of the objects that AWS's describe commands print: what may stand in a policy.

``aws_members.json`` beside this file has them, made from botocore's service models by ``docs/aws_members.py``
(``make docs``), so that no botocore is needed to read a policy. A key that AWS does not have is a misspelling or
somebody's own invention: in a filter, rule, session or target it is refused, because a condition that is not read
widens the mirror. In the objects around them, which real accounts print and newer clients add to, it is refused where
it stands in for a member that is missing, else a warning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.spelling import nearest

__all__ = [
    "MODEL",
    "OUTSIDE",
    "PAGE_MARKS",
    "check_keys",
    "check_lists",
    "check_members",
    "is_strict",
    "list_shapes",
    "members_of",
]

MODEL = Path(__file__).with_name("aws_members.json")
"""``lists``: the shape of what is in each list; ``shapes``: their members, each with its own shape or empty."""

OWN_MEMBERS: dict[str, Mapping[str, str]] = {
    "ec2.TrafficMirrorFilter": {"OwnerId": ""},
    "ec2.TrafficMirrorSession": {"StoppedReason": ""},
    "ec2.NetworkInterface": {"Tags": "ec2.Tag"},
    "elbv2.LoadBalancer": {"Tags": "ec2.Tag", "Attributes": "elbv2.LoadBalancerAttribute"},
    "elbv2.Listener": {"Tags": "ec2.Tag"},
    "elbv2.TargetGroup": {"TargetHealthDescriptions": "elbv2.TargetHealthDescription"},
    "organizations.Account": {"OrganizationId": ""},
}
"""What our own files have beside AWS's members."""
OWN_LISTS = {"Instances": "ec2.Instance"}
"""Lists of our inventory file that no describe command prints at the top."""
OWN_KEYS = ("Nic", "Regions")
"""Other keys of our inventory file."""
PAGE_MARKS = ("NextToken", "NextMarker")
"""The mark of a next page, as EC2 and as elbv2 call it."""
CLIENT_KEYS = (*PAGE_MARKS, "ResponseMetadata")
"""What clients put beside the lists: the mark of a next page, and boto3's account of the request."""
OUTSIDE = "TrafficMirrorFilterRules"
"""Rules outside their filters, which ``describe-traffic-mirror-filter-rules`` prints and nothing here reads."""
STRICT = ("ec2.TrafficMirror", "ec2.IpPermission", "ec2.NetworkAclEntry")
"""How the names of the shapes begin in which nothing unknown is let pass, nor in what is inside them."""

ALMOST_THE_SAME = 0.85
"""Likeness (``spelling.py``) of a long name with one letter wrong. Two members may be as like: AWS has an
``Ipv6Address`` and ``Ipv6Addresses``."""

_NAME = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)


def check_lists(root: Node, *, strict: bool = False) -> None:
    """Problems of the top of a file: keys that no describe command prints, and lists that mirroring does not read."""
    lists = list_shapes()
    check_keys(root, (*lists, *OWN_KEYS, *CLIENT_KEYS), "no describe command prints this", strict=strict)
    if root.values.get(OUTSIDE) not in (None, []):
        root.error(OUTSIDE, "is not read; rules are those inside TrafficMirrorFilters, remove this list")


def check_members(node: Node, shape: str, *, strict: bool | None = None) -> None:
    """Problems of the keys of an object and of all that is inside it; ``shape`` is one of ``aws_members.json``."""
    strict = is_strict(shape) if strict is None else strict
    members = members_of(shape)
    check_keys(node, members, f"AWS's {shape.partition('.')[2]} has no such member", strict=strict)
    for name, inner in members.items():
        if inner:
            for child in node.nested(name):
                check_members(child, inner, strict=strict or None)


def is_strict(shape: str) -> bool:
    """Whether a member of it that AWS does not have is refused, and not let pass with a warning."""
    return shape.startswith(STRICT)


def list_shapes() -> Mapping[str, str]:
    """The lists that describe commands print, and the shape of what is in each."""
    return {**_model()["lists"], **OWN_LISTS}


def check_keys(node: Node, known: Collection[str], problem: str, *, strict: bool) -> None:
    """Problems of the keys of an object that has only the known ones; ``problem`` says so of another."""
    for key in node.values:
        if key in known:
            continue
        name = key if isinstance(key, str) and _NAME.fullmatch(key) else show(key)
        meant = nearest(str(key), known)
        if not strict and meant in node.values:
            meant = nearest(str(key), [each for each in known if each not in node.values], ALMOST_THE_SAME)
        if meant is not None:
            node.error(name, f"{problem}; did you mean {meant}?")
        elif strict:
            node.error(name, f"{problem}; remove it")
        else:
            node.warn(name, f"{problem}, so mirroring ignores it")


@cache
def members_of(shape: str) -> Mapping[str, str]:
    """The members of a shape, each with its own shape or empty."""
    return {**_model()["shapes"][shape], **OWN_MEMBERS.get(shape, {})}


@cache
def _model() -> Any:
    return json.loads(MODEL.read_text(encoding="utf-8"))
