"""AXI4-Stream ports of the exported top."""

from __future__ import annotations

import random
from typing import Any

from halfsilver.sim.benches.drivers.frames import Beat, FrameSink, FrameSource
from halfsilver.sim.benches.drivers.testbench import Signals

__all__ = ["AxiStreamSink", "AxiStreamSource"]


class AxiStreamSource(FrameSource):
    """AXI4-Stream transmitter. ``tuser`` and ``drop`` count with ``tlast``; in all other beats they are anything."""

    def __init__(self, dut: Any, prefix: str, drop: str | None = None) -> None:
        names = {name: f"{prefix}_{name}" for name in ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser")}
        self._has_drop = drop is not None
        self._signals = Signals(dut, **names, **({"drop": drop} if drop else {}))
        super().__init__(self._signals.width("tdata"))

    def _show(self, beat: Beat) -> None:
        put, frame = self._signals.put, beat.ends
        put("tdata", self._padded(beat))
        put("tkeep", (1 << len(beat.data)) - 1)
        put("tlast", frame is not None)
        put("tuser", frame.bad if frame else random.getrandbits(1))
        if self._has_drop:
            put("drop", frame.dropped if frame else random.getrandbits(1))
        put("tvalid", 1)

    def _hide(self) -> None:
        self._signals.put("tvalid", 0)

    def _taken(self) -> bool:
        return bool(self._signals.get("tready"))


class AxiStreamSink(FrameSink):
    """AXI4-Stream receiver; ``tuser`` must be 0 and ``tkeep`` contiguous."""

    def __init__(self, dut: Any, prefix: str) -> None:
        names = ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser")
        self._signals = Signals(dut, **{name: f"{prefix}_{name}" for name in names})
        super().__init__(self._signals.width("tdata"))

    def _look(self) -> tuple[int, int, int] | None:
        get = self._signals.get
        if not get("tvalid"):
            return None
        keep = get("tkeep")
        assert keep & (keep + 1) == 0, f"tkeep {keep:#x} has a gap"
        assert not get("tuser"), "a copy is marked bad"
        return get("tdata"), keep.bit_length(), get("tlast")

    def _set_ready(self, ready: bool) -> None:
        self._signals.put("tready", ready)
