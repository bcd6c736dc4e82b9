"""Several files into one policy: each as one ``aws ec2 describe-*`` command printed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halfsilver.harness.policy.members import OUTSIDE, PAGE_MARKS, list_shapes
from halfsilver.harness.policy.node import show
from halfsilver.harness.policy.types import Problem

__all__ = ["join"]


def join(parts: Sequence[tuple[str, object]]) -> tuple[dict[str, Any], list[Problem]]:
    """One document of all, and the files that are none; ``parts`` are names of files, and what is in them.

    Lists of one name are put behind one another, an object that is in two files as it is in the other once. Rules that
    describe-traffic-mirror-filter-rules printed are left out where their filters have them.
    """
    joined: dict[str, Any] = {}
    problems: list[Problem] = []
    lists = list_shapes()
    for name, document in parts:
        if not isinstance(document, Mapping) or not any(key in document for key in lists):
            right = "a JSON object with a list such as NetworkInterfaces, as aws ec2 describe-* prints it"
            problems.append(Problem("error", name, f"must be {right}, not {_what(document)}"))
            continue
        for key, value in document.items():
            if isinstance(value, list) and isinstance(joined.get(key, []), list):
                there = joined.setdefault(key, [])
                there += [each for each in value if each not in there]
            elif joined.get(key) is None:
                joined[key] = value
            elif key in lists:
                problems.append(Problem("error", name, f"{key} must be a list, not {show(value)}"))
    if joined.get(OUTSIDE) and _are_inside(joined):
        del joined[OUTSIDE]
    for mark in PAGE_MARKS:
        if mark in joined and joined[mark] is None:
            del joined[mark]
    return joined, problems


def _what(document: object) -> str:
    if not isinstance(document, Mapping):
        return show(document)
    return f"one with {', '.join(map(show, list(document)[:3])) or 'nothing'}"


def _are_inside(joined: Mapping[str, Any]) -> bool:
    """Whether every rule of the list of rules is in its filter as well."""
    filters = [each for each in joined.get("TrafficMirrorFilters") or [] if isinstance(each, Mapping)]
    inside = [rule for each in filters for way in ("Ingress", "Egress") for rule in each.get(f"{way}FilterRules") or []]
    ids = {rule.get("TrafficMirrorFilterRuleId") for rule in inside if isinstance(rule, Mapping)}
    return all(isinstance(rule, Mapping) and rule.get("TrafficMirrorFilterRuleId") in ids for rule in joined[OUTSIDE])
