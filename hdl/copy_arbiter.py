"""Copy arbiter: two mirror queues, one encapsulator. Copies of the two directions take turns, whole."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor, spreading
from halfsilver.hdl.packet import packet_signature

__all__ = ["CopyArbiter"]

_ORDER_DEPTH = 4
"""Copies announced ahead of their bytes."""


class CopyArbiter(wiring.Component):
    """Round robin by copy.

    Ports: ``i_copy_0``, ``i_data_0``, ``i_copy_1``, ``i_data_1`` from the queues; ``o_copy`` and ``o_data`` to
    the encapsulator. Descriptors run ahead of the bytes; the bytes follow in the order of the descriptors.
    A direction that has nothing to send costs the other no clock.
    """

    def __init__(self, parameters):
        packets = packet_signature(parameters.width)
        copies = stream.Signature(spreading(CopyDescriptor, parameters.receiver_bits))
        super().__init__(
            {
                "i_copy_0": In(copies),
                "i_data_0": In(packets),
                "i_copy_1": In(copies),
                "i_data_1": In(packets),
                "o_copy": Out(copies),
                "o_data": Out(packets),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.order = order = fifo.SyncFIFOBuffered(width=1, depth=_ORDER_DEPTH)
        favoured = Signal()  # the direction whose turn it is
        chosen = Signal()
        valids = (self.i_copy_0.valid, self.i_copy_1.valid)
        m.d.comb += [
            chosen.eq(Mux(favoured, valids[1], ~valids[0])),
            self.o_copy.valid.eq((valids[0] | valids[1]) & order.w_rdy),
            self.o_copy.payload.eq(Mux(chosen, self.i_copy_1.payload.as_value(), self.i_copy_0.payload.as_value())),
            self.i_copy_0.ready.eq(self.o_copy.ready & order.w_rdy & ~chosen),
            self.i_copy_1.ready.eq(self.o_copy.ready & order.w_rdy & chosen),
            order.w_data.eq(chosen),
            order.w_en.eq(self.o_copy.valid & self.o_copy.ready),
        ]
        # An offer that has been made stays: the turn is only taken when it is accepted, and while it is not,
        # it is kept where it is.
        with m.If(self.o_copy.valid & self.o_copy.ready):
            m.d.sync += favoured.eq(~chosen)
        with m.Elif(self.o_copy.valid):
            m.d.sync += favoured.eq(chosen)

        source = order.r_data
        m.d.comb += [
            self.o_data.valid.eq(order.r_rdy & Mux(source, self.i_data_1.valid, self.i_data_0.valid)),
            self.o_data.payload.eq(Mux(source, self.i_data_1.payload.as_value(), self.i_data_0.payload.as_value())),
            self.i_data_0.ready.eq(order.r_rdy & ~source & self.o_data.ready),
            self.i_data_1.ready.eq(order.r_rdy & source & self.o_data.ready),
            order.r_en.eq(self.o_data.valid & self.o_data.ready & self.o_data.p.last),
        ]
        return m
