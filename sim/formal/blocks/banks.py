"""Claims about the rule-set banks, from section 11 of the law and the component's docstring."""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Cat, Mux, Signal

from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import once

__all__ = ["SETUPS"]

SETTLE = 2
COUNT_BITS = 3
"""Of the counts of frames in flight; so many frames, less one, may be."""


def _build(matchers: int, parts: Parts) -> Model:
    """Frames enter in any clock, and leave in any later one, with or without a copy; commits come at any time. A free
    input marks one frame, which is followed by the bank and the generation it met.
    """
    model = Model()
    m = model.m
    m.submodules.dut = dut = parts("banks").RuleSetBanks(SETTLE, matchers)
    entered, let_go, let_go_bank = (model.free(matchers, name) for name in ("entered", "let_go", "let_go_bank"))
    sent, sent_bank = (model.free(1, name) for name in ("sent", "sent_bank"))
    m.d.comb += [
        dut.commit.eq(model.free(1, "commit")),
        dut.entered.eq(entered),
        dut.let_go.eq(let_go),
        dut.let_go_bank.eq(let_go_bank),
        dut.sent.eq(sent),
        dut.sent_bank.eq(sent_bank),
    ]
    now = Mux(dut.active, *reversed(dut.generations))  # the generation in force
    enters = once(m, "marked", model.free(1, "mark") & entered.any())
    leaves = model.free(1, "leaves")  # one of those that leave is the marked one
    flying, bank, generation = Signal(), Signal(), Signal(16)
    with m.If(enters):
        m.d.sync += [flying.eq(1), bank.eq(dut.active), generation.eq(now)]
    with m.Elif(leaves):
        m.d.sync += flying.eq(0)
    for number in range(2):
        others = Signal(COUNT_BITS, name=f"others_{number}")  # in flight of this bank, the marked one aside
        of_bank = (let_go & (let_go_bank if number else ~let_go_bank), sent & (sent_bank == number))
        model.assume(~leaves | (flying & ((bank != number) | Cat(of_bank).any())))
        out = sum(Cat(of_bank)) - (leaves & (bank == number))
        came = Mux(dut.active == number, sum(entered) - enters, 0)
        m.d.sync += others.eq(others + came - out)
        model.assume((others >= out) & (others < (1 << COUNT_BITS) - 2 - matchers))
    model.bad("rewritten", flying & (Mux(bank, *reversed(dut.generations)) != generation))
    model.bad("free", flying & (dut.active != bank) & ~dut.shadow_busy)

    before, moved, active = Signal(16), Signal(), Signal()
    m.d.sync += [before.eq(now), moved.eq(1), active.eq(dut.active)]
    swapped = moved & (active != dut.active)
    model.bad("not_next", moved & (now != Mux(swapped, (before + 1)[:16], before)))
    busy = Signal()
    recent = Signal(SETTLE + 1)  # commits that were not ignored
    m.d.comb += busy.eq(dut.shadow_busy)
    m.d.sync += recent.eq(Cat(dut.commit & ~busy, recent))
    model.bad("unasked", swapped & ~recent.any())
    return model


def _setup(matchers: int) -> Setup:
    return Setup(
        "RuleSetBanks",
        f"{matchers} matcher{'s'[: matchers - 1]}, counts of {COUNT_BITS} bits, settle_clocks {SETTLE}",
        partial(_build, matchers),
        (
            Claim(
                "the generation of a frame's bank is that of its entry, until it has left",
                ("rewritten",),
                Fault("banks", "self.commit & ~self.shadow_busy", "self.commit"),
                clocks=12,
                seconds=90,
                quick=matchers == 1,
            ),
            Claim(
                "the shadow bank is busy while a frame of it is in flight",
                ("free",),
                Fault("banks", "entered = [bit & (self.active == bank) for bit in self.entered]", "entered = [0]"),
                clocks=12,
                seconds=90,
                quick=matchers == 1,
            ),
            Claim(
                "each swap adds 1 to the generation in force, which nothing else changes",
                ("not_next",),
                Fault("banks", "of_bank(self.active, self.generations) + 1", "self.generations[bank] + 1"),
                clocks=12,
                seconds=90,
            ),
            Claim(
                "banks are swapped only after a commit that was not ignored",
                ("unasked",),
                Fault("banks", "self.commit & ~self.shadow_busy", "self.commit"),
                clocks=12,
                seconds=90,
            ),
        ),
        (Fault("banks", "_IN_FLIGHT_BITS = 12", f"_IN_FLIGHT_BITS = {COUNT_BITS}"),),
    )


SETUPS = (_setup(1), _setup(2))
