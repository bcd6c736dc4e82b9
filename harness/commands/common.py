"""What several subcommands share: arguments of a run, engines, frames of a capture, messages."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import LINK_NAMES, MADE_UP_MAC
from halfsilver.harness.capture.offered import BothSides, Offered, Step
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.sources import Captures, open_captures
from halfsilver.harness.engine import Engine, Identity
from halfsilver.harness.engines.registry import ENGINE_NAMES, ENGINES, REFERENCE, entry_of, make_engine
from halfsilver.harness.errors import EXIT_NOTHING, HalfsilverError, UsageError
from halfsilver.harness.law import LONGEST_FRAME, SHORTEST_FRAME
from halfsilver.harness.output import refuse_overwriting_input
from halfsilver.harness.policy.addresses import stations_of
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Limits
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.tables import plural
from halfsilver.harness.verdict import Direction

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder
    from halfsilver.harness.engines.golden import GoldenEngine

__all__ = [
    "AUTO",
    "DIRECTIONS",
    "DirectionChooser",
    "NothingRan",
    "Subparsers",
    "add_capture_arguments",
    "add_direction_argument",
    "add_flag_arguments",
    "add_format_argument",
    "add_policy_arguments",
    "add_rig_argument",
    "add_run_arguments",
    "batches",
    "flags_of",
    "load_policy",
    "open_engine",
    "open_frames",
    "open_golden",
    "plural",
    "recording",
    "report_damage",
    "say",
]

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What ``add`` takes; argparse gives the type no public name."""

AUTO = "auto"
DIRECTIONS = (*map(str, Direction), AUTO)
"""What ``--direction`` takes."""
DEFAULT_SEED = 1
DEFAULT_MTU, SHORTEST_MTU = 1500, 576
"""Bytes of IP packet: Ethernet's (RFC 894), and what every host takes (RFC 791)."""
BATCH_FRAMES = 4096
BATCH_BYTES = 8_000_000
"""A batch ends at the first of both: frames, and bytes of frames."""


class NothingRan(HalfsilverError):
    """There was nothing to do; an empty run is never green."""

    exit_code = EXIT_NOTHING


def say(message: str) -> None:
    """A line for people on stderr; stdout is for data."""
    print(message, file=sys.stderr, flush=True)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every subcommand that judges the frames of a capture."""
    add_capture_arguments(parser)
    add_policy_arguments(parser)
    parser.add_argument(
        "--engine",
        choices=ENGINE_NAMES,
        default=REFERENCE,
        help="who judges: the model in Python, the gateware under Verilator, a board, or a board's recorded run; all "
        "but the model are compared with that (default: %(default)s)",
    )
    add_rig_argument(parser)
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="write down all that goes to and from a board, as JSON lines: --engine replay:FILE runs the same again "
        "without it",
    )
    add_direction_argument(parser)
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="seed of the simulation (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")


def add_direction_argument(parser: argparse.ArgumentParser) -> None:
    """``--direction``, as DirectionChooser takes it."""
    parser.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default=AUTO,
        help="direction of the frames; auto: egress if an interface sent it, else ingress (default: %(default)s)",
    )


def add_capture_arguments(parser: argparse.ArgumentParser) -> None:
    """What is read, and what becomes of its frames before they are offered."""
    parser.add_argument(
        "-r",
        dest="read",
        metavar="FILE",
        nargs="+",
        action="extend",
        required=True,
        help="captures to read, pcap or pcapng, also compressed with gzip or Zstandard; a folder is the captures in "
        "it; several are merged by time; - is standard input",
    )
    parser.add_argument(
        "--segment",
        nargs="?",
        type=_mtu,
        const=DEFAULT_MTU,
        metavar="MTU",
        help="cut TCP frames longer than this MTU, which a host's NIC cuts or has joined (TSO, GRO), into the frames "
        f"that were on the wire; each counts as offered (without a number: {DEFAULT_MTU:,})",
    )
    parser.add_argument(
        "--both-sides",
        action="store_true",
        help="offer a frame between two interfaces twice, as two NICs have it: egress of its sender, ingress of its "
        "receiver; both count as offered",
    )


def _mtu(text: str) -> int:
    if not text.isdecimal() or not SHORTEST_MTU <= int(text) <= LONGEST_FRAME - SHORTEST_FRAME:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no MTU: a number from {SHORTEST_MTU} to {LONGEST_FRAME - SHORTEST_FRAME:,} bytes of IP packet"
        )
    return int(text)


def add_format_argument(parser: argparse.ArgumentParser) -> None:
    """``--format``: a table for people or JSON for programs, as ``arguments.format``."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def add_rig_argument(parser: argparse.ArgumentParser) -> None:
    """For every subcommand that takes ``--engine``."""
    parser.add_argument(
        "--rig",
        metavar="BENCH.TOML",
        help="bench file that names the boards of --engine board:NAME (default: $HALFSILVER_RIG, else bench.toml)",
    )


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a policy and its run-time flags."""
    parser.add_argument(
        "-c",
        dest="config",
        metavar="MIRROR.JSON",
        required=True,
        help="policy, as `aws ec2 describe-*` prints it; a folder with what several of them printed is taken as one",
    )
    add_flag_arguments(parser)


def add_flag_arguments(parser: argparse.ArgumentParser) -> None:
    """How a policy is put to work: what ``flags_of`` and ``load_policy`` take."""
    parser.add_argument(
        "--eni", metavar="ENI", help="the interface that gets multicast and, with --tap, frames of no interface"
    )
    parser.add_argument("--tap", action="store_true", help="give frames of no interface to the first interface")
    parser.add_argument(
        "--terminal-reject", action="store_true", help="a reject ends the search; without it the next session is tried"
    )


def load_policy(arguments: argparse.Namespace, limits: Limits | None = None, config: str | None = None) -> Policy:
    """The policy of ``-c``, or of ``config``, its warnings on stderr; without ``limits``, those of AWS hold."""
    policy = Policy.load(arguments.config if config is None else config, eni=arguments.eni, limits=limits)
    for problem in policy.warnings:
        say(str(problem))
    return policy


def flags_of(arguments: argparse.Namespace) -> Flags:
    return Flags(tap=arguments.tap, terminal_reject=arguments.terminal_reject)


def open_golden(policy: Policy, flags: Flags, like: Identity | None = None) -> GoldenEngine:
    """The golden model, configured; ``like`` is a gateware build whose limits it should have."""
    from halfsilver.harness.engines.golden import GoldenEngine
    from halfsilver.harness.golden.parse import EXTENSION_HEADERS

    build = like.parameters if like else {}
    headers = build.get("extension_headers", EXTENSION_HEADERS)
    engine = GoldenEngine(
        extension_headers=headers, longest_copy=build.get("cut_copies"), shortest_frame=build.get("shortest_frame", 0)
    )
    engine.configure(policy, flags)
    return engine


@contextmanager
def recording(arguments: argparse.Namespace) -> Iterator[Recorder | None]:
    """What ``--record`` asks for, in which the whole of a run and its output take place.

    RecordingIncomplete, behind them, if the file took not all of it. UsageError if it is one that is read.
    """
    if arguments.record is None:
        yield None
        return
    if not entry_of(arguments.engine).wired:
        wired = ", ".join(entry.shown for entry in ENGINES.values() if entry.wired)
        raise UsageError(f"--record is for engines behind wires, {wired}; {arguments.engine} has none")
    inputs = {"-r": arguments.read, "-c": arguments.config, "--engine": arguments.engine.partition(":")[2]}
    refuse_overwriting_input("--record", arguments.record, inputs)
    from halfsilver.harness.bench.recording import Recorder

    recorder = Recorder(arguments.record)
    try:
        yield recorder
    except BaseException:
        with suppress(HalfsilverError):  # what went wrong first is what is said
            recorder.close()
        raise
    recorder.close()


def open_engine(
    name: str,
    policy: Policy,
    flags: Flags,
    seed: int,
    full_rate: bool = False,
    *,
    rig: str | None = None,
    recorder: Recorder | None = None,
) -> Engine:
    """The engine of ``--engine``, configured. Errors as those of ``make_engine``, and of configuring."""
    engine = make_engine(name, seed=seed, full_rate=full_rate, rig=rig, recorder=recorder)
    try:
        engine.configure(policy, flags)
    except BaseException:
        engine.close()
        raise
    return engine


_SIDES = {True: Direction.EGRESS, False: Direction.INGRESS}


class DirectionChooser:
    """Direction of a captured frame, fixed or from its source address (``docs/mirroring.md`` section 2)."""

    def __init__(self, option: str, policy: Policy) -> None:
        self._fixed = None if option == AUTO else Direction[option.upper()]
        self._macs = {interface.mac for interface in policy.interfaces}

    def __call__(self, data: bytes) -> Direction:
        if self._fixed is not None:
            return self._fixed
        return Direction.EGRESS if data[6:12] in self._macs else Direction.INGRESS

    def frame(self, captured: CapturedFrame) -> Frame:
        """With the marks that the capture has; those of both sides have their direction already."""
        direction = self(captured.data) if captured.outbound is None else _SIDES[captured.outbound]
        return Frame(captured.data, direction, captured.bad, captured.dropped)


@contextmanager
def open_frames(arguments: argparse.Namespace) -> Iterator[tuple[Captures, Policy]]:
    """The frames of ``-r`` as they are to be offered, and the policy of ``-c``, which is read behind them: without a
    capture its warnings are of no use."""
    with open_captures(arguments.read) as captures:
        policy = load_policy(arguments)
        captures.know(stations_of(policy))
        segmenter = Segmenter(arguments.segment)
        steps: list[Step] = [segmenter]
        if arguments.both_sides:
            if arguments.direction != AUTO:
                raise UsageError(
                    f"--both-sides offers frames in both directions; leave out --direction {arguments.direction}"
                )
            steps.append(BothSides({interface.mac for interface in policy.interfaces}))
        yield Offered(captures, steps), policy
        _report_segments(captures.name, segmenter)


def _report_segments(name: str, segmenter: Segmenter) -> None:
    if segmenter.cut:
        say(f"note: {name}: {plural(segmenter.cut, 'super-frame')} offered as {plural(segmenter.segments, 'segment')}")
    if segmenter.left:
        say(
            f"note: {name}: {plural(segmenter.left, 'frame')} longer than {LONGEST_FRAME:,} bytes, as no wire carries: "
            "frames that the host's NIC would cut or has joined (TSO, GRO). "
            + (
                "These are not whole TCP packets, so they stay as they are"
                if segmenter.asked
                else "--segment cuts those of TCP into the frames that were on the wire"
            )
        )


def batches(reader: Captures) -> Iterator[list[CapturedFrame]]:
    """The frames of a capture in portions small enough to hold; of a stream, what has come before it is waited for."""
    batch: list[CapturedFrame] = []
    octets = 0
    for frame in reader.flow():
        if frame is not None:
            batch.append(frame)
            octets += len(frame.data)
        if batch and (frame is None or len(batch) >= BATCH_FRAMES or octets >= BATCH_BYTES):
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def report_damage(captures: Captures) -> bool:
    """Say what the captures lack: bytes of frames, Ethernet headers, whole parts; True if they are damaged."""
    if captures.left_out:
        names = ", ".join(captures.left_out[:3]) + (" ..." if len(captures.left_out) > 3 else "")
        say(f"note: {plural(len(captures.left_out), 'file')} left out, not a capture: {names}")
    lifted = sum((reader.lifted for reader in captures.readers), Counter())
    if lifted:
        kinds = ", ".join(sorted({LINK_NAMES[link] for link in lifted}))
        say(
            f"note: {captures.name}: {plural(lifted.total(), 'frame')} without Ethernet header ({kinds}) got one: MAC "
            f"addresses of the policy's interfaces by their IP addresses, the sender's where it was captured, else "
            f"{MADE_UP_MAC.hex(':')}"
        )
    for reader in captures.readers:
        if reader.short:
            say(
                f"warning: {reader.name}: {plural(reader.short, 'frame')} captured with fewer bytes than on the "
                "wire; only the captured bytes were judged"
            )
        for damage in reader.damage:
            say(f"warning: {reader.name}: damaged at {damage}")
    return bool(captures.damage)
