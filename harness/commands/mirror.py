"""``halfsilver mirror``: a capture and a policy in, the mirrored capture and a verdict per frame out."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from halfsilver.harness.capture.compression import packed
from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.writer import PcapngWriter, PcapWriter, writer_class
from halfsilver.harness.commands.common import Received, Subparsers, add_appliance_argument, received, recording, say
from halfsilver.harness.commands.judging import add_judging_arguments, exit_code, judge_capture, refuse_options
from halfsilver.harness.commands.lots import Observer
from halfsilver.harness.commands.report import Report, add_report_argument
from halfsilver.harness.engine import Result
from halfsilver.harness.errors import UsageError
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.copy_comment import copy_comment
from halfsilver.harness.report.hints import Hints, strangers
from halfsilver.harness.report.summary import RunSummary, render_run
from halfsilver.harness.report.verdict_lines import verdict_line

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "mirror", help="mirror a capture", description="Mirror the frames of a capture as the policy says."
    )
    add_judging_arguments(parser)
    parser.add_argument(
        "-w",
        dest="write",
        metavar="FILE",
        help="write the copies to this .pcapng, each with its verdict as comments, in words and as JSON, "
        "or .pcap, which has no comments; .gz or .zst behind it compresses; - is standard output, as pcapng",
    )
    add_appliance_argument(parser)
    parser.add_argument("--verdicts", metavar="FILE", help="write one JSON object per frame; - is standard output")
    add_report_argument(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if engines disagree, sums do not add up or the capture is damaged.

    NothingRan if the capture is empty.
    """
    _check(arguments)
    report = None if arguments.report is None else Report(arguments)

    hints: list[Hints] = []

    def observers(stack: ExitStack, policy: Policy) -> Iterator[Observer]:
        outputs = _Outputs(stack, arguments)
        if arguments.write is not None or arguments.verdicts is not None:
            as_written = _Format(
                policy, received(arguments, policy), outputs.writer, verdicts=arguments.verdicts is not None
            )
            yield Observer(as_written, outputs.write)
        hints.append(Hints(policy))
        yield Observer(strangers, hints[0].take_in)
        if report is not None:
            yield report.observe(policy)

    with recording(arguments) as recorder:
        summary, damaged = judge_capture(arguments, recorder, observers)
        _print(arguments, summary)
        advice = list(hints[0].lines(summary.sums))
        for line in advice:
            say(line)
        if report is not None:
            _tell(arguments, f"page: {report.write(summary, damaged, advice)}")
    return exit_code(summary, damaged)


def _check(arguments: argparse.Namespace) -> None:
    refuse_options(arguments)
    to_stdout = [
        option
        for option, taken in (
            ("-w -", arguments.write == "-"),
            ("--verdicts -", arguments.verdicts == "-"),
            ("--json", arguments.json),
        )
        if taken
    ]
    if len(to_stdout) > 1:
        raise UsageError(f"{' and '.join(to_stdout)} would mix on standard output; give one of them a file name")
    inputs = {"-r": arguments.read, "-c": arguments.config}
    refuse_overwriting_input("-w", arguments.write, inputs)
    refuse_overwriting_input("--verdicts", arguments.verdicts, inputs)
    if arguments.appliance is not None and arguments.write is None:
        raise UsageError("--appliance says what is in the file of -w; give it one, or leave the option out")
    if arguments.write is not None and arguments.write == arguments.verdicts:
        raise UsageError(f"-w and --verdicts both name {arguments.write}; give them two names")
    if arguments.write is not None and writer_class(arguments.write) is PcapWriter:
        say(f"note: {arguments.write}: pcap has no comments, so the copies are written without their verdicts")


@dataclass(frozen=True, slots=True)
class _Format:
    """A batch as it is written: its copies, as ``writer`` writes them behind others, and its verdict lines."""

    policy: Policy
    received: Received
    writer: type[PcapWriter] | type[PcapngWriter] | None
    verdicts: bool

    def __call__(self, batch: Sequence[CapturedFrame], result: Result, first: int) -> tuple[bytes, bytes]:
        """Both in the order of the input; empty if not asked for."""
        told = range(len(batch)) if self.verdicts else {output.frame for output in result.outputs}
        lines = {at: json.dumps(verdict_line(result.verdicts[at], first + at, self.policy)) for at in told}
        copies = io.BytesIO()
        if self.writer is not None:
            writer = self.writer(copies, begins=False)
            for output in sorted(result.outputs, key=lambda output: output.frame):
                record, time = result.verdicts[output.frame], batch[output.frame].timestamp
                why = copy_comment(record, self.policy)
                writer.write(self.received(record, output.data), time, why, lines[output.frame])
        verdicts = "".join(f"{line}\n" for line in lines.values()) if self.verdicts else ""
        return copies.getvalue(), verdicts.encode()


class _Outputs:
    """The copies and the verdict lines, each if asked for; files appear when ``stack`` ends without error.

    What is read from a stream comes out of one as soon as it is judged.
    """

    def __init__(self, stack: ExitStack, arguments: argparse.Namespace) -> None:
        self.writer: type[PcapWriter] | type[PcapngWriter] | None = None
        self._copies: BinaryIO | None = None
        self._verdicts: BinaryIO | None = None
        self._streams: list[BinaryIO] = []
        if arguments.write is not None:
            output = self._open(stack, arguments.write)
            self._copies = stack.enter_context(packed(output, arguments.write))
            self.writer = writer_class(arguments.write)
            self.writer(self._copies)
        if arguments.verdicts is not None:
            self._verdicts = self._open(stack, arguments.verdicts)
        self._flush()

    def _open(self, stack: ExitStack, path: str) -> BinaryIO:
        self._streams.append(stack.enter_context(atomic_output(path)))
        return self._streams[-1]

    def _flush(self) -> None:
        for stream in self._streams:
            stream.flush()

    def write(self, batch: tuple[bytes, bytes]) -> None:
        """Copies and verdict lines of one batch."""
        for stream, octets in zip((self._copies, self._verdicts), batch, strict=True):
            if stream is not None:
                stream.write(octets)
        self._flush()


def _print(arguments: argparse.Namespace, summary: RunSummary) -> None:
    if arguments.json:
        print(json.dumps(summary.to_json(), indent=2))
        return
    written = (("copies", arguments.write, summary.copies), ("verdicts", arguments.verdicts, summary.frames))
    files = [f"{what}: {count:,} in {path}" for what, path, count in written if path not in (None, "-")]
    _tell(arguments, render_run(summary, files))


def _tell(arguments: argparse.Namespace, text: str) -> None:
    """Words for people: on stdout, unless that is for data."""
    if arguments.json or "-" in (arguments.write, arguments.verdicts):
        say(text)
    else:
        print(text)
