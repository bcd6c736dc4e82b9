"""``halfsilver mirror``: a capture and a policy in, the mirrored capture and a verdict per frame out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.reader import CaptureReader, open_capture
from halfsilver.harness.capture.writer import CaptureWriter, PcapWriter, writer_class
from halfsilver.harness.commands.common import (
    DirectionChooser,
    NothingRan,
    Subparsers,
    add_run_arguments,
    batches,
    flags_of,
    load_policy,
    open_engine,
    open_golden,
    report_damage,
    say,
)
from halfsilver.harness.engine import Result
from halfsilver.harness.engines.registry import ENGINES, REFERENCE
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.output import atomic_output, refuse_overwriting_input
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.compare import compare
from halfsilver.harness.report.progress import capture_progress
from halfsilver.harness.report.summary import RunSummary, render_run
from halfsilver.harness.report.verdict_lines import verdict_line

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "mirror", help="mirror a capture", description="Mirror the frames of a capture as the policy says."
    )
    add_run_arguments(parser)
    parser.add_argument(
        "-w",
        dest="write",
        metavar="FILE",
        help="write the copies to this .pcapng, each with its verdict as comment, or .pcap, which has no comments; "
        "- is standard output, as pcapng",
    )
    parser.add_argument("--verdicts", metavar="FILE", help="write one JSON object per frame; - is standard output")
    parser.add_argument(
        "--full-rate",
        action="store_true",
        help="with --engine verilator: offer frames back to back on both ports, so that copies may meet congestion",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if engines disagree, sums do not add up or the capture is damaged.

    NothingRan if the capture is empty.
    """
    _check(arguments)
    with open_capture(arguments.read) as reader:  # before the policy, whose warnings are of no use without it
        policy = load_policy(arguments)
        if not policy.interfaces:
            say(f"warning: {arguments.config}: the policy gives the NIC no interface")
        summary = RunSummary(arguments.engine, arguments.seed, policy, compared=arguments.engine != REFERENCE)
        with ExitStack() as stack:
            outputs = _Outputs(stack, arguments, policy)
            _judge_all(arguments, policy, reader, outputs, summary)
            if not summary.frames and not reader.damage:
                raise NothingRan(f"{reader.name}: holds no frame, nothing was mirrored")
        damaged = report_damage(reader)
    _print(arguments, summary)
    return EXIT_OK if summary.conserved and not summary.difference_count and not damaged else EXIT_MISMATCH


def _check(arguments: argparse.Namespace) -> None:
    if arguments.full_rate and not ENGINES[arguments.engine].simulated:
        simulated = " or ".join(name for name, entry in ENGINES.items() if entry.simulated)
        raise UsageError(f"--full-rate needs --engine {simulated}: the {arguments.engine} model has no clock")
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
    if arguments.write is not None and arguments.write == arguments.verdicts:
        raise UsageError(f"-w and --verdicts both name {arguments.write}; give them two names")
    if arguments.write is not None and writer_class(arguments.write) is PcapWriter:
        say(f"note: {arguments.write}: pcap has no comments, so the copies are written without their verdicts")


class _Outputs:
    """The copies and the verdict lines, each if asked for; files appear when ``stack`` ends without error."""

    def __init__(self, stack: ExitStack, arguments: argparse.Namespace, policy: Policy) -> None:
        self._policy = policy
        self._next_frame = 1
        self._writer: CaptureWriter | None = None
        self._verdicts: BinaryIO | None = None
        if arguments.write is not None:
            self._writer = writer_class(arguments.write)(stack.enter_context(atomic_output(arguments.write)))
        if arguments.verdicts is not None:
            self._verdicts = stack.enter_context(atomic_output(arguments.verdicts))

    def write(self, batch: Sequence[CapturedFrame], result: Result) -> None:
        """Verdict lines and copies of one batch, both in the order of the input."""
        if self._writer is None and self._verdicts is None:
            return
        lines = [
            json.dumps(verdict_line(record, frame, self._policy))
            for frame, record in enumerate(result.verdicts, self._next_frame)
        ]
        if self._verdicts is not None:
            self._verdicts.writelines(f"{line}\n".encode() for line in lines)
        if self._writer is not None:
            for output in sorted(result.outputs, key=lambda output: output.frame):
                self._writer.write(output.data, batch[output.frame].timestamp, lines[output.frame])
        self._next_frame += len(batch)


def _judge_all(
    arguments: argparse.Namespace, policy: Policy, reader: CaptureReader, outputs: _Outputs, summary: RunSummary
) -> None:
    """Offer every frame to the engine and, if that is not the golden model, to the golden model too."""
    flags = flags_of(arguments)
    choose = DirectionChooser(arguments.direction, policy)
    engine = open_engine(arguments.engine, policy, flags, arguments.seed, arguments.full_rate)
    try:
        golden = open_golden(policy, flags, engine.identify()) if summary.compared else None
        with capture_progress(reader, "mirroring") as progress:
            for batch in batches(reader):
                frames = [choose.frame(captured) for captured in batch]
                result = engine.process(frames, progress.within_batch)
                differences = (
                    []
                    if golden is None
                    else compare(
                        golden.process(frames), result, first_frame=summary.frames + 1, congestion=arguments.full_rate
                    )
                )
                summary.add([frame.direction for frame in frames], result, differences)
                outputs.write(batch, result)
                progress.end_batch(len(frames))
    finally:
        engine.close()


def _print(arguments: argparse.Namespace, summary: RunSummary) -> None:
    if arguments.json:
        print(json.dumps(summary.to_json(), indent=2))
        return
    written = (("copies", arguments.write, summary.copies), ("verdicts", arguments.verdicts, summary.frames))
    files = [f"{what}: {count:,} in {path}" for what, path, count in written if path not in (None, "-")]
    text = render_run(summary, files)
    if "-" in (arguments.write, arguments.verdicts):
        say(text)
    else:
        print(text)
