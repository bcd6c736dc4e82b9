"""A NIC whose rule sets change, whose tables are written, and which is reset, while frames run.

Each verdict names the generation that judged its frame, so whatever happens when, the golden model of that generation
must explain it: no frame sees a mixture. Frames go through `Pump`, at any pace; what a reset cuts off is a prefix of
what would have come out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.image import build_image, policy_image, table_writes
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import TABLE_BITS, Table
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Event, Pacing, Pump, await_at, hold_at, read, reset_at, write, write_at
from halfsilver.sim.traffic.judge import GENERATIONS, Judge, RuleSet, check_copies

__all__ = ["LiveNic"]

_STATUS, _REFUSED = REGISTERS.address("STATUS"), REGISTERS.address("REFUSED_WRITES")
_BUSY = REGISTERS.pack("STATUS", shadow_busy=1)
_COMMIT = REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)
_TABLE_ADDRESS, _TABLE_DATA = REGISTERS.address("TABLE_ADDRESS"), REGISTERS.address("TABLE_DATA")
_WRITE_CLOCKS = 5
"""A scheduled register write takes about as long."""

_TABLE_WORDS = 1 << 12
"""Garbage goes to the first words of each table, where the words are that decide."""

_POLLS = 10_000
"""Looks at a snapshot under way."""

REFUSALS = REGISTERS["REFUSED_WRITES"].mask + 1
_DIFFERENT = 64
"""Words that differ among those refused, as there may be many."""

_COUNTED = [(direction, verdict) for direction in Direction for verdict in Verdict]
_COUNTERS = [
    access
    for direction, verdict in _COUNTED
    for access in (
        write(REGISTERS.address("COUNTER_ADDRESS"), REGISTERS.pack("COUNTER_ADDRESS", index=direction * 16 + verdict)),
        read(REGISTERS.address("COUNTER_FRAMES_LOW")),
    )
]
"""A plan that reads all counters of frames by verdict, in one go."""


class LiveNic:
    """One simulated NIC and what is known of it. Whatever is wrong is a HalfsilverError that says what.

    ``banks`` holds the rule set of each bank, None where nobody knows; ``generation`` is the active one. ``library``: a
    compiled model of these parameters other than the gateware's as it stands. ``recounts``: the counters are read
    after every batch, and not only when `check_counters` says so.
    """

    def __init__(
        self, parameters: NicParameters, *, seed: int = 1, library: Path | None = None, recounts: bool = True
    ) -> None:
        self._parameters, self._recounts = parameters, recounts
        self._pump = Pump(library or build_nic(parameters), seed=seed)
        self._judge = Judge(parameters)
        self.accepted = self.refused = self.resets = 0
        self._forget()

    def _forget(self) -> None:
        """As after a reset."""
        self.banks: list[RuleSet | None] = [None, None]
        self.generation = 0
        self._refused = 0
        self._judge.forget()

    @property
    def seen(self) -> dict[Verdict, int]:
        """Verdicts of all frames so far."""
        return self._judge.seen

    def close(self) -> None:
        """End the simulation."""
        self._pump.close()

    # What may happen while frames run

    def stage(self, rng: random.Random, rule_set: RuleSet, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Write a rule set into the shadow bank as soon as that is free; no frame may notice."""
        cycle = rng.randrange(self._clocks(frames))
        image = build_image(*rule_set, self._parameters)
        free = await_at(cycle, _STATUS, _BUSY, 0)
        if frames:
            self._run(frames, pacing, [free, *(write_at(cycle, *access) for access in image)])
        else:
            self._run(frames, pacing, [free])
            self._pump.write(image)  # twice as fast
        if self._read(_REFUSED) != self._refused:
            raise HalfsilverError("a write to a bank that was free was refused")
        self.banks[self._shadow] = rule_set

    def litter(
        self, rng: random.Random, word: int | None, rule_set: RuleSet, frames: Sequence[Frame], pacing: Pacing
    ) -> None:
        """Write one word, or any, to every place of the shadow bank that a rule set like this has; no frame may notice.

        Then nobody knows what the shadow bank holds, until a whole rule set is written.
        """
        places = policy_image(*rule_set, self._parameters)
        image = {place: rng.getrandbits(WORD_BITS) if word is None else word for place in places}
        cycle = rng.randrange(self._clocks(frames))
        schedule = [await_at(cycle, _STATUS, _BUSY, 0), *(write_at(cycle, *each) for each in table_writes(image, {}))]
        self._run(frames, pacing, schedule)
        self.banks[self._shadow] = None

    def commit(self, rng: random.Random, times: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Commit at random cycles: each is taken, and the banks change places, or refused and counted.

        Both banks must be known, or ``times`` 1. The first is always taken.
        """
        self.commit_at(sorted(rng.randrange(self._clocks(frames)) for _ in range(times)), frames, pacing)

    def commit_every(self, clocks: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """The same each so many clock cycles, for as long as the frames take to go in."""
        self.commit_at(range(clocks, self._clocks(frames), clocks), frames, pacing)

    def commit_at(self, cycles: Sequence[int], frames: Sequence[Frame], pacing: Pacing) -> None:
        """The same at given clock cycles, in their order."""
        times = len(cycles)
        for later in range(times):
            rule_set = self.banks[self._shadow ^ later & 1]
            assert rule_set is not None, "a commit of what nobody has written"
            self._judge.expect(self.generation + 1 + later, rule_set)
        self._run(frames, pacing, [write_at(cycle, *_COMMIT) for cycle in cycles])
        self._settle(times)

    def spoil(self, rng: random.Random, words: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """A commit, and at once garbage over the bank that was left: refused while a copy needs it, harmless after.

        Then nobody knows what the shadow bank holds.
        """
        rule_set = self.banks[self._shadow]
        assert rule_set is not None, "a commit of what nobody has written"
        self._judge.expect(self.generation + 1, rule_set)
        cycle = rng.randrange(self._clocks(frames))
        schedule = [write_at(cycle, *_COMMIT)]
        for _ in range(words):
            cycle += rng.choice((0, 0, 1, rng.randrange(100)))
            place = REGISTERS.pack(
                "TABLE_ADDRESS", table=rng.getrandbits(TABLE_BITS), index=rng.randrange(_TABLE_WORDS)
            )
            schedule += [write_at(cycle, _TABLE_ADDRESS, place), write_at(cycle, _TABLE_DATA, rng.getrandbits(32))]
        self._run(frames, pacing, schedule)
        self._settle(1, words)
        self.banks[self._shadow] = None

    def besiege(
        self, rng: random.Random, words: int, commits: int, frames: Sequence[Frame], pacing: Pacing, cycle: int
    ) -> None:
        """A commit in this cycle, by when copies must wait at an output that takes nothing. Until they have left, every
        word and every further commit is refused and counted, and nothing of it reaches a table.
        """
        rule_set = self.banks[self._shadow]
        assert rule_set is not None, "a commit of what nobody has written"
        self.generation = (self.generation + 1) % GENERATIONS
        self._judge.expect(self.generation, rule_set)
        self._refused = (self._refused + words + commits) % REFUSALS
        place = REGISTERS.pack("TABLE_ADDRESS", table=rng.getrandbits(TABLE_BITS), index=rng.randrange(_TABLE_WORDS))
        status = REGISTERS.pack("STATUS", shadow_busy=1, active_bank=self._shadow, generation=self.generation)
        data = [write_at(cycle, _TABLE_DATA, rng.getrandbits(32)) for _ in range(min(words, _DIFFERENT))]
        schedule = [
            hold_at(0, Direction.EGRESS),
            *(write_at(cycle, *access) for access in ((_TABLE_ADDRESS, place), _COMMIT)),
            *(data * -(-words // _DIFFERENT))[:words],
            *[write_at(cycle, *_COMMIT)] * commits,
            await_at(cycle, _STATUS, (1 << WORD_BITS) - 1, status),
            await_at(cycle, _REFUSED, REGISTERS["REFUSED_WRITES"].mask, self._refused),
            await_at(cycle, REGISTERS.address("TABLE_COUNT"), (1 << WORD_BITS) - 1, 0),
            hold_at(cycle),
            await_at(cycle, _STATUS, _BUSY, 0),
        ]
        self._run(frames, pacing, schedule)
        if self._read(_REFUSED) != self._refused:
            raise HalfsilverError(f"{self._read(_REFUSED)} writes were refused, not {self._refused}")
        self.accepted += 1
        self.refused += words + commits

    def reset(self, rng: random.Random, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Reset in the middle: what came out is a prefix of what had to, and the NIC is as new."""
        self.reset_at(rng.randrange(self._clocks(frames)), frames, pacing)

    def reset_at(
        self, cycle: int, frames: Sequence[Frame], pacing: Pacing, writes: Sequence[tuple[int, int]] = ()
    ) -> None:
        """The same at a given clock cycle, be it after the last frame, right behind these register writes.

        They may commit once, where both banks are known, and write no table but the general one, and that later.
        """
        if _COMMIT in writes:
            rule_set = self.banks[self._shadow]
            assert rule_set is not None, "a commit of what nobody has written"
            self._judge.expect(self.generation + 1, rule_set)
        begin = max(0, cycle - _WRITE_CLOCKS * len(writes))
        self._run(frames, pacing, [*(write_at(begin, *each) for each in writes), reset_at(cycle)], is_cut=True)
        self.resets += 1
        self._forget()
        known = [each for each in REGISTERS if each.reset is not None]
        for register, word in zip(known, self._pump.read([each.address for each in known]), strict=True):
            if word != register.reset:
                raise HalfsilverError(f"after a reset {register.name} is {word:#x}")
        self.check_counters()

    def revive(self, rule_set: RuleSet, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Right after a reset, the rule set that both banks had: only its general table is written, while frames run.

        ``docs/tables.md``: a reset clears only the general table's words. So the other bank has no interface.
        """
        self._judge.expect(1, rule_set)
        writes = _general_writes(*rule_set, self._parameters)
        self._run(frames, pacing, [write_at(0, *access) for access in (*writes, _COMMIT)])
        self._settle(1)
        self.banks[1 - self._shadow] = rule_set
        self.banks[self._shadow] = Policy(()), Flags()

    def turn(self, times: int) -> None:
        """So many commits without a frame, each taken, as it waits for the shadow bank: far generations."""
        step = [await_at(0, _STATUS, _BUSY, 0), write_at(0, *_COMMIT)]
        self._pump.run([], Pacing(), schedule=step * times)
        self.generation = (self.generation + times) % GENERATIONS
        status = REGISTERS.unpack("STATUS", self._read(_STATUS))
        if status["generation"] != self.generation or self._read(_REFUSED) != self._refused:
            raise HalfsilverError(f"after {times} commits STATUS is {status}, {self._read(_REFUSED)} refused")
        rule_set = self.banks[status["active_bank"]]
        assert rule_set is not None, "a commit of what nobody has written"
        self._judge.expect(self.generation, rule_set)

    def process(self, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Frames, and nothing else happens."""
        self._run(frames, pacing, [])

    def crowd(
        self, frames: Sequence[Frame], least: int, schedule: Sequence[Event] = (), starts: Sequence[int] | None = None
    ) -> dict[Direction, int]:
        """Frames back to back, or each from a cycle on: of each direction so many copies find room, or all.

        Returns how many were mirrored before the first that was not.
        """
        return self._run(frames, Pacing(full_rate=True), schedule, starts=starts, least=least)

    # Checks

    @property
    def _shadow(self) -> int:
        return 1 - REGISTERS.unpack("STATUS", self._read(_STATUS))["active_bank"]

    def _clocks(self, frames: Sequence[Frame]) -> int:
        """About as many clock cycles as the frames take to go in."""
        octets = sum(len(frame.data) for frame in frames)
        return max(1, octets // self._parameters.beat_bytes)

    def _read(self, address: int) -> int:
        return self._pump.read([address])[0]

    def _settle(self, commits: int, writes: int = 0) -> None:
        """After commits: those taken and those refused, with other refused writes, are all there were."""
        generation = REGISTERS.unpack("STATUS", self._read(_STATUS))["generation"]
        taken = (generation - self.generation) % GENERATIONS
        refused = self._read(_REFUSED) - self._refused
        if not 1 <= taken <= commits or not commits - taken <= refused <= commits - taken + writes:
            raise HalfsilverError(f"of {commits} commits {taken} were taken; {refused} of all writes were refused")
        self.generation = generation
        self._refused += refused
        self.accepted += taken
        self.refused += refused

    def _run(
        self,
        frames: Sequence[Frame],
        pacing: Pacing,
        schedule: Sequence[Event],
        *,
        is_cut: bool = False,
        starts: Sequence[int] | None = None,
        least: int = 0,
    ) -> dict[Direction, int]:
        run = self._pump.run(frames, pacing, schedule=schedule, starts=starts, stops=self._judge.stops)
        records = [VerdictRecord.from_bytes(wire) for wire in run.verdicts]
        copies: dict[Direction, list[bytes]] = {}
        found = {}
        for direction in Direction:
            mine = [frame for frame in frames if frame.direction is direction]
            told = [record for record in records if record.direction is direction]
            if len(told) > len(mine) or (len(told) < len(mine) and not is_cut):
                raise HalfsilverError(f"{len(mine)} {direction} frames, {len(told)} verdicts")
            copies[direction] = self._judge.copies(mine, told, pacing.full_rate)
            verdicts = [record.verdict for record in told]
            full = verdicts.index(Verdict.CONGESTED) if Verdict.CONGESTED in verdicts else len(verdicts)
            found[direction] = verdicts[:full].count(Verdict.MIRRORED)
            if found[direction] < least and full < len(verdicts):
                raise HalfsilverError(f"{direction}: {found[direction]} copies found room, not {least}")
        check_copies(run, copies, is_cut)
        if self._recounts and not is_cut:
            self.check_counters()
        return found

    def check_counters(self) -> None:
        """Frames by verdict and direction: each offered frame is counted once, as its record says."""
        self._pump.write([(REGISTERS.address("SNAPSHOT"), REGISTERS.pack("SNAPSHOT", take=1))])
        for _ in range(_POLLS):
            if not REGISTERS.unpack("SNAPSHOT_STATUS", self._read(REGISTERS.address("SNAPSHOT_STATUS")))["busy"]:
                break
        else:
            raise HalfsilverError("a snapshot of the counters never becomes whole")
        counted = self._pump.access(_COUNTERS)
        for (direction, verdict), found in zip(_COUNTED, counted, strict=True):
            due = self._judge.counted.get((direction, verdict), 0)
            if found != due:
                raise HalfsilverError(f"counter {direction} {verdict}: {found}, not {due}")


@cache
def _general_writes(policy: Policy, flags: Flags, parameters: NicParameters) -> list[tuple[int, int]]:
    """Register writes of the general table's words alone."""
    image = policy_image(policy, flags, parameters)
    return table_writes({place: word for place, word in image.items() if place[0] is Table.GENERAL}, {})
