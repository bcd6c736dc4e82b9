"""Rule-set banks: which table bank is active, its generation, and when the other may be written.

Every table has two banks. The host writes the shadow bank and commits; frames that enter from then on are judged by
it. The bank left behind stays as it is until the last frame judged by it, and its copy, are through.
"""

from amaranth.hdl import Cat, Module, Mux, ShapeCastable, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RuleSetBanks", "of_bank"]

_IN_FLIGHT_BITS = 12


def of_bank(bank, pair):
    """The one of ``pair`` that belongs to the bank; structs stay structs."""
    first, second = pair
    value = Mux(bank, Value.cast(second), Value.cast(first))
    shape = first.shape()
    return shape(value) if isinstance(shape, ShapeCastable) else value


class RuleSetBanks(wiring.Component):
    """Bank and generation bookkeeping.

    Parameters: ``settle_clocks``, from a table write at the registers to the word in its table, at most; ``matchers``,
    how many frames may enter, and leave without a copy, in one clock.

    Ports
    -----
    commit                     swap the banks, some clocks later; ignored while ``shadow_busy``
    active                     bank that judges frames entering now
    generations                generation of each bank; 0 after reset, each commit counts 1 up
    shadow_busy                frames or copies of the shadow bank are still under way, or a commit is
    committing                 a commit is under way
    entered                    a frame of the active bank enters; a bit for each matcher
    let_go, let_go_bank        a frame left without a copy, likewise
    sent, sent_bank            a copy has been sent
    """

    def __init__(self, settle_clocks, matchers=1):
        if settle_clocks < 1:
            raise ValueError(f"settle_clocks must be at least 1, not {settle_clocks!r}")
        if matchers < 1:
            raise ValueError(f"matchers must be at least 1, not {matchers!r}")
        self._settle_clocks = settle_clocks
        super().__init__(
            {
                "commit": In(1),
                "active": Out(1),
                "generations": Out(16).array(2),
                "shadow_busy": Out(1),
                "committing": Out(1),
                "entered": In(matchers),
                "let_go": In(matchers),
                "let_go_bank": In(matchers),
                "sent": In(1),
                "sent_bank": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        busy = []
        for bank in range(2):
            in_flight = Signal(_IN_FLIGHT_BITS, name=f"in_flight_{bank}")
            entered = [bit & (self.active == bank) for bit in self.entered]
            left = [bit & (of == bank) for bit, of in zip(self.let_go, self.let_go_bank, strict=True)]
            left.append(self.sent & (self.sent_bank == bank))
            m.d.sync += in_flight.eq(in_flight + sum(entered) - sum(left))
            busy.append(in_flight != 0)
        # A word written just before the commit must have arrived in its table, and a frame may enter in the very
        # clock of the swap: the commit takes effect some clocks late, and busy is looked at again the clock after.
        coming = Signal(self._settle_clocks + 1)
        accepted = self.commit & ~self.shadow_busy
        swap = coming[self._settle_clocks - 1]
        m.d.sync += coming.eq(Cat(accepted, coming))
        m.d.comb += [
            self.committing.eq(self.commit | coming.any()),
            self.shadow_busy.eq(of_bank(~self.active, busy) | coming.any()),
        ]
        with m.If(swap):
            m.d.sync += self.active.eq(~self.active)
            for bank in range(2):
                with m.If(self.active != bank):
                    m.d.sync += self.generations[bank].eq(of_bank(self.active, self.generations) + 1)
        return m
