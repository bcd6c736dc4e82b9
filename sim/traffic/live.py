"""A NIC whose rule sets change, whose tables are written, and which is reset, while frames run.

Each verdict names the generation that judged its frame, so whatever happens when, the golden model of that generation
must explain it: no frame sees a mixture. Frames go through `Pump`, at any pace; what a reset cuts off is a prefix of
what would have come out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.golden.model import Model
from halfsilver.harness.nic.image import build_image, policy_image, table_writes
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import TABLE_BITS, Table
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Event, Pacing, Pump, PumpRun, await_at, reset_at, write_at

__all__ = ["LiveNic"]

_STATUS, _REFUSED = REGISTERS.address("STATUS"), REGISTERS.address("REFUSED_WRITES")
_BUSY = REGISTERS.pack("STATUS", shadow_busy=1)
_COMMIT = REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)
_TABLE_ADDRESS, _TABLE_DATA = REGISTERS.address("TABLE_ADDRESS"), REGISTERS.address("TABLE_DATA")
_TABLE_WORDS = 1 << 12
"""Garbage goes to the first words of each table, where the words are that decide."""

GENERATIONS = REGISTERS.unpack("STATUS", (1 << 32) - 1)["generation"] + 1
"""After as many commits the generation is 0 again."""

RuleSet = tuple[Policy, Flags]


class LiveNic:
    """One simulated NIC and what is known of it. Whatever is wrong is a HalfsilverError that says what.

    ``banks`` holds the rule set of each bank, None where nobody knows; ``seen`` counts the verdicts; ``generation`` is
    the active one. ``library``: a compiled model of these parameters other than the gateware's as it stands.
    """

    def __init__(self, parameters: NicParameters, *, seed: int = 1, library: Path | None = None) -> None:
        self._parameters = parameters
        self._pump = Pump(library or build_nic(parameters), seed=seed)
        self.seen: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        self.accepted = self.refused = self.resets = 0
        self._forget()

    def _forget(self) -> None:
        """As after a reset."""
        self.banks: list[RuleSet | None] = [None, None]
        self.generation = 0
        self._refused = 0
        self._sequences = dict.fromkeys(Direction, 0)
        self._models = {0: self._model(Policy(()), Flags(), 0)}
        self._counted: dict[tuple[Direction, Verdict], int] = {}

    def close(self) -> None:
        """End the simulation."""
        self._pump.close()

    # What may happen while frames run

    def stage(self, rng: random.Random, rule_set: RuleSet, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Write a rule set into the shadow bank as soon as that is free; no frame may notice."""
        cycle = rng.randrange(self._clocks(frames))
        image = build_image(*rule_set, self._parameters)
        schedule = [await_at(cycle, _STATUS, _BUSY, 0), *(write_at(cycle, *access) for access in image)]
        self._run(frames, pacing, schedule)
        if self._read(_REFUSED) != self._refused:
            raise HalfsilverError("a write to a bank that was free was refused")
        self.banks[self._shadow] = rule_set

    def commit(self, rng: random.Random, times: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Commit at random cycles: each is taken, and the banks change places, or refused and counted.

        Both banks must be known, or ``times`` 1. The first is always taken.
        """
        cycles = sorted(rng.randrange(self._clocks(frames)) for _ in range(times))
        for later in range(times):
            rule_set = self.banks[self._shadow ^ later & 1]
            assert rule_set is not None, "a commit of what nobody has written"
            self._expect(self.generation + 1 + later, rule_set)
        self._run(frames, pacing, [write_at(cycle, *_COMMIT) for cycle in cycles])
        self._settle(times)

    def spoil(self, rng: random.Random, words: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """A commit, and at once garbage over the bank that was left: refused while a copy needs it, harmless after.

        Then nobody knows what the shadow bank holds.
        """
        rule_set = self.banks[self._shadow]
        assert rule_set is not None, "a commit of what nobody has written"
        self._expect(self.generation + 1, rule_set)
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

    def reset(self, rng: random.Random, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Reset in the middle: what came out is a prefix of what had to, and the NIC is as new."""
        self.reset_at(rng.randrange(self._clocks(frames)), frames, pacing)

    def reset_at(self, cycle: int, frames: Sequence[Frame], pacing: Pacing) -> None:
        """The same at a given clock cycle, be it after the last frame."""
        self._run(frames, pacing, [reset_at(cycle)], is_cut=True)
        self.resets += 1
        self._forget()
        if self._read(_STATUS) or self._read(_REFUSED):
            raise HalfsilverError(f"after a reset STATUS is {self._read(_STATUS):#x}")
        self._check_counters()

    def revive(self, rule_set: RuleSet, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Right after a reset, the rule set that both banks had: only its general table is written, while frames run.

        ``docs/tables.md``: a reset clears only the general table's words.
        """
        self._expect(1, rule_set)
        writes = _general_writes(*rule_set, self._parameters)
        self._run(frames, pacing, [write_at(0, *access) for access in (*writes, _COMMIT)])
        self._settle(1)
        self.banks[1 - self._shadow] = rule_set

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
        self._expect(self.generation, rule_set)

    def process(self, frames: Sequence[Frame], pacing: Pacing) -> None:
        """Frames, and nothing else happens."""
        self._run(frames, pacing, [])

    # Checks

    @property
    def _shadow(self) -> int:
        return 1 - REGISTERS.unpack("STATUS", self._read(_STATUS))["active_bank"]

    def _clocks(self, frames: Sequence[Frame]) -> int:
        """About as many clock cycles as the frames take to go in."""
        octets = sum(len(frame.data) for frame in frames)
        return max(1, octets // self._parameters.beat_bytes)

    def _expect(self, generation: int, rule_set: RuleSet) -> None:
        """From now on frames may be judged by this generation."""
        self._models[generation % GENERATIONS] = self._model(*rule_set, generation % GENERATIONS)

    def _model(self, policy: Policy, flags: Flags, generation: int) -> Model:
        parameters = self._parameters
        build = parameters.extension_headers, parameters.hash_key, parameters.cut_copies
        return Model(policy.interfaces, flags, generation, *build)

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

    def _run(self, frames: Sequence[Frame], pacing: Pacing, schedule: Sequence[Event], *, is_cut: bool = False) -> None:
        run = self._pump.run(frames, pacing, schedule=schedule)
        records = [VerdictRecord.from_bytes(wire) for wire in run.verdicts]
        copies: dict[Direction, list[bytes]] = {}
        for direction in Direction:
            mine = [frame for frame in frames if frame.direction is direction]
            told = [record for record in records if record.direction is direction]
            if len(told) > len(mine) or (len(told) < len(mine) and not is_cut):
                raise HalfsilverError(f"{len(mine)} {direction} frames, {len(told)} verdicts")
            copies[direction] = self._judge(mine, told, pacing.full_rate)
        _check_copies(run, copies, is_cut)
        if not is_cut:
            self._check_counters()

    def _judge(self, frames: Sequence[Frame], records: Sequence[VerdictRecord], congestion: bool) -> list[bytes]:
        """The copies that the records promise; each record must be that of its generation's golden model."""
        copies = []
        generation = records[0].generation if records else 0
        for frame, record in zip(frames, records, strict=False):
            later = (record.generation - generation) % GENERATIONS
            if record.generation not in self._models or later > GENERATIONS // 2:
                raise HalfsilverError(f"generation {record.generation} after {generation}: {record}")
            generation = record.generation
            trace = self._models[generation].judge(frame, self._sequences[record.direction])
            wanted = trace.record
            if congestion and record.verdict is Verdict.CONGESTED and wanted.verdict is Verdict.MIRRORED:
                wanted = replace(wanted, verdict=Verdict.CONGESTED, copied=0)
            if record != wanted:
                raise HalfsilverError(f"{record}, not {wanted}, for {frame.data[:200].hex()}")
            self._sequences[record.direction] += 1
            self.seen[record.verdict] += 1
            place = record.direction, record.verdict
            self._counted[place] = self._counted.get(place, 0) + 1
            if record.verdict is Verdict.MIRRORED and trace.copy is not None:
                copies.append(trace.copy)
        return copies

    def _check_counters(self) -> None:
        """Frames by verdict and direction: each offered frame is counted once, as its record says."""
        self._pump.write([(REGISTERS.address("SNAPSHOT"), REGISTERS.pack("SNAPSHOT", take=1))])
        while REGISTERS.unpack("SNAPSHOT_STATUS", self._read(REGISTERS.address("SNAPSHOT_STATUS")))["busy"]:
            pass
        for direction in Direction:
            for verdict in Verdict:
                index = REGISTERS.pack("COUNTER_ADDRESS", index=direction * 16 + verdict)
                self._pump.write([(REGISTERS.address("COUNTER_ADDRESS"), index)])
                counted = self._read(REGISTERS.address("COUNTER_FRAMES_LOW"))
                if counted != self._counted.get((direction, verdict), 0):
                    raise HalfsilverError(
                        f"counter {direction} {verdict}: {counted}, not {self._counted.get((direction, verdict), 0)}"
                    )


@cache
def _general_writes(policy: Policy, flags: Flags, parameters: NicParameters) -> list[tuple[int, int]]:
    """Register writes of the general table's words alone."""
    image = policy_image(policy, flags, parameters)
    return table_writes({place: word for place, word in image.items() if place[0] is Table.GENERAL}, {})


def _check_copies(run: PumpRun, wanted: dict[Direction, list[bytes]], is_cut: bool) -> None:
    """The copies are those wanted, in the order of their direction; of a cut run a prefix of them.

    Which direction a copy belongs to need not be clear when it comes, as two may be equal: all ways that are left are
    kept, each as the number of ingress copies among those seen.
    """
    ingress, egress = wanted[Direction.INGRESS], wanted[Direction.EGRESS]
    ways = {0}
    for number, copy in enumerate(run.copies):
        ways = {one + 1 for one in ways if one < len(ingress) and ingress[one] == copy} | {
            one for one in ways if number - one < len(egress) and egress[number - one] == copy
        }
        if not ways:
            raise HalfsilverError(f"copy {number + 1} is not due: {copy[:200].hex()}")
    if len(run.copies) != len(ingress) + len(egress) and not is_cut:
        raise HalfsilverError(f"{len(run.copies)} copies came out, not {len(ingress) + len(egress)}")
