"""The exported top with a serial line beside AXI4-Lite: both reach the registers."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.share import BusShare
from halfsilver.hdl.bus.uart import SerialRate
from halfsilver.hdl.bus.uartbone import RESYNC_SECONDS, UartBone
from halfsilver.hdl.export import AxiNic

__all__ = ["SerialNic"]


class SerialNic(AxiNic):
    """`AxiNic`, and a uartbone.

    Parameters: ``parameters`` (NicParameters); ``clock`` (Hz), ``baud`` and ``resync_seconds`` of the serial line.
    Ports: those of AxiNic, ``rx`` and ``tx``.
    """

    def __init__(self, parameters, *, clock, baud, resync_seconds=RESYNC_SECONDS):
        self.rate = SerialRate(clock, baud)
        self._resync_seconds = resync_seconds
        super().__init__(parameters)

    def _other_ports(self):
        return {"rx": In(1, init=1), "tx": Out(1, init=1)}

    def _reach_registers(self, m, bridge, registers):
        m.submodules.bone = bone = UartBone(self.rate, resync_seconds=self._resync_seconds)
        m.submodules.share = share = BusShare(2)
        m.d.comb += [bone.rx.eq(self.rx), self.tx.eq(bone.tx)]
        wiring.connect(m, bridge, share.i[0])
        wiring.connect(m, bone.bus, share.i[1])
        wiring.connect(m, share.bus, registers)
