"""``halfsilver live``: an interface of this host is mirrored as the card would, by the golden model."""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path, PurePath

from halfsilver.harness.capture.compression import packed
from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.writer import writer_class
from halfsilver.harness.commands.common import (
    AUTO,
    DEFAULT_SEED,
    DirectionChooser,
    NothingRan,
    Subparsers,
    add_appliance_argument,
    add_policy_arguments,
    flags_of,
    load_policy,
    open_golden,
    plural,
    received,
    say,
    say_warnings,
)
from halfsilver.harness.engine import Result
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EXIT_MISMATCH, EXIT_OK, CardUnreachable, UsageError
from halfsilver.harness.law import LONGEST_FRAME, SHORTEST_FRAME
from halfsilver.harness.live.copies import CopySender, OwnCopies
from halfsilver.harness.live.tap import Tap, open_tap
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.copy_comment import copy_comment
from halfsilver.harness.report.hints import Hints, strangers
from halfsilver.harness.report.summary import RunSummary, render_run

__all__ = ["add", "run"]

UDP = "udp"
BATCH_FRAMES = 512
WAIT_SECONDS = 0.2
RATE_SECONDS = 1.0

Send = Callable[[list[CapturedFrame], Result], None]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "live",
        help="mirror an interface of this host",
        description="Do on a Linux host what the card does: hear what goes over an interface, judge each frame with "
        "the golden model, send the copies. For small traffic and demonstrations: the model judges some thousand "
        "frames a second, and what comes faster than that is lost to it (not to the host) and counted. Its own copies "
        "are never mirrored. Needs root, or CAP_NET_RAW. Ctrl-C ends it with the sums.",
        epilog="example: halfsilver live -i eth0 -c mirror.json -o udp",
    )
    parser.add_argument("-i", dest="interface", metavar="IFACE", required=True, help="network interface to mirror")
    add_policy_arguments(parser)
    parser.add_argument(
        "-o",
        dest="output",
        metavar="udp|FILE",
        required=True,
        help="udp sends each copy from this host to its target, by the host's routes (the Ethernet header and the "
        "identification of IPv4 are the host's, all else is as of the card); a FILE is written as of mirror -w",
    )
    add_appliance_argument(parser)
    parser.add_argument("--seconds", type=_above_zero(float), metavar="N", help="end after so many seconds")
    parser.add_argument("--frames", type=_above_zero(int), metavar="N", help="end after so many frames, or some more")
    parser.add_argument("--json", action="store_true", help="print the sums as JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if sums do not add up, 3 if the interface went away. EnvironmentMissing without the right to hear
    or send; NothingRan if no frame came."""
    if arguments.output == "-" and arguments.json:
        raise UsageError("-o - and --json would mix on standard output; give -o a file name")
    _refuse_what_is_no_output(arguments.output)
    if arguments.output == UDP and arguments.appliance is not None:
        raise UsageError("--appliance says what is in a file; -o udp sends what the card would, give -o a file name")
    refuse_overwriting_input("-o", arguments.output, {"-c": arguments.config})
    policy = load_policy(arguments)
    with ExitStack() as stack:
        tap = stack.enter_context(closing(open_tap(arguments.interface)))
        live = _Live(arguments, policy, tap)
        send = live.open_output(stack, arguments.output)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, live.stop)
        say_warnings(policy)
        say(f"mirroring {arguments.interface} (MTU {tap.mtu:,}) to {arguments.output}; Ctrl-C ends it")
        live.mirror(send)
        if not live.summary.frames:
            raise NothingRan(f"{arguments.interface}: no frame went over it, nothing was mirrored")
    live.print(arguments.json)
    if live.gone:
        return EXIT_ENVIRONMENT
    return EXIT_OK if live.summary.conserved else EXIT_MISMATCH


def _refuse_what_is_no_output(name: str) -> None:
    """UsageError for a name without ending that is nothing yet: a misspelt ``udp`` must not become a file."""
    if name not in (UDP, "-") and not PurePath(name).suffix and not Path(name).exists():
        raise UsageError(
            f"-o {name}: is neither {UDP} nor - nor the name of a capture; a file ends in .pcapng or .pcap"
        )


def _above_zero(of: Callable[[str], float]) -> Callable[[str], float]:
    def amount(text: str) -> float:
        value = of(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    amount.__name__ = of.__name__  # argparse's name for what is no number
    return amount


class _Live:
    """A run: what was heard, judged and sent."""

    def __init__(self, arguments: argparse.Namespace, policy: Policy, tap: Tap) -> None:
        self.summary = RunSummary(REFERENCE, DEFAULT_SEED, policy, compared=False)
        self._arguments = arguments
        self._tap = tap
        self._engine = open_golden(policy, flags_of(arguments))
        self._choose = DirectionChooser(AUTO, policy)
        self._own = OwnCopies(policy)
        self._passed_over = 0
        self._segmenter = Segmenter(min(tap.mtu, LONGEST_FRAME - SHORTEST_FRAME))
        self._hints = Hints(policy)
        self._sender: CopySender | None = None
        self._stopped = False
        self.gone = False

    def stop(self, *_: object) -> None:
        """What a signal calls: the batch under way is finished."""
        self._stopped = True

    def open_output(self, stack: ExitStack, output: str) -> Send:
        """What takes the copies of a batch, on a stack that ends with the run."""
        if output == UDP:
            sender = self._sender = stack.enter_context(closing(CopySender()))

            def send(_: list[CapturedFrame], result: Result) -> None:
                for copy in result.outputs:
                    sender.send(copy.data)

            return send
        as_received = received(self._arguments, self.summary.policy)
        make = writer_class(output)
        stream = stack.enter_context(atomic_output(output))
        writer = make(stack.enter_context(packed(stream, output)))

        def write(batch: list[CapturedFrame], result: Result) -> None:
            for copy in result.outputs:
                record = result.verdicts[copy.frame]
                comment = copy_comment(record, self.summary.policy)
                writer.write(as_received(record, copy.data), batch[copy.frame].timestamp, comment)
            stream.flush()

        return write

    def mirror(self, send: Send) -> None:
        """Until it has had enough, is stopped, or the interface goes away; says once a second how it goes."""
        began = said = time.monotonic()
        frames = copies = 0
        while not self._has_enough(time.monotonic() - began):
            try:
                heard = self._tap.take(WAIT_SECONDS, BATCH_FRAMES)
            except CardUnreachable as error:
                say(f"warning: {str(error).removeprefix('packet:')}")
                self.gone = True
                return
            self._judge(heard, send)
            now = time.monotonic()
            if now - said >= RATE_SECONDS:
                rates = [(self.summary.frames - frames) / (now - said), (self.summary.copies - copies) / (now - said)]
                say(
                    f"{now - began:,.0f} s: {self.summary.frames:,} frames ({rates[0]:,.0f}/s), "
                    f"{self.summary.copies:,} copies ({rates[1]:,.0f}/s){self._failures()}"
                )
                said, frames, copies = now, self.summary.frames, self.summary.copies

    def _has_enough(self, seconds: float) -> bool:
        limits = ((self._arguments.seconds, seconds), (self._arguments.frames, self.summary.frames))
        return self._stopped or any(limit is not None and value >= limit for limit, value in limits)

    def _judge(self, heard: list[CapturedFrame], send: Send) -> None:
        others = [frame for frame in heard if frame.data not in self._own]
        self._passed_over += len(heard) - len(others)
        batch = [segment for frame in others for segment in self._segmenter(frame)]
        if not batch:
            return
        frames = [self._choose.frame(captured) for captured in batch]
        result = self._engine.process(frames)
        self.summary.add([frame.direction for frame in frames], result, [])
        self._hints.take_in(strangers(batch, result))
        send(batch, result)

    def _failures(self) -> str:
        unsent = self._sender.unsent if self._sender is not None else {}
        parts = [f"{count:,} copies not sent ({reason})" for reason, count in unsent.items()]
        if self._tap.lost:
            parts.append(f"{plural(self._tap.lost, 'frame')} lost: they came faster than they were judged")
        return "".join(f"; {part}" for part in parts)

    def print(self, as_json: bool) -> None:
        """The sums, and what is in none of them."""
        if as_json:
            more = {
                "lost": self._tap.lost,
                "own_copies": self._passed_over,
                "sent": None if self._sender is None else self._sender.sent,
                "unsent": {} if self._sender is None else dict(self._sender.unsent),
            }
            print(json.dumps(self.summary.to_json() | more, indent=2))
        else:
            where = f"copies: {self.summary.copies:,} in {self._arguments.output}"
            text = render_run(self.summary, [where] if self._arguments.output not in (UDP, "-") else [])
            (say if self._arguments.output == "-" else print)(text)
        say(f"passed over: {plural(self._passed_over, 'frame')} that are copies of this policy{self._failures()}")
        for line in self._hints.lines(self.summary.sums):
            say(line)
