"""What a register map is made of: registers with fields, as in a data sheet, and what a driver does with them."""

import enum
import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ADDRESS_BITS", "WORD_BITS", "WORD_BYTES", "Access", "Field", "Register", "RegisterMap"]

ADDRESS_BITS = 12
"""Byte address bits of the register bus."""

WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
_REGISTER_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class Access(enum.Enum):
    """What the host may do: read (RO), read back what it wrote (RW), write (WO; reads as 0)."""

    RO = "ro"
    RW = "rw"
    WO = "wo"


class Field:
    """Bits ``msb`` down to ``lsb`` of a register, written as in a data sheet.

    reset   value after reset; None if the build parameters decide it
    values  names of the values a host writes or meets, {name: value}
    """

    def __init__(
        self,
        name: str,
        msb: int,
        lsb: int,
        description: str,
        *,
        reset: int | None = 0,
        values: Mapping[str, int] | None = None,
    ) -> None:
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"field name {name!r} must be lower-case letters, digits and underscores")
        if not 0 <= lsb <= msb < WORD_BITS:
            raise ValueError(f"field {name}: bits [{msb}:{lsb}] must be within [{WORD_BITS - 1}:0]")
        if not description:
            raise ValueError(f"field {name} needs a description")
        self.name, self.msb, self.lsb, self.description = name, msb, lsb, description
        self.values = {key: self.check(value) for key, value in (values or {}).items()}
        self.reset = None if reset is None else self.check(reset)

    @property
    def width(self) -> int:
        """Bits of the field."""
        return self.msb - self.lsb + 1

    @property
    def mask(self) -> int:
        """Ones at the bits of the field."""
        return ((1 << self.width) - 1) << self.lsb

    def check(self, value: int) -> int:
        """The value, or a ValueError if the field cannot hold it."""
        if not isinstance(value, int) or not 0 <= value < 1 << self.width:
            raise ValueError(f"field {self.name} must be 0 to {(1 << self.width) - 1:#x}, not {value!r}")
        return int(value)


class Register:
    """A 32-bit register.

    ``hardware_writable`` (RW only): the gateware may set the register too; a write by the host in the same
    clock wins. ``read_strobe`` (RO only): the gateware is told when the host has read the register.
    """

    def __init__(
        self,
        name: str,
        address: int,
        access: Access,
        description: str,
        fields: Sequence[Field],
        *,
        hardware_writable: bool = False,
        read_strobe: bool = False,
    ) -> None:
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
        if read_strobe and access is not Access.RO:
            raise ValueError(f"register {name}: only an RO register can have a read_strobe")
        self.name, self.address, self.access, self.description = name, address, Access(access), description
        self.hardware_writable, self.read_strobe = hardware_writable, read_strobe
        self.fields = tuple(sorted(fields, key=lambda field: field.lsb))
        for low, high in zip(self.fields, self.fields[1:], strict=False):
            if high.lsb <= low.msb:
                raise ValueError(f"register {name}: fields {low.name} and {high.name} overlap")
        if len({field.name for field in self.fields}) != len(self.fields):
            raise ValueError(f"register {name} has two fields of one name")

    @property
    def reset(self) -> int | None:
        """The whole word after reset; None if the build parameters decide part of it."""
        return None if any(field.reset is None for field in self.fields) else self.pack()

    @property
    def mask(self) -> int:
        """Ones at the bits of all fields."""
        return sum(field.mask for field in self.fields)

    def field(self, name: str) -> Field:
        """The field of this name; ValueError names the choices."""
        for field in self.fields:
            if field.name == name:
                return field
        choices = ", ".join(field.name for field in self.fields)
        raise ValueError(f"register {self.name} has no field {name!r}, only {choices}")

    def pack(self, **values: int) -> int:
        """The word that holds these field values; fields not named have their reset value, or 0."""
        for name in values:
            self.field(name)
        return sum(field.check(values.get(field.name, field.reset or 0)) << field.lsb for field in self.fields)

    def unpack(self, word: int) -> dict[str, int]:
        """Field values of a word, {name: value}; bits outside all fields are ignored."""
        if not isinstance(word, int) or not 0 <= word < 1 << WORD_BITS:
            raise ValueError(f"a register word must be 0 to {(1 << WORD_BITS) - 1:#x}, not {word!r}")
        return {field.name: (word & field.mask) >> field.lsb for field in self.fields}


class RegisterMap:
    """Registers in order of address. ``map["NAME"]`` and ``map.NAME`` are a `Register`."""

    def __init__(self, name: str, description: str, registers: Sequence[Register]) -> None:
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"map name {name!r} must be lower-case letters, digits and underscores")
        self.name, self.description = name, description
        self._registers: dict[str, Register] = {}
        taken: dict[int, str] = {}
        for register in sorted(registers, key=lambda register: register.address):
            if register.address in taken:
                raise ValueError(
                    f"registers {taken[register.address]} and {register.name} share address {register.address:#05x}"
                )
            if register.name in self._registers:
                raise ValueError(f"two registers are named {register.name}")
            taken[register.address] = register.name
            self._registers[register.name] = register

    def __iter__(self) -> Iterator[Register]:
        return iter(self._registers.values())

    def __getitem__(self, name: str) -> Register:
        try:
            return self._registers[name]
        except KeyError:
            raise KeyError(f"there is no register {name!r}") from None

    def __getattr__(self, name: str) -> Register:
        registers: dict[str, Register] = self.__dict__.get("_registers", {})
        if name in registers:
            return registers[name]
        raise AttributeError(f"there is no register {name!r}")

    def address(self, name: str) -> int:
        """Byte address of a register."""
        return self[name].address

    def pack(self, name: str, **values: int) -> int:
        """The word of a register that holds these field values; the rest have their reset value, or 0."""
        return self[name].pack(**values)

    def unpack(self, name: str, word: int) -> dict[str, int]:
        """Field values of a register's word."""
        return self[name].unpack(word)
