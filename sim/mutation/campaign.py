"""The way of a list of mutants: through the native pump first, then proofs, cheap ones first, then the cocotb benches.

Each stage takes what the one before has left open. The control run, without a mutant, comes first in every model;
if it fails, nothing is learned and the run is refused. So is a run whose proofs succeed for a mutant that was caught.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.build import build_library
from halfsilver.sim.mutation.children import Crash, each_in_child
from halfsilver.sim.mutation.core_benches import CoreBenches
from halfsilver.sim.mutation.equivalence import is_equivalent
from halfsilver.sim.mutation.invariants.mining import never_together
from halfsilver.sim.mutation.memory import Memory
from halfsilver.sim.mutation.netlist import NAME, VARIABLE, Mutant, Netlist
from halfsilver.sim.mutation.records import CAUGHT, EQUIVALENT, SURVIVED, UNPROVEN, Record, Records
from halfsilver.sim.mutation.regression import LONG, PHASES, Phases, Setting, first_disagreement
from halfsilver.sim.mutation.washout.circuit import flat_circuit
from halfsilver.sim.mutation.washout.unrolled import Unrolled
from halfsilver.sim.mutation.washout.washout import damage
from halfsilver.sim.places import version_of

__all__ = ["MODEL_SIZE", "Campaign"]

MODEL_SIZE = 200
"""Mutants in one compiled model: more slow it down, and the runs already take most of the time."""

HOUR = 3600
"""Seconds for one mutant in a stage, whatever else the machine does."""

PATIENCE = 4
"""A mutant that takes so many times the control run's processor time does not end."""

CHECKS = 8
"""Caught mutants, per build, for which no proof may succeed."""

UNROLLED = 6
"""Clocks of the good circuit that are there before the children are forked; few proofs need more."""

MORE_CHECKS = 24
"""The same for the proofs that differences wash out: at least that many, where so many were caught."""

PUMP, PROOF, WASHOUT, LONG_PUMP, BENCH = "pump", "proof", "washout", "long pump", "bench"
_JUDGES = (
    "sim/*.py",
    "sim/native/*.*",
    "sim/traffic/**/*.py",
    *(f"sim/mutation/{name}.py" for name in ("regression", "swap", "traffic")),
    "harness/golden/*.py",
    "harness/nic/*.py",
)
_PROOFS = ("sim/mutation/equivalence.py", "sim/mutation/open_circuit.py")
_WASHOUT = ("sim/mutation/washout/*.py", "sim/mutation/invariants/*.py")
_BENCHES = ("sim/benches/*.py", "sim/benches/drivers/*.py", "harness/golden/*.py", "sim/mutation/core_benches.py")


@dataclass(slots=True)
class Campaign:
    """One build's netlist and mutants; ``records`` are those of the whole list."""

    build: str
    netlist: Netlist
    mutants: Sequence[Mutant]
    records: Records
    seed: int
    jobs: int

    def pump(self) -> None:
        """The regression on every open mutant."""
        self._judge(PUMP, PHASES)

    def pump_long(self) -> None:
        """More of it, which takes longer."""
        self._judge(LONG_PUMP, LONG)

    def _judge(self, stage: str, phases: Phases) -> None:
        judge = f"{version_of(_JUDGES)} {self.seed}"
        waiting = [mutant for mutant in self.mutants if self.records.is_open(mutant.key, stage, judge)]
        for start in range(0, len(waiting), MODEL_SIZE):
            mutants = waiting[start : start + MODEL_SIZE]
            what = f"{self.build} bit with {len(mutants)} mutants"
            library = build_library(self.netlist.verilog(mutants), NAME, self.netlist.ports, what=what)
            setting = Setting(self.netlist.parameters, library, self.seed, Memory())
            self._run(stage, judge, mutants, partial(first_disagreement, setting, phases), what)

    def _run(
        self, stage: str, judge: str, mutants: Sequence[Mutant], regression: Callable[[], str | None], what: str
    ) -> None:
        """The control, then the mutants of one model, each in a process of its own."""
        start = time.process_time()
        check_control(what, regression())
        taken = time.process_time() - start
        print(f"{what}, {stage}: control passed, {taken:.0f} s of the processor", file=sys.stderr, flush=True)

        def work(number: int) -> str:
            os.environ[VARIABLE] = str(number)
            return regression() or ""

        progress = _Progress(f"{self.build} bit, {stage}", len(mutants))
        numbers = range(1, len(mutants) + 1)
        answers = each_in_child(numbers, work, jobs=self.jobs, seconds=HOUR, processor=PATIENCE * taken)
        for number, answer in answers:
            by = _catch(answer)
            result = CAUGHT if by else SURVIVED
            self.records.add(Record(mutants[number - 1].key, stage, result, by, judge))
            progress.step(result == CAUGHT)
        progress.end()

    def prove(self) -> None:
        """A proof for every open mutant; first on caught ones, where none may succeed."""
        judge = version_of(_PROOFS)
        waiting = [mutant for mutant in self.mutants if self.records.is_open(mutant.key, PROOF, judge)]
        if not waiting:
            return
        self._check_proofs([mutant for mutant in self.mutants if self.records.catch(mutant.key)])
        progress = _Progress(f"{self.build} bit, proofs", len(waiting))
        for mutant, proven in self._proofs(waiting):
            self.records.add(Record(mutant.key, PROOF, EQUIVALENT if proven else UNPROVEN, "", judge))
            progress.step(proven)
        progress.end()

    def bench(self) -> None:
        """The cocotb benches of the whole core on every open mutant."""
        judge = f"{version_of(_BENCHES)} {self.seed}"
        waiting = [mutant for mutant in self.mutants if self.records.is_open(mutant.key, BENCH, judge)]
        for start in range(0, len(waiting), MODEL_SIZE):
            self._bench(waiting[start : start + MODEL_SIZE], judge)

    def _bench(self, mutants: Sequence[Mutant], judge: str) -> None:
        what = f"{self.build} bit with {len(mutants)} mutants"
        benches = CoreBenches(self.netlist, mutants, self.seed, what)
        check_control(what, benches.first_failure(0))
        progress = _Progress(f"{self.build} bit, benches", len(mutants))
        numbers = range(1, len(mutants) + 1)
        answers = each_in_child(
            numbers, lambda number: benches.first_failure(number) or "", jobs=self.jobs, seconds=HOUR
        )
        for number, answer in answers:
            by = _catch(answer)
            self.records.add(Record(mutants[number - 1].key, BENCH, CAUGHT if by else SURVIVED, by, judge))
            progress.step(bool(by))
        progress.end()

    def wash_out(self) -> None:
        """A proof over the whole circuit for every open mutant; first on caught ones, rather of the same modules."""
        judge = version_of(_WASHOUT)
        waiting = [mutant for mutant in self.mutants if self.records.is_open(mutant.key, WASHOUT, judge)]
        if not waiting:
            return
        circuit = Unrolled(flat_circuit(self.netlist.text, self.mutants))
        circuit.clock(UNROLLED)
        apart = never_together(circuit, self.netlist.text, self.mutants)
        numbers = {mutant.key: number for number, mutant in enumerate(self.mutants, 1)}
        where = {mutant.module for mutant in waiting}
        caught = [mutant for mutant in self.mutants if self.records.catch(mutant.key)]
        Random(self.seed).shuffle(caught)
        caught.sort(key=lambda mutant: mutant.module not in where)

        def work(mutants: Sequence[Mutant], place: int) -> str:
            found = damage(circuit, numbers[mutants[place].key], apart)
            return found.kind if found else ""

        checks = caught[:MORE_CHECKS]
        for mutant, kind in self._answers(checks, partial(work, checks)):
            self._refuse(mutant, kind)
        progress = _Progress(f"{self.build} bit, washout", len(waiting))
        for mutant, kind in self._answers(waiting, partial(work, waiting)):
            self.records.add(Record(mutant.key, WASHOUT, EQUIVALENT if kind else UNPROVEN, kind, judge))
            progress.step(bool(kind))
        progress.end()

    def _check_proofs(self, caught: Sequence[Mutant]) -> None:
        """HalfsilverError if the script proves for any of a sample of caught mutants that it changes nothing."""
        sample = Random(self.seed).sample(caught, min(CHECKS, len(caught)))
        for mutant, proven in self._proofs(sample):
            self._refuse(mutant, proven)

    def _refuse(self, mutant: Mutant, proven: str | bool) -> None:
        """HalfsilverError if a caught mutant was proven equivalent."""
        if proven:
            catch = self.records.catch(mutant.key)
            raise HalfsilverError(
                f"the proofs are unsound: one says that {mutant.change} in {mutant.module} changes nothing, "
                f"but {catch.by if catch else 'something'} caught it"
            )

    def _proofs(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        def work(number: int) -> str:
            return EQUIVALENT if is_equivalent(self.netlist, mutants[number]) else UNPROVEN

        for mutant, answer in self._answers(mutants, work):
            yield mutant, answer == EQUIVALENT

    def _answers(self, mutants: Sequence[Mutant], work: Callable[[int], str]) -> Iterator[tuple[Mutant, str]]:
        """Of ``work`` for each place in a list. HalfsilverError if one could not be tried."""
        for number, answer in each_in_child(range(len(mutants)), work, jobs=self.jobs, seconds=HOUR):
            if isinstance(answer, Crash):
                raise HalfsilverError(f"the proof of {mutants[number].change} could not be tried: {answer.why}")
            yield mutants[number], answer


def check_control(what: str, found: str | None) -> None:
    """HalfsilverError if the model does not pass without a mutant."""
    if found is not None:
        raise HalfsilverError(f"{what}: the control run, without a mutant, does not pass: {found}")


def _catch(answer: str | Crash) -> str:
    """What caught the mutant; nothing if it survived. HalfsilverError if the child's end says nothing about it."""
    if not isinstance(answer, Crash):
        return answer
    if not answer.own:
        raise HalfsilverError(f"a mutant could not be tried: its process {answer.why}")
    return f"crash: {answer.why}"


class _Progress:
    """How far a stage is, on stderr, now and then."""

    SECONDS = 10

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = self._hits = 0
        self._start = self._said = time.monotonic()

    def step(self, hit: bool) -> None:
        self._done += 1
        self._hits += hit
        if time.monotonic() - self._said > self.SECONDS:
            self._said = time.monotonic()
            rate = self._done / (self._said - self._start)
            self._say(f", {rate:.1f} a second, about {(self._total - self._done) / rate:.0f} s left")

    def end(self) -> None:
        self._say(f", {time.monotonic() - self._start:.0f} s")

    def _say(self, more: str) -> None:
        print(f"{self._what}: {self._done} of {self._total}, {self._hits} settled{more}", file=sys.stderr, flush=True)
