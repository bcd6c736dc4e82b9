"""Clocks: how long production takes, what may hold it, and how soon copies follow one another."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.law import LONGEST_FRAME
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Passed, Pump, PumpRun, hold_at
from halfsilver.sim.traffic.flow import IPV4, IPV6
from halfsilver.sim.traffic.sweeps.octets import KINDS, any_flow, of_interface, packet, some_frames, transparent
from halfsilver.sim.traffic.sweeps.tables import JUDGED

__all__ = ["check_pace"]

TO_HOST = 1
TO_NET = {"net": 3, "own": 1}
"""Clocks from the first beat in to the first beat out, as docs/architecture.md says, by where copies leave."""

AT_THE_GATE = 128
"""Clocks, at most, from the last beat in to the first beat out towards the host, in builds with ``security_groups``."""

SHORTEST, LONGEST = 60, 400
FRAMES = 40
"""Of each direction."""

ALONE = 3
"""Times that a frame passes by itself."""

SETTLED = 150
"""Clocks in which, with eight for each beat of a frame, it and its copy are surely through."""

EARLIEST, COPY_BEGINS = -6, 12
"""Clocks, about the first beat of a copy, in which production begins: one of them is the first in which it waits."""

PREFIX_CLOCKS = 20
"""At most so many clocks from one copy to the next, when the next could long have left; and as many as one over IPv6
has beats, as its checksum comes before it."""

_NOT_IP = b"\x88\xcc"
_FULL = Pacing(full_rate=True)
_OVER_IPV6 = b"\x86\xdd"


def check_pace(parameters: NicParameters, seed: int, library: Path | None = None) -> None:
    """HalfsilverError says what took longer than it may."""
    rng = random.Random(f"pace {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        driver = Driver(pump)
        clocks = _Clocks(rng, pump, transparent(rng, parameters), parameters)
        for policy in (Policy(()), _without_sessions(clocks.policy), clocks.policy):
            driver.load(policy)
            for longest in (SHORTEST, SHORTEST + 30, LONGEST):
                clocks.back_to_back(clocks.frames(longest, *Direction))
            clocks.back_to_back(clocks.shortest())
        singles = some_frames(rng, clocks.policy, len(KINDS), len(KINDS))
        first = [clocks.alone(frame) for frame in singles]
        clocks.with_gaps()
        clocks.copies_in_a_row()
        if first != [clocks.alone(frame) for frame in singles]:
            raise HalfsilverError("a frame takes other clocks to its verdict or copy than it took before")
        if parameters.copies_leave == "net":
            clocks.behind_the_longest_copy()
    finally:
        pump.close()


def _without_sessions(policy: Policy) -> Policy:
    return Policy(tuple(replace(each, sessions=()) for each in policy.interfaces))


class _Clocks:
    """A card whose clocks are counted."""

    def __init__(self, rng: random.Random, pump: Pump, policy: Policy, parameters: NicParameters) -> None:
        self._rng, self._pump = rng, pump
        self.policy = policy
        self._to_net = TO_NET[parameters.copies_leave]
        self._parameters = parameters
        self._beat_bytes = parameters.beat_bytes
        self._shortest = max(SHORTEST, parameters.shortest_frame)
        self._room = parameters.copies // 2

    def back_to_back(self, frames: Sequence[Frame]) -> None:
        """No input ever waits, and no copy comes between frames without gaps, whether or not they are mirrored."""
        run = self._pump.run(frames, _FULL)
        for direction, passed in self._by_direction(frames, run).items():
            for one, other in pairwise(passed):
                if other.entered - one.entered != self._beats(frames[one.frame].data):
                    raise HalfsilverError(f"{direction} frame {other.frame} had to wait at the input")
            self._compare(frames, direction, passed, 0)

    def with_gaps(self) -> None:
        """Copies take the gaps; a frame to the network waits for one of them at most."""
        frames = self.frames(LONGEST // 2, *Direction)
        ends = dict.fromkeys(Direction, 0)
        starts = []
        for frame in frames:
            starts.append(ends[frame.direction])
            gap = self._rng.choice((0, 1, 5, self._beats(frame.data), 2 * self._beats(frame.data)))
            ends[frame.direction] += self._beats(frame.data) + gap
        run = self._pump.run(frames, _FULL, starts=starts)
        longest = max(self._beats(copy) for copy in run.copies)
        for direction, passed in self._by_direction(frames, run).items():
            self._compare(frames, direction, passed, longest if direction is Direction.EGRESS else 0)

    def copies_in_a_row(self) -> None:
        """Copies that wait for their output follow one another as soon as it takes them again."""
        frames = self.frames(LONGEST // 2, Direction.INGRESS, families=(IPV4,))[: self._room]
        wait = sum(self._beats(frame.data) for frame in frames) + JUDGED
        run = self._pump.run(frames, _FULL, schedule=[hold_at(0, Direction.EGRESS), hold_at(wait)])
        if len(run.copies) != len(frames):
            raise HalfsilverError(f"{len(run.copies)} of {len(frames)} copies left")
        for copy, (one, other) in zip(run.copies[1:], pairwise(run.copy_cycles), strict=True):
            may = PREFIX_CLOCKS + (self._beats(copy) if copy[12:14] == _OVER_IPV6 else 0)
            if other - one - self._beats(copy) > may:
                raise HalfsilverError(f"{other - one - self._beats(copy)} clocks between two copies that were ready")

    def behind_the_longest_copy(self) -> None:
        """No input waits while the longest copy leaves, though the network gets production without a gap meanwhile."""
        family = self._rng.choice((IPV4, IPV6)) if self._parameters.rules > 1 else IPV4
        data = packet(any_flow(self._rng, family), bytes(LONGEST_FRAME))
        data = of_interface(self._rng, self.policy, Direction.INGRESS, data, family)[:LONGEST_FRAME]
        mirrored = Frame(data, Direction.INGRESS)
        alone = self._pump.run([mirrored], _FULL)
        copied = self._beats(alone.copies[0])
        shortest = Frame(bytes(self._shortest), Direction.EGRESS)
        production = [shortest] * (copied // self._beats(shortest.data) + 2)
        begins = alone.copy_cycles[0] - copied - alone.passed[0].entered
        frames = [mirrored, *production]
        longest = 0
        for late in range(EARLIEST, EARLIEST + COPY_BEGINS):
            run = self._pump.run(frames, _FULL, starts=[0] + [begins + late] * len(production))
            passed = self._by_direction(frames, run)[Direction.EGRESS]
            for one, other in pairwise(passed):
                if other.entered - one.entered != self._beats(shortest.data):
                    raise HalfsilverError(f"egress frame {other.frame} had to wait at the input behind a copy")
            longest = max(longest, *(each.begun - each.entered for each in passed))
        if longest < copied:
            raise HalfsilverError(f"production waited {longest} clocks at most for a copy of {copied} beats")

    def alone(self, frame: Frame) -> set[tuple[int, ...]]:
        """Clocks to the verdict, and to the end of the copy; the same each time, whenever the frame comes."""
        distance = 8 * self._beats(frame.data) + SETTLED
        starts = [number * distance + self._rng.randrange(8) for number in range(ALONE)]
        run = self._pump.run([frame] * ALONE, _FULL, starts=starts)
        entered = [each.entered for each in sorted(run.passed)]
        ends = (run.verdict_cycles, run.copy_cycles) if run.copies else (run.verdict_cycles,)
        found = {tuple(end - begin for end in times) for begin, *times in zip(entered, *ends, strict=True)}
        if len(found) != 1:
            raise HalfsilverError(f"a frame by itself takes now these clocks, now those: {sorted(found)}")
        return found

    def shortest(self) -> list[Frame]:
        """Frames that are not IP, as short as verdicts bear at all, both ways."""
        length = max(MIN_FRAME, self._parameters.shortest_frame)
        data = [self._rng.randbytes(12) + _NOT_IP + self._rng.randbytes(length - MIN_FRAME) for _ in range(FRAMES)]
        return [Frame(each, direction) for direction in Direction for each in data]

    def frames(self, longest: int, *ways: Direction, families: Sequence[int] = (IPV4, IPV6)) -> list[Frame]:
        """IP frames of the interfaces, as short as a verdict each allows, or up to so many bytes."""
        frames = []
        for direction in ways:
            for _ in range(FRAMES):
                family = self._rng.choice(families)
                length = self._rng.randint(self._shortest, max(self._shortest, longest))
                data = packet(any_flow(self._rng, family), self._rng.randbytes(length))
                data = of_interface(self._rng, self.policy, direction, data, family)
                frames.append(Frame(data[:length], direction))
        return frames

    def _beats(self, data: bytes) -> int:
        return -(-len(data) // self._beat_bytes)

    def _by_direction(self, frames: Sequence[Frame], run: PumpRun) -> dict[Direction, list[Passed]]:
        return {way: sorted(each for each in run.passed if frames[each.frame].direction is way) for way in Direction}

    def _compare(self, frames: Sequence[Frame], direction: Direction, passed: Sequence[Passed], late: int) -> None:
        """Each frame leaves as many clocks after it entered as it always does, or later by no more than ``late``.

        What waits for its verdict leaves when it has wholly come, and no later than AT_THE_GATE.
        """
        due = self._to_net if direction is Direction.EGRESS else TO_HOST
        waits = direction is Direction.INGRESS and self._parameters.security_groups
        for each in passed:
            taken = each.begun - each.entered
            whole = self._beats(frames[each.frame].data) if waits else 0
            if not due + whole <= taken <= due + whole + (AT_THE_GATE if waits else late):
                raise HalfsilverError(f"{direction} frame {each.frame} took {taken} clocks")
