"""cocotb bench: the whole card on bad days, with production both ways and a copy due for each from the network.

Whatever happens, what comes out at the PHYs is explained frame by frame: production as it came, in order, each copy the
golden model's, nothing twice. Then the driver asks the card over its serial line: frames offered are the sum of its
verdicts, the copies it counted are those that came out, and the ports have counted what was wrong on the wire.
"""

import os
import random
import zlib
from collections import Counter

import cocotb
from cocotb.triggers import ClockCycles, Timer
from cocotbext.eth import GmiiFrame

from halfsilver.harness.golden.model import Model
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.image import policy_image, table_writes
from halfsilver.harness.records import DEFAULT_FLAGS, Frame, Port
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table
from tests.harness.golden.golden_kit import ENI_0, PEER, TARGET, interface, mac, policy, rule, session
from tests.hdl.card.rig import DOWN, UP, Rig
from tests.hdl.card.small_card import LONGEST, SMALL

RESETS = int(os.environ["BAD_DAY_RESETS"])
POLICY = policy(interface(session([rule("10.0.0.1/32", "10.0.0.2/32", protocol=253)], [])))
NOBODYS = policy()
COMMIT = REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)
PREAMBLE = bytes([0x55] * 7 + [0xD5])
LIMIT_US = 1000
STALL_US = 270
"""After 2**14 clocks of the core a receive clock that does not come is given up."""

SILENCE_US = 30
"""More than the 20 bytes of silence after which the line is listened to again."""

FAR_END = {Direction.INGRESS: "host", Direction.EGRESS: "net"}
NEAR_END = {Direction.INGRESS: "net", Direction.EGRESS: "host"}

_loaded = False


def packet(rng, number, direction, length):
    """A frame of the interface that is like no other: its number is where IPv4 has identification and fragment."""
    peers = mac(ENI_0), mac(PEER)
    ends = peers if direction is Direction.INGRESS else peers[::-1]
    head = b"".join(ends) + bytes.fromhex("0800 4500") + (length - 14).to_bytes(2, "big") + number.to_bytes(4, "big")
    head += bytes.fromhex("40fd 0000") + bytes([10, 0, 0, 1, 10, 0, 0, 2])
    return (head + rng.randbytes(max(0, length - len(head))))[:length]


def on_the_wire(octets, fcs=0, preamble=PREAMBLE):
    """With zlib's FCS, spoilt by ``fcs``."""
    return GmiiFrame(preamble + octets + (zlib.crc32(octets) ^ fcs).to_bytes(4, "little"))


def damaged(rng, kind, octets):
    """(frame on the wire, what of it reaches the NIC, or None); ``kind`` is the name of its counter."""
    if kind == "fcs":
        return on_the_wire(octets, fcs=1 << rng.randrange(32)), octets
    if kind == "runt":
        short = octets[: rng.randrange(1, 60)]
        return on_the_wire(short), short
    if kind == "giant":
        long = octets + rng.randbytes(LONGEST + rng.randint(1, 40) - len(octets))
        return on_the_wire(long), long[:LONGEST]
    if kind == "symbol":
        frame = on_the_wire(octets)
        frame.error = [0] * len(frame.data)
        frame.error[rng.randrange(8, len(frame.data))] = 1
        return frame, octets
    assert kind == "preamble"
    if rng.random() < 0.5:
        return on_the_wire(octets, preamble=bytes([0x55] * 7 + [0xD4])), None
    return on_the_wire(octets, preamble=bytes([0x55] * 3 + [0x57] + [0x55] * 3 + [0xD5])), octets


class Day(Rig):
    """A card under traffic since its last reset.

    sent     frames that the NIC is offered, by direction, in order
    wire     what the ports must count as received, by port and name
    copies, production   what came out, of production by direction, as (octets, good)
    """

    def __init__(self, dut):
        super().__init__(dut)
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self._number = 0

    async def start(self):
        """Reset, and a rule set."""
        await self.wires(True)
        await self.reset()
        await self.begin()

    async def begin(self):
        """After a reset: the rule set, of which the first load in a simulation writes all, the later ones what a reset
        clears (docs/tables.md): the general table. Nothing is expected yet."""
        global _loaded  # noqa: PLW0603 (the block RAM outlives a reset, and so a test)
        self.sent = {direction: [] for direction in Direction}
        self.wire = {port: Counter() for port in self.phys}
        self.models = [Model((), DEFAULT_FLAGS, 0)]
        await self.wires(False)
        for phy in self.phys.values():
            phy.sink.clear()
        self.copies, self.production = [], {direction: [] for direction in Direction}
        await self.load(POLICY, everything=not _loaded)
        _loaded = True
        await self.wires(True)

    async def load(self, rule_set, *, everything):
        """Words that are not zero, or the general table, and the commit."""
        image = policy_image(rule_set, DEFAULT_FLAGS, SMALL)
        words = {place: word for place, word in image.items() if (word if everything else place[0] is Table.GENERAL)}
        await self.call(self.transport.write, [*table_writes(words, {}), COMMIT])
        self.models.append(Model(rule_set.interfaces, DEFAULT_FLAGS, len(self.models)))

    def send(self, direction, count, kinds=()):
        """So many frames, and one of each damaged kind somewhere among them."""
        port, faults = NEAR_END[direction], list(kinds)
        places = self.rng.sample(range(count), len(faults))
        for place in range(count):
            self._number += 1
            octets = packet(self.rng, self._number, direction, self.rng.choice((60, 61, 64, self.rng.randint(62, 400))))
            if place not in places:
                self.phys[port].send(on_the_wire(octets))
                self.sent[direction].append(Frame(octets, direction))
                self.wire[port]["good"] += 1
                continue
            kind = faults.pop()
            frame, passed = damaged(self.rng, kind, octets)
            self.phys[port].send(frame)
            self.wire[port][kind] += 1
            if passed is not None:
                self.sent[direction].append(Frame(passed, direction, bad=True))

    async def drain(self):
        """Until everything sent is through."""
        for _ in range(LIMIT_US):
            if all(phy.idle for phy in self.phys.values()):
                break
            await Timer(1, "us")
        assert all(phy.idle for phy in self.phys.values()), "frames that are never sent"
        quiet = 0
        while quiet < 3:
            before = [phy.sink.count() for phy in self.phys.values()]
            await Timer(4, "us")
            quiet = quiet + 1 if before == [phy.sink.count() for phy in self.phys.values()] else 0

    def collect(self, cut=0):
        """What came out, from the sinks; so many copies at most may have been cut off, and then are none."""
        broken = 0
        for direction, port in FAR_END.items():
            sink = self.phys[port].sink
            while not sink.empty():
                frame = sink.recv_nowait()
                whole = len(frame.data) > 12 and frame.error is None and frame.check_fcs()
                octets = bytes(frame.get_payload(strip_fcs=True)) if len(frame.data) > 12 else b""
                if octets[:6] == mac(TARGET):
                    assert port == "net", "a copy to the host"
                    broken += not whole
                    self.copies += [octets] * whole
                else:
                    self.production[direction].append((octets, whole))
        assert broken <= cut, f"{broken} copies that are not whole"

    def due(self, direction):
        """Production as it must come out: padded, and what came marked bad with a bad FCS."""
        return [(frame.data.ljust(60, b"\0"), not frame.bad) for frame in self.sent[direction]]

    def forget_dropped(self, lost):
        """Frames that did not come out were dropped before the NIC, and as many as is said."""
        for direction, count in lost.items():
            came = [octets for octets, _ in self.production[direction]]
            kept = [frame for frame in self.sent[direction] if frame.data.ljust(60, b"\0") in came]
            assert len(self.sent[direction]) - len(kept) == count
            self.sent[direction] = kept
            self.wire[NEAR_END[direction]] += Counter(good=-count, overflow=count)

    def wanted(self, direction, generation=-1):
        """The golden model's traces of what was sent."""
        model = self.models[generation]
        return [model.judge(frame, number) for number, frame in enumerate(self.sent[direction])]

    def check_copies(self, traces):
        """Each is one of those wanted, in the order of its direction, none twice; returns how many of each."""
        places = {
            trace.copy.ljust(60, b"\0"): (direction, number)
            for direction in Direction
            for number, trace in enumerate(traces[direction])
            if trace.copy is not None
        }
        seen = {direction: [] for direction in Direction}
        for copy in self.copies:
            assert copy in places, f"a copy that is not due: {copy.hex()}"
            direction, number = places[copy]
            seen[direction].append(number)
        assert all(numbers == sorted(set(numbers)) for numbers in seen.values()), seen
        return {direction: len(numbers) for direction, numbers in seen.items()}

    async def register(self, name):
        """One of the card's, while everything runs."""
        (word,) = await self.call(self.transport.read, [CARD_REGISTERS.address(name)])
        return CARD_REGISTERS.unpack(name, word)

    async def ask(self):
        """The driver's counters and what it knows of the board, while no clock runs but the core's."""
        await self.wires(False)

        def ask():
            driver = Driver(self.transport)
            return driver.counters(), driver.board()

        return await self.call(ask)

    async def check(self, lost=None):
        """Everything that came out, and what the card says of it; ``lost``: production that is not due, by direction,
        a function of what came and what was due."""
        self.collect()
        for direction in Direction:
            if lost is None or direction not in lost:
                assert self.production[direction] == self.due(direction), direction
            else:
                lost[direction](self.production[direction], self.due(direction))
        traces = {direction: self.wanted(direction) for direction in Direction}
        copied = self.check_copies(traces)
        counters, board = await self.ask()
        for direction, entrance in ((Direction.INGRESS, Port.NETWORK_IN), (Direction.EGRESS, Port.HOST_IN)):
            told = Counter(
                {verdict: tally.frames for (of, verdict), tally in counters.verdicts.items() if of is direction}
            )
            want = Counter(trace.record.verdict for trace in traces[direction])
            assert told[Verdict.MIRRORED] == copied[direction], "copies counted and seen"
            told[Verdict.MIRRORED] += told.pop(Verdict.CONGESTED, 0)
            assert +told == want, f"{direction}: {told}, not {want}"
            assert counters.passed(entrance) == len(traces[direction]) == told.total(), "a frame without a verdict"
        for port, counts in self.wire.items():
            found = {name: count for name, count in board.ports[port].received.items() if count}
            assert found == +counts, f"{port} received {found}, not {+counts}"
        return counters, board


@cocotb.test()
async def everything_that_can_be_wrong_with_a_frame(dut):
    """Runts, giants, wrong FCS, symbol errors and damaged preambles between good frames, both ways at once."""
    day = Day(dut)
    await day.start()
    day.phys["host"].gap = 40  # copies need room
    kinds = ["fcs", "runt", "giant", "symbol", "preamble", "fcs", "runt", "preamble"]
    for direction in Direction:
        day.send(direction, 50, kinds)
    await day.drain()
    assert await day.register("NET_LINK") == {"up": 1, "speed": 2, "duplex": 1, "clock": 1}
    counters, board = await day.check()
    assert board.ports["host"].sent["marked"] == sum(frame.bad for frame in day.sent[Direction.INGRESS]) > 4
    assert board.ports["net"].sent["good"] == len(day.copies) + sum(
        not frame.bad for frame in day.sent[Direction.EGRESS]
    )
    assert board.line == {"framing": 0, "refused": 0, "abandoned": 0}
    assert counters.passed(Port.COPIES_OUT) == len(day.copies) > 0


def cut_off(day):
    """Nothing more comes from the PHYs; (octets of each frame they began, traces wanted of them), by direction."""
    sent = {direction: {octets for octets, _ in day.due(direction)} for direction in Direction}
    traces = {direction: day.wanted(direction) for direction in Direction}
    for phy in day.phys.values():
        phy.queue.clear()
    return sent, traces


async def whole_again(day, sent, traces):
    """Behind a reset: what left marked good was sent, copies were due, and what comes now is all that is counted."""
    await day.drain()
    day.collect(cut=1)
    for direction in Direction:
        assert all(octets in sent[direction] for octets, good in day.production[direction] if good), direction
    day.check_copies(traces)
    await day.begin()
    for direction in Direction:
        day.send(direction, 12)
    await day.drain()
    _, board = await day.check()
    assert board.ports["net"].sent["good"] == 12 + len(day.copies)
    assert sum(board.ports["net"].received.values()) == sum(board.ports["host"].received.values()) == 12
    await day.wires(True)


@cocotb.test()
async def a_reset_in_any_clock(dut):
    """Under full load: nothing of a frame leaves marked good but whole ones; behind it nothing of before appears, and
    counters begin at zero."""
    day = Day(dut)
    await day.start()
    for _ in range(RESETS):
        day.phys["host"].gap = day.rng.choice((12, 60))
        for direction in Direction:
            day.send(direction, 60)
        await Timer(day.rng.randrange(1000, 12_000), "ns")
        await ClockCycles(dut.clk, day.rng.randint(1, 20))
        before = cut_off(day)
        await day.reset(day.rng.randint(1, 3))
        await whole_again(day, *before)


@cocotb.test()
async def a_reset_while_clocks_stand(dut):
    """Of the ports' clocks some stand, each in its turn, and are back when the reset is long over: a port without a
    receive clock has no link, and what is left of a frame then is not one."""
    day = Day(dut)
    await day.start()
    standing = [{"net"}, {"host"}, {"transmit"}, {"net", "host", "transmit"}]
    for which in day.rng.sample(standing, min(RESETS, len(standing))):
        for direction in Direction:
            day.send(direction, 40)
        await Timer(day.rng.randrange(2000, 12_000), "ns")
        before = cut_off(day)
        await day.stand(which)
        await Timer(day.rng.randrange(0, 3000), "ns")
        await day.reset(day.rng.randint(1, 3))
        for port in day.phys:
            link = await day.register(f"{port.upper()}_LINK")
            assert (link["up"], link["clock"]) == ((0, 0) if port in which else (1, 1)), f"{port} without {which}"
        assert int(dut.lights.value) & 1 == (which == {"transmit"})
        await day.wires(True)
        await whole_again(day, *before)


@cocotb.test()
async def frames_to_send_before_the_transmit_clock_is_back(dut):
    """A reset came while it stood: what the card takes from then on leaves, each frame whole, and nothing else."""
    day = Day(dut)
    await day.start()
    for _ in range(RESETS):
        for direction in Direction:
            day.send(direction, 30)
        await Timer(day.rng.randrange(2000, 8000), "ns")
        for phy in day.phys.values():
            phy.queue.clear()
        await day.stand({"transmit"})
        await Timer(6, "us")  # what is on its way to the card is there
        await day.reset(day.rng.randint(1, 3))
        old = {direction: [octets for octets, _ in day.due(direction)] for direction in Direction}
        day.sent = {direction: [] for direction in Direction}
        for direction in Direction:
            day.send(direction, 12)
        await Timer(day.rng.randrange(0, 30_000), "ns")
        await day.transmit(True)
        await day.drain()
        day.collect(cut=1)
        for direction in Direction:
            came = [octets for octets, good in day.production[direction] if good]
            assert came[-12:] == [octets for octets, _ in day.due(direction)], direction
            assert all(octets in old[direction] for octets in came[:-12]), direction
            assert await day.register(f"{FAR_END[direction].upper()}_SENT_GOOD") == {"count": 12}
        await day.begin()


def whole_and_in_order(count):
    """A check for `Day.check`: ``count`` of the frames that were due are missing, and no other is changed."""

    def check(came, due):
        rest = iter(due)
        assert all(frame in rest for frame in came), "a frame that is changed, or out of order"
        assert len(due) - len(came) == count(), f"{len(due) - len(came)} of {len(due)} missing, not {count()}"

    return check


@cocotb.test()
async def a_link_that_flaps(dut):
    """The host's: what is for it meanwhile is dropped whole and counted, copied all the same; nobody waits."""
    day = Day(dut)
    await day.start()
    discarded = []
    for flaps in range(3):
        day.send(Direction.INGRESS, 40)
        day.send(Direction.EGRESS, 6)
        await Timer(day.rng.randrange(500, 4000), "ns")
        day.phys["host"].show(DOWN)
        await Timer(day.rng.randrange(2000, 4000), "ns")
        assert not (await day.register("HOST_LINK"))["up"] and (await day.register("NET_LINK"))["up"]
        day.phys["host"].show(UP)
        await Timer(2, "us")
        day.send(Direction.EGRESS, 6)
        day.send(Direction.INGRESS, 6)
        await day.drain()
        discarded.append((await day.register("HOST_SENT_DISCARDED"))["count"])
        assert len(set(discarded)) == flaps + 1, "a flap that nothing notices"
    await day.check({Direction.INGRESS: whole_and_in_order(lambda: discarded[-1])})


@cocotb.test()
async def a_clock_that_stops(dut):
    """The host's receive clock, within a frame: that one ends marked bad; frames from the network are judged and copied
    meanwhile, and those behind it pass when it is back."""
    day = Day(dut)
    await day.start()
    day.send(Direction.EGRESS, 3)
    await day.drain()
    day.send(Direction.EGRESS, 1)
    day.phys["host"].queue[0] = on_the_wire(cut := day.rng.randbytes(300))
    day.sent[Direction.EGRESS].pop()
    day.wire["host"] += Counter(good=-1, stall=1)
    await Timer(day.rng.randrange(900, 2000), "ns")
    day.phys["host"].run(False)
    day.send(Direction.INGRESS, 20)
    await Timer(STALL_US, "us")
    await Timer(STALL_US, "us")
    day.send(Direction.INGRESS, 20)
    await Timer(30, "us")
    link = await day.register("HOST_LINK")
    assert not link["up"] and not link["clock"]
    assert await day.register("HOST_SENT_DISCARDED") == {"count": 20}, "frames to a port without a clock"
    day.phys["host"].run(True)
    await day.drain()
    day.send(Direction.EGRESS, 10)
    day.send(Direction.INGRESS, 10)
    await day.drain()

    def one_cut_short(came, due):
        """Where it was: its beginning, with a bad FCS."""
        (octets, good), *_ = [frame for frame in came if frame not in due]
        assert not good and 40 < len(octets) < 300 and cut.startswith(octets[:-4])
        assert came == [*due[:3], (octets, good), *due[3:]]
        day.sent[Direction.EGRESS].insert(3, Frame(octets, Direction.EGRESS, bad=True))

    await day.check({Direction.INGRESS: whole_and_in_order(lambda: 20), Direction.EGRESS: one_cut_short})


@cocotb.test()
async def a_transmit_clock_that_stops(dut):
    """Nothing leaves; what finds no room in a port's store is dropped there whole, and counted; then all goes on."""
    day = Day(dut)
    await day.start()
    counts = {Direction.INGRESS: 40, Direction.EGRESS: 200}  # the NIC's own buffer is before the network's port
    for direction, count in counts.items():
        day.send(direction, count)
    await Timer(day.rng.randrange(1000, 3000), "ns")
    await day.transmit(False)
    await Timer(240, "us")  # longer than the frames take
    await day.transmit(True)
    for direction in Direction:
        day.send(direction, 10)
    await day.drain()
    lost = {
        direction: (await day.register(f"{port.upper()}_RECEIVED_OVERFLOW"))["count"]
        for direction, port in NEAR_END.items()
    }
    assert all(0 < lost[direction] < count for direction, count in counts.items())
    day.collect()
    day.forget_dropped(lost)
    await day.check()


@cocotb.test()
async def noise_on_the_line_and_half_a_rule_set(dut):
    """Commands that are hit, and one that ends in the middle, while frames run: all are judged by the rule set that
    there was; what comes then is a rule set of its own."""
    day = Day(dut)
    await day.start()
    day.phys["host"].gap = 60
    image = list(policy_image(POLICY, DEFAULT_FLAGS, SMALL))
    for _ in range(3):
        for direction in Direction:
            day.send(direction, 20)
        await day.line.send(day.rng.randbytes(3))
        await Timer(SILENCE_US, "us")
        half = {place: day.rng.getrandbits(32) for place in day.rng.sample(image, 4)}
        await day.call(day.transport.write, table_writes(half, {}))
    day.line.rx.value = 0  # a break
    await Timer(SILENCE_US, "us")
    day.line.rx.value = 1
    await Timer(SILENCE_US, "us")
    await day.line.send(b"\x01\x20\0\0\0\x08\x12\x34")  # a write of 32 words ends in the middle of the first
    await Timer(SILENCE_US, "us")
    await day.drain()
    counters, board = await day.check()
    assert board.line["framing"] >= 1 and sum(board.line.values()) > 2, board.line
    assert day.copies
    await day.start()
    await day.wires(False)
    await day.load(NOBODYS, everything=False)
    await day.wires(True)
    for direction in Direction:
        day.send(direction, 10)
    await day.drain()
    counters, _ = await day.check()
    assert not day.copies and counters.verdicts.keys() == {(direction, Verdict.NO_ENI) for direction in Direction}
