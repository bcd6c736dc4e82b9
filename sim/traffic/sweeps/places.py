"""Every place for a copy, again and again: whatever came before, as many are there as at first."""

from __future__ import annotations

import random
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MAX_FRAME, MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import hold_at
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.ethernet import ETHERTYPES
from halfsilver.sim.traffic.flow import IPV4
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.octets import (
    ALL_OF_THE_HASH,
    STRANGER,
    any_flow,
    back_to_back,
    ethernet,
    packet,
    some_frames,
    transparent,
)
from halfsilver.sim.traffic.sweeps.room import BEYOND, RESERVED_BEATS, RESERVED_PLACES
from halfsilver.sim.traffic.sweeps.tables import JUDGED

__all__ = ["check_places"]

SHORT, LONG = 60, 4096
"""Bytes of frames of which the number decides, and of which the bytes do."""

MOST = 16
"""Bursts of tiny frames, and whole frames behind one, where a build has many places."""

STALLS = (0.3, 0.5, 0.7)
GRE = 47


def check_places(parameters: NicParameters, seed: int, rounds: int, library: Path | None = None) -> None:
    """``rounds`` times something that uses places, or a reset, and then all that are there are counted.

    HalfsilverError if they are other ones than in the beginning, or fewer than the build has.
    """
    rng = random.Random(f"places {seed}")
    nic = LiveNic(parameters, seed=seed, library=library, recounts=False)
    try:
        places = _Places(rng, nic, parameters)
        first = places.count()
        for number in range(rounds):
            if number % 4 == 3:
                places.reset()
            else:
                places.stir()
            found = places.count()
            if found != first:
                raise HalfsilverError(f"seed {seed}, round {number}: room for {found} copies, and for {first} before")
        numbers = range(1, parameters.copies - RESERVED_PLACES)
        for tiny in rng.sample(numbers, min(MOST, len(numbers))):
            places.behind(tiny)
        nic.check_counters()
    finally:
        nic.close()


class _Places:
    """A card whose copies all wait, as its network port takes nothing, until every frame has its verdict."""

    def __init__(self, rng: random.Random, nic: LiveNic, parameters: NicParameters) -> None:
        self._rng, self._nic, self._parameters = rng, nic, parameters
        self._rule_set = transparent(rng, parameters), ALL_OF_THE_HASH
        for _ in range(2):
            nic.stage(rng, self._rule_set, [], back_to_back())
            nic.commit(rng, 1, [], back_to_back())

    def count(self) -> list[int]:
        """Copies of one session that find room: short ones of each direction, and long ones."""
        number = self._parameters.copies - RESERVED_PLACES
        room = self._parameters.queue_depth // self._parameters.beat_bytes - RESERVED_BEATS
        short, long = (min(number, room // self._beats(size)) for size in (SHORT, LONG))
        beyond = RESERVED_PLACES + BEYOND
        # Production waits with the copies: as much of it as comes while the longest one leaves.
        all_wait = (short + beyond) * self._beats(SHORT) < self._beats(self._parameters.longest_copy)
        ways = tuple(Direction) if all_wait else (Direction.INGRESS,)
        return [*(self._held(way, SHORT, short, beyond) for way in ways), self._held(Direction.INGRESS, LONG, long, 1)]

    def behind(self, tiny: int) -> None:
        """Frames directly behind so many of 1 to 13 bytes, as many as there are places left, both ways."""
        wholes = min(MOST, self._parameters.copies - RESERVED_PLACES - tiny)
        frames = []
        for way in Direction:
            frames += [Frame(self._rng.randbytes(self._rng.randrange(1, MIN_FRAME)), way) for _ in range(tiny)]
            frames += [self._frame(way, SHORT + self._rng.randrange(40)) for _ in range(wholes)]
        self._nic.crowd(frames, wholes)

    def stir(self) -> None:
        """Tiny frames, bad ones, ones too long for the room left, and whole ones, into an output that hardly takes."""
        frames = some_frames(self._rng, self._rule_set[0], 20, 20)
        for way in Direction:
            frames += [Frame(self._rng.randbytes(self._rng.randrange(1, MIN_FRAME)), way) for _ in range(20)]
            frames += [self._frame(way, self._rng.choice((SHORT, 200, 600))) for _ in range(10)]
        frames.append(self._frame(self._rng.choice(tuple(Direction)), self._rng.choice((LONG, MAX_FRAME))))
        self._rng.shuffle(frames)
        frames = [Frame(each.data, each.direction, happens(self._rng, 5), happens(self._rng, 9)) for each in frames]
        self._nic.process(frames, back_to_back(self._rng.choice(STALLS)))

    def reset(self) -> None:
        """In the middle of an overload."""
        frames = [self._frame(self._rng.choice(tuple(Direction)), SHORT) for _ in range(2 * self._parameters.copies)]
        self._nic.reset(self._rng, frames, back_to_back(self._rng.choice(STALLS)))
        self._nic.revive(self._rule_set, [], back_to_back())

    def _held(self, way: Direction, size: int, least: int, beyond: int) -> int:
        frames = [self._frame(way, size)] * (least + beyond)
        wait = len(frames) * self._beats(size) + JUDGED
        found = self._nic.crowd(frames, 0, [hold_at(0, Direction.EGRESS), hold_at(wait)])[way]
        if found < least:
            raise HalfsilverError(f"{way}: room for {found} copies, not {least}")
        return found

    def _frame(self, way: Direction, size: int) -> Frame:
        """One that is surely mirrored."""
        mac = self._rule_set[0].interfaces[0].mac
        ends = mac + STRANGER if way is Direction.INGRESS else STRANGER + mac
        data = packet(any_flow(self._rng, IPV4, GRE), self._rng.randbytes(size))
        return Frame(ethernet(ends, data, ETHERTYPES[IPV4])[:size], way)

    def _beats(self, octets: int) -> int:
        return -(-octets // self._parameters.beat_bytes)
