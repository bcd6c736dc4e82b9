"""Guard: do an ENI's security groups and network ACL let an ingress frame in? The classifier's hits say so.

It stands behind the classifier and beside the first stages of the session choice. The rules of a guard are bits more in
the words of the ENI's ingress context (`halfsilver.hdl.layout.lookup`), so the lookup that finds the filters' rules has
found these, and one commit changes both.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.records import GuardWord

__all__ = ["Guard"]


class Guard(wiring.Component):
    """Hit bits of a guard's rules -> whether they refuse the frame.

    Parameters: ``rules``, how many a guard may have, at least 1.

    Ports: ``i_hits``, ``i_accepts`` of those rules, from the classifier; ``i_word``, what guards the ENI; ``i_binds``,
    the guard has a say in this frame; ``o_refused`` LATENCY clocks later.

    The first of the ACL's entries that hits decides, none: refused. Of the groups' rules one that hits is enough.
    Latency: LATENCY clocks. Throughput: one frame per clock. Bad input: none.
    Source: ``docs/mirroring.md`` section 14.
    """

    LATENCY = 3

    def __init__(self, rules):
        if rules < 1:
            raise ValueError(f"a guard has room for at least 1 rule, not {rules!r}")
        self._rules = rules
        super().__init__(
            {
                "i_hits": In(rules),
                "i_accepts": In(rules),
                "i_word": In(GuardWord),
                "i_binds": In(1),
                "o_refused": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Clock 1: the hits of the ACL's entries, those of the groups' rules.
        is_entry = Cat(place < self.i_word.entries for place in range(self._rules))
        entries = registered(m, self.i_hits & is_entry, "entries")
        permits = registered(m, self.i_hits & ~is_entry, "permits")

        # Clock 2: the first entry; any rule of the groups.
        first = registered(m, entries & ~(entries - 1)[: self._rules], "first")
        permitted = registered(m, permits.any(), "permitted")

        # Clock 3: what they say together.
        word, binds = delay(m, self.i_word, 2, "word"), delay(m, self.i_binds, 2, "binds")
        allowed = Signal()
        m.d.comb += allowed.eq((first & delay(m, self.i_accepts, 2, "accepts")).any())
        m.d.sync += self.o_refused.eq(binds & ((word.acl & ~allowed) | (word.groups & ~permitted)))
        return m
