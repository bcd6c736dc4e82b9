"""Monitors: what watches a block's ports and says, clock by clock, whether a law is broken.

Each makes a signal that is 1 where it is. Nothing in here looks into a block.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

__all__ = ["Frames", "Tracker", "changes", "earlier", "lets_go", "once", "overdue"]


def lets_go(m: Module, name: str, stream: Any, *beside: Any) -> Any:
    """A stream does not hold what it offered until it is taken (nor what goes ``beside`` it)."""
    offered = Cat(Value.cast(stream.payload), *beside)
    waits, what = Signal(name=f"{name}_waits"), Signal(len(offered), name=f"{name}_what")
    m.d.sync += [waits.eq(stream.valid & ~stream.ready), what.eq(offered)]
    return waits & (~stream.valid | (offered != what))


def once(m: Module, name: str, wish: Any) -> Any:
    """High in the first clock of those in which ``wish`` is."""
    done = Signal(name=f"{name}_done")
    with m.If(wish):
        m.d.sync += done.eq(1)
    return wish & ~done


def earlier(m: Module, name: str, value: Any, clocks: int) -> Any:
    """What ``value`` was so many clocks ago; 0 if that was before the first one."""
    value = Value.cast(value)
    for step in range(clocks):
        before = Signal(len(value), name=f"{name}_{step + 1}")
        m.d.sync += before.eq(value)
        value = before
    return value


class Tracker:
    """Follows one entry, whichever a free input marks, through a block that lets nothing overtake.

    ``into`` and ``out``: an entry goes in or comes out in this clock. ``inside``: how many are, before this clock.
    ``wrong``: the marked one comes out in another place than its own or as something else, or one comes out of nothing.
    """

    def __init__(
        self, m: Module, name: str, into: Any, what: Any, out: Any, what_out: Any, room: int, mark: Any
    ) -> None:
        what, what_out = Value.cast(what), Value.cast(what_out)
        self.inside = inside = Signal(range(room + 2), name=f"{name}_inside")
        ahead = Signal(range(room + 2), name=f"{name}_ahead")
        tracked = Signal(name=f"{name}_tracked")
        marked = Signal(len(what), name=f"{name}_marked")
        begins = once(m, name, mark & into)
        m.d.sync += inside.eq(inside + into - out)
        with m.If(begins):
            m.d.sync += [tracked.eq(1), marked.eq(what), ahead.eq(inside - out)]
        with m.Elif(tracked & out):
            m.d.sync += [ahead.eq(ahead - 1), tracked.eq(ahead != 0)]
        self.from_nothing = out & (inside == 0)
        self.its_turn = tracked & out & (ahead == 0)
        self.changed = [self.its_turn & (what_out[bit] != marked[bit]) for bit in range(len(what))]
        self.too_many = inside > room


def overdue(m: Module, name: str, into: Any, out: Any, clocks: int, room: int) -> Any:
    """An entry went in so many clocks ago, or earlier, and has not come out before this clock."""
    due = Signal(range(room + 2), name=f"{name}_due")
    m.d.sync += due.eq(due + earlier(m, f"{name}_late", into, clocks - 1) - out)
    return due != 0


class Frames:
    """Where a packet stream is: ``within`` a frame whose first beat has been offered before this clock."""

    def __init__(self, m: Module, name: str, stream: Any) -> None:
        self.within = Signal(name=f"{name}_within")
        with m.If(stream.valid):
            m.d.sync += self.within.eq(~(stream.ready & stream.p.last))
        self.starts = stream.valid & ~self.within


def changes(m: Module, name: str, frames: Frames, what: Any) -> Any:
    """``what`` is another than at the start of this frame."""
    then = Signal(len(Value.cast(what)), name=f"{name}_then")
    with m.If(frames.starts):
        m.d.sync += then.eq(what)
    return frames.within & (then != what)
