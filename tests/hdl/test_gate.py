# amaranth: UnusedElaboratable=no
"""The gate alone: those frames leave that may, whole and in order, when their verdicts say so and not before."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.gate import Gate

LONGEST = 200
WAIT = 24
STATED = 3
"""Clocks from a verdict to the first beat of its frame, as the documentation says."""


def beats(frames, octets):
    """(number of the frame, payload) of each beat; ``frames`` are bytes and the marks bad and drop."""
    for number, (frame, bad, drop) in enumerate(frames):
        for start in range(0, len(frame), octets):
            piece, last = frame[start : start + octets], start + octets >= len(frame)
            value = {"data": int.from_bytes(piece, "little"), "count": len(piece), "last": last}
            yield number, value | {"bad": last and bad, "drop": last and drop}


class Run:
    """Frames through a Gate, clock by clock, and what was seen.

    ``stops`` says of each frame whether it goes no further, ``late()`` how many clocks after its last beat its verdict
    comes, ``ready()`` whether the receiver takes, ``pause()`` whether the source pauses.
    """

    def __init__(self, width, frames, stops, late, ready=lambda: True, pause=lambda: False):
        self.octets = width // 8
        self.out = []  # frame, marks, clock of its first beat and of its last; None for one that was stopped
        self.ended, self.judged = [], []  # clock of each frame's last beat in, and of its verdict
        self.held = 0  # clocks in which a beat was offered and not taken
        self.frames, self.stops = frames, stops
        self._late, self._ready, self._pause = late, ready, pause
        self._dut = Gate(width, LONGEST, WAIT)
        simulator = Simulator(self._dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._clocks)
        simulator.run()

    async def _clocks(self, ctx):
        dut, queue, offered, clock = self._dut, list(beats(self.frames, self.octets)), None, 0
        begun, held, frame = None, None, bytearray()
        while len(self.out) != len(self.frames):
            assert clock < 50_000, "not everything comes out"
            if offered is None and queue and not self._pause():
                offered = queue.pop(0)
                ctx.set(dut.i.payload, offered[1])
            ready, told = self._ready(), self.judged.count(clock)
            ctx.set(dut.i.valid, offered is not None)
            ctx.set(dut.i_stop.valid, told)
            ctx.set(dut.i_stop.payload, bool(told) and self.stops[self.judged.index(clock)])
            ctx.set(dut.o.ready, ready)
            await ctx.delay(0)

            valid, beat = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            seen = (beat.data, beat.count, beat.last, beat.bad, beat.drop) if valid else None
            assert held in (None, seen), "what was offered has changed"
            held = None if ready else seen
            if ctx.get(dut.o_stopped):
                assert begun is None, "a frame is stopped in the middle of another"
                self.out.append(None)
            if valid:
                begun = clock if begun is None else begun
                frame += beat.data.to_bytes(self.octets, "little")[: beat.count] if ready else b""
                if ready and beat.last:
                    self.out.append((bytes(frame), beat.bad, beat.drop, begun, clock))
                    begun, frame = None, bytearray()

            if offered is not None:
                self.held += not ctx.get(dut.i.ready)
                if ctx.get(dut.i.ready):
                    if offered[1]["last"]:
                        self.ended.append(clock)
                        self.judged.append(max([clock + self._late(), *(each + 1 for each in self.judged[-1:])]))
                    offered = None
            await ctx.tick()
            clock += 1

    def check(self):
        """Those that may, as they came, in their places; none before its verdict, unless it is too long to be kept."""
        free = -1
        for frame, stop, told, out in zip(self.frames, self.stops, self.judged, self.out, strict=True):
            assert (out is None) == stop
            if out is None:
                continue
            begun, ended = out[3:]
            assert out[:3] == frame
            assert begun > free and (ended if len(frame[0]) > LONGEST else begun) >= told + STATED
            free = ended


def some_frames(source, count, lengths):
    """Frames with marks, and which of them are stopped; none is that is too long."""
    frames = [
        (source.randbytes(source.choice(lengths)), source.random() < 0.2, source.random() < 0.2) for _ in range(count)
    ]
    return frames, [len(frame) <= LONGEST and source.random() < 0.5 for frame, *_ in frames]


@pytest.mark.parametrize("width", [8, 32, 64, 512])
def test_frames_are_whole_and_in_order_whatever_waits(width):
    """Also frames of one beat, of the longest length, one byte more, and of several times what the gate holds."""
    source = random.Random(width)
    octets = width // 8
    lengths = [
        1,
        2,
        octets,
        octets + 1,
        60,
        60,
        61,
        LONGEST,
        LONGEST + 1,
        LONGEST + octets,
        3 * LONGEST + WAIT * octets,
    ]
    frames, stops = some_frames(source, 25 if width == 8 else 60, lengths)
    for ready in (1.0, 0.6, 0.1):
        run = Run(
            width,
            frames,
            stops,
            late=lambda: source.choice((1, 5, 20, 60)),
            ready=lambda ready=ready: source.random() < ready,
            pause=lambda: source.random() < 0.1,
        )
        run.check()


@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_line_rate_and_latency(width, share):
    """Back to back, verdicts up to WAIT clocks late: nothing is held, and what passes passes in STATED clocks."""
    source = random.Random(width)
    frames = [(source.randbytes(length), False, False) for length in [60] * 20 + [LONGEST, 60, 61, LONGEST] * 5]
    run = Run(width, frames, [source.random() < share for _ in frames], late=lambda: source.randint(WAIT // 2, WAIT))
    run.check()
    assert run.held == 0
    free = 0
    for told, out in zip(run.judged, run.out, strict=True):
        if out is not None:
            assert out[3] <= max(told + STATED, free + 1)
            free = out[4]
        else:
            # Beats that are let go take their clocks, too; no frame is longer.
            free = max(free, told + STATED) + LONGEST * 8 // width


def test_a_receiver_that_takes_nothing_holds_the_input_and_loses_nothing():
    source = random.Random(1)
    frames, stops = some_frames(source, 200, [1, 8, 9, 60])
    clock = iter(range(100_000))
    run = Run(64, frames, stops, late=lambda: 1, ready=lambda: next(clock) > 2000)
    run.check()
    assert run.held > 1000 and run.out[stops.index(False)][4] > 2000


def test_room_for_late_verdicts_is_needed():
    """Verdicts later than there is room for: frames are held, and are whole nevertheless."""
    frames = [(bytes([number]) * LONGEST, False, False) for number in range(20)]
    enough, less = (Run(64, frames, [False] * 20, late=lambda late=late: late) for late in (WAIT, 2 * WAIT + 10))
    for run in (enough, less):
        run.check()
    assert enough.held == 0 and less.held > 0


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="longest must be at least 1 byte"):
        Gate(64, 0, 10)
    with pytest.raises(ValueError, match="wait_clocks must be at least 1"):
        Gate(64, 100, 0)
    with pytest.raises(ValueError, match="data width"):
        Gate(12, 100, 10)
