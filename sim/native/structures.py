"""What Python and the native pump exchange: the structures, once, as ctypes; the C++ side is generated from them.

`header` is ``structures.h`` of every library: the structures with their sizes and offsets asserted, the verdict
record's places (from ``halfsilver.hdl.layout``) and a description of all of it. The library carries that description,
and the pump refuses a library that was built with another one (`LAYOUT`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from halfsilver.hdl.layout.verdict import VERDICT_RECORD, DirectionCode, VerdictCode

__all__ = [
    "HOLD",
    "LAYOUT",
    "READ",
    "RESET",
    "WRITE",
    "Access",
    "Copy",
    "Event",
    "Frame",
    "Left",
    "Options",
    "Progress",
    "Result",
    "Streamed",
    "VerdictAt",
    "header",
]


BYTE = 8
RECORD_SIZE = VERDICT_RECORD.width // BYTE
RECORD_BYTES = {member.name: lsb // BYTE for member, lsb in VERDICT_RECORD if lsb % BYTE == 0 and member.width == BYTE}
"""The record's members that are a byte, and where in its wire form."""

READ, WRITE, RESET, HOLD = range(4)
"""``kind`` of an `Access` or an `Event`; only events reset, or hold outputs."""


class Frame(ctypes.Structure):
    """A frame to send: its bytes in the batch's buffer, the cycle before which it does not start, and its marks."""

    _fields_ = (
        ("offset", ctypes.c_uint64),
        ("start", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("direction", ctypes.c_uint8),
        ("bad", ctypes.c_uint8),
        ("drop", ctypes.c_uint8),
    )


class Options(ctypes.Structure):
    """How a batch is offered, and how its outputs are taken. Limits are for paced runs; chances are of 65536;
    ``gap`` are cycles that an output is not taken behind each frame; ``stops``: ingress that is dropped does not come
    out."""

    _fields_ = (
        ("seed", ctypes.c_uint64),
        ("limit_bytes", ctypes.c_uint64),
        ("limit_frames", ctypes.c_uint32),
        ("input_idle", ctypes.c_uint32),
        ("output_stall", ctypes.c_uint32),
        ("timeout", ctypes.c_uint32),
        ("full_rate", ctypes.c_uint32),
        ("gap", ctypes.c_uint32),
        ("stops", ctypes.c_uint32),
    )


class Copy(ctypes.Structure):
    """A copy that came out, its bytes in the result's buffer, and the cycle of its last beat."""

    _fields_ = (("offset", ctypes.c_uint64), ("cycle", ctypes.c_uint64), ("length", ctypes.c_uint32))


class VerdictAt(ctypes.Structure):
    """A verdict record and the cycle it came out in."""

    _fields_ = (("record", ctypes.c_uint8 * RECORD_SIZE), ("cycle", ctypes.c_uint64))


class Passed(ctypes.Structure):
    """A production frame that came out as it went in, and the cycles of its first beat in, its first and last out."""

    _fields_ = (
        ("frame", ctypes.c_uint64),
        ("entered", ctypes.c_uint64),
        ("begun", ctypes.c_uint64),
        ("ended", ctypes.c_uint64),
    )


class Result(ctypes.Structure):
    """What came out of a batch; the memory is the model's until it is released."""

    _fields_ = (
        ("bytes", ctypes.POINTER(ctypes.c_uint8)),
        ("copies", ctypes.POINTER(Copy)),
        ("verdicts", ctypes.POINTER(VerdictAt)),
        ("passed", ctypes.POINTER(Passed)),
        ("copy_count", ctypes.c_uint64),
        ("verdict_count", ctypes.c_uint64),
        ("passed_count", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
    )


class Left(ctypes.Structure):
    """A frame that came out of a port (0: the network's, 1: the host's) of a stream, its bytes in the result's buffer,
    the cycle of its last beat, and its marks."""

    _fields_ = (
        ("offset", ctypes.c_uint64),
        ("cycle", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("port", ctypes.c_uint8),
        ("copy", ctypes.c_uint8),
        ("bad", ctypes.c_uint8),
    )


class Streamed(ctypes.Structure):
    """What came out of a stream in some cycles; the memory is the stream's until it runs again. ``found``: changes of
    the serial line; ``queued``: frames that have yet to go in; ``busy``: something waits, or has yet to come out."""

    _fields_ = (
        ("bytes", ctypes.POINTER(ctypes.c_uint8)),
        ("frames", ctypes.POINTER(Left)),
        ("count", ctypes.c_uint64),
        ("found", ctypes.c_uint64),
        ("queued", ctypes.c_uint64),
        ("busy", ctypes.c_uint32),
    )


class Access(ctypes.Structure):
    """A register access; a read leaves its answer in ``value``."""

    _fields_ = (("address", ctypes.c_uint32), ("value", ctypes.c_uint32), ("kind", ctypes.c_uint32))


class Event(ctypes.Structure):
    """Something in the middle of a batch, at a cycle of it: a write of ``value``, reads until the bits of ``mask``
    are as in ``value``, a reset, or outputs held: those of the directions whose bits are set in ``value``."""

    _fields_ = (
        ("cycle", ctypes.c_uint64),
        ("kind", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("value", ctypes.c_uint32),
        ("mask", ctypes.c_uint32),
    )


Progress = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64)
"""Called now and then with the number of frames judged; not 0: stop."""

_STRUCTURES: tuple[type[ctypes.Structure], ...] = (
    Frame,
    Options,
    Copy,
    VerdictAt,
    Passed,
    Result,
    Left,
    Streamed,
    Access,
    Event,
)
_NAMES: dict[Any, str] = {ctypes.c_uint8: "uint8_t", ctypes.c_uint32: "uint32_t", ctypes.c_uint64: "uint64_t"}

_CONSTANTS = {
    "RECORD_VERDICT": RECORD_BYTES["verdict"],
    "RECORD_DIRECTION": RECORD_BYTES["direction"],
    "RECORD_SIZE": RECORD_SIZE,
    "MIRRORED": int(VerdictCode.MIRRORED),
    "DROPPED": int(VerdictCode.DROPPED),
    "INGRESS": int(DirectionCode.INGRESS),
    "EGRESS": int(DirectionCode.EGRESS),
    "READ": READ,
    "WRITE": WRITE,
    "RESET": RESET,
    "HOLD": HOLD,
}


def _declaration(name: str, kind: Any) -> str:
    """A member of a structure in C++."""
    if issubclass(kind, ctypes.Array):
        return f"{_NAMES[kind._type_]} {name}[{kind._length_}]"
    pointed = getattr(kind, "_type_", None)
    if isinstance(pointed, type):
        return f"const {_NAMES.get(pointed, pointed.__name__)}* {name}"
    return f"{_NAMES[kind]} {name}"


def _fields(structure: type[ctypes.Structure]) -> Iterator[tuple[str, Any, int]]:
    """Name, type and offset of each member."""
    for name, kind, *_ in structure._fields_:
        yield name, kind, getattr(structure, name).offset


def _description() -> str:
    parts = [f"{name}={value}" for name, value in _CONSTANTS.items()]
    for structure in _STRUCTURES:
        members = ",".join(f"{name}@{offset}" for name, _, offset in _fields(structure))
        parts.append(f"{structure.__name__}[{ctypes.sizeof(structure)}]:{members}")
    return " ".join(parts)


LAYOUT = _description()
"""Every offset, size and code that both sides rely on, for people to compare."""


def header() -> str:
    """``structures.h``: the same for C++, which checks it against its own compiler."""
    lines = [
        "// Generated from sim/native/structures.py.",
        "#pragma once",
        "#include <cstddef>",
        "#include <cstdint>",
        "",
    ]
    lines += [f"constexpr uint32_t {name} = {value};" for name, value in _CONSTANTS.items()]
    for structure in _STRUCTURES:
        kind = structure.__name__
        lines += ["", f"struct {kind} {{"]
        lines += [f"    {_declaration(name, member)};" for name, member, _ in _fields(structure)]
        lines += ["};", f"static_assert(sizeof({kind}) == {ctypes.sizeof(structure)});"]
        lines += [f"static_assert(offsetof({kind}, {name}) == {offset});" for name, _, offset in _fields(structure)]
    lines += ["", "typedef int (*Progress)(uint64_t done);", f'#define LAYOUT "{LAYOUT}"', ""]
    return "\n".join(lines)
