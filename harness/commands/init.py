"""``halfsilver init``: a policy for captures that have none, with copies that are not zero."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.commands.common import (
    AUTO,
    DirectionChooser,
    NothingRan,
    Subparsers,
    batches,
    open_golden,
    plural,
    report_damage,
    say,
)
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.golden.parse import Kind
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.propose.documents import local_networks, propose
from halfsilver.harness.propose.presets import PRESETS, Plan, Setting
from halfsilver.harness.propose.sources import MOST_SOURCES, Sources, choose_sources
from halfsilver.harness.propose.survey import Survey, is_group
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.tables import share, table
from halfsilver.harness.verdict import Service, Verdict

__all__ = ["add", "run"]

TRIAL_FRAMES = 10_000
TRIAL_BYTES = 32_000_000
"""The proposal is tried on the first of both: frames, and bytes of frames."""


@dataclass
class _Seen:
    """What the captures have: summed up, and the first frames of them as they are."""

    survey: Survey = field(default_factory=Survey)
    first: list[bytes] = field(default_factory=list)
    damaged: bool = False


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "init",
        help="propose a policy for a capture",
        description="Write a policy that mirrors what is in captures: who is in them, one appliance that gets the "
        "copies, and what is copied. Says what was chosen, how many copies it makes, and the next command.",
        epilog="example: halfsilver init my.pcap --like web -o web.json",
    )
    parser.add_argument("captures", metavar="CAPTURE", nargs="+", help="pcap or pcapng; - is standard input")
    parser.add_argument(
        "-o",
        dest="output",
        metavar="MIRROR.JSON",
        default="mirror.json",
        help="file to write, never over one that is there; - is standard output (default: %(default)s)",
    )
    presets = "; ".join(f"{name}: {preset.says}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--like",
        choices=tuple(PRESETS),
        default="everything",
        metavar="WHAT",
        help=f"what is copied (default: %(default)s). {presets}",
    )
    parser.add_argument(
        "--minimal", action="store_true", help="one interface, and no rule and no member that can be left out"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument("--json", action="store_true", help="print what was chosen as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 1 if a capture is damaged; NothingRan if no frame in it could be mirrored."""
    _check(arguments)
    seen = _read(arguments.captures)
    names = ", ".join(arguments.captures)
    if not seen.survey.eligible:
        raise NothingRan(f"{names}: {_why_nothing(seen.survey)}, so there is nothing to mirror; no policy was written")
    sources = choose_sources(seen.survey, 1 if arguments.minimal else MOST_SOURCES)
    plans = _plans(arguments, seen.survey, sources)
    stations = [source.station for source in sources.chosen]
    taken = {mac for pair in seen.survey.pairs for mac in pair} | seen.survey.stations.keys()
    documents = propose(stations, plans, taken, minimal=arguments.minimal)
    trial = _try(documents, seen.first, sources.tap)
    with atomic_output(arguments.output) as stream:
        stream.write((json.dumps(documents, indent=4) + "\n").encode())
    _print(arguments, documents, seen.survey, sources, trial)
    return EXIT_MISMATCH if seen.damaged else EXIT_OK


def _check(arguments: argparse.Namespace) -> None:
    if arguments.output == "-":
        if arguments.json:
            raise UsageError("-o - and --json would mix on standard output; give -o a file name")
        return
    inputs = {f"CAPTURE {number}": path for number, path in enumerate(arguments.captures, 1)}
    refuse_overwriting_input("-o", arguments.output, inputs)
    if os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} is there already; choose another name with -o, or --force replaces it")


def _read(captures: Sequence[str]) -> _Seen:
    seen = _Seen()
    octets = 0
    for path in captures:
        with open_capture(path) as reader:
            for batch in batches(reader):
                frames = [captured.data for captured in batch]
                seen.survey.add(frames)
                for frame in frames:
                    if len(seen.first) < TRIAL_FRAMES and octets < TRIAL_BYTES:
                        seen.first.append(frame)
                        octets += len(frame)
            seen.damaged |= report_damage(reader)
    return seen


def _why_nothing(survey: Survey) -> str:
    if not survey.frames:
        return "holds no frame"
    services = [f"{count:,} {each}" for each, count in survey.services.items() if each is not Service.NONE]
    kinds = [f"{count:,} {kind.value}" for kind, count in survey.kinds.items() if kind in (Kind.NOT_IP, Kind.MALFORMED)]
    return f"{plural(survey.frames, 'frame')}, of which none may be mirrored ({', '.join(services + kinds)})"


def _plans(arguments: argparse.Namespace, survey: Survey, sources: Sources) -> list[Plan]:
    """The plans of ``--like``; with ``--minimal``, without what no frame of the captures needs."""
    preset = PRESETS[arguments.like]
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


@dataclass(frozen=True)
class _Trial:
    """What the golden model makes of the first frames by the proposal."""

    frames: int
    verdicts: dict[str, int]

    @property
    def copies(self) -> int:
        return self.verdicts.get(str(Verdict.MIRRORED), 0)


def _try(documents: dict[str, Any], frames: Sequence[bytes], tap: bool) -> _Trial:
    policy = Policy.from_documents(documents, where="the policy proposed")
    engine = open_golden(policy, Flags(tap=tap))
    choose = DirectionChooser(AUTO, policy)
    result = engine.process([Frame(data, choose(data)) for data in frames])
    found = [record.verdict for record in result.verdicts]
    return _Trial(len(frames), {str(verdict): found.count(verdict) for verdict in Verdict if verdict in found})


def _next_command(arguments: argparse.Namespace, tap: bool) -> str:
    """The command that uses the policy, as a shell takes it."""
    config = "mirror.json" if arguments.output == "-" else arguments.output
    words = ["halfsilver", "mirror", "-r", arguments.captures[0], "-c", config, "-w", "mirrored.pcapng"]
    return shlex.join(words + ["--tap"] * tap)


def _print(
    arguments: argparse.Namespace, documents: dict[str, Any], survey: Survey, sources: Sources, trial: _Trial
) -> None:
    command = _next_command(arguments, sources.tap)
    if arguments.json:
        print(json.dumps(_to_json(survey, sources, trial, command), indent=2))
        return
    lines = [*_chosen(survey, sources), "", *_written(arguments, documents, trial), f"next: {command}"]
    (say if arguments.output == "-" else print)("\n".join(lines))


def _chosen(survey: Survey, sources: Sources) -> Iterator[str]:
    yield (
        f"{plural(survey.frames, 'frame')}, {survey.eligible:,} of which rules may look at; "
        f"{plural(len(survey.stations), 'station')} with a MAC address"
    )
    rows = [
        (
            source.station.mac.hex(":"),
            source.station.address(4) or source.station.address(6) or "-",
            "router" if source.station.is_router else "host",
            source.station.received,
            source.station.sent,
            source.gained,
            _vlans(source.station.vlans),
        )
        for source in sources.chosen
    ]
    if rows:
        header = ("MAC", "address", "taken for", "ingress", "egress", "adds", "VLAN")
        yield ""
        yield table(header, rows, right="345")
    else:
        yield "no frame has a MAC address that an interface can have; one is made up, and --tap gives it every frame"
    if sources.missed:
        of_all = share(sources.missed, sources.unicast)
        yield f"{plural(sources.missed, 'unicast frame')} ({of_all}) of others" + (
            ", which --tap gives to the first" if sources.tap and rows else ""
        )
    groups = sum(count for (destination, _), count in survey.pairs.items() if is_group(destination))
    if groups and rows:
        yield f"{plural(groups, 'frame')} to groups: those that no interface above sent are the first one's ingress"


def _vlans(vlans: set[tuple[int, ...]]) -> str:
    """``-`` for frames without a tag; two tags with a point between them."""
    return ", ".join(".".join(map(str, tags)) or "-" for tags in sorted(vlans))


def _written(arguments: argparse.Namespace, documents: dict[str, Any], trial: _Trial) -> Iterator[str]:
    rules = sum(
        len(each.get(f"{way}FilterRules", ()))
        for each in documents["TrafficMirrorFilters"]
        for way in ("Ingress", "Egress")
    )
    name = "standard output" if arguments.output == "-" else arguments.output
    yield (
        f"{name}: {PRESETS[arguments.like].says}; {plural(len(documents['TrafficMirrorSessions']), 'session')}, "
        f"{plural(rules, 'rule')}, {plural(len(documents['TrafficMirrorTargets']), 'target')} (made up)"
    )
    rest = ", ".join(f"{count:,} {name}" for name, count in trial.verdicts.items() if name != str(Verdict.MIRRORED))
    yield (
        f"tried on {'the first ' if trial.frames >= TRIAL_FRAMES else ''}{plural(trial.frames, 'frame')}: "
        f"{trial.copies:,} copied ({share(trial.copies, trial.frames)}){f'; {rest}' if rest else ''}"
    )
    if not trial.copies:
        yield "warning: the captures have nothing of the kind; --like everything copies what there is"


def _to_json(survey: Survey, sources: Sources, trial: _Trial, command: str) -> dict[str, Any]:
    return {
        "frames": survey.frames,
        "eligible": survey.eligible,
        "stations": len(survey.stations),
        "sources": [
            {
                "mac": source.station.mac.hex(":"),
                "ipv4": _text(source.station.address(4)),
                "ipv6": _text(source.station.address(6)),
                "router": source.station.is_router,
                "received": source.station.received,
                "sent": source.station.sent,
                "gained": source.gained,
                "vlans": sorted(source.station.vlans),
            }
            for source in sources.chosen
        ],
        "missed": sources.missed,
        "tap": sources.tap,
        "trial": {"frames": trial.frames, "verdicts": trial.verdicts},
        "next": command,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
