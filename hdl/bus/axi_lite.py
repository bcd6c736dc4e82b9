"""AXI4-Lite subordinate in front of the register bus (AMBA AXI protocol specification, IHI 0022)."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus
from halfsilver.hdl.layout.register_map import ADDRESS_BITS

__all__ = ["OKAY", "SLVERR", "AxiLiteBridge", "AxiLiteSignature"]

OKAY = 0b00
SLVERR = 0b10

ALL_BYTES = 0b1111


class AxiLiteSignature(wiring.Signature):
    """The five channels, seen from the manager; 32 data bits, 12 address bits."""

    def __init__(self):
        super().__init__(
            {
                "awaddr": Out(ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiLiteBridge(wiring.Component):
    """AXI4-Lite to register bus.

    Ports: ``axi`` (subordinate), ``bus`` (initiator). Every output of ``axi`` comes from a register; no ready
    depends on a valid of the same clock.

    - Write address and write data are taken in either order, or together. ``bvalid`` comes 2 clocks after the
      later of the two was taken, when the registers have the write. One more write may be taken while a
      response waits.
    - One read is under way at a time, beside a write. If both reach the register bus in one clock, the write
      goes first. ``rvalid`` comes 2 clocks and the latency of the registers after the address was taken.
    - ``wstrb`` other than all ones: SLVERR, and nothing is written. Everything else: OKAY. An address of no
      register reads as 0 and ignores writes (a later version may have one there); the two lowest address
      bits, ``awprot`` and ``arprot`` are ignored.

    Throughput: one write every 2 clocks. Source: IHI 0022, its AXI4-Lite part.
    """

    axi: In(AxiLiteSignature())
    bus: Out(RegisterBus())

    def elaborate(self, platform):
        m = Module()
        write_address, read_address = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        writing = self._write(m, write_address)
        self._read(m, read_address, writing)
        with m.If(writing):
            m.d.comb += self.bus.address.eq(write_address)
        with m.Else():
            m.d.comb += self.bus.address.eq(read_address)
        return m

    def _write(self, m, address):
        """AW, W and B; returns high in the clock a write has the register bus."""
        axi, bus = self.axi, self.bus
        has_address, has_data = Signal(), Signal()
        strobes = Signal(4)
        writing = Signal()
        m.d.comb += writing.eq(has_address & has_data & ~axi.bvalid)

        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [has_address.eq(1), address.eq(axi.awaddr), axi.awready.eq(0)]
        with m.Elif(~has_address | writing):
            m.d.sync += [has_address.eq(0), axi.awready.eq(1)]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [has_data.eq(1), axi.wready.eq(0)]
            m.d.sync += [bus.write_data.eq(axi.wdata), strobes.eq(axi.wstrb)]
        with m.Elif(~has_data | writing):
            m.d.sync += [has_data.eq(0), axi.wready.eq(1)]

        m.d.comb += bus.write.eq(writing & (strobes == ALL_BYTES))
        with m.If(writing):
            m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(OKAY)]
            with m.If(strobes != ALL_BYTES):
                m.d.sync += axi.bresp.eq(SLVERR)
        with m.Elif(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        return writing

    def _read(self, m, address, writing):
        """AR and R."""
        axi, bus = self.axi, self.bus
        m.d.comb += axi.rresp.eq(OKAY)
        with m.FSM():
            with m.State("ADDRESS"):
                m.d.sync += axi.arready.eq(1)
                with m.If(axi.arvalid & axi.arready):
                    m.d.sync += [address.eq(axi.araddr), axi.arready.eq(0)]
                    m.next = "REQUEST"
            with m.State("REQUEST"), m.If(~writing):
                m.d.comb += bus.read.eq(1)
                m.next = "ANSWER"
            with m.State("ANSWER"), m.If(bus.read_valid):
                m.d.sync += [axi.rdata.eq(bus.read_data), axi.rvalid.eq(1)]
                m.next = "RESPONSE"
            with m.State("RESPONSE"), m.If(axi.rready):
                m.d.sync += axi.rvalid.eq(0)
                m.next = "ADDRESS"
