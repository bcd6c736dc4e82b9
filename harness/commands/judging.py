"""What ``mirror`` and ``counters`` share: a capture through an engine, beside the golden model, batch by batch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from halfsilver.harness.capture.offered import Offered
from halfsilver.harness.commands.common import NothingRan, flags_of, open_engine, say
from halfsilver.harness.commands.frames import (
    BATCH_BYTES,
    BATCH_FRAMES,
    add_run_arguments,
    ends_at_interrupt,
    open_frames,
    report_damage,
)
from halfsilver.harness.commands.lots import LotJudge, Observer, Part, Run
from halfsilver.harness.engines.jobs import Jobs, processors
from halfsilver.harness.engines.registry import DEFAULT_WIDTH, ENGINES, REFERENCE, WIDTHS, entry_of
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.golden.parse import parsed_as_whole
from halfsilver.harness.installation import missing_package
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.cut_frames import CutFrames, CutSums
from halfsilver.harness.report.progress import capture_progress
from halfsilver.harness.report.summary import RunSummary

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder
    from halfsilver.harness.capture.lots import Lot
    from halfsilver.harness.engines.cluster import ClusterJobs

__all__ = ["OpenObservers", "add_judging_arguments", "exit_code", "judge_capture", "refuse_options"]

ALONE = 4
"""Lots that one process judges before others are started, which takes each of them as long as some lots."""
_PARALLEL = tuple(name for name, entry in ENGINES.items() if entry.simulated or name == REFERENCE)
"""Engines of which several may be at work."""
OpenObservers = Callable[[ExitStack, Policy], Iterable[Observer]]
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
        "--width",
        type=int,
        choices=WIDTHS,
        metavar="BITS",
        help=f"with --engine verilator: data that the NIC takes in a clock, {', '.join(map(str, WIDTHS[:-1]))} or "
        f"{WIDTHS[-1]} (default: {DEFAULT_WIDTH}); 512 judges twice as many frames a second and compiles twice as long",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help=f"processes that judge, with --engine {' or '.join(_PARALLEL)}; the result is the same (default: one for "
        f"each processor, once {ALONE * BATCH_FRAMES:,} frames are judged)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler (tcp://HOST:8786) whose workers judge instead, with the same result; local: one of this "
        "machine's own",
    )


def _jobs(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number; 1 or more")
    jobs = int(text)
    if jobs < 1:
        raise argparse.ArgumentTypeError(f"{text} processes judge nothing; 1 or more")
    return jobs


def refuse_options(arguments: argparse.Namespace) -> None:
    """UsageError for ``--full-rate`` or ``--width`` of an engine without a clock, ``--jobs`` of only one."""
    asked = [
        option
        for option, given in (("--jobs", (arguments.jobs or 1) > 1), ("--scheduler", arguments.scheduler is not None))
        if given
    ]
    if len(asked) > 1:
        raise UsageError("--scheduler has workers of its own; leave out --jobs")
    for option in asked:
        if arguments.engine not in _PARALLEL:
            raise UsageError(f"{option} is for --engine {' or '.join(_PARALLEL)}; {arguments.engine} is only one")
        if arguments.full_rate:
            raise UsageError(
                f"--full-rate has one process, in which the queues go on from frame to frame; leave out {option}"
            )
    clocked = ["--full-rate"] * arguments.full_rate + ["--width"] * (arguments.width is not None)
    if clocked and not entry_of(arguments.engine).simulated:
        simulated = " or ".join(name for name, entry in ENGINES.items() if entry.simulated)
        raise UsageError(f"{clocked[0]} needs --engine {simulated}: {arguments.engine} has no clock")


def _processes(arguments: argparse.Namespace) -> int:
    """How many of them may judge; waves are those of one simulation."""
    if arguments.engine not in _PARALLEL or arguments.full_rate or "HALFSILVER_WAVES" in os.environ:
        return 1
    return processors() if arguments.jobs is None else int(arguments.jobs)


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
        cut_sums = CutSums()
        with ExitStack() as stack:
            cuts = Observer(CutFrames(policy, parsed_as_whole), cut_sums.take_in)
            observers = [*open_observers(stack, policy), cuts]
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
        if (line := cut_sums.describe()) is not None:
            say(f"note: {reader.name}: {line}")
    return summary, damaged


def _judge_all(
    arguments: argparse.Namespace,
    reader: Offered,
    summary: RunSummary,
    observers: Sequence[Observer],
    recorder: Recorder | None,
) -> None:
    flags, policy = flags_of(arguments), summary.policy
    seed, full_rate, rig = arguments.seed, arguments.full_rate, arguments.rig
    looks = tuple(observer.look for observer in observers)
    width = arguments.width or DEFAULT_WIDTH
    run = Run(policy, flags, arguments.engine, seed, full_rate, width, arguments.direction, reader.steps.anew(), looks)
    engine = open_engine(arguments.engine, policy, flags, seed, full_rate, width=width, rig=rig, recorder=recorder)
    try:
        summary.identity = engine.identify()
        with capture_progress(reader, "mirroring") as progress:
            here = LotJudge(run, engine, progress.within_batch)
            with _judges(arguments, run, here) as judges:
                for part in judges.run(reader.lots(BATCH_FRAMES, BATCH_BYTES)):
                    _take_in(part, reader, summary, observers)
                    progress.end_batch(part.tally.frames)
    finally:
        engine.close()


@contextmanager
def _judges(arguments: argparse.Namespace, run: Run, here: LotJudge) -> Iterator[Jobs[Lot, Part] | ClusterJobs[Part]]:
    """Who judges the lots of the run: processes of this machine, or the workers of a scheduler."""
    if arguments.scheduler is None:
        with Jobs(here, run.open, _processes(arguments), alone=ALONE) as jobs:
            yield jobs
        return
    try:
        from halfsilver.harness.engines.cluster import ClusterJobs, connect
    except ModuleNotFoundError as error:
        raise missing_package("--scheduler", error, "farm") from None
    with connect(arguments.scheduler, _processes(arguments)) as client:
        yield ClusterJobs(client, run.open)


def _take_in(part: Part, reader: Offered, summary: RunSummary, observers: Sequence[Observer]) -> None:
    """Add a lot to what came before it."""
    summary.take_in(part.tally)
    reader.steps.segmenter.take_in(part.segmenter)
    for found in part.found:
        reader.readers[found.capture].take_in(found)
    if part.looks:
        for observer, look in zip(observers, part.looks, strict=True):
            observer.take(look)


def exit_code(summary: RunSummary, damaged: bool) -> int:
    """0; 1 if engines disagree, sums do not add up or the capture is damaged; 130 if it was interrupted."""
    if summary.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_OK if summary.conserved and not summary.difference_count and not damaged else EXIT_MISMATCH
