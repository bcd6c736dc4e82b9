"""Mirror queue: copies come out whole or not at all, in order, and all of the space comes back."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb

from halfsilver.harness.golden.encapsulate import internet_checksum
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor
from halfsilver.hdl.mirror_queue import Decision, undecided_frames
from halfsilver.sim.benches import parameters_of_build
from halfsilver.sim.benches.drivers.pace import Pace, always, bursts, never, now_and_then
from halfsilver.sim.benches.drivers.packet import PacketSink, pack_beat
from halfsilver.sim.benches.drivers.testbench import Signals, Testbench
from halfsilver.sim.benches.frames import LENGTHS

PARAMETERS = parameters_of_build()
WIDTH = PARAMETERS.width
OCTETS = WIDTH // 8
UNDECIDED = undecided_frames(PARAMETERS)

END_LATENCY = 2
DECISION_LATENCY = 4
"""Clocks after ``o_end`` before the earliest decision."""

SHORTEST_COPY = 14


@dataclass(slots=True)
class Copy:
    """A copy that was decided: what the queue is told, and what must come out."""

    data: bytes
    slot: int
    source_port: int
    outer6: bool

    def descriptor(self) -> dict[str, int]:
        """The descriptor's fields that mean something."""
        fields = {
            "slot": self.slot,
            "length": len(self.data),
            "source_port": self.source_port,
            "outer6": int(self.outer6),
        }
        if self.outer6:
            fields["payload_sum"] = internet_checksum(self.data) ^ 0xFFFF
        return fields


class QueuePort:
    """Writes beats into the queue and decides on the frames, as the intake and the matcher would.

    ``mirror`` says of a frame that fits whether it is copied, and how many bytes; ``copies`` are those decided.
    ``fitted`` has an answer for every frame, in order.
    """

    def __init__(self, dut: Any) -> None:
        names = ("i_valid", "i", "o_end", "o_fits", "i_decided", "i_decision")
        self._signals = Signals(dut, **{name: name for name in names})
        self._beats: deque[tuple[int, Frame | None]] = deque()
        self._ends: deque[int] = deque()
        self._undecided: deque[tuple[int, Frame, bool]] = deque()
        self._frames: deque[Frame] = deque()
        self._clock = 0
        self._written: Frame | None = None
        self.pace: Pace = always
        self.decide: Pace = always
        self.share = 1.0
        self.whole = True
        self.outer6 = 0.5
        self.copies: list[Copy] = []
        self.fitted: list[bool] = []

    def send(self, *frames: Frame) -> None:
        """Queue frames; they go without a pause unless ``pace`` says so."""
        for frame in frames:
            for start in range(0, len(frame.data), OCTETS):
                part = frame.data[start : start + OCTETS]
                ends = frame if start + OCTETS >= len(frame.data) else None
                bits = pack_beat(WIDTH, int.from_bytes(part.ljust(OCTETS, b"\xa5"), "little"), len(part), ends)
                self._beats.append((bits, ends))

    @property
    def idle(self) -> bool:
        """Every frame is written and decided."""
        return not self._beats and not self._frames and not self._undecided

    def drive(self) -> None:
        self._clock += 1
        self._write()
        self._decide()

    def _write(self) -> None:
        waiting = len(self._frames) + len(self._undecided)
        valid = bool(self._beats) and waiting < UNDECIDED - 2 and self.pace()
        self._signals.put("i_valid", valid)
        if valid:
            bits, ended = self._beats.popleft()
            self._signals.put("i", bits)
            if ended is not None:
                self._frames.append(ended)
                self._ends.append(self._clock + END_LATENCY)

    def _decide(self) -> None:
        ready = bool(self._undecided) and self._undecided[0][0] + DECISION_LATENCY <= self._clock
        decided = ready and self.decide()
        self._signals.put("i_decided", decided)
        if not decided:
            return
        _, frame, fits = self._undecided.popleft()
        mirror = fits and not frame.bad and len(frame.data) >= SHORTEST_COPY and random.random() < self.share
        length = len(frame.data) if self.whole else random.randint(min(SHORTEST_COPY, len(frame.data)), len(frame.data))
        copy = Copy(frame.data[:length], random.getrandbits(8), random.getrandbits(16), random.random() < self.outer6)
        fields = {
            "mirror": int(mirror),
            "length": length,
            "slot": copy.slot,
            "source_port": copy.source_port,
            "outer_ipv6": int(copy.outer6),
        }
        layout = Decision.as_shape()
        self._signals.put("i_decision", sum(value << layout[name].offset for name, value in fields.items()))
        if mirror:
            self.copies.append(copy)

    def sample(self) -> None:
        if self._signals.get("o_end"):
            assert self._ends and self._ends[0] == self._clock, "o_end comes at the wrong time"
            self._ends.popleft()
            fits = bool(self._signals.get("o_fits"))
            self.fitted.append(fits)
            self._undecided.append((self._clock, self._frames.popleft(), fits))
        else:
            assert not self._ends or self._ends[0] > self._clock, "o_end is missing"

    def reset(self) -> None:
        for queue in (self._beats, self._ends, self._undecided, self._frames):
            queue.clear()
        self._signals.put("i_valid", 0)
        self._signals.put("i_decided", 0)


class DescriptorSink:
    """Takes descriptors; ``taken`` has their fields."""

    def __init__(self, dut: Any) -> None:
        self._signals = Signals(dut, payload="o_copy__payload", valid="o_copy__valid", ready="o_copy__ready")
        self._ready = False
        self.pace: Pace = always
        self.taken: list[dict[str, int]] = []

    def drive(self) -> None:
        self._ready = self.pace()
        self._signals.put("ready", self._ready)

    def sample(self) -> None:
        if self._ready and self._signals.get("valid"):
            bits = self._signals.get("payload")
            layout = CopyDescriptor.as_shape()
            self.taken.append({name: bits >> place.offset & (1 << place.width) - 1 for name, place in layout})

    def reset(self) -> None:
        self._signals.put("ready", 0)


class Bench:
    """A mirror queue with drivers on all sides, after reset."""

    def __init__(self, dut: Any) -> None:
        self.queue = QueuePort(dut)
        self.descriptors = DescriptorSink(dut)
        self.sink = PacketSink(dut, "o", WIDTH)
        self.received: list[bytes] = []
        self.sink.received = self.received.append
        self.testbench = Testbench(dut, self.queue, self.descriptors, self.sink)

    async def drain(self) -> None:
        """Until all is written, decided and out; then compare, and forget."""
        queue, limit = self.queue, 4000 + 6 * PARAMETERS.queue_depth // OCTETS * 8
        await self.testbench.until(lambda: queue.idle, "decisions", limit)
        await self.testbench.until(lambda: len(self.received) == len(queue.copies), "copies", limit)
        await self.testbench.step(20)
        self.check()

    async def check_empty(self) -> None:
        """All of the room is free: 60 frames that just fill it find their places."""
        queue = self.queue
        queue.pace = queue.decide = self.sink.pace = self.descriptors.pace = always
        slots = PARAMETERS.queue_depth // OCTETS // 60 - 1
        queue.decide = never
        queue.send(*(frame(slots * OCTETS) for _ in range(60)))
        await self.testbench.until(lambda: len(queue.fitted) == 60, "the ends of the frames", 60_000)
        assert all(queue.fitted), f"only {sum(queue.fitted)} of 60 frames fit into an empty queue"
        queue.decide = always
        await self.drain()

    def check(self) -> None:
        """Copies and descriptors are those that were decided, in order; nothing else came."""
        copies = self.queue.copies
        assert len(self.received) == len(self.descriptors.taken) == len(copies)
        assert not self.sink.partial, "bytes behind the last copy"
        for copy, data, taken in zip(copies, self.received, self.descriptors.taken, strict=True):
            assert data == copy.data, f"copy of {len(copy.data)} bytes: {data.hex()}, not {copy.data.hex()}"
            for name, value in copy.descriptor().items():
                assert taken[name] == value, f"descriptor {name} is {taken[name]:#x}, not {value:#x}"
        for seen in (copies, self.received, self.descriptors.taken, self.queue.fitted):
            seen.clear()


async def start(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.testbench.reset()
    return bench


def frame(length: int, bad: bool = False) -> Frame:
    return Frame(random.randbytes(length), Direction.INGRESS, bad=bad)


PACES = (
    (always, always),
    (now_and_then(0.7), now_and_then(0.5)),
    (bursts(20), bursts(30)),
    (always, now_and_then(0.9)),
)


@cocotb.test()
async def sizes_and_pauses(dut: Any) -> None:
    """Every length under each pattern of pauses, whole and cut, the sum of IPv6 copies right."""
    bench = await start(dut)
    for bench.queue.pace, bench.sink.pace in PACES:
        bench.queue.whole = not bench.queue.whole
        lengths = [length for length in LENGTHS if length < 9216 or WIDTH > 8]
        random.shuffle(lengths)
        # No more at once than the queue can hold.
        while lengths:
            group: list[int] = []
            while lengths and sum(group) + lengths[-1] + OCTETS * (len(group) + 8) <= PARAMETERS.queue_depth:
                group.append(lengths.pop())
            bench.queue.send(*map(frame, group))
            await bench.testbench.until(lambda: bench.queue.idle, "decisions", 200_000)
            assert all(bench.queue.fitted), "a frame found no room in an empty queue"
            await bench.drain()


@cocotb.test()
async def every_cut(dut: Any) -> None:
    """One length, cut at every byte: the copy ends where it should and the next begins with its own bytes."""
    bench = await start(dut)
    bench.queue.whole = False
    for _ in range(3):
        bench.queue.send(*(frame(random.choice((64, 65, 128, 131))) for _ in range(100)))
        await bench.drain()


@cocotb.test()
async def bad_and_unwanted_frames(dut: Any) -> None:
    """Bad frames and those that are not mirrored leave nothing behind, whatever stands around them."""
    bench = await start(dut)
    queue = bench.queue
    queue.share, queue.whole = 0.4, False
    for queue.pace, bench.sink.pace in PACES:
        queue.decide = random.choice((always, now_and_then(0.1), bursts(80)))
        frames = [frame(random.choice((1, 5, 14, 60, 61, 64, 300)), bad=random.random() < 0.4) for _ in range(150)]
        queue.send(*frames)
        await bench.drain()

    # Bad frames for more than the queue can hold, none decided yet: they are gone at once.
    queue.pace, queue.decide, queue.share = always, never, 1.0
    queue.send(*(frame(PARAMETERS.queue_depth // 40, bad=True) for _ in range(50)), frame(1000))
    await bench.testbench.until(lambda: len(queue.fitted) == 51, "the ends of the frames", 60_000)
    assert queue.fitted[-1], "bad frames took the room of a good one"
    queue.decide = always
    await bench.drain()
    await bench.check_empty()


@cocotb.test()
async def filled_to_the_last_beat(dut: Any) -> None:
    """Frames that end around the last free beat, before the first has been read: none overwrites another."""
    bench = await start(dut)
    queue = bench.queue
    depth = PARAMETERS.queue_depth // OCTETS
    for beats in (depth - 5, depth - 1, depth + 1, depth + 3) if WIDTH == 8 else range(depth - 8, depth + 6):
        queue.decide = never
        each = depth // 40
        lengths = [each] * 39 + [beats - 39 * each]
        queue.send(*(frame(length * OCTETS - random.randrange(OCTETS)) for length in lengths))
        await bench.testbench.until(lambda: len(queue.fitted) == 40, "the ends of the frames", 60_000)
        assert all(queue.fitted[:-1]), "a frame was refused with room to spare"
        assert not (beats > depth and queue.fitted[-1]), f"{beats} beats fit into {depth}"
        queue.decide = always
        await bench.drain()


@cocotb.test()
async def overflow(dut: Any) -> None:
    """The reader stops: frames are refused whole; what was accepted comes out, and the space comes back."""
    bench = await start(dut)
    length = 700
    held = []
    for _ in range(3):
        bench.sink.pace = never
        bench.queue.send(*(frame(length) for _ in range(40)))
        await bench.testbench.until(lambda: bench.queue.idle, "decisions", 60_000)
        fitted = list(bench.queue.fitted)
        held.append(len(bench.queue.copies))
        assert sum(fitted) == held[-1] < 40, "the queue never filled"
        assert fitted == sorted(fitted, reverse=True), "a frame fitted behind one of the same size that did not"
        bench.sink.pace = always
        await bench.drain()
    slots = -(-length // OCTETS)
    assert held[0] >= PARAMETERS.queue_depth // OCTETS // slots - 1, f"only {held[0]} frames of {length} bytes fit"
    # A copy that was read ahead may or may not have left its place yet.
    assert max(held) - min(held) <= 1, f"frames held in the same situation: {held}"


@cocotb.test()
async def more_copies_than_descriptors(dut: Any) -> None:
    """Many short frames: descriptors run out before bytes do, frames are refused whole, all comes back."""
    bench = await start(dut)
    many = PARAMETERS.copies + 60
    held = []
    for _ in range(3):
        bench.sink.pace = never
        bench.queue.send(*(frame(14) for _ in range(many)))
        await bench.testbench.until(lambda: bench.queue.idle, "decisions", 60_000)
        held.append(len(bench.queue.copies))
        assert PARAMETERS.copies - 8 <= held[-1] < many
        bench.sink.pace = always
        await bench.drain()
    assert max(held) - min(held) <= 2, f"copies held in the same situation: {held}"


@cocotb.test()
async def chaos(dut: Any) -> None:
    """Everything at once, again and again around the ring: nothing is lost, doubled or mixed up."""
    bench = await start(dut)
    queue = bench.queue
    queue.share, queue.whole = 0.7, False
    for _ in range(4 if WIDTH == 8 else 12):
        queue.pace = random.choice((always, now_and_then(0.8)))
        queue.decide = random.choice((always, bursts(30)))
        bench.sink.pace = random.choice((always, now_and_then(0.4), bursts(200)))
        bench.descriptors.pace = random.choice((always, now_and_then(0.2)))
        queue.outer6 = random.choice((0.0, 0.5, 1.0))
        longest = random.choice((64, 300, 2000))
        queue.send(*(frame(random.randint(1, longest), bad=random.random() < 0.1) for _ in range(60)))
        await bench.drain()
    await bench.check_empty()


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    """Reset with frames half written and copies half read: afterwards the queue is empty and whole."""
    bench = await start(dut)
    for _ in range(8):
        bench.sink.pace = random.choice((always, never))
        bench.queue.send(*(frame(random.randint(14, 600)) for _ in range(30)))
        await bench.testbench.step(random.randrange(20, 1500))
        await bench.testbench.reset()
        for seen in (bench.queue.copies, bench.received, bench.descriptors.taken, bench.queue.fitted):
            seen.clear()
        bench.sink.pace = always
        bench.queue.send(*(frame(random.randint(14, 300)) for _ in range(10)))
        await bench.drain()
