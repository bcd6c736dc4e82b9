"""What several subcommands share: arguments of a run, engines, directions, messages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.engine import Engine, Identity
from halfsilver.harness.engines.registry import DEFAULT_WIDTH, ENGINES, entry_of, make_engine
from halfsilver.harness.errors import EXIT_NOTHING, HalfsilverError, UsageError
from halfsilver.harness.output import refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Limits
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.tables import plural
from halfsilver.harness.verdict import Direction, VerdictRecord

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder
    from halfsilver.harness.engines.golden import GoldenEngine

__all__ = [
    "AUTO",
    "DIRECTIONS",
    "DirectionChooser",
    "NothingRan",
    "Received",
    "Subparsers",
    "add_appliance_argument",
    "add_direction_argument",
    "add_flag_arguments",
    "add_format_argument",
    "add_policy_arguments",
    "add_rig_argument",
    "flags_of",
    "load_policy",
    "open_engine",
    "open_golden",
    "plural",
    "received",
    "recording",
    "say",
    "say_warnings",
]

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What ``add`` takes; argparse gives the type no public name."""

Received = Callable[[VerdictRecord, bytes], bytes]
"""What becomes of a copy on its way to who gets it."""

AUTO = "auto"
DIRECTIONS = (*map(str, Direction), AUTO)
"""What ``--direction`` takes."""
DEFAULT_SEED = 1


class NothingRan(HalfsilverError):
    """There was nothing to do; an empty run is never green."""

    exit_code = EXIT_NOTHING


def say(message: str) -> None:
    """A line for people on stderr; stdout is for data."""
    print(message, file=sys.stderr, flush=True)


def add_direction_argument(parser: argparse.ArgumentParser) -> None:
    """``--direction``, as DirectionChooser takes it."""
    parser.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default=AUTO,
        help="direction of the frames; auto: egress if an interface sent it, else ingress (default: %(default)s)",
    )


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


def add_appliance_argument(parser: argparse.ArgumentParser) -> None:
    """``--appliance``, for every subcommand that writes copies to a file; see ``received``."""
    parser.add_argument(
        "--appliance",
        metavar="ENI",
        help="write copies to Gateway Load Balancer endpoints as the appliance with this interface gets them from the "
        "load balancer, in GENEVE; other copies as they are",
    )


def received(arguments: argparse.Namespace, policy: Policy) -> Received:
    """What ``--appliance`` makes of copies; without it they stay as they left. UsageError if there is no such way."""
    if arguments.appliance is None:
        return _as_it_left
    from halfsilver.harness.golden.geneve import BehindGateway
    from halfsilver.harness.policy.appliance import find_appliance

    return BehindGateway(policy, find_appliance(policy, arguments.appliance))


def _as_it_left(record: VerdictRecord, copy: bytes) -> bytes:
    return copy


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
    """The policy of ``-c``, or of ``config``; without ``limits``, those of AWS hold.

    Its warnings are for ``say_warnings``, when nothing went wrong: an error stands alone.
    """
    return Policy.load(arguments.config if config is None else config, eni=arguments.eni, limits=limits)


def say_warnings(policy: Policy) -> None:
    """What the policy may say but hardly means, on stderr."""
    for problem in policy.warnings:
        say(str(problem))


def flags_of(arguments: argparse.Namespace) -> Flags:
    return Flags(tap=arguments.tap, terminal_reject=arguments.terminal_reject)


def open_golden(policy: Policy, flags: Flags, like: Identity | None = None) -> GoldenEngine:
    """The golden model, configured; ``like`` is a gateware build whose limits it should have."""
    from halfsilver.harness.engines.golden import GoldenEngine

    engine = GoldenEngine.like(like)
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
    width: int = DEFAULT_WIDTH,
    rig: str | None = None,
    recorder: Recorder | None = None,
) -> Engine:
    """The engine of ``--engine``, configured. Errors as those of ``make_engine``, and of configuring."""
    engine = make_engine(name, seed=seed, full_rate=full_rate, width=width, rig=rig, recorder=recorder)
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
        """With the marks that the capture has."""
        return Frame(captured.data, self._direction(captured), captured.bad, captured.dropped)

    def _direction(self, captured: CapturedFrame) -> Direction:
        """That which the capture says, unless it is that of a stranger and the frame one of ours."""
        by_address = self(captured.data)
        if captured.outbound is None or self._fixed is not None:
            return by_address
        receiver, sender = captured.data[:6], captured.data[6:12]
        side, other = (sender, receiver) if captured.outbound else (receiver, sender)
        return by_address if side not in self._macs and other in self._macs else _SIDES[captured.outbound]
