"""Dimensions of metrics, as requests and answers have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Dimensions", "read_dimensions", "render"]

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, in order."""


def read_dimensions(given: Sequence[Mapping[str, str]] | None) -> Dimensions:
    """A request's list of dimensions."""
    return tuple(sorted((each["Name"], each["Value"]) for each in given or ()))


def render(dimensions: Dimensions) -> list[dict[str, str]]:
    """The same as an answer has it."""
    return [{"Name": name, "Value": value} for name, value in dimensions]
