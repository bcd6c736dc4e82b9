"""CRC and count of the words that reached the shadow tables, and the commit that depends on them.

A serial line and UDP have no acknowledgement: a word can be lost, changed, or written elsewhere on the way. The host
says beforehand what the CRC of its words will be; a commit of anything else is refused, whoever asks for it.
"""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.tables import TABLE_PLACE
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.structs import side_by_side
from halfsilver.hdl.table_port import TablePort

__all__ = ["TableCheck"]


class TableCheck(wiring.Component):
    """Watches the table write port, and lets commits through.

    Ports
    -----
    write         the port, as the tables see it
    restart       one clock: crc and count begin anew, with the words that are allowed after it
    request       one clock: the host asks for a commit of the words that were allowed before it
    expected      the CRC that a commit needs
    required      whether it does. Then each commit also needs a ``restart`` since the one before, so that asking twice
                  is asking once. Both must hold while ``pending``
    busy          the shadow bank is in use: no commit, whatever the CRC
    crc, count    of the words since the last ``restart`` or commit
    commit        one clock: commit now
    refused       one clock: the commit that was asked for is not made
    pending       a commit was asked for, and is not decided yet; no words may be allowed meanwhile
    settling      that, or words or a ``restart`` are not in ``crc`` and ``count`` yet

    The CRC is that of IEEE 802.3, over eight bytes per word: its place (`TABLE_PLACE`) and the word, 32 bits each,
    lowest byte first.

    Latency: a word is in crc and count WORD_CLOCKS clocks after ``write.enable``; a request is decided COMMIT_CLOCKS
    clocks after it came. Throughput: a word per clock.
    """

    ALLOWED_CLOCKS = 1
    """From the clock in which a word is allowed to its ``write.enable``."""

    WORD_CLOCKS = 2
    COMMIT_CLOCKS = ALLOWED_CLOCKS + WORD_CLOCKS

    def __init__(self):
        super().__init__(
            {
                "write": In(TablePort()),
                "restart": In(1),
                "request": In(1),
                "expected": In(WORD_BITS),
                "required": In(1),
                "busy": In(1),
                "crc": Out(WORD_BITS),
                "count": Out(WORD_BITS),
                "commit": Out(1),
                "refused": Out(1),
                "pending": Out(1),
                "settling": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.processor = processor = catalog.CRC32_ETHERNET(data_width=2 * WORD_BITS).create()

        # A register before the CRC's exclusive-ors. Restarts keep their order with the words.
        write = self.write
        enable = registered(m, write.enable, "enable")
        place = side_by_side(TABLE_PLACE, index=write.index, table=write.table, bank=write.bank)
        words = Cat(place, Const(0, WORD_BITS - TABLE_PLACE.width), write.data)
        restarts = [delay(m, self.restart, clocks, f"restart_{clocks}") for clocks in range(self.COMMIT_CLOCKS)]
        restart = restarts[-1]
        # A commit depends on banks and CRC; that the CRC begins anew waits a clock for it. No word comes meanwhile.
        committed = registered(m, self.commit, "committed")
        begin = restart | committed
        m.d.comb += [
            processor.data.eq(registered(m, words, "words")),
            processor.valid.eq(enable),
            processor.start.eq(begin),
            self.crc.eq(processor.crc),
        ]
        with m.If(begin):
            m.d.sync += self.count.eq(0)
        with m.Elif(enable):
            m.d.sync += self.count.eq(self.count + 1)

        begun = Signal()  # there was a restart since the last commit
        with m.If(restart):
            m.d.sync += begun.eq(1)
        with m.Elif(self.commit):
            m.d.sync += begun.eq(0)

        asked = [delay(m, self.request, clocks, f"request_{clocks}") for clocks in range(self.COMMIT_CLOCKS + 1)]
        fits = ~self.required | (begun & (self.crc == self.expected))
        m.d.comb += [
            self.commit.eq(asked[-1] & fits & ~self.busy),
            self.refused.eq(asked[-1] & ~self.commit),
            self.pending.eq(Cat(asked).any()),
            self.settling.eq(self.pending | committed | write.enable | enable | Cat(restarts).any()),
        ]
        return m
