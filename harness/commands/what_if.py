"""``halfsilver what-if``: what a change of the policy changes for the frames of a capture, before it is made."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from halfsilver.harness.capture.sources import Captures
from halfsilver.harness.commands.common import (
    DirectionChooser,
    NothingRan,
    Subparsers,
    add_direction_argument,
    add_flag_arguments,
    add_format_argument,
    flags_of,
    load_policy,
    open_golden,
    say,
    say_warnings,
)
from halfsilver.harness.commands.frames import add_capture_arguments, batches, open_frames, report_damage
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.changes import Change, Changes, Side
from halfsilver.harness.report.progress import capture_progress
from halfsilver.harness.report.tables import plural, table

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "what-if",
        help="what a change of the policy would change",
        description="Judge the frames of a capture by two policies and say which of them are copied differently: more, "
        "less, elsewhere, or by another rule.",
        epilog="example: halfsilver what-if -r day.pcap -c mirror.json -c proposed.json --expect-same",
    )
    add_capture_arguments(parser)
    parser.add_argument(
        "-c",
        dest="configs",
        metavar="MIRROR.JSON",
        action="append",
        required=True,
        help="twice: the policy as it is, then as it would be",
    )
    add_flag_arguments(parser)
    add_direction_argument(parser)
    add_format_argument(parser)
    parser.add_argument("--expect-same", action="store_true", help="exit code 1 if anything changes for any frame")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if the capture is damaged or, with ``--expect-same``, something changes.

    NothingRan if the capture is empty.
    """
    if len(arguments.configs) != 2:
        raise UsageError(f"what-if wants -c twice, -c OLD -c NEW, and not {len(arguments.configs)} times")
    arguments.config, proposed = arguments.configs
    with open_frames(arguments) as (reader, policy):
        new = load_policy(arguments, config=proposed)
        changes = _judge(arguments, reader, policy, new)
        if not changes.before.sums.frames and not reader.damage:
            raise NothingRan(f"{reader.name}: holds no frame, nothing was compared")
        damaged = report_damage(reader)
        say_warnings(new)
    if arguments.format == "json":
        print(json.dumps(changes.to_json(), indent=2))
    else:
        print(_render(changes, arguments.configs))
    if arguments.format == "json" and changes.more.frames:
        say(f"warning: the capture grows: {_growth(changes)}")
    return EXIT_MISMATCH if damaged or (arguments.expect_same and not changes.same) else EXIT_OK


def _judge(arguments: argparse.Namespace, reader: Captures, old: Policy, new: Policy) -> Changes:
    """Every frame by both policies, each of which says itself what its direction is."""
    flags = flags_of(arguments)
    models = [(open_golden(policy, flags), DirectionChooser(arguments.direction, policy)) for policy in (old, new)]
    changes = Changes(old, new)
    with capture_progress(reader, "comparing") as progress:
        for batch in batches(reader):
            changes.add(*(golden.process([choose.frame(each) for each in batch]) for golden, choose in models))
            progress.end_batch(len(batch))
    return changes


def _render(changes: Changes, configs: Sequence[str]) -> str:
    """The groups, a table of the rules, and the sums at the bottom."""
    parts = [_groups(changes)] if not changes.same else []
    rules = [(each.session, each.number or 0, each.rule, each.before, each.after) for each in changes.rules]
    if rules:
        parts.append(table(("session", "number", "rule", "frames before", "after"), rules, right="134"))
    changed = sum(part.frames for part in changes.sums.values())
    frames = plural(changes.before.sums.frames, "frame")
    last = [f"{config}: {_copies(side)}" for config, side in zip(configs, (changes.before, changes.after), strict=True)]
    last.append(f"of {frames}, {changed:,} would change" if changed else f"the same for {frames}")
    if changes.more.frames:
        last.append(f"THE CAPTURE GROWS: {_growth(changes)}")
    return "\n\n".join([*parts, "\n".join(last)])


def _groups(changes: Changes) -> str:
    """A table of the groups; under each row what became, and what would become, of its frames."""
    header = ("change", "frames", "bytes", "copied before", "after", "first frames")
    rows = [
        (
            str(change.kind),
            part.frames,
            part.octets,
            part.copied_before,
            part.copied_after,
            ", ".join(map(str, part.examples)),
        )
        for change, part in changes.changed
    ]
    head, rule, *lines = table(header, rows, right="1234").splitlines()
    ways = (_way(change) for change, _ in changes.changed)
    return "\n".join([head, rule, *(part for line, way in zip(lines, ways, strict=True) for part in (line, *way))])


def _way(change: Change) -> tuple[str, ...]:
    """Both fates, or the one there is with what differs in its copies."""
    if change.before == change.after:
        return (f"  {change.before}: {change.difference}",)
    return f"  from {change.before}", f"  to   {change.after}"


def _copies(side: Side) -> str:
    return f"{side.copies:,} copies with {side.sums.total.copied:,} bytes of frames"


def _growth(changes: Changes) -> str:
    more = changes.more
    octets = more.copied_after - more.copied_before
    return (
        f"{octets:,} bytes more of {plural(more.frames, 'frame')}; the first are {', '.join(map(str, more.examples))}"
    )
