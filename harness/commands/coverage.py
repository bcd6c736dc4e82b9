"""``halfsilver coverage``: which rules of a policy the frames of captures reach, and which none ever did."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from halfsilver.harness.commands.common import (
    DirectionChooser,
    NothingRan,
    Subparsers,
    add_direction_argument,
    add_format_argument,
    add_policy_arguments,
    flags_of,
    open_golden,
    plural,
)
from halfsilver.harness.commands.frames import add_capture_arguments, batches, open_frames, report_damage
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK
from halfsilver.harness.golden.reach import Reach, RuleReach, Standing
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.reader import read
from halfsilver.harness.report.progress import capture_progress
from halfsilver.harness.report.tables import table

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "coverage",
        help="which rules the frames of captures reach",
        description="Judge the frames of a capture with the golden model and say of every rule how often it decided, "
        "how often it was tried in vain, and which rule is in its way.",
        epilog="example: halfsilver coverage -r day.pcap -c mirror.json --fail-unreached",
    )
    add_capture_arguments(parser)
    add_policy_arguments(parser)
    add_direction_argument(parser)
    add_format_argument(parser)
    parser.add_argument("--fail-unreached", action="store_true", help="exit code 1 if a rule decided no frame")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if a capture is damaged or, with ``--fail-unreached``, a rule decided no frame."""
    with open_frames(arguments) as (reader, policy):
        described, _ = read(policy.documents)
        reach = Reach(described.filters.values())
        choose = DirectionChooser(arguments.direction, policy)
        golden = open_golden(policy, flags_of(arguments))
        with capture_progress(reader, "judging") as progress:
            for batch in batches(reader):
                for captured in batch:
                    reach.add(golden.explain(choose.frame(captured)))
                progress.end_batch(len(batch))
        if not reach.frames and not reader.damage:
            raise NothingRan(f"{reader.name}: holds no frame, no rule was tried")
        damaged = report_damage(reader)
    _print(arguments, reach, _sessions(policy))
    unreached = any(rule.standing is not Standing.HIT for rule in reach.rules)
    return EXIT_MISMATCH if damaged or (arguments.fail_unreached and unreached) else EXIT_OK


def _sessions(policy: Policy) -> Mapping[str, list[str]]:
    """Of each filter the sessions of the NIC that use it."""
    found: dict[str, list[str]] = {}
    for interface in policy.interfaces:
        for session in interface.sessions:
            found.setdefault(session.filter_id, []).append(session.session_id)
    return found


def _print(arguments: argparse.Namespace, reach: Reach, sessions: Mapping[str, list[str]]) -> None:
    standings = Counter(rule.standing for rule in reach.rules)
    if arguments.format == "json":
        document = {
            "frames": reach.frames,
            "rules": [_to_json(rule, sessions) for rule in reach.rules],
            "standings": {str(each): standings[each] for each in Standing},
        }
        print(json.dumps(document, indent=2))
        return
    numbers = {rule.rule.rule_id: rule.rule.number for rule in reach.rules}
    rows = [
        (
            rule.filter_id,
            str(rule.direction),
            rule.rule.number,
            rule.rule.rule_id,
            "accept" if rule.rule.accept else "reject",
            rule.hits,
            rule.misses,
            _standing(rule, numbers, sessions),
        )
        for rule in reach.rules
    ]
    print(table(("filter", "direction", "number", "rule", "action", "hits", "misses", ""), rows, right="256"))
    parts = ", ".join(f"{standings[each]:,} {each}" for each in Standing if standings[each])
    print(f"\n{plural(reach.frames, 'frame')}, {plural(len(rows), 'rule')}: {parts or 'none'}")


def _standing(rule: RuleReach, numbers: Mapping[str, int], sessions: Mapping[str, list[str]]) -> str:
    """What became of the rule, and why."""
    if rule.filter_id not in sessions:
        return f"{rule.standing}: no session of the NIC uses the filter"
    if rule.standing is Standing.SHADOWED:
        by = ", ".join(f"rule {numbers[rule_id]} ({rule_id})" for rule_id in rule.shadows)
        how = f"{plural(rule.taken.total(), 'frame')} went to" if rule.taken else "covered by"
        return f"{rule.standing}: {how} {by}"
    return str(rule.standing)


def _to_json(rule: RuleReach, sessions: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "filter": rule.filter_id,
        "sessions": sessions.get(rule.filter_id, []),
        "direction": str(rule.direction),
        "rule": rule.rule.rule_id,
        "rule_number": rule.rule.number,
        "action": "accept" if rule.rule.accept else "reject",
        "standing": str(rule.standing),
        "hits": rule.hits,
        "misses": rule.misses,
        "taken": dict(rule.taken),
        "covered_by": rule.covered_by,
    }
