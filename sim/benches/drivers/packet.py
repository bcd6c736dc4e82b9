"""Packet streams between the NIC's blocks."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.records import Frame
from halfsilver.hdl.packet import beat_layout
from halfsilver.sim.benches.drivers.frames import Beat, FrameSink, FrameSource
from halfsilver.sim.benches.drivers.testbench import Signals

__all__ = ["PacketSink", "PacketSource", "pack_beat"]


class PacketSource(FrameSource):
    """Transmitter on a packet port of the gateware (``halfsilver.hdl.packet``), named by its prefix."""

    def __init__(self, dut: Any, prefix: str, width: int) -> None:
        self._signals = Signals(dut, payload=f"{prefix}__payload", valid=f"{prefix}__valid", ready=f"{prefix}__ready")
        super().__init__(width)

    def _show(self, beat: Beat) -> None:
        self._signals.put("payload", pack_beat(self._octets * 8, self._padded(beat), len(beat.data), beat.ends))
        self._signals.put("valid", 1)

    def _hide(self) -> None:
        self._signals.put("valid", 0)

    def _taken(self) -> bool:
        return bool(self._signals.get("ready"))


def pack_beat(width: int, data: int, count: int, ends: Frame | None) -> int:
    """The bits of a beat as ``halfsilver.hdl.packet.beat_layout`` lays them out."""
    layout = beat_layout(width)
    bits = data | count << layout["count"].offset
    if ends is not None:
        bits |= 1 << layout["last"].offset | ends.bad << layout["bad"].offset
        bits |= ends.dropped << layout["drop"].offset
    return int(bits)


class PacketSink(FrameSink):
    """Receiver on a packet port of the gateware (``halfsilver.hdl.packet``), named by its prefix; marks: bad."""

    def __init__(self, dut: Any, prefix: str, width: int) -> None:
        self._signals = Signals(dut, payload=f"{prefix}__payload", valid=f"{prefix}__valid", ready=f"{prefix}__ready")
        self._layout = beat_layout(width)
        super().__init__(width)

    def _look(self) -> tuple[int, int, int, int] | None:
        if not self._signals.get("valid"):
            return None
        bits = self._signals.get("payload")

        def field(name: str) -> int:
            place = self._layout[name]
            return int(bits >> place.offset & (1 << place.width) - 1)

        return field("data"), field("count"), field("last"), field("bad")

    def _set_ready(self, ready: bool) -> None:
        self._signals.put("ready", ready)
