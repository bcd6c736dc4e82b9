"""Helpers for valid-only pipelines: every block there has a fixed latency and never stalls."""

from amaranth.hdl import Signal, ValueCastable
from amaranth.hdl import Value as HdlValue

__all__ = ["delay", "registered"]


def registered(m, value, name):
    """``value`` one clock later. Keeps the shape of structs."""
    shape = value.shape()
    copy = Signal(shape, name=name)
    m.d.sync += copy.eq(value)
    return copy


def delay(m, value, clocks, name):
    """``value`` a fixed number of clocks later (0 gives the value itself)."""
    if clocks < 0:
        raise ValueError(f"{name}: a delay cannot be {clocks} clocks")
    if not isinstance(value, ValueCastable):
        value = HdlValue.cast(value)
    for step in range(clocks):
        value = registered(m, value, f"{name}_{step + 1}")
    return value
