"""AXI4-Stream ports of the exported top."""

from __future__ import annotations

import random
from typing import Any

from halfsilver.sim.benches.drivers.frames import Beat, FrameSink, FrameSource
from halfsilver.sim.benches.drivers.testbench import Signals

__all__ = ["BAD", "COPY", "DROP", "AxiStreamSink", "AxiStreamSource"]

BAD, COPY, DROP = 1, 2, 4
"""Marks of a frame: ``tuser`` bits 0 and 1, and the sideband."""


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
    """AXI4-Stream receiver; ``tkeep`` must be contiguous, and a frame once begun as a copy must not pause.

    ``marks`` are BAD, COPY (``tuser`` bit 1) and DROP.
    """

    def __init__(self, dut: Any, prefix: str, drop: str | None = None) -> None:
        names = {name: f"{prefix}_{name}" for name in ("tdata", "tkeep", "tvalid", "tready", "tlast", "tuser")}
        self._signals = Signals(dut, **names, **({"drop": drop} if drop else {}))
        self._has_drop = drop is not None
        super().__init__(self._signals.width("tdata"))

    def _look(self) -> tuple[int, int, int, int] | None:
        get = self._signals.get
        if not get("tvalid"):
            assert not (self.partial and self.marks & COPY), "a copy pauses"
            return None
        keep, last, user = get("tkeep"), get("tlast"), get("tuser")
        assert keep & (keep + 1) == 0, f"tkeep {keep:#x} has a gap"
        assert last or not user & BAD, "a frame is marked bad before its end"
        assert not self.partial or (self.marks ^ user) & COPY == 0, "tuser bit 1 changes within a frame"
        dropped = DROP * get("drop") if last and self._has_drop else 0
        return get("tdata"), keep.bit_length(), last, user | dropped

    def _set_ready(self, ready: bool) -> None:
        self._signals.put("tready", ready)
