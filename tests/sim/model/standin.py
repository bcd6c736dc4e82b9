"""A small NIC with the ports of ``halfsilver.hdl.export.AxiNic``, to test builder and pump without the gateware.

Frames of both inputs pass to the other side, one at a time. A frame whose first byte is even leaves by the network
port as its own copy as well (verdict mirrored, ``copied`` is its length), an odd one does not (no match).
Registers: eight words of 32 bits at byte addresses 0 to 0x1c; above them every access answers SLVERR.
The port ``fault``, a place in FAULTS, plants one mistake, for tests of what the pump notices.
"""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

MIRRORED, NO_MATCH = 0, 8
FAULTS = (
    "",
    "valid_drops",
    "payload_changes",
    "keep_gap",
    "loses_copy",
    "loses_verdict",
    "extra_verdict",
    "changes_production",
    "shortens_production",
    "loses_production",
    "invents_production",
    "loses_mark",
    "swaps_sides",
    "copy_pauses",
)

DEPTH = 4096
"""Beats of each buffer: twice the longest frame."""


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
    for name, marks in (("m_axis_host", 1), ("m_axis_net", 2)):
        ports |= {
            f"{name}_tdata": Out(width),
            f"{name}_tkeep": Out(keep),
            f"{name}_tvalid": Out(1),
            f"{name}_tready": In(1),
            f"{name}_tlast": Out(1),
            f"{name}_tuser": Out(marks),
        }
    ports |= {
        "s_axis_net_drop": In(1),
        "m_axis_host_drop": Out(1),
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

    def __init__(self, width=64):
        self.width = width
        super().__init__(axi_ports(width) | {"fault": In(range(len(FAULTS)))})

    def _has(self, fault):
        return self.fault == FAULTS.index(fault)

    def elaborate(self, platform):
        m = Module()
        self._packets(m)
        self._registers(m)
        return m

    def _packets(self, m):
        keep = self.width // 8
        beat = data.StructLayout({"data": self.width, "keep": keep, "last": 1, "bad": 1, "drop": 1})
        fifos = {name: SyncFIFOBuffered(width=beat.size, depth=DEPTH) for name in ("copies", "host", "net")}
        for name, fifo in fifos.items():
            m.submodules[name] = fifo
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
        tkeep |= (~tlast).replicate(keep)  # it counts with tlast only, as tuser does
        tready = Signal()
        m.d.comb += [inputs[0][3].eq(tready & ~chosen), inputs[1][3].eq(tready & chosen)]
        m.d.comb += [first_skip.eq(tdata[0] | tlast & tuser), skipped.eq(Mux(busy, skip, first_skip))]
        marks = Cat(tlast & tuser, tlast & self.s_axis_net_drop & ~chosen)
        # A frame begins only when all of its copy has room: behind half a frame no copy could leave.
        room = busy | (fifos["copies"].level < DEPTH // 2)
        m.d.comb += tready.eq(Cat(fifo.w_rdy for fifo in fifos.values()).all() & room)
        m.d.comb += [
            *(fifos[name].w_data.eq(Cat(tdata, tkeep, tlast, marks)) for name in ("host", "net")),
            fifos["copies"].w_data.eq(Cat(tdata, tkeep, tlast, Const(0, 2))),
            fifos["copies"].w_en.eq(tvalid & tready & ~skipped),
            fifos["host"].w_en.eq(tvalid & tready & ~chosen),
            fifos["net"].w_en.eq(tvalid & tready & chosen),
        ]

        count, total = Signal(range(keep + 1)), Signal(16)
        m.d.comb += [count.eq(sum(tkeep[i] for i in range(keep))), total.eq(Mux(busy, length, 0) + count)]
        m.d.sync += self.m_axis_verdict_tvalid.eq(0)
        sequences = [Signal(32), Signal(32)]
        with m.If(tvalid & tready):
            m.d.sync += [busy.eq(~tlast), owner.eq(chosen), length.eq(total), skip.eq(skipped)]
            with m.If(tlast):
                sequence = Mux(chosen, sequences[1], sequences[0])
                wrong = self._has("extra_verdict")
                shown = (sequence != 3) | ~self._has("loses_verdict")
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
        self._to_host(m, fifos["host"], beat)
        self._to_net(m, fifos["net"], fifos["copies"], beat)

    def _to_host(self, m, fifo, beat):
        out = data.View(beat, fifo.r_data)
        frames, spare = Signal(8), Signal(8)
        m.d.comb += [
            self.m_axis_host_tvalid.eq(fifo.r_rdy),
            self.m_axis_host_tdata.eq(out.data),
            self.m_axis_host_tkeep.eq(out.keep),
            self.m_axis_host_tlast.eq(out.last),
            self.m_axis_host_tuser.eq(out.bad),
            self.m_axis_host_drop.eq(out.drop),
            fifo.r_en.eq(self.m_axis_host_tready),
        ]
        with m.If(fifo.r_rdy & fifo.r_en & out.last):
            m.d.sync += frames.eq(frames + 1)
        with m.If(self._has("changes_production")):
            m.d.comb += self.m_axis_host_tdata.eq(out.data ^ (frames == 3))
        with m.If(self._has("shortens_production")):
            m.d.comb += self.m_axis_host_tkeep.eq(Mux(out.last, out.keep >> 1, out.keep))
        with m.If(self._has("loses_production")), m.If(frames == 3):
            m.d.comb += [self.m_axis_host_tvalid.eq(0), fifo.r_en.eq(1)]
        with m.If(self._has("invents_production")):
            # The last beat of the fifth frame stays, as a frame of its own.
            m.d.sync += spare.eq(spare + (fifo.r_rdy & out.last & (frames == 5) & self.m_axis_host_tready))
            with m.If(out.last & (frames == 5) & (spare == 0)):
                m.d.comb += fifo.r_en.eq(0)
        with m.If(self._has("loses_mark")):
            m.d.comb += [self.m_axis_host_tuser.eq(0), self.m_axis_host_drop.eq(0)]

    def _to_net(self, m, production, copies, beat):
        """Production when there is some, copies when they are whole."""
        sides = [data.View(beat, fifo.r_data) for fifo in (production, copies)]
        copy, begun, begun_copy, whole = Signal(), Signal(), Signal(), Signal(12)
        valid, ready, taken = Signal(), Signal(), Signal()
        last = Mux(copy, sides[1].last, sides[0].last)
        sent, waited = Signal(8), Signal()
        m.d.comb += [
            copy.eq(Mux(begun, begun_copy, ~production.r_rdy)),
            valid.eq(Mux(copy, copies.r_rdy & (begun | (whole != 0)), production.r_rdy)),
            ready.eq(self.m_axis_net_tready),
            taken.eq(valid & ready),
            production.r_en.eq(taken & ~copy),
            copies.r_en.eq(taken & copy),
            self.m_axis_net_tvalid.eq(valid),
            self.m_axis_net_tlast.eq(last),
            self.m_axis_net_tuser.eq(Cat(~copy & sides[0].bad, copy)),
        ]
        for name, port in (("data", self.m_axis_net_tdata), ("keep", self.m_axis_net_tkeep)):
            m.d.comb += port.eq(Mux(copy, sides[1][name], sides[0][name]))
        written = copies.w_en & data.View(beat, copies.w_data).last
        m.d.sync += [whole.eq(whole + written - (taken & copy & last)), waited.eq(valid & ~ready)]
        with m.If(valid):
            m.d.sync += [begun.eq(~(taken & last)), begun_copy.eq(copy)]
        with m.If(taken & last & copy):
            m.d.sync += sent.eq(sent + 1)
        with m.If(self._has("valid_drops")):
            m.d.comb += [self.m_axis_net_tvalid.eq(valid & ~waited), ready.eq(self.m_axis_net_tready & ~waited)]
        with m.If(self._has("payload_changes")):
            m.d.comb += self.m_axis_net_tdata.eq(sides[1].data ^ waited)
        with m.If(self._has("keep_gap")):
            m.d.comb += self.m_axis_net_tkeep.eq(sides[1].keep ^ (last << 1))
        with m.If(self._has("loses_copy")), m.If((sent == 3) & copy):
            m.d.comb += [self.m_axis_net_tvalid.eq(0), ready.eq(1)]
        with m.If(self._has("swaps_sides")):
            m.d.comb += self.m_axis_net_tuser.eq(Cat(Const(0, 1), copy ^ last))
        with m.If(self._has("copy_pauses")):
            pause = begun & copy & (sent == 3) & ~waited
            m.d.comb += [self.m_axis_net_tvalid.eq(valid & ~pause), ready.eq(self.m_axis_net_tready & ~pause)]
            m.d.sync += waited.eq(begun & copy & (sent == 3))

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
