"""THE register map: the one place where an address is written.

``REGISTERS`` is the declaration. Everything else is made from it: the decoder in the gateware
(`RegisterFile`), the driver's data (``address``, ``pack``, ``unpack``), and the documents of
``hdl/layout/register_formats.py``.
"""

import enum
import re

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.version import VERSION_PARTS

__all__ = ["ADDRESS_BITS", "REGISTERS", "Access", "Field", "Register", "RegisterBus", "RegisterFile", "RegisterMap"]

ADDRESS_BITS = 12
"""Byte address bits of the register bus."""

WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8

"""Major, minor and patch number of the gateware; a driver checks the major number."""

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
_REGISTER_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class Access(enum.Enum):
    """What the host may do: read (RO), read back what it wrote (RW), write (WO; reads as 0)."""

    RO = "ro"
    RW = "rw"
    WO = "wo"


RO, RW, WO = Access


class Field:
    """Bits ``msb`` down to ``lsb`` of a register, written as in a data sheet.

    reset   value after reset; None if the build parameters decide it
    values  names of the values a host writes or meets, {name: value}
    """

    def __init__(self, name, msb, lsb, description, *, reset=0, values=None):
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"field name {name!r} must be lower-case letters, digits and underscores")
        if not 0 <= lsb <= msb < WORD_BITS:
            raise ValueError(f"field {name}: bits [{msb}:{lsb}] must be within [{WORD_BITS - 1}:0]")
        if not description:
            raise ValueError(f"field {name} needs a description")
        self.name, self.msb, self.lsb, self.description = name, msb, lsb, description
        self.values = dict(values or {})
        self.reset = None if reset is None else self.check(reset)
        for value in self.values.values():
            self.check(value)

    @property
    def width(self):
        """Bits of the field."""
        return self.msb - self.lsb + 1

    @property
    def mask(self):
        """Ones at the bits of the field."""
        return ((1 << self.width) - 1) << self.lsb

    def check(self, value):
        """The value, or a ValueError if the field cannot hold it."""
        if not isinstance(value, int) or not 0 <= value < 1 << self.width:
            raise ValueError(f"field {self.name} must be 0 to {(1 << self.width) - 1:#x}, not {value!r}")
        return int(value)


class Register:
    """A 32-bit register.

    ``hardware_writable`` (RW only): the gateware may set the register too; a write by the host in the same
    clock wins.
    """

    def __init__(self, name, address, access, description, fields, *, hardware_writable=False):
        if not _REGISTER_NAME.fullmatch(name):
            raise ValueError(f"register name {name!r} must be upper-case letters, digits and underscores")
        if not 0 <= address < 1 << ADDRESS_BITS or address % WORD_BYTES:
            raise ValueError(
                f"register {name}: address {address:#x} must be a multiple of {WORD_BYTES} below {1 << ADDRESS_BITS:#x}"
            )
        if not description:
            raise ValueError(f"register {name} needs a description")
        if not fields:
            raise ValueError(f"register {name} needs at least one field")
        if hardware_writable and access is not Access.RW:
            raise ValueError(f"register {name}: only an RW register can be hardware_writable")
        self.name, self.address, self.access, self.description = name, address, Access(access), description
        self.hardware_writable = hardware_writable
        self.fields = tuple(sorted(fields, key=lambda field: field.lsb))
        for low, high in zip(self.fields, self.fields[1:], strict=False):
            if high.lsb <= low.msb:
                raise ValueError(f"register {name}: fields {low.name} and {high.name} overlap")
        if len({field.name for field in self.fields}) != len(self.fields):
            raise ValueError(f"register {name} has two fields of one name")

    @property
    def reset(self):
        """The whole word after reset; None if the build parameters decide part of it."""
        return None if any(field.reset is None for field in self.fields) else self.pack()

    @property
    def mask(self):
        """Ones at the bits of all fields."""
        return sum(field.mask for field in self.fields)

    @property
    def layout(self):
        """The register as an Amaranth layout, 32 bits, each field at its place."""
        return data.FlexibleLayout(WORD_BITS, {field.name: data.Field(field.width, field.lsb) for field in self.fields})

    def field(self, name):
        """The field of this name; ValueError names the choices."""
        for field in self.fields:
            if field.name == name:
                return field
        choices = ", ".join(field.name for field in self.fields)
        raise ValueError(f"register {self.name} has no field {name!r}, only {choices}")

    def pack(self, **values):
        """The word that holds these field values; fields not named have their reset value, or 0."""
        for name in values:
            self.field(name)
        return sum(field.check(values.get(field.name, field.reset or 0)) << field.lsb for field in self.fields)

    def unpack(self, word):
        """Field values of a word, {name: value}; bits outside all fields are ignored."""
        if not isinstance(word, int) or not 0 <= word < 1 << WORD_BITS:
            raise ValueError(f"a register word must be 0 to {(1 << WORD_BITS) - 1:#x}, not {word!r}")
        return {field.name: (word & field.mask) >> field.lsb for field in self.fields}


class RegisterMap:
    """Registers in order of address. ``map["NAME"]`` and ``map.NAME`` are a `Register`."""

    def __init__(self, name, description, registers):
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"map name {name!r} must be lower-case letters, digits and underscores")
        self.name, self.description = name, description
        self._registers = {}
        taken = {}
        for register in sorted(registers, key=lambda register: register.address):
            if register.address in taken:
                raise ValueError(
                    f"registers {taken[register.address]} and {register.name} share address {register.address:#05x}"
                )
            if register.name in self._registers:
                raise ValueError(f"two registers are named {register.name}")
            taken[register.address] = register.name
            self._registers[register.name] = register

    def __iter__(self):
        return iter(self._registers.values())

    def __getitem__(self, name):
        try:
            return self._registers[name]
        except KeyError:
            raise KeyError(f"there is no register {name!r}") from None

    def __getattr__(self, name):
        if name in self.__dict__.get("_registers", ()):
            return self._registers[name]
        raise AttributeError(f"there is no register {name!r}")

    def address(self, name):
        """Byte address of a register."""
        return self[name].address

    def pack(self, name, **values):
        """The word of a register that holds these field values; the rest have their reset value, or 0."""
        return self[name].pack(**values)

    def unpack(self, name, word):
        """Field values of a register's word."""
        return self[name].unpack(word)


def _counter(name, address, description):
    return Register(name, address, RO, description, [Field("value", 31, 0, "part of the counter")])


REGISTERS = RegisterMap(
    "halfsilver",
    "Halfsilver mirror NIC",
    [
        Register(
            "ID",
            0x000,
            RO,
            "Says that this is a Halfsilver core.",
            [Field("value", 31, 0, "the letters HSM1", reset=0x48534D31)],
        ),
        Register(
            "VERSION",
            0x004,
            RO,
            "Version of the gateware.",
            [
                Field("major", 23, 16, "changes when a driver has to change", reset=VERSION_PARTS[0]),
                Field("minor", 15, 8, "changes when something is added", reset=VERSION_PARTS[1]),
                Field("patch", 7, 0, "changes when something is repaired", reset=VERSION_PARTS[2]),
            ],
        ),
        Register(
            "SHAPE",
            0x008,
            RO,
            "What the core was built for.",
            [
                Field("width", 10, 0, "data width in bits", reset=None),
                Field("enis", 20, 16, "network interfaces (ENIs)", reset=None),
                Field("sessions", 25, 24, "sessions per ENI", reset=None),
            ],
        ),
        Register(
            "RULES",
            0x00C,
            RO,
            "Shape of the rule tables.",
            [
                Field("rules", 3, 0, "rules per filter and direction", reset=None),
                Field("extension_headers", 11, 8, "IPv6 extension headers the parser reads", reset=None),
                Field("chunk_bits", 19, 16, "key bits per lookup", reset=None),
                Field("lookup_clocks", 27, 24, "clock cycles per lookup", reset=None),
            ],
        ),
        Register("QUEUE", 0x010, RO, "Copy buffer.", [Field("depth", 31, 0, "bytes per direction", reset=None)]),
        Register(
            "STATUS",
            0x014,
            RO,
            "State of the rule set.",
            [
                Field("shadow_busy", 0, 0, "copies of the previous rule set still leave; table writes are refused"),
                Field("active_bank", 1, 1, "bank that judges frames; the host writes the other one"),
                Field("generation", 31, 16, "of the active rule set: 0 after reset, each commit adds 1, wraps"),
            ],
        ),
        Register(
            "COMMIT",
            0x018,
            WO,
            "Swaps shadow and active tables between two frames; generation + 1.",
            [Field("go", 0, 0, "write 1 to commit")],
        ),
        Register(
            "REFUSED_WRITES",
            0x01C,
            RO,
            "Table writes refused because the shadow bank was in use.",
            [Field("count", 15, 0, "refused writes since reset")],
        ),
        Register(
            "TABLE_ADDRESS",
            0x020,
            RW,
            "Where the next TABLE_DATA goes; each write adds 1 to index.",
            [
                Field("index", 23, 0, "word in the table"),
                Field("table", 29, 28, "which table", values={"lookup": 0, "session": 1, "outer": 2, "general": 3}),
            ],
            hardware_writable=True,
        ),
        Register(
            "TABLE_DATA",
            0x024,
            WO,
            "Writes a word of the shadow bank at TABLE_ADDRESS.",
            [Field("value", 31, 0, "the word")],
        ),
        Register(
            "COUNTER_ADDRESS",
            0x030,
            RW,
            "A write shows that counter in the next four registers.",
            [
                Field(
                    "index",
                    15,
                    0,
                    "counter: direction*16 + verdict; or ENI*4 + session; or ((direction*ENIs + "
                    "ENI)*4 + session)*16 + rule, with ENIs rounded up to a power of two",
                ),
                Field("group", 29, 28, "which counters", values={"verdict": 0, "session": 1, "rule": 2}),
            ],
        ),
        _counter("COUNTER_FRAMES_LOW", 0x034, "Frames of the snapshot, bits 31 to 0."),
        _counter("COUNTER_FRAMES_HIGH", 0x038, "Frames of the snapshot, bits 63 to 32."),
        _counter("COUNTER_BYTES_LOW", 0x03C, "Bytes of the snapshot, bits 31 to 0."),
        _counter("COUNTER_BYTES_HIGH", 0x040, "Bytes of the snapshot, bits 63 to 32."),
    ],
)


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
    w_name, Out          RW and WO: what the host wrote
    w_name_strobe, Out   one clock, the first in which ``w_name`` shows what the host wrote
    h_name, In           hardware-writable RW: new value of the whole register ...
    h_name_strobe, In    ... taken in this clock, without a ``w_name_strobe``

    Latency: a write shows at ``w_name`` one clock after the bus had it; a read is answered two clocks after,
    if ``hold`` is low in between. The two lowest address bits are ignored; addresses of no register read as 0
    and ignore writes.
    """

    def __init__(self, registers=REGISTERS):
        self.registers = registers
        ports = {"bus": In(RegisterBus()), "hold": In(1)}
        for register in registers:
            name = register.name.lower()
            initial = register.unpack(register.pack())
            if register.access is Access.RO:
                ports[f"r_{name}"] = In(register.layout, init=initial)
            else:
                ports[f"w_{name}"] = Out(register.layout, init=initial)
                ports[f"w_{name}_strobe"] = Out(1)
            if register.hardware_writable:
                ports[f"h_{name}"] = In(register.layout)
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
            prefix = "r" if register.access is Access.RO else "w"
            value = getattr(self, f"{prefix}_{name}").as_value() & register.mask
            word = word | (value & selected.replicate(WORD_BITS))
        m.d.sync += [self.bus.read_data.eq(word), self.bus.read_valid.eq(answer)]
