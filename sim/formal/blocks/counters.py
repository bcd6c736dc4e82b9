"""Claims about what stands between the blocks of `counting`: from a record to its lane, and from the lanes to the
totals, by the walker. From section 9 of the law and the docstrings.

Lanes, totals, tallies and cuts are free, but that a cut keeps to what is claimed of it. What is real is the rest: the
counters' own wiring, the walker, its rows, and the memory of what was seen at the ports.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import C, Cat, Mux, Signal

from halfsilver.sim.formal.blocks.counting import OCTETS
from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import earlier

__all__ = ["SETUPS"]

_PARAMETERS = SimpleNamespace(width=8, rules=0, enis=1, eni_bits=0, rule_bits=1, matchers=1, security_groups=0)
_VERDICT_BITS = 1
_PLACE_BITS = 2
_SESSION_OF_VERDICTS = C(3, 2)

_CUTS = ("judged_0", "judged_1", "left_0", "left_1")
_LANES = ("verdicts_0", "sessions_0", "rules_0")
_TALLIES = [
    f"{port}_{mark}" for port in ("network_in", "network_out", "host_in", "host_out") for mark in ("good", "bad")
]


@dataclass(frozen=True)
class _Sum:
    """One sum of the verdicts' lane, whichever a free input names."""

    bank: Any  # of the direction's two
    direction: Any
    verdict: Any
    emptied: Any  # its bank is
    taken: Any  # it is, by the totals
    cleared: Any


def _build(parts: Parts) -> Model:
    """One matcher serves both directions."""
    model = Model()
    m = model.m
    counters = parts("counting.counters").Counters(_PARAMETERS)
    blocks = model.opened(counters)
    m.d.comb += counters.take.eq(model.free(1, "take"))
    for name in _CUTS:
        _cut_as_claimed(model, name, getattr(blocks, name))
    its = _its(model, blocks)
    _records(model, counters, blocks)
    _rest(model, blocks.verdicts_0, its)
    _added_once(model, blocks.verdicts_0, blocks.totals, blocks.walker, its)
    _rows(model, blocks.totals)
    return model


def _cut_as_claimed(model: Model, name: str, cut: Any) -> None:
    """From the clock after ``arm`` on it waits, up to that of the cut."""
    armed = Signal(name=f"armed_{name}")
    with model.m.If(cut.arm):
        model.m.d.sync += armed.eq(1)
    with model.m.Elif(cut.cut):
        model.m.d.sync += armed.eq(0)
    model.assume((cut.waiting == armed) & (armed | ~cut.cut))


def _its(model: Model, blocks: Any) -> _Sum:
    lane, totals = blocks.verdicts_0, blocks.totals
    its = model.constant(2 + _VERDICT_BITS, "its")
    bank, direction, verdict = its[0], its[1], its[2:]
    emptied = lane.empty & (lane.empty_bank == Cat(bank, direction))
    row = Cat(verdict, C(0, _PLACE_BITS - _VERDICT_BITS), _SESSION_OF_VERDICTS, direction)
    cleared = lane.clear.bit_select(Cat(bank, direction), 1) & (lane.clear_index == verdict)
    return _Sum(bank, direction, verdict, emptied, emptied & totals.add & (totals.row == row), cleared)


def _records(model: Model, counters: Any, blocks: Any) -> None:
    """A record is not counted, or twice, or as another, or in another bank than its direction's live one."""
    m, lane, walker, records = model.m, blocks.verdicts_0, blocks.walker, counters.i[0]
    direction, verdict = model.free(1, "direction"), model.free(8, "verdict")
    octets = model.free(len(records.p.octets), "octets")
    m.d.comb += [
        records.valid.eq(model.free(1, "record")),
        records.p.record.direction.eq(direction),
        records.p.record.verdict.eq(verdict),
        records.p.record.rule.eq(model.free(8, "rule")),
        records.p.octets.eq(octets),
    ]
    since = Signal(range(counters.FIRST_RECORD + 1))  # the last reset
    with m.If(since != counters.FIRST_RECORD):
        m.d.sync += since.eq(since + 1)
    model.assume(~records.valid | (since == counters.FIRST_RECORD))
    # A clock later it is at its lane.
    came = earlier(m, "came", records.valid, 1)
    then = earlier(m, "record", Cat(direction, verdict[:_VERDICT_BITS], octets), 1)
    live = Mux(then[0], walker.live[1], walker.live[0])
    counted = Cat(lane.bank[1], lane.index, lane.octets, lane.bank[0])
    model.bad("miscounted", (lane.valid != came) | (came & (counted != Cat(then, live))))


def _rest(model: Model, lane: Any, its: _Sum) -> None:
    """A record is on its way to a bank that is emptied or cleared, or a bank is left before its sum is there."""
    came = lane.valid & (lane.bank == Cat(its.bank, its.direction))
    on_the_way = Cat(earlier(model.m, f"on_{clock}", came, clock) for clock in range(lane.SETTLE_CLOCKS)).any()
    asked = earlier(model.m, "asked", its.emptied, lane.EMPTY_CLOCKS)
    left = asked & (lane.empty_bank != Cat(its.bank, its.direction))
    model.bad("restless", (on_the_way & (its.emptied | its.cleared)) | left)


def _added_once(model: Model, lane: Any, totals: Any, walker: Any, its: _Sum) -> None:
    """A sum is cleared that was not taken, or not cleared when it was; or what is added to its row is not what was
    taken, or, where its lane was not emptied, not 0.
    """
    m = model.m
    taken = earlier(m, "taken", its.taken, 1)
    kept = Mux(totals.clear, taken, its.cleared != taken)
    model.bad("kept", kept | (its.taken & (lane.empty_index != its.verdict)))
    row = Cat(its.verdict, C(0, _PLACE_BITS - _VERDICT_BITS), _SESSION_OF_VERDICTS, its.direction)
    adds = totals.add & (totals.row == row)
    with_lane = adds & lane.empty
    added = earlier(m, "added", adds, totals.ADD_CLOCKS)
    of_lane = earlier(m, "of_lane", Cat(with_lane, with_lane & walker.snapshot), totals.ADD_CLOCKS)
    sums = earlier(m, "sums", lane.o, totals.ADD_CLOCKS - lane.EMPTY_CLOCKS)
    same = (totals.increment.as_value() == Mux(of_lane[0], sums, 0)) & (totals.snapshot == of_lane[1])
    model.bad("other", (added & ~same) | (with_lane & (lane.empty_bank[1] != its.direction)))


def _rows(model: Model, totals: Any) -> None:
    """Of any row: it comes again too soon, or before it has been cleared; or clearing begins late, or beside adding."""
    m, row = model.m, model.constant(len(totals.row), "row")
    adds = totals.add & (totals.row == row)
    again = Cat(earlier(m, f"adds_{clock}", adds, clock) for clock in range(1, totals.WRITE_CLOCKS)).any()
    model.bad("again", adds & again)
    clearing, known = Signal(init=1), Signal()
    m.d.sync += clearing.eq(clearing & totals.clear)
    with m.If(totals.clear & (totals.row == row)):
        m.d.sync += known.eq(1)
    model.bad("uncleared", (totals.clear & (~clearing | totals.add)) | (adds & ~known))


SETUPS = (
    Setup(
        "Counters, from records to totals",
        "verdicts of 1 bit, 1 ENI, no rules, one matcher",
        _build,
        (
            Claim(
                "each record is counted once in the verdicts' lane: its verdict, direction and bytes, in the live bank",
                ("miscounted",),
                Fault("counting.counters", "VERDICT: (True,", "VERDICT: (record.rule != NONE,"),
                quick=True,
            ),
            Claim(
                "a bank is emptied and cleared only when no record is on its way to it",
                ("restless",),
                Fault("counting.counters", "_PAUSES = Lane.SETTLE_CLOCKS,", "_PAUSES = Lane.SETTLE_CLOCKS - 4,"),
                clocks=60,
                induction=12,
                seconds=120,
                quick=True,
            ),
            Claim(
                "a sum is cleared only when it is taken, and what is taken is added to its row, and nothing else",
                ("kept", "other"),
                Fault("counting.counters", "taken_late, Lane.EMPTY_CLOCKS - 1,", "taken_late, Lane.EMPTY_CLOCKS,"),
                clocks=75,
                induction=8,
                seconds=120,
            ),
            Claim(
                "no row comes again before its total is written, and none before it has been cleared after reset",
                ("again", "uncleared"),
                Fault(
                    "counting.walker",
                    "with m.If(Cat(self.row, self.direction).all())",
                    "with m.If(self.row.as_value().all())",
                ),
                clocks=90,
                induction=8,
                seconds=120,
            ),
        ),
        (
            OCTETS,
            Fault("counting.counters", "COUNTER_BITS, VERDICT_BITS,", "COUNTER_BITS,"),
            Fault("counting.counters", "_ON_THEIR_WAY = 64", f"VERDICT_BITS, _ON_THEIR_WAY = {_VERDICT_BITS}, 64"),
            Fault("counting.rows", "import VERDICT_BITS, CounterGroupCode,", "import CounterGroupCode,"),
            Fault("counting.rows", "_EXTRA = 4", f"VERDICT_BITS, _EXTRA = {_VERDICT_BITS}, 4"),
            Fault(
                "counting.counters",
                "return max(self.clear_clocks + 2 * self.pass_clocks, "
                "4 * self.pass_clocks + self._unjudged).bit_length()",
                "return 1",
            ),
        ),
        freed=[f"dut.{part}" for part in (*_CUTS, *_LANES, *_TALLIES, "copies_out_good", "totals")],
    ),
)
