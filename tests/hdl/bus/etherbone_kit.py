"""Etherbone in a simulation: frames in and out at any width, registers in a dictionary, scapy for the wire."""

from collections import deque

from amaranth.sim import Simulator
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from halfsilver.hdl.bus.etherbone.port import EtherboneAddress, EtherbonePort

CARD_MAC, CARD_IP = "02:48:53:4d:00:01", "10.42.0.2"
HOST_MAC, HOST_IP = "02:aa:bb:cc:dd:ee", "10.42.0.1"
PORT = 1234
QUIET = 100
"""Clocks, and one per byte of the longest frame: by then the server has begun to answer, or to do as it was told."""


def stored(address):
    """What registers give that nobody wrote."""
    return address * 0x01010101 & 0xFFFFFFFF ^ 0x5A5A5A5A


def beats_of(frame, width):
    """(data, count, last) as the packet stream has it: the first byte lowest."""
    step = width // 8
    for at in range(0, len(frame), step):
        piece = frame[at : at + step]
        yield int.from_bytes(piece, "little"), len(piece), at + step >= len(frame)


class Collector:
    """Beats back into frames."""

    def __init__(self, width):
        self.step, self.frames, self.begun = width // 8, [], b""

    def take(self, data, count, last):
        assert count == self.step or last
        assert 1 <= count <= self.step
        self.begun += int(data).to_bytes(self.step, "little")[:count]
        if last:
            self.frames.append(self.begun)
            self.begun = b""


class EtherboneBench:
    """The card's end, with no production to the host. ``exchange`` runs the simulation.

    ``passed`` are frames that went on to the network, ``answers`` those of the server; ``registers`` what was written.
    """

    def __init__(self, width, source, base=0, ready=1.0):
        mac = bytes.fromhex(CARD_MAC.replace(":", ""))
        self.width, self.source, self.ready = width, source, ready
        self.port = EtherbonePort(width, EtherboneAddress(mac, CARD_IP), base)
        self.waiting = deque()
        self.passed, self.answers = Collector(width), Collector(width)
        self.registers, self.writes = {}, []
        self.simulator = Simulator(self.port)
        self.simulator.add_clock(1e-6)
        for process in (self.feed, self.take, self.bus):
            self.simulator.add_testbench(process, background=True)
        self.idle = 0

        async def clockwork(ctx):
            async for _ in ctx.tick():
                self.idle += 1

        self.simulator.add_testbench(clockwork, background=True)

    def wrote(self, address, word):
        """A register is written."""
        self.registers[address] = word

    def value(self, address):
        """What a register gives."""
        return self.registers.get(address, stored(address))

    def exchange(self, *frames, bad=False):
        """The frames, back to back; returns the answers that came until all was quiet."""
        before = len(self.answers.frames)
        for frame in frames:
            self.waiting.extend((*beat, bad) for beat in beats_of(bytes(frame), self.width))
        self.idle = 0
        while self.idle < QUIET + max(map(len, frames)):
            self.simulator.advance()
        return self.answers.frames[before:]

    async def feed(self, ctx):
        stream, offered = self.port.i_mac, False
        async for _, _, ready in ctx.tick().sample(stream.ready):
            if offered and ready:
                self.waiting.popleft()
                offered = False
            if self.waiting and (offered or self.source.random() < self.ready):
                data, count, last, bad = self.waiting[0]
                payload = {"data": data, "count": count, "last": last, "bad": bad and last, "drop": 0}
                ctx.set(stream.payload, payload)
                offered, self.idle = True, 0
            ctx.set(stream.valid, offered)

    async def take(self, ctx):
        streams = [(self.port.o_production, self.passed), (self.port.o_mac, self.answers)]
        signals = [
            signal
            for stream, _ in streams
            for signal in (stream.valid & stream.ready, stream.p.data, stream.p.count, stream.p.last)
        ]
        async for _, _, *values in ctx.tick().sample(*signals):
            for number, (stream, collector) in enumerate(streams):
                taken, *beat = values[4 * number : 4 * number + 4]
                if taken:
                    self.idle = 0
                    collector.take(*beat)
                ctx.set(stream.ready, self.source.random() < self.ready)

    async def bus(self, ctx):
        bus, due = self.port.bus, None
        async for _, _, address, write, word, read in ctx.tick().sample(
            bus.address, bus.write, bus.write_data, bus.read
        ):
            assert not (write and read)
            ctx.set(bus.read_valid, 0)
            if write:
                self.idle = 0
                self.writes.append((address, word))
                self.wrote(address, word)
            if due is not None:
                assert not read, "a read before the last one was answered"
                due[1] -= 1
                if not due[1]:
                    ctx.set(bus.read_valid, 1)
                    ctx.set(bus.read_data, self.value(due[0]))
                    due = None
            if read:
                self.idle = 0
                due = [address, self.source.randrange(1, 16)]


def datagram(payload, **changes):
    """A UDP datagram to the card; ``changes`` as layer_field, for example IP_ttl or UDP_chksum."""
    layers = {
        "Ether": {"src": HOST_MAC, "dst": CARD_MAC},
        "IP": {"src": HOST_IP, "dst": CARD_IP},
        "UDP": {"sport": 40000, "dport": PORT},
    }
    for name, value in changes.items():
        layer, field = name.split("_", 1)
        layers[layer][field] = value
    return bytes(Ether(**layers["Ether"]) / IP(**layers["IP"]) / UDP(**layers["UDP"]) / payload)


def payload_of(answer):
    """The Etherbone part of an answer, when all below it is as it has to be."""
    assert len(answer) >= 60
    frame = Ether(answer)
    assert (frame.src, frame.dst) == (CARD_MAC, HOST_MAC)
    packet, segment = frame[IP], frame[UDP]
    assert (packet.src, packet.dst, packet.version, packet.ihl) == (CARD_IP, HOST_IP, 4, 5)
    assert (segment.sport, segment.dport) == (PORT, 40000)
    checksum = packet.chksum
    del packet.chksum
    assert IP(bytes(packet)).chksum == checksum
    assert segment.len == packet.len - 20 and packet.len <= len(answer) - 14
    assert segment.chksum == 0  # none
    return answer[42 : 14 + packet.len]


def arp_request(target=CARD_IP, **changes):
    fields = {"op": 1, "hwsrc": HOST_MAC, "psrc": HOST_IP, "hwdst": "00:00:00:00:00:00", "pdst": target, **changes}
    return bytes(Ether(src=HOST_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(**fields)).ljust(60, b"\0")
