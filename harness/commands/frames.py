"""Frames of ``-r`` as subcommands offer them: how they are named, read, cut into batches, and what is said of them."""

from __future__ import annotations

import argparse
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import LINK_NAMES, MADE_UP_MAC
from halfsilver.harness.capture.offered import Offered, Steps
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.sources import Captures, open_captures
from halfsilver.harness.commands.common import (
    AUTO,
    DEFAULT_SEED,
    add_direction_argument,
    add_policy_arguments,
    add_rig_argument,
    load_policy,
    plural,
    say,
    say_warnings,
)
from halfsilver.harness.engines.registry import ENGINE_NAMES, REFERENCE
from halfsilver.harness.errors import UsageError
from halfsilver.harness.law import LONGEST_FRAME, SHORTEST_FRAME
from halfsilver.harness.policy.addresses import stations_of
from halfsilver.harness.policy.policy import Policy

__all__ = [
    "BATCH_FRAMES",
    "add_capture_arguments",
    "add_run_arguments",
    "batches",
    "ends_at_interrupt",
    "open_frames",
    "report_damage",
]

DEFAULT_MTU, SHORTEST_MTU = 1500, 576
"""Bytes of IP packet: Ethernet's (RFC 894), and what every host takes (RFC 791)."""
BATCH_FRAMES = 4096
BATCH_BYTES = 8_000_000
"""A batch ends at the first of both: frames, and bytes of frames."""


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
        "it; several are merged by time; - is standard input "
        "(of mirror and counters the first Ctrl-C ends it, and what was judged is written)",
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


@contextmanager
def open_frames(arguments: argparse.Namespace) -> Iterator[tuple[Offered, Policy]]:
    """The frames of ``-r`` as they are to be offered, and the policy of ``-c``; its warnings come at the end."""
    with open_captures(arguments.read) as captures:
        policy = load_policy(arguments)
        captures.know(stations_of(policy))
        if arguments.both_sides and arguments.direction != AUTO:
            raise UsageError(
                f"--both-sides offers frames in both directions; leave out --direction {arguments.direction}"
            )
        steps = steps_of(arguments, policy)
        yield Offered(captures, steps), policy
        _report_segments(captures.name, steps.segmenter)
        say_warnings(policy)


def steps_of(arguments: argparse.Namespace, policy: Policy) -> Steps:
    """What frames go through, as it is asked for."""
    return Steps(arguments.segment, {each.mac for each in policy.interfaces} if arguments.both_sides else ())


@contextmanager
def ends_at_interrupt(captures: Captures) -> Iterator[Callable[[], bool]]:
    """In the block the first Ctrl-C ends what is read, and the next one all; gives whether there was one."""
    interrupted = False

    def stop(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for reader in captures.readers:
            reader.stop()

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _report_segments(name: str, segmenter: Segmenter) -> None:
    if segmenter.cut:
        say(f"note: {name}: {plural(segmenter.cut, 'super-frame')} offered as {plural(segmenter.segments, 'segment')}")
    if segmenter.left and segmenter.asked is not None:
        say(
            f"note: {name}: {plural(segmenter.left, 'frame')} longer than the MTU of {segmenter.asked:,} stayed whole: "
            "not TCP straight behind IP, a fragment, or not captured whole"
        )
    elif segmenter.left:
        say(
            f"note: {name}: {plural(segmenter.left, 'frame')} longer than {LONGEST_FRAME:,} bytes, as no wire carries: "
            "frames that the host's NIC would cut or has joined (TSO, GRO). "
            "--segment cuts those of TCP into the frames that were on the wire"
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
