"""``halfsilver explain``: why one frame was, or was not, copied, step by step in plain words."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.sources import Captures
from halfsilver.harness.commands.common import (
    DirectionChooser,
    NothingRan,
    Subparsers,
    flags_of,
    open_engine,
    open_golden,
    recording,
    say,
)
from halfsilver.harness.commands.frames import add_run_arguments, open_frames
from halfsilver.harness.engine import Result
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.report.compare import Difference, compare
from halfsilver.harness.report.tables import table
from halfsilver.harness.report.verdict_lines import VerdictLine, verdict_line

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="why a frame was, or was not, copied",
        description="Walk the rules for one frame of a capture and say why it was, or was not, copied.",
    )
    add_run_arguments(parser)
    parser.add_argument(
        "-n",
        dest="number",
        type=int,
        default=1,
        metavar="FRAME",
        help="number of the frame, from 1 (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 if model and gateware disagree; 5 (NothingRan) if the capture has no frame."""
    if arguments.number < 1:
        raise UsageError(f"-n {arguments.number}: frames are numbered from 1")
    with recording(arguments) as recorder:
        return _explain(arguments, recorder)


def _explain(arguments: argparse.Namespace, recorder: Recorder | None) -> int:
    with open_frames(arguments) as (reader, policy):
        captured = _find(reader, arguments.number)
        name = reader.name
        frame = DirectionChooser(arguments.direction, policy).frame(captured)
        flags = flags_of(arguments)

        gateware: Result | None = None
        identity = None
        if arguments.engine != REFERENCE:
            engine = open_engine(arguments.engine, policy, flags, arguments.seed, rig=arguments.rig, recorder=recorder)
            try:
                identity = engine.identify()
                gateware = engine.process([frame])
            finally:
                engine.close()
        golden = open_golden(policy, flags, identity)
        steps = describe(golden.explain(frame))
        model = golden.process([frame])

    number = arguments.number
    line = verdict_line(model.verdicts[0], number, policy)
    differences = [] if gateware is None else compare(model, gateware, first_frame=number)
    other = None if gateware is None else verdict_line(gateware.verdicts[0], number, policy)
    if arguments.json:
        print(json.dumps(_to_json(arguments, steps, line, model, other, gateware, differences), indent=2))
    else:
        print(f"frame {number} of {name}")
        print("\n".join(steps))
        if other is not None and gateware is not None:
            print("\n" + _side_by_side(arguments.engine, line, model, other, gateware))
            for difference in differences:
                print(f"DIFFERENT: {difference.describe((REFERENCE, arguments.engine))}")
            print(f"seed {arguments.seed}")
    return EXIT_MISMATCH if differences else EXIT_OK


def _find(reader: Captures, number: int) -> CapturedFrame:
    count = 0
    for count, captured in enumerate(reader, 1):
        if count == number:
            if len(captured.data) < captured.original_length:
                say(
                    f"warning: {reader.name}: frame {number} was captured with {len(captured.data)} "
                    f"of its {captured.original_length} bytes; only those are judged"
                )
            return captured
    damage = f" (damaged at {reader.damage[0]})" if reader.damage else ""
    if count == 0:
        raise NothingRan(f"{reader.name}: holds no frame{damage}")
    raise UsageError(f"{reader.name}: has no frame {number}, its frames are 1 to {count}{damage}")


def _copy_of(result: Result) -> bytes | None:
    return result.outputs[0].data if result.outputs else None


def _to_json(
    arguments: argparse.Namespace,
    steps: list[str],
    line: VerdictLine,
    model: Result,
    other: VerdictLine | None,
    gateware: Result | None,
    differences: list[Difference],
) -> dict[str, Any]:
    copies = [_copy_of(result) if result else None for result in (model, gateware)]
    texts = [None if copy is None else copy.hex() for copy in copies]
    document: dict[str, Any] = {
        "frame": arguments.number,
        "engine": arguments.engine,
        "seed": arguments.seed,
        "steps": steps,
        "verdict": line,
        "copy": texts[0],
    }
    if gateware is not None:
        document[arguments.engine] = {"verdict": other, "copy": texts[1]}
        document["agreement"] = not differences
        document["first_differences"] = [
            difference.describe((REFERENCE, arguments.engine)) for difference in differences
        ]
    return document


def _side_by_side(engine: str, line: VerdictLine, model: Result, other: VerdictLine, gateware: Result) -> str:
    def word(value: object) -> str:
        return "-" if value is None else str(value)

    rows = [
        (name, word(line[name]), word(other[name]), "" if line[name] == other[name] else "differs")
        for name in line
        if name != "frame"
    ]
    one, two = _copy_of(model), _copy_of(gateware)
    first, second = ("-" if copy is None else f"{len(copy)} bytes" for copy in (one, two))
    rows.append(("outer frame", first, second, "differs" if one != two else "same bytes" if one else ""))
    return table(("field", REFERENCE, engine, ""), rows)
