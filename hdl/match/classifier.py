"""Classifier: key -> one hit bit per rule, whatever the number of rules.

It stands behind the parsers; both directions share it, or each has its own. Every chunk of the key addresses a block
RAM that holds one bit per rule (`halfsilver.hdl.layout.lookup`); the words are ANDed, port bounds are decided digit by
digit. One lookup per ``lookup_clocks`` clocks, at a fixed latency, without a comparator per rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.lookup import BOUNDS, KEY_CLASS, PORT_BITS, TERNARY_KEY, LookupLayout
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import Table
from halfsilver.hdl.structs import struct_of
from halfsilver.hdl.table_port import TablePort

__all__ = ["Classifier", "Key"]

_GROUP = 16
"""Words ANDed in one clock: two levels of four-input LUTs."""

_LOW_BITS = 3
"""Of a lane's number, for its decoder: the other bits are about as many."""

# Clocks of the stages; `latency` is their sum.
_HOLD_CLOCKS = 1  # the key is held
_READ_CLOCKS = 2  # the array and its output register
_COMBINE_CLOCKS = 3  # groups of words, all slots, all results


class Key(data.Struct):
    """What rules are matched against, as `halfsilver.hdl.layout.lookup` has it."""

    ternary: struct_of(TERNARY_KEY, klass=struct_of(KEY_CLASS))
    source_port: PORT_BITS
    destination_port: PORT_BITS


@dataclass(frozen=True)
class _Writer:
    """The write bus on its way to the lanes: ``address`` and ``data`` come a clock behind the others.

    low, high  by the lower and upper bits of a lane's number, whether it may be the one that is written; a number is
               wide, and there are many lanes to compare it with
    part       by its number, whether that part is written
    """

    low: Sequence[Signal]
    high: Sequence[Signal]
    part: Sequence[Signal]
    address: Value
    data: Signal

    def hits(self, lane, part):
        return self.high[lane >> _LOW_BITS] & self.low[lane % (1 << _LOW_BITS)] & self.part[part]


class Classifier(wiring.Component):
    """Bit-vector lookup in block RAM.

    Parameters: ``parameters`` (NicParameters); ``matcher``, the number of the match pipeline that it belongs to, which
    says where its words are in the table.

    Ports
    -----
    i_valid, i_bank, i_context, i_key   one lookup; at most one every ``lookup_clocks`` clocks
    o_hits      one bit per rule, ``session * rules + rule``, ``latency`` clocks after i_valid
    o_accepts   of the same context: which rules accept (the others reject)
    write       table write port, table 0 of the register map

    Latency: ``latency`` clocks, a property. No stall, no reset of the tables: they power up empty (no rule hits).
    Throughput: one lookup every ``lookup_clocks`` clocks. One that comes sooner spoils the one before it.
    Bad input: none; what a frame lacks (protocol, ports) is said by the key's class, not by its value.
    Source: ``docs/mirroring.md`` section 5; the words are those of ``docs/tables.md``.
    """

    WRITE_CLOCKS = 4

    def __init__(self, parameters, matcher=0):
        self.layout = LookupLayout.of(parameters)
        if not 0 <= matcher < self.layout.matchers:
            raise ValueError(f"matcher must be less than {self.layout.matchers}, not {matcher!r}")
        self._first_lane = self.layout.first_lane(matcher)
        super().__init__(
            {
                "i_valid": In(1),
                "i_bank": In(1),
                "i_context": In(range(self.layout.contexts)),
                "i_key": In(Key),
                "o_hits": Out(self.layout.rule_slots),
                "o_accepts": Out(self.layout.rule_slots),
                "write": In(TablePort()),
            }
        )

    @property
    def latency(self):
        """Clocks from i_valid to o_hits; where chunks take turns, the last of them comes ``clocks - 1`` later."""
        return self._words_at + (self.layout.clocks - 1) + _COMBINE_CLOCKS

    @property
    def _words_at(self):
        """Clocks from i_valid to the words of the first slot."""
        present_clocks = 1 if self.layout.clocks > 1 else 0  # the multiplexers in front of the memories
        return _HOLD_CLOCKS + present_clocks + _READ_CLOCKS

    def elaborate(self, platform):
        m = Module()
        layout = self.layout
        key, context, bank, slot, first = self._hold(m)
        ternary, digits = self._address(key, slot)
        if layout.clocks > 1:
            # The multiplexers in front of the memories are wide and far apart: a clock of their own.
            slot, bank, context, first = (
                registered(m, value, f"{name}_presented")
                for name, value in (("slot", slot), ("bank", bank), ("context", context), ("first", first))
            )
            ternary, digits = (
                [registered(m, Value.cast(chunk), f"{kind}_{index}") for index, chunk in enumerate(chunks)]
                for kind, chunks in (("ternary", ternary), ("digit", digits))
            )

        # One memory per lane, read in two clocks: the array and its output register.
        index_bits = (layout.bank_words - 1).bit_length()
        writer = self._write_side(m, index_bits)
        words = []
        for lane in range(layout.lanes):
            value = ternary[lane] if lane < layout.ternary_lanes else digits[lane - layout.ternary_lanes]
            words.append(self._lane(m, f"lane_{lane}", writer, lane, Cat(value, slot, context, bank)))
        first = delay(m, first, _READ_CLOCKS, "first")
        accepts = self._lane(
            m, "actions", writer, layout.lanes, Cat(context, bank), index_bits=(layout.contexts - 1).bit_length()
        )

        self._combine(m, words, first)
        # The context's actions come out of the memory with the first slot's words.
        m.d.comb += self.o_accepts.eq(delay(m, accepts, self.latency - self._words_at, "accepts"))
        return m

    def _hold(self, m):
        """Stage 1: the key stays for as many clocks as there are slots; ``first`` with slot 0."""
        slots = self.layout.clocks
        key, bank, first = Signal(Key), Signal(), Signal()
        context = Signal(range(self.layout.contexts))
        m.d.sync += first.eq(self.i_valid)
        with m.If(self.i_valid):
            m.d.sync += [key.eq(self.i_key), bank.eq(self.i_bank), context.eq(self.i_context)]
        if slots == 1:
            return key, context, bank, Const(0, 0), first
        slot = Signal(range(slots))
        m.d.sync += slot.eq(Mux(self.i_valid, 0, slot + 1))
        return key, context, bank, slot, first

    def _address(self, key, slot):
        """The chunk that each lane looks up in this clock: those of the ternary lanes, those of the digits."""
        layout = self.layout
        slots, bits = layout.clocks, layout.chunk_bits

        def lanes_of(chunks, place, lanes):
            """The chunk of the slot for every lane; where none has its place, word 0 is read."""
            turns = [[Const(0, bits)] * slots for _ in range(lanes)]
            for number, chunk in enumerate(chunks):
                turns[place(number).lane][place(number).slot] = chunk
            return [Array(turn)[slot] if slots > 1 else turn[0] for turn in turns]

        def cut(value):
            """Chunks from bit 0 up, the last one filled with zeros."""
            parts = [value[start : start + bits] for start in range(0, len(value), bits)]
            return [Cat(part, Const(0, bits - len(part))) for part in parts]

        ternary = lanes_of(cut(key.ternary.as_value()), layout.ternary_place, layout.ternary_lanes)
        digit_lanes = []
        for bound in BOUNDS:
            pieces = cut(key[bound.port])
            digits = [pieces[layout.digit_shift(digit) // bits] for digit in range(layout.digits)]
            for digit in lanes_of(digits, layout.digit_place, layout.bound_lanes):
                digit_lanes += [digit, digit]  # decided, equal
        return ternary, digit_lanes

    def _write_side(self, m, index_bits):
        """The write bus to all lanes. It fans out over the whole chip: three clocks, two of them for the decoder, and
        the memory's own.
        """
        write = self.write
        travel = self.WRITE_CLOCKS - 1
        part_bits = (self.layout.parts - 1).bit_length()
        index = write.index[part_bits:]
        enable = registered(m, write.enable & (write.table == Table.LOOKUP), "write_enable")
        lane = registered(m, index[index_bits:], "write_lane")
        part = registered(m, write.index[:part_bits], "write_part")

        def decoded(name, number, count, also=1):
            return [registered(m, (number == each) & also, f"write_{name}_{each}") for each in range(count)]

        last = self._first_lane + self.layout.lanes
        return _Writer(
            decoded("low", lane[:_LOW_BITS], 1 << _LOW_BITS, enable),
            decoded("high", lane[_LOW_BITS:], (last >> _LOW_BITS) + 1),
            decoded("part", part, self.layout.parts),
            delay(m, Cat(index[:index_bits], write.bank), travel, "write_address"),
            delay(m, write.data, travel, "write_data"),
        )

    def _lane(self, m, name, writer, number, address, index_bits=None):
        """A lane's words, `_READ_CLOCKS` after their address: a memory for each part, which is written alone."""
        depth = 2 * self.layout.bank_words if index_bits is None else 2 << index_bits
        write_address = writer.address
        if index_bits is not None:
            write_address = Cat(write_address[:index_bits], write_address[-1])
        parts = []
        for part in range(self.layout.parts):
            bits = self.layout.part_bits(part)
            if not bits:
                continue
            part_name = f"{name}_{part}" if self.layout.parts > 1 else name
            m.submodules[part_name] = ram = memory.Memory(shape=unsigned(bits), depth=depth, init=[])
            write_port, read_port = ram.write_port(), ram.read_port()
            hit = writer.hits(self._first_lane + number, part)
            m.d.comb += [
                write_port.en.eq(registered(m, hit, f"{part_name}_written")),
                write_port.addr.eq(write_address),
                write_port.data.eq(writer.data[:bits]),
                read_port.addr.eq(Cat(address)),
                read_port.en.eq(1),
            ]
            parts.append(registered(m, read_port.data, f"{part_name}_word"))
        return Cat(parts)

    def _combine(self, m, words, first):
        """Stages 4 to 6: AND the ternary words; decide each port bound from the most significant digit down."""
        layout = self.layout
        ternary = words[: layout.ternary_lanes]
        first_a = registered(m, first, "first_a")

        groups = [
            registered(m, reduce(and_, ternary[start : start + _GROUP]), f"group_{start}")
            for start in range(0, len(ternary), _GROUP)
        ]
        bounds = []
        for number, bound in enumerate(BOUNDS):
            inside, tied = Const(0, layout.rule_slots), ~Const(0, layout.rule_slots)
            for position in range(layout.bound_lanes):
                inside = inside | (tied & words[layout.decided_lane(number, position)])
                tied = tied & words[layout.equal_lane(number, position)]
            bounds.append((registered(m, inside, f"{bound.name}_inside"), registered(m, tied, f"{bound.name}_tied")))

        # Slots follow each other from the most significant digits down; slot 0 starts afresh.
        all_ternary = Signal(layout.rule_slots)
        m.d.sync += all_ternary.eq(reduce(and_, groups) & Mux(first_a, ~Const(0, layout.rule_slots), all_ternary))
        results = [all_ternary]
        for (inside, tied), bound in zip(bounds, BOUNDS, strict=True):
            inside_all = Signal(layout.rule_slots, name=f"{bound.name}_inside_all")
            tied_all = Signal(layout.rule_slots, name=f"{bound.name}_tied_all")
            with m.If(first_a):
                m.d.sync += [inside_all.eq(inside), tied_all.eq(tied)]
            with m.Else():
                m.d.sync += [inside_all.eq(inside_all | (tied_all & inside)), tied_all.eq(tied_all & tied)]
            results.append(inside_all | tied_all)
        m.d.sync += self.o_hits.eq(reduce(and_, results))
