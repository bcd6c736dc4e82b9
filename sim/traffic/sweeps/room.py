"""As many copies as the build has places and bytes for, while production leaves no gap in which one could leave."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic.ethernet import ETHERTYPES
from halfsilver.sim.traffic.flow import IPV4
from halfsilver.sim.traffic.situations import Situation
from halfsilver.sim.traffic.sweeps.octets import STRANGER, any_flow, ethernet, packet, transparent

__all__ = ["NUMBERS", "SIZES", "Crowd", "crowd", "held", "least_held"]

NUMBERS = (60, 66)
"""Lengths of frames so short that their number decides, in a build of few copies."""

SIZES = (4096, 5460, 8192, 9216)
"""Lengths so long that bytes decide. The last frame that fits may be shorter, so that it fits to the beat."""

RESERVED_PLACES = 3
"""Places for copies that are kept back (``NicParameters``), and beats of the buffer likewise."""
RESERVED_BEATS = 2

BEYOND = 4
"""Frames offered that find no room."""


class Crowd(NamedTuple):
    """A situation, and how many copies of each direction must find room in it, if the queue was empty."""

    situation: Situation
    least: int


def crowd(rng: random.Random, parameters: NicParameters, size: int) -> Crowd:
    """Frames of one length, a bad one before each, on both inputs; the last that has room is as long as the room left.

    No copy leaves before the last frame is in, for a build in which copies leave by the network port.
    """
    beat = parameters.beat_bytes
    room = parameters.queue_depth - RESERVED_BEATS * beat
    beats = -(-size // beat) * beat
    number = min(parameters.copies - RESERVED_PLACES, room // beats)
    lengths = [size] * number
    by_bytes = number < parameters.copies - RESERVED_PLACES
    if by_bytes and (left := room - number * beats) >= max(60, beat):
        lengths.append(left)
    lengths += [size] * (BEYOND + RESERVED_PLACES)
    policy = transparent(rng, parameters)
    frames = []
    for direction in Direction:
        mac = rng.choice(policy.interfaces).mac
        ends = mac + STRANGER if direction is Direction.INGRESS else STRANGER + mac
        data = ethernet(ends, packet(any_flow(rng, IPV4, 47), rng.randbytes(max(lengths))), ETHERTYPES[IPV4])
        spoilt = Frame(data[: min(lengths) // 2], direction, bad=True)  # it takes no room from the next one
        frames += [each for length in lengths for each in (spoilt, Frame(data[:length], direction))]
    least = len(lengths) - BEYOND - RESERVED_PLACES
    return Crowd(Situation(policy, Flags(), frames, Pacing(full_rate=True)), least)


def held(records: Sequence[VerdictRecord]) -> dict[Direction, int]:
    """By direction, how many frames, bad ones not counted, were mirrored before the first that found no room."""
    found = {}
    for direction in Direction:
        due = [record.verdict for record in records if record.direction is direction]
        verdicts = [verdict for verdict in due if verdict is not Verdict.MALFORMED]
        full = verdicts.index(Verdict.CONGESTED) if Verdict.CONGESTED in verdicts else len(verdicts)
        found[direction] = full
    return found


def least_held(each: Crowd, records: Sequence[VerdictRecord]) -> str:
    """What is wrong with the number of copies that found room; nothing if all is well."""
    for direction, number in held(records).items():
        if number < each.least:
            return f"{direction}: {number} copies found room, not {each.least}"
    return ""
