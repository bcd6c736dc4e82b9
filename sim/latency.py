"""``make load``, second half: how many clocks a frame takes through the NIC, and until its verdict and its copy.

Frames of several lengths go one at a time, so that none waits for another, in each direction and at each width, with
copies leaving by the network port and by a stream of their own. Production must take the same clocks whatever the
length. Results go to ``build/latency.json``; ``--publish`` also writes docs/latency.json, from which the table of
docs/reference/size_and_speed.md is made.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.benches.frames import frame_of_length
from halfsilver.sim.benches.policies import everything
from halfsilver.sim.build import build_nic
from halfsilver.sim.places import write_results
from halfsilver.sim.pump import Pacing, Pump, PumpRun

__all__ = ["LENGTHS", "WIDTHS", "Latency", "check_alone", "clocks", "constant", "main", "measure"]

WIDTHS = (8, 32, 64)

LENGTHS = (60, 61, 64, 65, 127, 128, 300, 1514, 9216)

SETTLED = 300
"""Clocks between the end of a frame and the next: more than a verdict takes."""


@dataclass(frozen=True)
class Latency:
    """Clocks at one width. Of production, from first beat in to first beat out; ``verdict`` and ``copy`` (its first
    beat, by the network port), fewest and most, from the frame's last beat in.

    own   to the network, where copies have a stream of their own
    """

    width: int
    to_host: int
    to_net: int
    own: int
    verdict: tuple[int, int]
    copy: tuple[int, int]


def measure(width: int, *, seed: int = 1) -> Latency:
    """Run both builds; HalfsilverError if production does not always take the same clocks."""
    by_port = clocks(NicParameters(width=width, enis=1), seed)
    own_stream = clocks(NicParameters(width=width, enis=1, copies_leave="own"), seed)
    if own_stream["to_host"] != by_port["to_host"]:
        raise HalfsilverError(f"{width} bits: a stream for copies changes the way to the host")
    return Latency(
        width,
        constant(f"{width} bits, to the host", by_port["to_host"]),
        constant(f"{width} bits, to the network", by_port["to_net"]),
        constant(f"{width} bits, to the network beside a stream for copies", own_stream["to_net"]),
        (min(by_port["verdict"]), max(by_port["verdict"])),
        (min(by_port["copy"]), max(by_port["copy"])),
    )


def clocks(parameters: NicParameters, seed: int) -> dict[str, set[int]]:
    """All latencies that were seen, by what they are of."""
    random.seed(seed)  # what the benches' frames are drawn from
    frames = [frame_of_length(length, direction) for length in LENGTHS for direction in Direction]
    beats = [_beats(len(frame.data), parameters) for frame in frames]
    starts = [sum(3 * before + SETTLED for before in beats[:number]) for number in range(len(frames))]
    pump = Pump(build_nic(parameters), seed=seed)
    try:
        Driver(pump).load(everything(parameters.enis))
        run = pump.run(frames, Pacing(full_rate=True), starts=starts)
    finally:
        pump.close()
    check_alone(run, len(frames))
    passed = sorted(run.passed, key=lambda each: each.frame)
    ended = [each.entered + count - 1 for each, count in zip(passed, beats, strict=True)]
    ways = {
        way: {each.begun - each.entered for each in passed if frames[each.frame].direction is way} for way in Direction
    }
    begun = [last - _beats(len(copy), parameters) + 1 for last, copy in zip(run.copy_cycles, run.copies, strict=True)]
    return {
        "to_host": ways[Direction.INGRESS],
        "to_net": ways[Direction.EGRESS],
        "verdict": {at - end for at, end in zip(run.verdict_cycles, ended, strict=True)},
        "copy": {at - end for at, end in zip(begun, ended, strict=True)},
    }


def _beats(octets: int, parameters: NicParameters) -> int:
    return -(-octets // parameters.beat_bytes)


def check_alone(run: PumpRun, frames: int) -> None:
    """Every frame was mirrored before the next one came, so that the n-th verdict and copy are the n-th frame's."""
    verdicts = [VerdictRecord.from_bytes(record).verdict for record in run.verdicts]
    if verdicts != [Verdict.MIRRORED] * frames or len(run.copies) != frames:
        raise HalfsilverError(f"of {frames} frames not all were mirrored: {verdicts}")
    entered = sorted(each.entered for each in run.passed)[1:]
    if not all(done < next_in for done, next_in in zip(run.copy_cycles, entered, strict=False)):
        raise HalfsilverError("a frame came before the copy of the one before it had left")


def constant(what: str, found: set[int]) -> int:
    """The one number of clocks that was seen; HalfsilverError if there were several."""
    if len(found) != 1:
        raise HalfsilverError(f"{what}: not always the same, but {sorted(found)} clocks")
    return min(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints a line for each width. Exit code 1 if a latency is not constant that must be."""
    parser = Parser(prog="python -m halfsilver.sim.latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of the frames (default: %(default)s)")
    parser.add_argument("--publish", action="store_true", help="also write docs/latency.json")
    options = parser.parse_args(arguments)
    rows = []
    try:
        for width in WIDTHS:
            rows.append(asdict(measure(width, seed=options.seed)))
            print(rows[-1], flush=True)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_results("latency.json", rows, publish=options.publish)
    return 0


if __name__ == "__main__":
    sys.exit(main())
