"""Amaranth's layouts and enumerations, made from the plain data of ``halfsilver.hdl.layout``."""

import types
from functools import cache

from amaranth.hdl import Cat, Value
from amaranth.lib import data, enum

__all__ = ["enum_of", "side_by_side", "struct_of"]


@cache
def enum_of(plain, width):
    """The same names and values as an Amaranth enumeration of ``width`` bits; one class however often asked."""

    def fill(namespace):
        for member in plain:
            namespace[member.name] = member.value

    return types.new_class(plain.__name__, (enum.Enum,), {"shape": width}, fill)


def struct_of(packed, **shapes):
    """A `Packed` as an Amaranth layout; ``shapes`` gives members another shape of the same width."""
    unknown = shapes.keys() - {member.name for member in packed.members}
    if unknown:
        raise ValueError(f"{packed.name} has no member {sorted(unknown)[0]!r}")

    def shape(member):
        if member.name in shapes:
            return shapes[member.name]
        return member.width if member.values is None else enum_of(member.values, member.width)

    layout = data.StructLayout({member.name: shape(member) for member in packed.members})
    if layout.size != packed.width:
        raise ValueError(f"{packed.name} is {packed.width} bits, not {layout.size}")
    return layout


def side_by_side(packed, **signals):
    """An index in gateware: one signal per member, each cut to the member's width, the first member lowest."""
    if signals.keys() != {member.name for member in packed.members}:
        members = ", ".join(member.name for member in packed.members)
        raise ValueError(f"{packed.name} is made of {members}, not of {', '.join(signals)}")
    return Cat(Value.cast(signals[member.name])[: member.width] for member in packed.members)
