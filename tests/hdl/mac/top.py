"""The MAC as the bench sees it: AXI4-Stream on the core's side, clocks as pins."""

from amaranth.hdl import ClockDomain, ClockSignal, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.axi_stream import AxiStreamSignature, FromAxiStream, ToAxiStream
from halfsilver.hdl.mac.mac import Mac
from halfsilver.hdl.mac.simulation import SimulationCells
from halfsilver.hdl.mac.words import Status


def _prefixed(prefix, signature):
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


class MacTop(wiring.Component):
    """``clk`` and ``rst`` of the core; ``clk125`` and ``clk125_late``, the same clock shifted for the transmit clock's
    pin. Counters are one vector each, the first member lowest."""

    def __init__(self, width, **options):
        self.width = width
        self.mac = Mac(width, SimulationCells("late"), **options)
        members = self.mac.signature.members
        stream = AxiStreamSignature(width)
        super().__init__(
            {
                "clk125": In(1),
                "clk125_late": In(1),
                **_prefixed("rgmii", members["rgmii"].signature),
                **_prefixed("s_axis", stream.flip()),
                **_prefixed("m_axis", stream),
                "manual": In(1),
                "manual_status": In(Status.size),
                "whole": In(1),
                "status": Out(members["status"].shape.size),
                "received": Out(members["received"].shape.size),
                "sent": Out(members["sent"].shape.size),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains += [ClockDomain(name, reset_less=True) for name in ("gmii", "late")]
        m.d.comb += [ClockSignal("gmii").eq(self.clk125), ClockSignal("late").eq(self.clk125_late)]
        m.submodules.mac = mac = self.mac
        m.submodules.source = source = FromAxiStream(self.width)
        m.submodules.sink = sink = ToAxiStream(self.width)
        wiring.connect(m, source.o, mac.i)
        wiring.connect(m, mac.o, sink.i)
        for prefix, interface in (("rgmii", mac.rgmii), ("s_axis", source.axi), ("m_axis", sink.axi)):
            for name, member in interface.signature.members.items():
                outside, inside = getattr(self, f"{prefix}_{name}"), getattr(interface, name)
                m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)
        m.d.comb += [
            mac.manual.eq(self.manual),
            mac.manual_status.as_value().eq(self.manual_status),
            mac.whole.eq(self.whole),
            self.status.eq(mac.status),
            self.received.eq(mac.received),
            self.sent.eq(mac.sent),
        ]
        return m
