"""The registers in gateware: the bus between a bridge and them, and the decoder made from a register map."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS, WORD_BYTES, Access
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["RegisterBus", "RegisterFile", "word_layout"]


def word_layout(register):
    """A register as an Amaranth layout, 32 bits, each field at its place."""
    return data.FlexibleLayout(WORD_BITS, {field.name: data.Field(field.width, field.lsb) for field in register.fields})


class RegisterBus(wiring.Signature):
    """The bus between a bridge (initiator) and the registers, seen from the initiator.

    ``address`` (bytes) counts in the clock of ``write`` or ``read``, which never come together. A write takes
    that clock. A read is answered by one clock of ``read_valid`` with ``read_data``, 2 to 16 clocks later;
    until then there is no second read (writes may come).
    """

    def __init__(self):
        super().__init__(
            {
                "address": Out(ADDRESS_BITS),
                "write": Out(1),
                "write_data": Out(WORD_BITS),
                "read": Out(1),
                "read_data": In(WORD_BITS),
                "read_valid": In(1),
            }
        )


class RegisterFile(wiring.Component):
    """Decoder and storage of a register map.

    Ports: ``bus``; ``hold``: while high no read is answered (for values that are about to become valid). For
    each register ``name`` in lower case, 32 bits in its layout:

    r_name, In           RO: what the host reads; left open it is the declared reset value
    r_name_strobe, Out   read_strobe: one clock, in which the value of ``r_name`` is taken for the host
    w_name, Out          RW and WO: what the host wrote
    w_name_strobe, Out   one clock, the first in which ``w_name`` shows what the host wrote
    h_name, In           hardware-writable RW: new value of the whole register ...
    h_name_strobe, In    ... taken in this clock, without a ``w_name_strobe``

    Latency: a write shows at ``w_name`` one clock after the bus had it; a read is answered two clocks after,
    if ``hold`` is low in between. Throughput: a write per clock, one read at a time.
    Bad input: the two lowest address bits are ignored; addresses of no register read as 0 and ignore writes.
    Source: ``registers``, by default the map of `halfsilver.hdl.layout.registers`.
    """

    def __init__(self, registers=REGISTERS):
        self.registers = registers
        ports = {"bus": In(RegisterBus()), "hold": In(1)}
        for register in registers:
            name = register.name.lower()
            initial = register.unpack(register.pack())
            if register.access is Access.RO:
                ports[f"r_{name}"] = In(word_layout(register), init=initial)
                if register.read_strobe:
                    ports[f"r_{name}_strobe"] = Out(1)
            else:
                ports[f"w_{name}"] = Out(word_layout(register), init=initial)
                ports[f"w_{name}_strobe"] = Out(1)
            if register.hardware_writable:
                ports[f"h_{name}"] = In(word_layout(register))
                ports[f"h_{name}_strobe"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        for register in self.registers:
            if register.access is not Access.RO:
                self._write(m, register)
        self._read(m)
        return m

    def _addressed(self, register):
        return self.bus.address[2:] == register.address // WORD_BYTES

    def _write(self, m, register):
        name = register.name.lower()
        value = getattr(self, f"w_{name}").as_value()
        written = self.bus.write & self._addressed(register)
        if register.hardware_writable:
            with m.If(getattr(self, f"h_{name}_strobe")):
                m.d.sync += value.eq(getattr(self, f"h_{name}").as_value() & register.mask)
        with m.If(written):
            m.d.sync += value.eq(self.bus.write_data & register.mask)
        m.d.sync += getattr(self, f"w_{name}_strobe").eq(written)

    def _read(self, m):
        """One select bit per register is decoded a clock ahead; what is left is an AND-OR."""
        pending = Signal()
        answer = Signal()
        m.d.comb += answer.eq(pending & ~self.hold)
        with m.If(self.bus.read):
            m.d.sync += pending.eq(1)
        with m.Elif(answer):
            m.d.sync += pending.eq(0)

        word = Const(0, WORD_BITS)
        for register in self.registers:
            if register.access is Access.WO:
                continue
            name = register.name.lower()
            selected = Signal(name=f"selected_{name}")
            with m.If(self.bus.read):
                m.d.sync += selected.eq(self._addressed(register))
            if register.read_strobe:
                m.d.comb += getattr(self, f"r_{name}_strobe").eq(answer & selected)
            prefix = "r" if register.access is Access.RO else "w"
            value = getattr(self, f"{prefix}_{name}").as_value() & register.mask
            word = word | (value & selected.replicate(WORD_BITS))
        m.d.sync += [self.bus.read_data.eq(word), self.bus.read_valid.eq(answer)]
