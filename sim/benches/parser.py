"""Parser bank: Headers of every frame against the golden model's parser."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb

from halfsilver.harness.golden import parse as golden
from halfsilver.harness.law import SHORTEST_FRAME
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.parser.headers import Headers
from halfsilver.sim.benches import parameters_of_build
from halfsilver.sim.benches.drivers.pace import Pace, always, bursts, now_and_then
from halfsilver.sim.benches.drivers.packet import PacketSource
from halfsilver.sim.benches.drivers.testbench import Signals, Testbench
from halfsilver.sim.benches.frames import LENGTHS, any_frame, chained_headers, frame_of_length, tcp6_frame

WIDTH = parameters_of_build().width
EXTENSION_HEADERS = parameters_of_build().extension_headers
EGRESS = WIDTH in (64, 128)
"""These builds take the owner's MAC from the source address, the others from the destination."""

_KINDS = {golden.Kind.ARP: 1, golden.Kind.IPV4: 2, golden.Kind.IPV6: 3}


@dataclass
class HeadersSink:
    """Takes Headers from ``o`` and compares them with what the golden parser says of the next frame."""

    signals: Signals
    pace: Pace = always

    def __post_init__(self) -> None:
        self.expected: deque[Frame] = deque()
        self.seen = 0
        self._ready = False
        self._layout = Headers.as_shape()

    def drive(self) -> None:
        self._ready = self.pace()
        self.signals.put("ready", self._ready)

    def sample(self) -> None:
        if self._ready and self.signals.get("valid"):
            assert self.expected, "headers without a frame"
            self._compare(self.expected.popleft(), self.signals.get("payload"))
            self.seen += 1

    def reset(self) -> None:
        self.expected.clear()
        self.signals.put("ready", 0)

    def _compare(self, frame: Frame, bits: int) -> None:
        got = {name: bits >> place.offset & (1 << place.width) - 1 for name, place in self._layout}
        expected = expected_headers(frame.data)
        wrong = {name: f"{got[name]:#x}, not {value:#x}" for name, value in expected.items() if got[name] != value}
        assert not wrong, f"headers of {frame.data.hex()}: {wrong}"


def expected_headers(data: bytes) -> dict[str, int]:
    """The fields that mean something for this frame, from the golden model.

    Shorter than an Ethernet header: only that nothing of another frame shows through; that it is malformed is
    seen by its length, elsewhere. Longer than a frame may be: nothing, for the same reason. Malformed, or not IP: no
    field of IP means anything.
    """
    if len(data) < SHORTEST_FRAME:
        return {"kind": 0, "malformed": 0, "has_protocol": 0, "has_ports": 0, "fragment": 0, "echo": 0}
    if len(data) > MAX_FRAME:
        return {}
    headers = golden.parse(data, extension_headers=EXTENSION_HEADERS)
    fields = {"mac": int.from_bytes(data[6:12] if EGRESS else data[0:6], "little")}
    if not EGRESS:
        fields["group"] = data[0] & 1
    malformed = headers.kind is golden.Kind.MALFORMED
    fields["malformed"] = int(malformed)
    if malformed:
        return fields
    fields["kind"] = _KINDS.get(headers.kind, 0)
    if headers.kind not in (golden.Kind.IPV4, golden.Kind.IPV6):
        return fields | {"has_ports": 0}
    octets = 4 if headers.kind is golden.Kind.IPV4 else 16

    def wire_order(address: int) -> int:
        return int.from_bytes(address.to_bytes(octets, "big"), "little")

    fields |= {
        "source": wire_order(headers.source),
        "destination": wire_order(headers.destination),
        "has_protocol": int(headers.protocol is not None),
        "has_ports": int(headers.ports is not None),
        "fragment": int(headers.fragment),
        "echo": headers.echo or 0,
    }
    if headers.protocol is not None:
        fields["protocol"] = headers.protocol
    if headers.ports is not None:
        fields["source_port"], fields["destination_port"] = headers.ports
    return fields


class Bench:
    """The parser bank with its source and sink, after reset."""

    def __init__(self, dut: Any) -> None:
        self.source = PacketSource(dut, "i", WIDTH)
        self.sink = HeadersSink(Signals(dut, payload="o__payload", valid="o__valid", ready="o__ready"))
        self.testbench = Testbench(dut, self.source, self.sink)

    async def run(self, frames: list[Frame]) -> None:
        """Send frames and wait for the headers of all of them."""
        self.sink.expected.extend(frames)
        self.source.send(*frames)
        octets = sum(len(frame.data) for frame in frames)
        await self.testbench.until(lambda: not self.sink.expected, "headers", 2000 + 40 * octets)


async def start(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.testbench.reset()
    return bench


PACES = (
    ("no pauses", always, always),
    ("idle", now_and_then(0.5), always),
    ("slow reader", always, now_and_then(0.1)),
    ("bursts", bursts(12), bursts(40)),
)


@cocotb.test()
async def sizes_and_pauses(dut: Any) -> None:
    """Every length from 1 byte, under each pattern of pauses."""
    bench = await start(dut)
    for _, bench.source.pace, bench.sink.pace in PACES:
        lengths = [*range(1, 14), *LENGTHS]
        random.shuffle(lengths)
        await bench.run([frame_of_length(length, Direction.INGRESS) for length in lengths])


@cocotb.test()
async def hostile_headers(dut: Any) -> None:
    """Random headers, valid and broken, cut anywhere."""
    bench = await start(dut)
    for _, bench.source.pace, bench.sink.pace in PACES:
        await bench.run([any_frame(Direction.INGRESS) for _ in range(120 if WIDTH == 8 else 500)])


@cocotb.test()
async def every_cut(dut: Any) -> None:
    """A long frame of each family cut at every byte, so that each header ends at each place in a beat."""
    bench = await start(dut)
    frames: list[Frame] = []
    while len(frames) < (400 if WIDTH == 8 else 1500):
        whole = any_frame(Direction.INGRESS, longest=300)
        frames += [Frame(whole.data[:length], Direction.INGRESS) for length in range(12, len(whole.data) + 1)]
    await bench.run(frames)


@cocotb.test()
async def line_rate(dut: Any) -> None:
    """Short frames back to back: the input is ready in every clock."""
    bench = await start(dut)
    frames = [frame_of_length(60, Direction.INGRESS) for _ in range(100)]
    frames += [tcp6_frame(Direction.INGRESS) for _ in range(100)]
    await bench.run(frames)
    assert bench.source.offered == sum(-(-len(frame.data) * 8 // WIDTH) for frame in frames)
    assert bench.source.stalled == 0, f"{bench.source.stalled} clocks without ready"


def chain(lengths: list[int], most: int = 15) -> bytes:
    """A frame with tags and extension headers, and 60 bytes behind them."""
    extensions = [random.choice(lengths) for _ in range(random.choice((1, 7, 8, 9, most)))]
    return chained_headers(Direction.INGRESS, tags=random.randrange(3), extensions=extensions) + bytes(60)


@cocotb.test()
async def chains(dut: Any) -> None:
    """Extension headers of any number and length, with and without what they promise behind them, back to back: they
    hold nothing.
    """
    bench = await start(dut)
    frames: list[Frame] = []
    for _ in range(40 if WIDTH == 8 else 300):
        data = chain(random.choice(([0], [0, 1, 4], [0, 40, 255])))
        length = min(MAX_FRAME, random.choice((60, len(data) // 2, len(data))))
        frames.append(Frame(data[:length], Direction.INGRESS))
    await bench.run(frames)
    assert bench.source.stalled == 0, f"{bench.source.stalled} clocks held"


@cocotb.test()
async def chains_before_short_frames(dut: Any) -> None:
    """Frames whose headers take longest, so many together that all parsers of a wide build have one, and then nothing
    but the shortest frames, for as long as they may have to wait.
    """
    bench = await start(dut)
    frames: list[Frame] = []
    for _ in range(2 if WIDTH == 8 else 8):
        for length in random.choice(([4], [6, 7], [3, 12, 20], [4, 8, 40])), [5]:
            frames += [Frame(chain(length, 8)[:MAX_FRAME], Direction.INGRESS) for _ in range(random.randrange(1, 30))]
            short = random.choice((1, 14, 60))
            frames += [frame_of_length(short, Direction.INGRESS)] * random.choice((10, 100, 800 if WIDTH > 64 else 100))
    await bench.run(frames)
    assert bench.source.stalled == 0, f"{bench.source.stalled} clocks held"


@cocotb.test()
async def longer_than_a_frame_may_be(dut: Any) -> None:
    """Nobody wants to know the headers of these, but those of the frames behind them, and nothing is held."""
    bench = await start(dut)
    frames: list[Frame] = []
    for length in (MAX_FRAME, MAX_FRAME + 1, MAX_FRAME + WIDTH // 8, 20_000):
        data = chain([40, 255], 15)
        frames.append(Frame((data + bytes(length))[:length], Direction.INGRESS))
        frames += [any_frame(Direction.INGRESS) for _ in range(5)]
    await bench.run(frames)
    assert bench.source.stalled == 0, f"{bench.source.stalled} clocks held"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    """Reset at a random place; the next frames are parsed as if nothing had been before."""
    bench = await start(dut)
    for _ in range(10):
        bench.sink.pace = random.choice((always, now_and_then(0.3)))
        frames = [any_frame(Direction.INGRESS) for _ in range(20)]
        bench.sink.expected.extend(frames)
        bench.source.send(*frames)
        await bench.testbench.step(random.randrange(5, 60))
        await bench.testbench.reset()
        await bench.run([any_frame(Direction.INGRESS) for _ in range(5)])
