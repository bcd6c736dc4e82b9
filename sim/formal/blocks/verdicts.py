"""Claims about the way of a frame from its turn to its verdict record, from sections 10 and 11 of the law and the
docstrings of the mirror and the match pipeline.

Intakes, tables, copy arbiter and encapsulator are free: they may say anything in any clock. What is real is whose turn
it is, the way past the tables, the choice of the session, the record, the decision and the banks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from amaranth.hdl import Cat, Mux, Signal

from halfsilver.hdl.layout.frames import MIN_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.tables import session_index
from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import earlier, once

__all__ = ["SETUPS"]

_FREE_BLOCKS = ("net_intake", "host_intake", "copy_arbiter", "encapsulator")
_FREE_TABLES = ("general", "owner", "eligibility", "classifier", "sessions", "flow_hash")


@dataclass(frozen=True)
class _Way:
    """Of the frames that one matcher judges."""

    number: int
    matcher: Any
    intakes: Sequence[Any]
    verdict: Any

    @property
    def clocks(self) -> int:
        """From the first clock of a frame's lookup, the one behind its turn, to its record."""
        return int(self.matcher.latency) + 1


def _build(parameters: NicParameters, parts: Parts) -> Model:
    model = Model()
    mirror = parts("mirror").Mirror(parameters)
    blocks = model.opened(mirror)
    model.m.d.comb += mirror.commit.eq(model.free(1, "commit"))
    intakes = (blocks.net_intake, blocks.host_intake)
    for intake in intakes:
        model.assume(intake.o.p.direction == intake.direction)
    if parameters.matchers == 1:
        ways = [_Way(0, blocks.matcher, intakes, mirror.o_verdict[0])]
    else:
        matchers = (blocks.matcher_0, blocks.matcher_1)
        ways = [_Way(n, matchers[n], intakes[n : n + 1], mirror.o_verdict[n]) for n in range(2)]
    bank_bit = session_index(parameters.eni_bits).width
    for name, wrong in (
        ("lost", [_lost(model, way) for way in ways]),
        ("unfit", [_unfit(model, way) for way in ways]),
        ("unkept", [_unkept(model, way, blocks.banks, bank_bit) for way in ways]),
        ("generation", [_other_generation(model, way, mirror, blocks.banks) for way in ways]),
    ):
        model.bad(name, Cat(wrong).any())
    return model


def _lost(model: Model, way: _Way) -> Any:
    """A verdict comes without its frame's turn, or not with it; or not to its intake, or to another."""
    wrong = []
    turns = Cat(intake.o.valid & intake.o.ready for intake in way.intakes)
    then = earlier(model.m, f"turns_{way.number}", turns, way.clocks + 1)
    for place, intake in enumerate(way.intakes):
        wrong.append(intake.i_decided != then[place])
        wrong.append(then[place] & (way.verdict.p.direction != intake.direction))
    return Cat(way.verdict.valid != then.any(), wrong).any()


def _unfit(model: Model, way: _Way) -> Any:
    """A copy of a frame that is not whole in the queue or not good, or of more than it has; or the record says another
    length than the queue is told.
    """
    frame, decision = way.matcher.i, way.intakes[0].i_decision
    then = earlier(model.m, f"frame_{way.number}", Cat(frame.fits, frame.bad, frame.length), way.clocks)
    fits, bad, length = then[0], then[1], then[2:]
    right = fits & ~bad & (length >= MIN_FRAME) & (decision.length <= length)
    copied = Mux(decision.mirror, decision.length, 0)
    return way.verdict.valid & ((decision.mirror & ~right) | (way.verdict.p.copied != copied))


def _unkept(model: Model, way: _Way, banks: Any, bank_bit: int) -> Any:
    """The banks are told of a frame's leaving that has not entered, or not told of one, or of another bank's; or its
    copy's outer headers are of another bank.
    """
    number, decision = way.number, way.intakes[0].i_decision
    entered = banks.entered[number]
    then = earlier(model.m, f"entered_{number}", Cat(entered, entered & banks.active), way.clocks)
    stays = then[0] & decision.mirror & (decision.slot[bank_bit] == then[1])
    goes = then[0] & ~decision.mirror & (banks.let_go_bank[number] == then[1])
    return Cat(then[0] & ~stays & ~goes, banks.let_go[number] != goes, entered != way.matcher.i_valid).any()


def _other_generation(model: Model, way: _Way, mirror: Any, banks: Any) -> Any:
    """The record of the frame that a free input marks has another generation than the one in force when its lookup
    began. That a bank keeps its generation while a frame of it is in flight is taken from the claim about the banks.
    """
    m, number = model.m, way.number
    enters = once(m, f"marked_{number}", model.free(1, f"mark_{number}") & way.matcher.i_valid)
    bank, generation = Signal(name=f"bank_{number}"), Signal(16, name=f"generation_{number}")
    with m.If(enters):
        m.d.sync += [bank.eq(mirror.active), generation.eq(mirror.generation)]
    ages = [earlier(m, f"age_{number}_{clock}", enters, clock) for clock in range(1, way.clocks + 1)]
    model.assume(~Cat(ages).any() | (Mux(bank, *reversed(banks.generations)) == generation))
    return ages[-1] & (way.verdict.p.generation != generation)


def _setup(name: str, parameters: NicParameters) -> Setup:
    matchers = ("matcher",) if parameters.matchers == 1 else ("matcher_0", "matcher_1")
    tables = [f"{matcher}.{table}" for matcher in matchers for table in _FREE_TABLES]
    return Setup(
        "Mirror, its verdicts",
        f"{name}, {parameters.width} bits, a lookup in {parameters.lookup_clocks} clocks, one session, one rule",
        partial(_build, parameters),
        (
            Claim(
                "one verdict for each frame that has its turn, stated clocks later, and to its direction's queue",
                ("lost",),
                Fault("mirror", "valid.eq(matcher.o_valid)", "valid.eq(matcher.o_valid & judgement.length.any())"),
                clocks=30,
                induction=30,
                quick=parameters.matchers == 1,
            ),
            Claim(
                "a copy is of a good frame, whole in the queue, as long as its record says and the frame at most",
                ("unfit",),
                Fault("match.session", "Mux(facts.fits, ", "Mux(facts.owned, "),
                clocks=30,
                induction=30,
            ),
            Claim(
                "each frame leaves the banks' care as it came: let go by its bank, or with outer headers of its bank",
                ("unkept",),
                Fault("match.matcher", 'LATENCY, "facts_bank"', 'LATENCY - 1, "facts_bank"'),
                clocks=30,
                induction=30,
            ),
            Claim(
                "a record's generation is the one in force when its frame's lookup began, as the bank keeps it",
                ("generation",),
                Fault("mirror", "of_bank(judgement.bank, banks.gen", "of_bank(banks.active, banks.gen"),
                clocks=30,
                induction=30,
                quick=parameters.matchers == 1,
            ),
        ),
        freed=[f"dut.{part}" for part in (*_FREE_BLOCKS, *tables)],
    )


SETUPS = (
    _setup("one matcher", NicParameters(width=8, enis=1, sessions=1, rules=1, copies=8, lookup_clocks=2)),
    _setup("two matchers", NicParameters(width=32, enis=1, sessions=1, rules=1, copies=8, lookup_clocks=8)),
)
