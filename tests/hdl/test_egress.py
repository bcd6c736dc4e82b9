# amaranth: UnusedElaboratable=no
"""Production and copies on one wire: every frame whole and in order, production never held, copies in its gaps."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.egress import Egress

PRODUCTION, COPY = 0, 1


def some_frames(source, kind, count, lengths):
    """Frames whose first byte says which stream they are of."""
    return [bytes([kind, *source.randbytes(source.choice(lengths) - 1)]) for _ in range(count)]


def beats(frame, octets, mark):
    """(data, count, last, bad) of a frame."""
    for start in range(0, len(frame), octets):
        piece, last = frame[start : start + octets], start + octets >= len(frame)
        yield int.from_bytes(piece, "little"), len(piece), int(last), int(last and mark)


class Run:
    """Streams of frames through an Egress, clock by clock, and what was seen.

    ``gap(clock)`` says for how many clocks production pauses behind a frame; ``ready(clock)`` is the receiver's.
    """

    def __init__(self, dut, width, production, copies, gap=lambda: 0, ready=lambda: True, pause=lambda: False):
        self.octets = width // 8
        self.sent = {PRODUCTION: [], COPY: []}  # (frame, bad, clock of the first beat, clock of the last)
        self.taken = []  # clock in which each production beat was taken
        self.held = 0  # clocks in which a production beat was offered and not taken
        self.idle = 0  # clocks without a beat while a copy was waiting and the receiver was ready
        self.pauses_in_copies = 0
        self.early = []  # production beats that were at the output when a copy's first beat was offered
        self._dut, self._gap, self._ready, self._pause = dut, gap, ready, pause
        marks = random.Random(3)
        self.marks = [marks.random() < 0.2 for _ in production]
        self._queues = {
            PRODUCTION: [
                (*beat, number)
                for number, frame in enumerate(production)
                for beat in beats(frame, self.octets, self.marks[number])
            ],
            COPY: [(*beat, 0) for frame in copies for beat in beats(frame, self.octets, False)],
        }
        self._all = (len(production), len(copies))
        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._clocks)
        simulator.run()

    def _offer(self, ctx, port, beat):
        ctx.set(port.valid, beat is not None)
        if beat is not None:
            names = ("data", "count", "last", "bad")
            ctx.set(port.payload, dict(zip(names, beat, strict=False)) | {"drop": 0})

    async def _clocks(self, ctx):
        dut, queues = self._dut, self._queues
        offered = {PRODUCTION: None, COPY: None}
        ports = {PRODUCTION: dut.i, COPY: dut.i_copy}
        frame, kind, first, held, wait = bytearray(), None, 0, None, 0
        beats_sent = 0
        clock = 0
        while (len(self.sent[PRODUCTION]), len(self.sent[COPY])) != self._all:
            assert clock < 200_000, "not everything comes out"
            for stream, port in ports.items():
                if offered[stream] is None and queues[stream]:
                    if stream == PRODUCTION and wait:
                        wait -= 1
                    elif stream == COPY or not self._pause():
                        offered[stream] = queues[stream].pop(0)
                self._offer(ctx, port, offered[stream])
            ready = self._ready()
            ctx.set(dut.o.ready, ready)
            await ctx.delay(0)
            valid, beat, is_copy = ctx.get(dut.o.valid), ctx.get(dut.o.payload), ctx.get(dut.o_copy)
            seen = (beat.data, beat.count, beat.last, beat.bad, is_copy) if valid else None
            assert held in (None, seen), "what was offered has changed"
            held = None if ready else seen
            if valid and kind is None:
                kind, first = is_copy, clock
                if is_copy:
                    waiting = [when for when in self.taken[beats_sent:] if clock - when >= dut.LATENCY]
                    self.early.append(len(waiting))
            if valid:
                assert is_copy == kind, "a frame has changed sides"
            elif ready:
                self.pauses_in_copies += kind == COPY
                self.idle += kind is None and offered[COPY] is not None and clock > 5
            if valid and ready:
                beats_sent += kind == PRODUCTION
                frame += beat.data.to_bytes(self.octets, "little")[: beat.count]
                if beat.last:
                    self.sent[kind].append((bytes(frame), beat.bad, first, clock))
                    frame, kind = bytearray(), None
            for stream, port in ports.items():
                if offered[stream] is None:
                    continue
                if not ctx.get(port.ready):
                    self.held += stream == PRODUCTION
                    continue
                if stream == PRODUCTION:
                    self.taken.append(clock)
                    if offered[stream][2]:
                        wait = self._gap()
                offered[stream] = None
            await ctx.tick()
            clock += 1
        self.clocks = clock


@pytest.mark.parametrize("width", [8, 32, 64, 512])
def test_frames_are_whole_and_in_order_whatever_waits(width):
    source = random.Random(width)
    octets = width // 8
    lengths = sorted({1, 2, octets, octets + 1, 3 * octets, 7 * octets + 1})
    production = some_frames(source, PRODUCTION, 120, lengths)
    copies = some_frames(source, COPY, 60, lengths)
    dut = Egress(width, 8 * octets)
    run = Run(
        dut,
        width,
        production,
        copies,
        gap=lambda: source.choice((0, 0, 0, 1, 5, 30)),
        ready=lambda: source.random() < 0.7,
        pause=lambda: source.random() < 0.1,
    )
    assert [(frame, bad) for frame, bad, *_ in run.sent[PRODUCTION]] == list(zip(production, run.marks, strict=True))
    assert [frame for frame, *_ in run.sent[COPY]] == copies
    assert not any(run.early), "a copy has started while production could have been sent"


@pytest.mark.parametrize("width", [8, 64, 512])
def test_production_is_never_held_and_no_clock_is_lost(width):
    """The longest copies and production with few gaps: all of production is taken at once, the wire is never idle."""
    source = random.Random(width)
    octets = width // 8
    longest = 40 * octets
    production = some_frames(source, PRODUCTION, 200, [octets * 5, octets * 9])
    copies = some_frames(source, COPY, 12, [longest])
    run = Run(Egress(width, longest), width, production, copies, gap=lambda: source.choice((0, 0, 1, 12)))
    assert [frame for frame, *_ in run.sent[PRODUCTION]] == production
    assert len(run.sent[COPY]) == 12 and sum(first < run.taken[-1] for *_, first, _ in run.sent[COPY]) > 3
    assert run.held == 0
    assert run.idle == 0
    assert run.pauses_in_copies == 0
    assert not any(run.early)


def test_a_copy_delays_production_by_itself_and_no_more():
    width, longest = 64, 800
    production = some_frames(random.Random(1), PRODUCTION, 40, [64])
    copies = some_frames(random.Random(2), COPY, 1, [longest])
    run = Run(Egress(width, longest), width, production, copies, gap=lambda: 1)
    firsts = [when for number, when in enumerate(run.taken) if number % 8 == 0]
    delays = [first - taken for taken, (_, _, first, _) in zip(firsts, run.sent[PRODUCTION], strict=True)]
    assert max(delays) <= Egress.LATENCY + longest // 8
    assert delays[-1] < max(delays), "what a copy has held up drains in the gaps"


def test_without_copies_the_latency_is_constant():
    source = random.Random(7)
    production = some_frames(source, PRODUCTION, 50, [9, 64, 100])
    run = Run(Egress(64, 200), 64, production, [], gap=lambda: source.choice((0, 1, 2, 7)))
    ends = [last for *_, last in run.sent[PRODUCTION]]
    taken = iter(run.taken)
    last_taken = [[next(taken) for _ in beats(frame, 8, False)][-1] for frame in production]
    assert {end - last for end, last in zip(ends, last_taken, strict=True)} == {Egress.LATENCY}


def test_room_for_the_longest_copy_is_needed():
    """With room for less, production is held: the check above can fail."""
    width, longest = 64, 800
    production = some_frames(random.Random(1), PRODUCTION, 60, [64])
    copies = some_frames(random.Random(2), COPY, 1, [longest])
    enough, less = (Run(Egress(width, room), width, production, copies) for room in (longest, longest - 128))
    assert enough.held == 0 and less.held > 0


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="longest_copy must be at least 1 byte"):
        Egress(64, 0)
    with pytest.raises(ValueError, match="data width"):
        Egress(12, 100)
