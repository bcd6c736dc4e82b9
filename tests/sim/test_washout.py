"""Proofs that a difference washes out: small circuits with faults that do, and ones with faults that nearly do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.verilog.convert import to_rtlil
from halfsilver.sim.model.cache import VARIABLE
from halfsilver.sim.mutation.invariants.apart import Apart
from halfsilver.sim.mutation.invariants.mining import guessed, inductive, never_together
from halfsilver.sim.mutation.netlist import NAME
from halfsilver.sim.mutation.washout.circuit import Circuit, flat_circuit
from halfsilver.sim.mutation.washout.unrolled import Unrolled
from halfsilver.sim.mutation.washout.washout import damage

Elaborate = Callable[["Toy", Module], None]


class Toy(wiring.Component):  # type: ignore[misc]  # Amaranth has no types
    """Bytes in and out; ``mutsel`` chooses a fault, as it does among the mutants of a netlist."""

    def __init__(self, inside: Elaborate) -> None:
        self._inside = inside
        super().__init__(
            {
                "mutsel": In(16),
                "valid": In(1),
                "byte": In(8),
                "last": In(1),
                "place": In(2),
                "ready": In(1),
                "m_axis_net_tvalid": Out(1),
                "m_axis_net_tdata": Out(8),
                "m_axis_net_tkeep": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.m_axis_net_tkeep.eq(1)
        self._inside(self, m)
        return m


def circuit(inside: Elaborate) -> Unrolled:
    return Unrolled(flat_circuit(to_rtlil(Toy(inside), NAME), ()))


def pipeline(toy: Toy, m: Module) -> None:
    """Three stages without a stall. The byte counts while its valid bit is 1."""
    valid, byte = toy.valid, toy.byte
    for stage in range(3):
        later, data = Signal(name=f"valid_{stage}"), Signal(8, name=f"byte_{stage}")
        fault = byte
        if stage == 1:
            fault = Mux(toy.mutsel == 1, byte ^ ~valid.replicate(8), fault)
            fault = Mux(toy.mutsel == 2, byte ^ valid.replicate(8), fault)
            fault = Mux((toy.mutsel == 3) & valid & (byte == 0xA5), 0xA4, fault)
        m.d.sync += [later.eq(valid), data.eq(fault)]
        if stage == 0:
            m.d.sync += later.eq(valid & (toy.mutsel != 4))
        valid, byte = later, data
    m.d.comb += [toy.m_axis_net_tvalid.eq(valid), toy.m_axis_net_tdata.eq(byte)]


def holding(toy: Toy, m: Module) -> None:
    """A register that holds a byte until it is taken; nobody looks at it while it is not valid."""
    full, held = Signal(), Signal(8)
    with m.If(~full | toy.ready):
        m.d.sync += full.eq(toy.valid)
        with m.If(toy.valid):
            m.d.sync += held.eq(toy.byte)
        with m.Elif(toy.mutsel == 1):
            m.d.sync += held.eq(~held)
    with m.Elif((toy.mutsel == 2) & ~toy.valid):
        m.d.sync += held.eq(~held)
    m.d.comb += [toy.m_axis_net_tvalid.eq(full), toy.m_axis_net_tdata.eq(held)]


def store(toy: Toy, m: Module) -> None:
    """Words of a byte and a mark; what is read counts where it is not marked."""
    m.submodules.words = words = Memory(shape=9, depth=4, init=[])
    write, read = words.write_port(), words.read_port()
    byte = Mux((toy.mutsel == 1) & toy.last, ~toy.byte, toy.byte)
    byte = Mux((toy.mutsel == 2) & ~toy.last & (toy.byte == 7), 8, byte)
    place = Mux((toy.mutsel == 3) & toy.last, ~toy.place, toy.place)
    asked = Signal()
    m.d.sync += asked.eq(toy.ready)
    m.d.comb += [
        write.en.eq(toy.valid),
        write.addr.eq(place),
        write.data.eq(byte << 1 | toy.last),
        read.en.eq(toy.ready),
        read.addr.eq(toy.byte[:2]),
        toy.m_axis_net_tvalid.eq(asked & ~read.data[0]),
        toy.m_axis_net_tdata.eq(read.data[1:]),
    ]


def late(toy: Toy, m: Module) -> None:
    """What goes wrong shows a hundred clocks later (1), or when it has gone wrong three times (2)."""
    count, wrong, times = Signal(7), Signal(), Signal(2)
    m.d.sync += [count.eq(count + 1), wrong.eq(wrong | (toy.mutsel == 1))]
    with m.If((toy.mutsel == 2) & (times != 3)):
        m.d.sync += times.eq(times + 1)
    m.d.comb += toy.m_axis_net_tvalid.eq((wrong & (count == 100)) | (times == 3))


def used_again(toy: Toy, m: Module) -> None:
    """What is held counts whenever it is asked for, five clocks later: by then it may long have been wrong."""
    held = Signal(8)
    with m.If(toy.valid):
        m.d.sync += held.eq(toy.byte)
    with m.Elif(toy.mutsel == 1):
        m.d.sync += held.eq(~held)
    valid, byte = toy.ready, held
    for stage in range(5):
        later, data = Signal(name=f"valid_{stage}"), Signal(8, name=f"byte_{stage}")
        m.d.sync += [later.eq(valid), data.eq(byte)]
        valid, byte = later, data
    m.d.comb += [toy.m_axis_net_tvalid.eq(valid), toy.m_axis_net_tdata.eq(byte)]


def unseen(toy: Toy, m: Module) -> None:
    """Two registers, each of which alone could be anything: together they show."""
    one, two = Signal(), Signal()
    m.d.sync += [one.eq(one | (toy.mutsel == 1)), two.eq(two | (toy.mutsel == 1))]
    m.d.comb += toy.m_axis_net_tvalid.eq(one & two)


def turns(toy: Toy, m: Module) -> None:
    """A ring of three places, one of them marked; ones that are not valid are shown where two are.

    Fault 1 shows something where two places are marked, which never are; fault 2 marks a second one, which nobody sees;
    fault 3 does both. Fault 4 shows something where nine clocks have been counted, fault 5 where they are at first.
    """
    ring, count = Signal(3, init=1, name="ring"), Signal(4, name="count")
    m.d.sync += ring.eq(ring.rotate_left(1))
    with m.If(~count.all()):
        m.d.sync += count.eq(count + 1)
    with m.If(((toy.mutsel == 2) | (toy.mutsel == 3)) & toy.last):
        m.d.sync += ring.eq(3)
    two = (ring[0] & ring[1]) | (ring[1] & ring[2])
    shown = ((toy.mutsel == 1) | (toy.mutsel == 3)) & two
    shown |= ((toy.mutsel == 4) & (count == 9)) | ((toy.mutsel == 5) & ~count.any())
    m.d.comb += [toy.m_axis_net_tvalid.eq(toy.valid | shown), toy.m_axis_net_tdata.eq(toy.byte)]


def sides(toy: Toy, m: Module) -> None:
    """A mark goes to the left or to the right, and is gone in the next clock.

    Fault 1 shows something where both sides are marked, which never are; fault 2 marks both, which nobody sees; fault 3
    does both, one in the clock behind the other.
    """
    left, right = Signal(name="left"), Signal(name="right")
    m.d.sync += [left.eq(toy.valid & toy.ready), right.eq(toy.valid & ~toy.ready)]
    with m.If(((toy.mutsel == 2) | (toy.mutsel == 3)) & toy.last):
        m.d.sync += [left.eq(1), right.eq(1)]
    shown = ((toy.mutsel == 1) | (toy.mutsel == 3)) & left & right
    m.d.comb += [toy.m_axis_net_tvalid.eq(toy.valid | shown), toy.m_axis_net_tdata.eq(toy.byte)]


def everything(good: Unrolled) -> Apart:
    """The boldest claim: no two values of any two register bits stand together, and none stands at all."""
    return Apart([q for q, _ in good.circuit.registers])


@pytest.mark.parametrize(
    ("inside", "proven", "unproven"),
    [
        (pipeline, {1: "washes out"}, (2, 3, 4)),
        (holding, {1: "washes out but for registers"}, (2,)),
        (store, {1: "washes out but for registers and memories"}, (2, 3)),
        (late, {}, (1, 2)),
        (used_again, {}, (1,)),
        (unseen, {}, (1,)),
    ],
)
def test_what_washes_out_is_proven_and_nothing_else(
    inside: Elaborate, proven: dict[int, str], unproven: tuple[int, ...]
) -> None:
    good = circuit(inside)
    for number, kind in proven.items():
        found = damage(good, number)
        assert found is not None and found.kind == kind, f"fault {number}: {found}"
    for number in unproven:
        assert damage(good, number) is None, f"fault {number} can be seen"
        assert damage(good, number, everything(good), seconds=2) is None, (
            f"fault {number} can be seen, whatever is said to be apart"
        )


def test_what_shows_in_states_that_are_never_reached_alone_is_proven() -> None:
    good = circuit(turns)
    apart = guessed(good, clocks=40)
    assert inductive(good, apart, seconds=10)
    for claims in (apart, everything(good)):
        found = damage(good, 1, claims)
        assert found is not None and found.kind == "washes out, in states that are reached"
        for number in (3, 4, 5):
            assert damage(good, number, claims) is None, f"fault {number} can be seen"
    assert damage(good, 1) is None
    found = damage(good, 2)
    assert found is not None and found.kind == "washes out but for registers"


def test_what_holds_in_the_good_circuit_alone_is_not_assumed_of_a_mutant() -> None:
    good = circuit(sides)
    for claims in (guessed(good, clocks=40), everything(good)):
        found = damage(good, 1, claims)
        assert found is not None and found.assumed
        found = damage(good, 2, claims)
        assert found is not None and not found.assumed
        assert damage(good, 3, claims) is None, "marks both sides, and shows it a clock later"


def test_what_random_runs_have_not_met_is_not_what_never_holds() -> None:
    good = circuit(turns)
    names = {name: bits for name, bits in _bits(good.circuit).items() if name in ("ring", "count")}
    apart = guessed(good, clocks=8)
    one = {name: [1 << 2 * apart.place[net] + 1 for net in bits] for name, bits in names.items()}
    ring, eight = sum(one["ring"][:2]), one["count"][3]
    assert list(apart.broken(ring)) and list(apart.broken(eight))
    assert inductive(good, apart, seconds=10)
    assert list(apart.broken(ring)) and not list(apart.broken(eight))


def test_what_never_stands_together_is_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = circuit(sides)
    monkeypatch.setenv(VARIABLE, str(tmp_path))  # not before: Yosys has its cache there too
    first = never_together(good, "sides", ())
    kept = list(tmp_path.glob("halfsilver/apart-*/apart.json"))
    again = never_together(good, "sides", ())
    assert len(kept) == 1
    assert (again.nets, again.of) == (first.nets, first.of)
    assert list(first.pairs()), "left and right never stand together"


def _bits(flat: Circuit) -> dict[str, list[int]]:
    """Nets of registers by name, from the lowest bit."""
    answer: dict[str, list[int]] = {}
    for q, _ in sorted(flat.registers):
        for name in flat.names[q]:
            answer.setdefault(name, []).append(q)
    return answer
