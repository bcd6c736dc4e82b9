"""Which requests are ours, and which are the look-alike's."""

from __future__ import annotations

from collections.abc import Container

from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.upstream.asked import Asked

__all__ = ["is_ours"]

_WHOLE = ("cloudtrail", "ram", "sts")
"""Services of which nothing is passed on: targets are shared by us, and who somebody is and what they did, we say."""
_BRIDGED = ("DescribeNetworkInterfaces", "DescribeSubnets", "DescribeVpcEndpoints")
"""Reads that are answered from the inventory, because the look-alike's own answers lack what AWS's have."""
_THEIRS = ("elbv2", "iam", "resourcegroupstaggingapi")
"""Services that the upstream answers alone, though the server has operations of them."""
_OWN_IDS = ("tmf-", "tmfr-", "tms-", "tmt-")


def is_ours(asked: Asked, served: Container[tuple[str, str]]) -> bool:
    """Whether the server answers it itself; ``served`` are the operations that it has (service, name).

    ApiError for tags that objects of both sides are to get in one request.
    """
    if asked.service in _WHOLE:
        return True
    if asked.service == "ec2" and asked.operation in ("CreateTags", "DeleteTags"):
        return _only_ours(asked.values("ResourceId"), asked.operation)
    if asked.service == "ec2" and asked.operation == "DescribeTags":
        return any(value.startswith(_OWN_IDS) for value in asked.form.values()) or _types_ours(asked)
    if asked.service == "ec2":
        return "TrafficMirror" in asked.operation or asked.operation in _BRIDGED
    return asked.service not in _THEIRS and (asked.service, asked.operation) in served


def _only_ours(identifiers: list[str], operation: str) -> bool:
    own = [identifier.startswith(_OWN_IDS) for identifier in identifiers]
    if any(own) and not all(own):
        raise ApiError(
            "InvalidParameterCombination",
            f"{operation} of Traffic Mirroring's objects and others is two requests here: others are the upstream's",
        )
    return any(own)


def _types_ours(asked: Asked) -> bool:
    return any(value.startswith("traffic-mirror-") for value in asked.form.values())
