"""Drivers of the benches: clock and reset, packet streams, AXI4-Stream, AXI4-Lite.

One rule of time for all of them, so that nothing depends on the order in which a simulator does things: inputs
change at the falling edge, everything is looked at when it has settled, and the rising edge belongs to the design.
A driver is a plain object with ``drive`` (falling edge) and ``sample`` (settled); `Testbench` calls them in turn, so
a bench is one coroutine and a clock costs two triggers however many ports there are.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from halfsilver.harness.records import Frame
from halfsilver.hdl.packet import beat_layout

__all__ = [
    "Access",
    "AxiLiteMaster",
    "AxiStreamSink",
    "AxiStreamSource",
    "Beat",
    "FrameSink",
    "FrameSource",
    "OKAY",
    "Pace",
    "PacketSink",
    "PacketSource",
    "Port",
    "SLVERR",
    "Signals",
    "Testbench",
    "always",
    "bursts",
    "never",
    "now_and_then",
]

PERIOD_NS = 10

Pace = Callable[[], bool]
"""Asked once per clock: go (True) or pause."""


def always() -> bool:
    """No pause."""
    return True


def never() -> bool:
    """Pause all the time."""
    return False


def now_and_then(probability: float) -> Pace:
    """Go in each clock with this probability."""
    return lambda: random.random() < probability


def bursts(longest: int) -> Pace:
    """Runs of going and of pausing, each 1 to ``longest`` clocks."""
    going, left = False, 0

    def pace() -> bool:
        nonlocal going, left
        if not left:
            going, left = not going, random.randint(1, longest)
        left -= 1
        return going

    return pace


class Signals:
    """Signals of the design by name; a value is written only when it changes."""

    def __init__(self, dut: Any, **names: str) -> None:
        self._handles = {key: getattr(dut, name) for key, name in names.items()}
        self._written: dict[str, int] = {}

    def put(self, key: str, value: int) -> None:
        """Drive an input."""
        if self._written.get(key) != value:
            self._written[key] = value
            self._handles[key].value = value

    def get(self, key: str) -> int:
        """Value of a signal as an unsigned number."""
        return int(self._handles[key].value)

    def width(self, key: str) -> int:
        """Bits of a signal."""
        return len(self._handles[key])


class Port(Protocol):
    """What `Testbench` needs of a driver. ``reset``: forget what is under way and drive idle values."""

    def drive(self) -> None: ...

    def sample(self) -> None: ...

    def reset(self) -> None: ...


class Testbench:
    """Clock, reset and the ports of a design; ``clock`` counts clocks since the start."""

    __test__ = False  # not a pytest class

    def __init__(self, dut: Any, *ports: Port) -> None:
        self._signals = Signals(dut, clk="clk", rst="rst")
        self._edge = FallingEdge(dut.clk)
        self._settled = ReadOnly()
        self._resetting = False
        self._ports = list(ports)
        self.clock = 0
        dut.clk.value = 0
        Clock(dut.clk, PERIOD_NS, unit="ns").start(start_high=False)

    async def reset(self, clocks: int = 3) -> None:
        """Hold reset; what the ports had under way is gone."""
        self._resetting = True
        for _ in range(clocks):
            await self.step()
        self._resetting = False

    async def step(self, clocks: int = 1) -> None:
        """Run for some clocks."""
        for _ in range(clocks):
            await self._edge
            self._signals.put("rst", int(self._resetting))
            for port in self._ports:
                if self._resetting:
                    port.reset()
                else:
                    port.drive()
            await self._settled
            if not self._resetting:
                for port in self._ports:
                    port.sample()
            self.clock += 1

    async def until(self, condition: Callable[[], bool], what: str, limit: int = 20_000) -> None:
        """Run until the condition holds; AssertionError naming ``what`` after ``limit`` clocks."""
        for _ in range(limit):
            if condition():
                return
            await self.step()
        assert condition(), f"after {limit} clocks still waiting for {what}"


@dataclass(slots=True)
class Beat:
    """One beat: ``data`` has ``count`` bytes; ``ends`` is the frame it ends, None for all other beats."""

    data: bytes
    ends: Frame | None


class FrameSource(ABC):
    """Sends frames into a stream, beat by beat; subclasses know the signals.

    pace     asked for every beat
    gate     asked before a frame starts, until it says yes
    sent     called with a frame when its last beat has been taken
    stalled  clocks in which a beat was offered and not taken; ``offered`` all clocks with a beat
    """

    def __init__(self, width: int) -> None:
        self._octets = width // 8
        self._frames: deque[Frame] = deque()
        self._beats: deque[Beat] = deque()
        self._beat: Beat | None = None
        self.pace: Pace = always
        self.gate: Callable[[Frame], bool] = lambda frame: True
        self.sent: Callable[[Frame], None] = lambda frame: None
        self.stalled = 0
        self.offered = 0

    def send(self, *frames: Frame) -> None:
        """Queue frames."""
        self._frames.extend(frames)

    @property
    def idle(self) -> bool:
        """Everything queued has been taken."""
        return not self._frames and not self._beats and self._beat is None

    @property
    def waiting(self) -> int:
        """Frames that have not started."""
        return len(self._frames)

    @property
    def in_frame(self) -> bool:
        """A frame has been taken in part."""
        return bool(self._beats)

    def drive(self) -> None:
        if self._beat is not None:
            return
        if not self._beats and self._frames and self.gate(self._frames[0]):
            frame = self._frames.popleft()
            starts = range(0, len(frame.data), self._octets)
            self._beats.extend(Beat(frame.data[start : start + self._octets], None) for start in starts)
            self._beats[-1].ends = frame
        if self._beats and self.pace():
            self._beat = self._beats.popleft()
            self._show(self._beat)
        else:
            self._hide()

    def sample(self) -> None:
        if self._beat is None:
            return
        self.offered += 1
        if not self._taken():
            self.stalled += 1
            return
        ended, self._beat = self._beat.ends, None
        if ended is not None:
            self.sent(ended)

    def reset(self) -> None:
        self._frames.clear()
        self._beats.clear()
        self._beat = None
        self._hide()

    def _padded(self, beat: Beat) -> int:
        """Data of a beat; what lies behind its last byte is anything."""
        missing = self._octets - len(beat.data)
        return int.from_bytes(beat.data + random.randbytes(missing), "little")

    @abstractmethod
    def _show(self, beat: Beat) -> None:
        """Offer a beat."""

    @abstractmethod
    def _hide(self) -> None:
        """Offer nothing."""

    @abstractmethod
    def _taken(self) -> bool:
        """Whether the beat that is offered is taken in this clock."""


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


class FrameSink(ABC):
    """Takes frames out of a stream, and holds it to the rules: what is offered stays until it is taken.

    pace      asked in every clock: ready?
    received  called with the bytes of every frame
    partial   bytes of the frame that is arriving
    idle_gaps clocks without a beat inside a frame while the sink was ready
    """

    def __init__(self, width: int) -> None:
        self._octets = width // 8
        self._held: tuple[int, ...] | None = None
        self._ready = False
        self.partial = bytearray()
        self.pace: Pace = always
        self.received: Callable[[bytes], None] = lambda data: None
        self.idle_gaps = 0

    def drive(self) -> None:
        self._ready = self.pace()
        self._set_ready(self._ready)

    def sample(self) -> None:
        beat = self._look()
        if beat is None:
            assert self._held is None, "a beat that was offered has been withdrawn"
            self.idle_gaps += bool(self.partial) and self._ready
            return
        assert self._held in (None, beat), "a beat has changed while it was offered"
        self._held = None if self._ready else beat
        if self._ready:
            data, count, last = beat
            assert 1 <= count <= self._octets and (last or count == self._octets), f"{count} bytes, last {last}"
            self.partial += (data & (1 << 8 * count) - 1).to_bytes(count, "little")
            if last:
                frame, self.partial = bytes(self.partial), bytearray()
                self.received(frame)

    def reset(self) -> None:
        self._held = None
        self.partial.clear()
        self._set_ready(False)

    @abstractmethod
    def _look(self) -> tuple[int, int, int] | None:
        """(data, count, last) of the beat that is offered."""

    @abstractmethod
    def _set_ready(self, ready: bool) -> None:
        """Take beats, or do not."""


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


class PacketSink(FrameSink):
    """Receiver on a packet port of the gateware (``halfsilver.hdl.packet``), named by its prefix."""

    def __init__(self, dut: Any, prefix: str, width: int) -> None:
        self._signals = Signals(dut, payload=f"{prefix}__payload", valid=f"{prefix}__valid", ready=f"{prefix}__ready")
        self._layout = beat_layout(width)
        super().__init__(width)

    def _look(self) -> tuple[int, int, int] | None:
        if not self._signals.get("valid"):
            return None
        bits = self._signals.get("payload")

        def field(name: str) -> int:
            place = self._layout[name]
            return int(bits >> place.offset & (1 << place.width) - 1)

        return field("data"), field("count"), field("last")

    def _set_ready(self, ready: bool) -> None:
        self._signals.put("ready", ready)


OKAY, SLVERR = 0b00, 0b10
"""Responses of AXI."""

_WRITES_UNDER_WAY = 4


@dataclass(slots=True, eq=False)
class Access:
    """One register access. ``value``: what to write, or what was read; ``response`` is None until it is done."""

    address: int
    value: int | None = None
    strobes: int = 0b1111
    response: int | None = None


class AxiLiteMaster:
    """AXI4-Lite manager: accesses in order, writes one behind the other without waiting for their responses.

    ``pace`` is asked for each channel in each clock; so address and data of a write come in any order.
    """

    def __init__(self, dut: Any, prefix: str = "s_axil") -> None:
        channels = {
            "aw": ("addr", "valid", "ready"),
            "w": ("data", "strb", "valid", "ready"),
            "b": ("resp", "valid", "ready"),
            "ar": ("addr", "valid", "ready"),
            "r": ("data", "resp", "valid", "ready"),
        }
        names = {c + name: f"{prefix}_{c}{name}" for c, signals in channels.items() for name in signals}
        self._signals = Signals(dut, awprot=f"{prefix}_awprot", arprot=f"{prefix}_arprot", **names)
        self._queue: deque[Access] = deque()
        self._addresses: deque[Access] = deque()
        self._data: deque[Access] = deque()
        self._unanswered: deque[Access] = deque()
        self._reading: Access | None = None
        self._offers = dict.fromkeys(("aw", "w", "ar"), False)
        self._ready = dict.fromkeys(("b", "r"), False)
        self._held = dict.fromkeys(("b", "r"), False)
        self.pace: Pace = always

    def write(self, address: int, value: int, strobes: int = 0b1111) -> Access:
        """Queue a write."""
        return self._append(Access(address, value, strobes))

    def read(self, address: int) -> Access:
        """Queue a read; it waits for the writes before it."""
        return self._append(Access(address))

    @property
    def idle(self) -> bool:
        """Every access has its response."""
        return not self._queue and not self._unanswered and self._reading is None

    def _append(self, access: Access) -> Access:
        self._queue.append(access)
        return access

    def drive(self) -> None:
        put = self._signals.put
        if self._queue and self._reading is None:
            if self._queue[0].value is not None and len(self._unanswered) < _WRITES_UNDER_WAY:
                access = self._queue.popleft()
                for pending in (self._addresses, self._data, self._unanswered):
                    pending.append(access)
            elif self._queue[0].value is None and not self._unanswered:
                self._reading = self._queue.popleft()
                self._offers["ar"] = True
                put("araddr", self._reading.address)
        if self._addresses and not self._offers["aw"] and self.pace():
            self._offers["aw"] = True
            put("awaddr", self._addresses[0].address)
        if self._data and not self._offers["w"] and self.pace():
            self._offers["w"] = True
            put("wdata", self._data[0].value or 0)
            put("wstrb", self._data[0].strobes)
        for channel, offered in self._offers.items():
            put(f"{channel}valid", offered)
        for channel in self._ready:
            self._ready[channel] = self.pace()
            put(f"{channel}ready", self._ready[channel])

    def sample(self) -> None:
        get = self._signals.get
        for channel, offered in self._offers.items():
            if offered and get(f"{channel}ready"):
                self._offers[channel] = False
                if channel != "ar":
                    (self._addresses if channel == "aw" else self._data).popleft()
        if self._answered("b"):
            assert self._unanswered, "a write response without a write"
            self._unanswered.popleft().response = get("bresp")
        if self._answered("r"):
            assert self._reading is not None, "read data without a read"
            self._reading.value, self._reading.response = get("rdata"), get("rresp")
            self._reading = None

    def _answered(self, channel: str) -> bool:
        """A response is taken in this clock; one that was offered must not vanish."""
        valid = bool(self._signals.get(f"{channel}valid"))
        assert valid or not self._held[channel], f"{channel}valid fell before {channel}ready"
        self._held[channel] = valid and not self._ready[channel]
        return valid and self._ready[channel]

    def reset(self) -> None:
        for queue in (self._queue, self._addresses, self._data, self._unanswered):
            queue.clear()
        self._reading = None
        for states in (self._offers, self._ready, self._held):
            for channel in states:
                states[channel] = False
        for name in ("awprot", "arprot", "awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._signals.put(name, 0)
