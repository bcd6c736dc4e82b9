"""What ``mirror`` and ``counters`` share: a capture through an engine, beside the golden model, batch by batch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.sources import Captures
from halfsilver.harness.commands.common import DirectionChooser, NothingRan, flags_of, open_engine, open_golden, say
from halfsilver.harness.commands.frames import (
    BATCH_FRAMES,
    add_run_arguments,
    batches,
    ends_at_interrupt,
    is_full,
    open_frames,
    report_damage,
)
from halfsilver.harness.engine import Result
from halfsilver.harness.engines.jobs import ALONE, GoldenJobs, Lot
from halfsilver.harness.engines.registry import ENGINES, REFERENCE, entry_of
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.golden.parse import parsed_as_whole
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.compare import compare
from halfsilver.harness.report.cut_frames import CutFrames
from halfsilver.harness.report.progress import capture_progress
from halfsilver.harness.report.summary import RunSummary

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder

__all__ = ["OpenObservers", "Take", "add_judging_arguments", "exit_code", "judge_capture", "refuse_options"]

Take = Callable[[Sequence[CapturedFrame], Result], None]
"""Gets each batch of frames with their times, in order, and what the engine made of it: records and copies."""
OpenObservers = Callable[[ExitStack, Policy], Iterable[Take]]
"""Opens all that wants to see the batches of a run, on a stack that ends with it."""


def add_judging_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every subcommand that offers a whole capture to an engine."""
    add_run_arguments(parser)
    parser.add_argument(
        "--full-rate",
        action="store_true",
        help="with --engine verilator: offer frames back to back on both ports, so that copies may meet congestion",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        default=1,
        help=f"processes that judge, with --engine {REFERENCE}, once {ALONE * BATCH_FRAMES:,} frames are judged; the "
        "result is the same (default: %(default)s)",
    )


def _jobs(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number; 1 or more")
    jobs = int(text)
    if jobs < 1:
        raise argparse.ArgumentTypeError(f"{text} processes judge nothing; 1 or more")
    return jobs


def refuse_options(arguments: argparse.Namespace) -> None:
    """UsageError if ``--full-rate`` is asked of an engine without a clock, or ``--jobs`` of one that is only one."""
    if arguments.jobs > 1 and arguments.engine != REFERENCE:
        raise UsageError(f"--jobs is for --engine {REFERENCE}; {arguments.engine} has one process")
    if arguments.full_rate and not entry_of(arguments.engine).simulated:
        simulated = " or ".join(name for name, entry in ENGINES.items() if entry.simulated)
        raise UsageError(f"--full-rate needs --engine {simulated}: {arguments.engine} has no clock")


def judge_capture(
    arguments: argparse.Namespace, recorder: Recorder | None, open_observers: OpenObservers = lambda stack, policy: ()
) -> tuple[RunSummary, bool]:
    """Offer every frame of ``-r`` to the engine; returns the sums, and whether the capture is damaged.

    Any engine but the golden model is compared with that. ``open_observers`` opens what takes the results, beside the
    sums that are returned; ``recorder`` writes down what goes to and from a card. NothingRan if the capture is empty.
    Where standard input is all that is read, an interrupt ends it, and the run as if it had ended by itself.
    """
    with open_frames(arguments) as (reader, policy):
        summary = RunSummary(arguments.engine, arguments.seed, policy, compared=arguments.engine != REFERENCE)
        cut_frames = CutFrames(policy, parsed_as_whole)
        with ExitStack() as stack:
            observers = [*open_observers(stack, policy), cut_frames.take]
            if arguments.read == ["-"] and arguments.engine == REFERENCE:
                interrupted = stack.enter_context(ends_at_interrupt(reader))
                _judge_all(arguments, reader, summary, observers, recorder)
                summary.interrupted = interrupted()
            else:
                _judge_all(arguments, reader, summary, observers, recorder)
            if summary.interrupted:
                if not summary.frames:
                    raise KeyboardInterrupt
                say("interrupted: the input ends here, and what came before is written")
            elif not summary.frames and not reader.damage:
                raise NothingRan(f"{reader.name}: holds no frame, nothing was mirrored")
        damaged = report_damage(reader)
        if (line := cut_frames.describe()) is not None:
            say(f"note: {reader.name}: {line}")
    return summary, damaged


def _judge_all(
    arguments: argparse.Namespace,
    reader: Captures,
    summary: RunSummary,
    observers: Sequence[Take],
    recorder: Recorder | None,
) -> None:
    flags, policy = flags_of(arguments), summary.policy
    seed, full_rate, rig = arguments.seed, arguments.full_rate, arguments.rig
    engine = open_engine(arguments.engine, policy, flags, seed, full_rate, rig=rig, recorder=recorder)
    try:
        summary.identity = engine.identify()
        golden = open_golden(policy, flags, summary.identity) if summary.compared else None
        with capture_progress(reader, "mirroring") as progress, ExitStack() as stack:
            lots = _lots(reader, DirectionChooser(arguments.direction, policy))
            judged: Iterator[tuple[Lot[list[CapturedFrame]], Result]]
            if arguments.jobs == 1:
                judged = ((lot, engine.process(lot.frames, progress.within_batch)) for lot in lots)
            else:
                judged = stack.enter_context(
                    GoldenJobs(policy, flags, arguments.jobs, progress.within_batch, alone=ALONE)
                ).judge(lots)
            for lot, result in judged:
                differences = (
                    []
                    if golden is None
                    else compare(
                        golden.process(lot.frames),
                        result,
                        first_frame=summary.frames + 1,
                        congestion=arguments.full_rate,
                    )
                )
                summary.add([frame.direction for frame in lot.frames], result, differences)
                if len(result.verdicts) == len(lot.frames):  # else the differences say so, and nobody can tell whose
                    for take in observers:
                        take(lot.origin, result)
                progress.end_batch(len(lot.frames))
    finally:
        engine.close()


def _lots(reader: Captures, choose: DirectionChooser) -> Iterator[Lot[list[CapturedFrame]]]:
    for batch in batches(reader):
        yield Lot(batch, [choose.frame(captured) for captured in batch], waits=not is_full(batch))


def exit_code(summary: RunSummary, damaged: bool) -> int:
    """0; 1 if engines disagree, sums do not add up or the capture is damaged; 130 if it was interrupted."""
    if summary.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_OK if summary.conserved and not summary.difference_count and not damaged else EXIT_MISMATCH
