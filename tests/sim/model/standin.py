"""A small NIC with the ports of ``halfsilver.hdl.export.AxiNic``, to test builder and pump without the gateware.

Frames of both inputs pass, whole and one at a time, through a buffer. A frame whose first byte is even comes
out again as its own copy (verdict mirrored, ``copied`` is its length), an odd one is swallowed (no match).
Registers: eight words of 32 bits at byte addresses 0 to 0x1c; above them every access answers SLVERR.
``fault`` plants one mistake, for tests of what the pump notices.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

MIRRORED, NO_MATCH = 0, 8
FAULTS = ("", "valid_drops", "payload_changes", "keep_gap", "loses_copy", "loses_verdict", "extra_verdict")


def axi_ports(width):
    """Port list of the exported top at one data width."""
    keep = width // 8
    ports = {}
    for name in ("s_axis_net", "s_axis_host"):
        ports |= {
            f"{name}_tdata": In(width),
            f"{name}_tkeep": In(keep),
            f"{name}_tvalid": In(1),
            f"{name}_tready": Out(1),
            f"{name}_tlast": In(1),
            f"{name}_tuser": In(1),
        }
    ports |= {"s_axis_net_drop": In(1)}
    ports |= {
        "m_axis_net_tdata": Out(width),
        "m_axis_net_tkeep": Out(keep),
        "m_axis_net_tvalid": Out(1),
        "m_axis_net_tready": In(1),
        "m_axis_net_tlast": Out(1),
        "m_axis_net_tuser": Out(1),
        "m_axis_verdict_tdata": Out(128),
        "m_axis_verdict_tvalid": Out(1),
    }
    registers = {
        "awaddr": In(12),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(12),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    ports |= {f"s_axil_{name}": port for name, port in registers.items()}
    return ports


class StandIn(wiring.Component):
    """See the module; ``width`` in bits."""

    def __init__(self, width=64, fault=""):
        if fault not in FAULTS:
            raise ValueError(f"no such fault: {fault}")
        self.width = width
        self.fault = fault
        super().__init__(axi_ports(width))

    def elaborate(self, platform):
        m = Module()
        self._packets(m)
        self._registers(m)
        return m

    def _packets(self, m):
        keep = self.width // 8
        beat = data.StructLayout({"data": self.width, "keep": keep, "last": 1})
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=beat.size, depth=64)
        inputs = [
            [
                getattr(self, f"s_axis_{name}_{part}")
                for part in ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser")
            ]
            for name in ("net", "host")
        ]

        busy, owner, skip, length = Signal(), Signal(), Signal(), Signal(16)
        chosen = Mux(busy, owner, ~self.s_axis_net_tvalid)
        first_skip, skipped = Signal(), Signal()
        tdata, tkeep, tvalid, tready, tlast, tuser = (Mux(chosen, host, net) for net, host in zip(*inputs, strict=True))
        tready = Signal()
        m.d.comb += [inputs[0][3].eq(tready & ~chosen), inputs[1][3].eq(tready & chosen)]
        m.d.comb += [first_skip.eq(tdata[0] | tuser), skipped.eq(Mux(busy, skip, first_skip))]
        m.d.comb += [tready.eq(fifo.w_rdy), fifo.w_en.eq(tvalid & ~skipped), fifo.w_data.eq(Cat(tdata, tkeep, tlast))]

        count, total = Signal(range(keep + 1)), Signal(16)
        m.d.comb += [count.eq(sum(tkeep[i] for i in range(keep))), total.eq(Mux(busy, length, 0) + count)]
        m.d.sync += self.m_axis_verdict_tvalid.eq(0)
        sequences = [Signal(32), Signal(32)]
        with m.If(tvalid & tready):
            m.d.sync += [busy.eq(~tlast), owner.eq(chosen), length.eq(total), skip.eq(skipped)]
            with m.If(tlast):
                sequence = Mux(chosen, sequences[1], sequences[0])
                wrong = Const(1) if self.fault == "extra_verdict" else Const(0)
                shown = (sequence != 3) if self.fault == "loses_verdict" else Const(1)
                m.d.sync += [
                    self.m_axis_verdict_tvalid.eq(shown),
                    self.m_axis_verdict_tdata.eq(
                        Cat(
                            sequence,
                            total,
                            Mux(skipped, 0, total),
                            Mux(skipped, Const(NO_MATCH, 8), Const(MIRRORED, 8)),
                            Const(0, 8),
                            (chosen ^ wrong),
                            Const(0, 7),
                            Const(0xFFFFFF, 24),
                            Const(1, 16),
                        )
                    ),
                ]
                for i in range(2):
                    with m.If(chosen == i):
                        m.d.sync += sequences[i].eq(sequences[i] + 1)
        self._output(m, fifo, beat)

    def _output(self, m, fifo, beat):
        out = data.View(beat, fifo.r_data)
        copies, waited = Signal(8), Signal()
        m.d.comb += [
            self.m_axis_net_tvalid.eq(fifo.r_rdy),
            self.m_axis_net_tdata.eq(out.data),
            self.m_axis_net_tkeep.eq(out.keep),
            self.m_axis_net_tlast.eq(out.last),
            fifo.r_en.eq(self.m_axis_net_tready),
        ]
        m.d.sync += waited.eq(fifo.r_rdy & ~self.m_axis_net_tready)
        with m.If(fifo.r_rdy & fifo.r_en & out.last):
            m.d.sync += copies.eq(copies + 1)
        if self.fault == "valid_drops":
            m.d.comb += [
                self.m_axis_net_tvalid.eq(fifo.r_rdy & ~waited),
                fifo.r_en.eq(self.m_axis_net_tready & ~waited),
            ]
        elif self.fault == "payload_changes":
            m.d.comb += self.m_axis_net_tdata.eq(out.data ^ waited)
        elif self.fault == "keep_gap":
            m.d.comb += self.m_axis_net_tkeep.eq(out.keep ^ (out.last << 1))
        elif self.fault == "loses_copy":
            with m.If(copies == 3):
                m.d.comb += [self.m_axis_net_tvalid.eq(0), fifo.r_en.eq(1)]

    def _registers(self, m):
        m.submodules.words = words = Memory(shape=32, depth=8, init=[])
        write, read = words.write_port(), words.read_port(domain="comb")
        accept = self.s_axil_awvalid & self.s_axil_wvalid & (~self.s_axil_bvalid | self.s_axil_bready)
        m.d.comb += [
            self.s_axil_awready.eq(accept),
            self.s_axil_wready.eq(accept),
            write.addr.eq(self.s_axil_awaddr[2:5]),
            write.data.eq(self.s_axil_wdata),
            write.en.eq(accept & (self.s_axil_awaddr[5:] == 0)),
        ]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(accept):
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(Mux(self.s_axil_awaddr[5:] == 0, 0, 2))]
        m.d.comb += [read.addr.eq(self.s_axil_araddr[2:5]), self.s_axil_arready.eq(~self.s_axil_rvalid)]
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [
                self.s_axil_rvalid.eq(1),
                self.s_axil_rdata.eq(read.data),
                self.s_axil_rresp.eq(Mux(self.s_axil_araddr[5:] == 0, 0, 2)),
            ]
