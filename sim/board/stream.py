"""A Verilated NIC with a serial line and frames without an end: both go on in the same clocks."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import WIRE_OVERHEAD
from halfsilver.sim.native import structures
from halfsilver.sim.pump import Pump

__all__ = ["Left", "StreamPump"]

_OUTPUTS = (Direction.EGRESS, Direction.INGRESS)
"""By the number of a port, the direction of the production that leaves there."""


class Left(NamedTuple):
    """A frame that left by the port where production of ``direction`` does; ``bad``: marked so, as a MAC would have to
    send it without a good FCS."""

    direction: Direction
    copy: bool
    bad: bool
    data: bytes


class StreamPump(Pump):
    """`Pump` for a board: `serial` moves frames as well, which `give` has handed over and `take` takes out.

    The ports are those of a card in front of its MACs, at frame level: between two frames of a port there are as many
    clocks as a MAC of one byte per byte of width needs for the rest of the wire. Nothing is compared, and a frame that
    comes out marked bad is told as such. ``run`` is not for it.
    """

    def __init__(self, library: Path, *, width: int, seed: int = 0) -> None:
        super().__init__(library, seed=seed)
        native = self._native
        native.pump_stream_open.restype = ctypes.c_void_p
        gap = -(-WIRE_OVERHEAD * 8 // width)
        self._stream: ctypes.c_void_p | None = ctypes.c_void_p(
            native.pump_stream_open(self._model, ctypes.c_uint32(gap))
        )
        self._left: list[Left] = []
        self.queued = 0
        self.busy = False

    def give(self, frames: Sequence[Frame]) -> None:
        """Frames, of at least a byte each, behind those that wait; they go in while `serial` runs."""
        table, offset = (structures.Frame * len(frames))(), 0
        for index, frame in enumerate(frames):
            table[index] = structures.Frame(offset, 0, len(frame.data), frame.direction, frame.bad, frame.dropped)
            offset += len(frame.data)
        data = b"".join([frame.data for frame in frames])
        self._native.pump_stream_give(self._stream, data, table, ctypes.c_uint64(len(frames)))
        self.queued += len(frames)
        self.busy = self.busy or bool(frames)

    def take(self) -> list[Left]:
        """What has come out, each port's in its order."""
        left, self._left = self._left, []
        return left

    def serial(self, toggles: Any, cycles: int, answer: Any, found: Any) -> None:
        result = structures.Streamed()
        start = ctypes.c_void_p(toggles.buffer_info()[0])
        count, length, room = (ctypes.c_uint64(number) for number in (len(toggles), cycles, len(answer)))
        self._check(
            self._native.pump_stream_run(
                self._model, self._stream, start, count, length, answer, room, ctypes.byref(result)
            )
        )
        found.value = result.found
        self.queued, self.busy = result.queued, bool(result.busy)
        if result.count:
            base = ctypes.addressof(result.bytes.contents)
            self._left += [
                Left(
                    _OUTPUTS[each.port],
                    bool(each.copy),
                    bool(each.bad),
                    ctypes.string_at(base + each.offset, each.length),
                )
                for each in result.frames[: result.count]
            ]

    def close(self) -> None:
        if self._stream is not None:
            self._native.pump_stream_close(self._stream)
            self._stream = None
        super().close()
