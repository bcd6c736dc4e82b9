"""``halfsilver init``: a policy for captures that have none, with copies that are not zero."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.sources import open_captures
from halfsilver.harness.commands.common import AUTO, DirectionChooser, NothingRan, Subparsers, open_golden, plural, say
from halfsilver.harness.commands.frames import batches, report_damage
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.golden.parse import Kind
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.addresses import stations_of
from halfsilver.harness.policy.policy import Policy, policy_files, read_joined
from halfsilver.harness.propose.account import Trial, account_to_json, render_choice, why_nothing
from halfsilver.harness.propose.documents import local_networks, propose
from halfsilver.harness.propose.presets import PRESETS, Plan, Setting
from halfsilver.harness.propose.sources import MOST_SOURCES, Sources, choose_sources
from halfsilver.harness.propose.stand_ins import with_policy, with_stand_ins
from halfsilver.harness.propose.survey import Survey
from halfsilver.harness.records import Flags
from halfsilver.harness.verdict import Service, Verdict

__all__ = ["add", "run"]

TRIAL_FRAMES = 10_000
TRIAL_BYTES = 32_000_000
"""The proposal is tried on the first of both: frames, and bytes of frames."""


DEFAULT_PRESET = "everything"


@dataclass
class _Seen:
    """What the captures have: summed up, and the first frames of them as they are."""

    survey: Survey = field(default_factory=Survey)
    first: list[CapturedFrame] = field(default_factory=list)
    damaged: bool = False


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "init",
        help="propose a policy for a capture",
        description="Write a policy that mirrors what is in captures: who is in them, one appliance that gets the "
        "copies, and what is copied. Says what was chosen, how many copies it makes, and the next command.",
        epilog="example: halfsilver init my.pcap --like web -o web.json",
    )
    parser.add_argument("captures", metavar="CAPTURE", nargs="*", help="as for mirror -r: files, folders, or -")
    parser.add_argument(
        "-o",
        dest="output",
        metavar="MIRROR.JSON",
        default="mirror.json",
        help="file to write, never over one that is there; - is standard output (default: %(default)s)",
    )
    presets = "; ".join(f"{name}: {preset.says}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--like", choices=tuple(PRESETS), metavar="WHAT", help=f"what is copied (default: {DEFAULT_PRESET}). {presets}"
    )
    parser.add_argument(
        "--minimal", action="store_true", help="one interface, and no rule and no member that can be left out"
    )
    parser.add_argument(
        "--from-aws",
        metavar="DIR",
        help="propose nothing, but join what `aws ec2 describe-*` printed, a .json file each in this folder, to one "
        "policy; captures are then what it is tried on",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument("--json", action="store_true", help="print what was chosen as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 if a capture is damaged; NothingRan if no frame in it could be mirrored."""
    _check(arguments)
    seen = _read(arguments.captures)
    if arguments.from_aws is not None:
        _join(arguments, seen)
    else:
        _propose(arguments, seen)
    return EXIT_MISMATCH if seen.damaged else EXIT_OK


def _check(arguments: argparse.Namespace) -> None:
    if arguments.from_aws is not None and (arguments.minimal or arguments.like):
        raise UsageError("--from-aws takes the policy as AWS has it; --like and --minimal are for one that is proposed")
    if arguments.from_aws is None and not arguments.captures:
        raise UsageError("init wants a CAPTURE to propose a policy for, or --from-aws DIR")
    if arguments.output == "-":
        if arguments.json:
            raise UsageError("-o - and --json would mix on standard output; give -o a file name")
        return
    inputs = {"CAPTURE": arguments.captures, "--from-aws": [arguments.from_aws] * (arguments.from_aws is not None)}
    refuse_overwriting_input("-o", arguments.output, inputs)
    if os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} is there already; choose another name with -o, or --force replaces it")


def _propose(arguments: argparse.Namespace, seen: _Seen) -> None:
    """Choose, try, write and say what was chosen."""
    names = ", ".join(arguments.captures)
    if not seen.survey.eligible:
        raise NothingRan(f"{names}: {why_nothing(seen.survey)}, so there is nothing to mirror; no policy was written")
    sources = choose_sources(seen.survey, 1 if arguments.minimal else MOST_SOURCES)
    plans = _plans(arguments, seen.survey, sources)
    stations = [source.station for source in sources.chosen]
    taken = {mac for pair in seen.survey.pairs for mac in pair} | seen.survey.stations.keys()
    documents = propose(stations, plans, taken, minimal=arguments.minimal)
    policy = Policy.from_documents(documents, where="the policy proposed")
    trial = _try(policy, seen, sources.tap)
    _write(arguments.output, documents)
    command = _next_command(arguments, sources.tap)
    if arguments.json:
        print(json.dumps(account_to_json(seen.survey, sources, trial, command), indent=2))
        return
    lines = [*render_choice(seen.survey, sources), "", *_written(arguments, documents, trial), f"next: {command}"]
    _say(arguments, lines)


def _join(arguments: argparse.Namespace, seen: _Seen) -> None:
    """The files of --from-aws as one; PolicyError if the reader refuses it."""
    documents = read_joined([arguments.from_aws])
    policy = Policy.from_documents(documents, where=arguments.from_aws)
    trial = _try(policy, seen, tap=False) if seen.first else None
    _write(arguments.output, documents)
    command = _next_command(arguments, tap=False)
    if arguments.json:
        tried = None if trial is None else trial.to_json()
        counted = {name: len(value) for name, value in documents.items() if isinstance(value, list)}
        print(
            json.dumps({"lists": counted, "warnings": len(policy.warnings), "trial": tried, "next": command}, indent=2)
        )
        return
    lines = [str(problem) for problem in policy.warnings]
    lists = ", ".join(f"{len(value):,} {name}" for name, value in documents.items() if isinstance(value, list))
    lines.append(f"{_name(arguments)}: {lists}, from {plural(len(policy_files(arguments.from_aws)), 'file')}")
    lines += [] if trial is None else [str(trial)]
    _say(arguments, [*lines, f"next: {command}"])


def _write(path: str, documents: Any) -> None:
    with atomic_output(path) as stream:
        stream.write((json.dumps(documents, indent=4) + "\n").encode())


def _say(arguments: argparse.Namespace, lines: Sequence[str]) -> None:
    (say if arguments.output == "-" else print)("\n".join(lines))


def _name(arguments: argparse.Namespace) -> str:
    return "standard output" if arguments.output == "-" else str(arguments.output)


def _read(captures: Sequence[str]) -> _Seen:
    seen = _Seen()
    octets = 0
    if not captures:
        return seen
    with open_captures(captures) as reader:
        for batch in batches(reader):
            frames = [replace(captured, data=with_stand_ins(captured.data)) for captured in batch]
            seen.survey.add(frames)
            for frame in frames:
                if len(seen.first) < TRIAL_FRAMES and octets < TRIAL_BYTES:
                    seen.first.append(frame)
                    octets += len(frame.data)
        seen.damaged = report_damage(reader)
    seen.survey.settle()
    return seen


def _plans(arguments: argparse.Namespace, survey: Survey, sources: Sources) -> list[Plan]:
    """The plans of ``--like``; with ``--minimal``, without what no frame of the captures needs."""
    preset = PRESETS[arguments.like or DEFAULT_PRESET]
    seen = tuple(version for version, kind in ((4, Kind.IPV4), (6, Kind.IPV6)) if survey.kinds[kind])
    versions = seen if arguments.minimal or preset.per_version else (4, 6)
    setting = Setting(versions, local_networks([source.station for source in sources.chosen]))
    plans = preset.plans(setting)
    if not arguments.minimal:
        return list(plans)
    own = {source.station.mac for source in sources.chosen}
    ways = {"egress" if source in own else "ingress" for _, source in survey.pairs}
    dns = survey.services[Service.AMAZON_DNS] > 0
    return [
        replace(
            plan, rules=tuple(rule for rule in plan.rules if rule.direction in ways), amazon_dns=plan.amazon_dns and dns
        )
        for plan in plans
    ]


def _try(policy: Policy, seen: _Seen, tap: bool) -> Trial:
    engine = open_golden(policy, Flags(tap=tap))
    choose = DirectionChooser(AUTO, policy)
    stations = stations_of(policy)
    frames = [replace(captured, data=with_policy(captured.data, stations)) for captured in seen.first]
    result = engine.process([choose.frame(captured) for captured in frames])
    found = [record.verdict for record in result.verdicts]
    verdicts = {str(verdict): found.count(verdict) for verdict in Verdict if verdict in found}
    return Trial(len(found), verdicts, whole=len(found) == seen.survey.frames)


def _next_command(arguments: argparse.Namespace, tap: bool) -> str:
    """The command that uses the policy, as a shell takes it."""
    config = "MIRROR.JSON" if arguments.output == "-" else arguments.output  # only its reader knows where it goes
    captures = arguments.captures or ["my.pcap"]
    words = ["halfsilver", "mirror", "-r", *captures, "-c", config, "-w", "mirrored.pcapng"]
    return shlex.join(words + ["--tap"] * tap)


def _written(arguments: argparse.Namespace, documents: dict[str, Any], trial: Trial) -> Iterator[str]:
    filters, sessions, targets = (documents[f"TrafficMirror{each}"] for each in ("Filters", "Sessions", "Targets"))
    rules = sum(len(each.get(f"{way}FilterRules", ())) for each in filters for way in ("Ingress", "Egress"))
    yield (
        f"{_name(arguments)}: {PRESETS[arguments.like or DEFAULT_PRESET].says}; {plural(len(sessions), 'session')}, "
        f"{plural(rules, 'rule')}, {plural(len(targets), 'target')} (made up)"
    )
    yield str(trial)
    if not trial.copies:
        yield "warning: the captures have nothing of the kind; --like everything copies what there is"
