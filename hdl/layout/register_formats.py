"""The register map as documents: Markdown, C header, JSON and SystemRDL 2.0."""

import json
from collections.abc import Callable
from typing import Any

from halfsilver.hdl.layout.register_map import Access, Field, Register, RegisterMap
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["FORMATS", "render"]

_ACCESS_WORDS = {Access.RO: "read only", Access.RW: "read and write", Access.WO: "write only, reads as 0"}
_RDL_ACCESS = {Access.RO: "sw = r; hw = w;", Access.RW: "sw = rw; hw = r;", Access.WO: "sw = w; hw = r;"}
_RDL_HARDWARE_WRITABLE = "sw = rw; hw = rw;"
_RDL_READ_STROBE = "sw = r; hw = w; swacc;"


def render(format: str, registers: RegisterMap = REGISTERS) -> str:
    """The map as text; ``format`` is a key of `FORMATS`, anything else is a ValueError."""
    try:
        return FORMATS[format](registers)
    except KeyError:
        raise ValueError(f"register map format must be one of {', '.join(FORMATS)}, not {format!r}") from None


def _markdown(registers: RegisterMap) -> str:
    lines = [
        f"# Registers: {registers.description}",
        "",
        "32 bits each, byte addresses, of which the two lowest bits do not count. Others read as 0 and ignore writes.",
        "",
        "| address | register | access | after reset | |",
        "|---|---|---|---|---|",
    ]
    for register in registers:
        lines.append(
            f"| `{register.address:#05x}` | [{register.name}](#{register.name.lower()}) | "
            f"{register.access.value} | {_reset(register, 10)} | {register.description} |"
        )
    for register in registers:
        lines += [
            "",
            f"## {register.name}",
            "",
            f"`{register.address:#05x}`, {_ACCESS_WORDS[register.access]}. {register.description}",
            "",
            "| bits | field | after reset | |",
            "|---|---|---|---|",
        ]
        for field in reversed(register.fields):
            values = "; ".join(f"{value} = {name}" for name, value in field.values.items())
            text = f"{field.description}: {values}" if values else field.description
            lines.append(f"| {_bits(field)} | {field.name} | {_reset(field)} | {text} |")
    return "\n".join(lines) + "\n"


def _reset(item: Field | Register, width: int = 0) -> str:
    return "by the build" if item.reset is None else f"`{item.reset:#0{width}x}`"


def _bits(field: Field) -> str:
    return str(field.lsb) if field.width == 1 else f"{field.msb}:{field.lsb}"


def _c(registers: RegisterMap) -> str:
    prefix = registers.name.upper()
    guard = f"{prefix}_REGISTERS_H"
    lines = [
        f"/* Registers of the {registers.description}: byte addresses, field shifts and masks. */",
        f"#ifndef {guard}",
        f"#define {guard}",
    ]
    for register in registers:
        lines += [
            "",
            f"/* {register.description} ({_ACCESS_WORDS[register.access]}) */",
            f"#define {prefix}_{register.name} 0x{register.address:03x}u",
        ]
        if register.reset is not None:
            lines.append(f"#define {prefix}_{register.name}_RESET 0x{register.reset:08x}u")
        for field in register.fields:
            name = f"{prefix}_{register.name}_{field.name.upper()}"
            lines += [
                f"#define {name}_SHIFT {field.lsb}u  /* {field.description} */",
                f"#define {name}_MASK 0x{field.mask:08x}u",
            ]
            lines += [f"#define {name}_{key.upper()} {value}u" for key, value in field.values.items()]
    return "\n".join([*lines, "", f"#endif /* {guard} */"]) + "\n"


def _json(registers: RegisterMap) -> str:
    def field_data(field: Field) -> dict[str, Any]:
        return {
            "name": field.name,
            "lsb": field.lsb,
            "msb": field.msb,
            "reset": field.reset,
            "description": field.description,
            "values": field.values,
        }

    return (
        json.dumps(
            {
                "name": registers.name,
                "description": registers.description,
                "registers": [
                    {
                        "name": register.name,
                        "address": register.address,
                        "access": register.access.value,
                        "reset": register.reset,
                        "description": register.description,
                        "fields": [field_data(field) for field in register.fields],
                    }
                    for register in registers
                ],
            },
            indent=2,
        )
        + "\n"
    )


def _rdl(registers: RegisterMap) -> str:
    lines = [
        f"addrmap {registers.name} {{",
        f'    name = "{_escape(registers.description)}";',
        "    default regwidth = 32;",
        "    default accesswidth = 32;",
        "    addressing = regalign;",
        "    littleendian;",
    ]
    enums = [(register, field) for register in registers for field in register.fields if field.values]
    for register, field in enums:
        lines.append(f"    enum {_enum_name(register, field)} {{")
        lines += [f"        {key} = {value};" for key, value in field.values.items()]
        lines.append("    };")
    for register in registers:
        access = _RDL_HARDWARE_WRITABLE if register.hardware_writable else _RDL_ACCESS[register.access]
        if register.read_strobe:
            access = _RDL_READ_STROBE
        lines += ["    reg {", f'        desc = "{_escape(register.description)}";']
        for field in register.fields:
            reset = "" if field.reset is None else f" = {field.width}'h{field.reset:x}"
            encode = f" encode = {_enum_name(register, field)};" if field.values else ""
            lines += [
                "        field {",
                f'            desc = "{_escape(field.description)}";',
                f"            {access}{encode}",
                f"        }} {field.name}[{field.msb}:{field.lsb}]{reset};",
            ]
        lines.append(f"    }} {register.name} @ {register.address:#05x};")
    return "\n".join([*lines, "};"]) + "\n"


def _enum_name(register: Register, field: Field) -> str:
    return f"{register.name.lower()}_{field.name}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


FORMATS: dict[str, Callable[[RegisterMap], str]] = {"md": _markdown, "c": _c, "json": _json, "rdl": _rdl}
"""Renderers by the name the command line uses."""
