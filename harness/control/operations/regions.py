"""The regions that there are, as botocore knows them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from botocore.loaders import Loader

__all__ = ["ALWAYS_ON", "known_regions", "region_words"]

ALWAYS_ON = frozenset(
    [
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
        *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    ]
)
"""Regions that every account has without opting in (AWS General Reference, "AWS Regions")."""


@cache
def known_regions(partition: str) -> tuple[str, ...]:
    """The names of a partition's regions, in order; of a partition that botocore does not know, none."""
    return tuple(sorted(region_words(partition)))


@cache
def region_words(partition: str) -> Mapping[str, str]:
    """Where each of these is, as AWS writes it: ``Europe (Ireland)``."""
    partitions = Loader().load_data("endpoints")["partitions"]
    regions = (each["regions"] for each in partitions if each["partition"] == partition)
    return {name: found["description"] for each in regions for name, found in each.items()}
