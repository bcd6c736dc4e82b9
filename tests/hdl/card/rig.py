"""The far ends of a simulated card: PHYs, the serial line, and THE driver at the other end of it."""

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, Event, FallingEdge, Timer, with_timeout
from cocotbext.eth.rgmii import RgmiiSink

from halfsilver.harness.nic.transports.uartbone import read_command, write_commands

CORE_PS, WIRE_PS, SHIFT_PS = 16_000, 8_000, 2_000
CLOCKS_PER_BIT = 8
BIT_PS = CLOCKS_PER_BIT * CORE_PS
GAP = 12
UP, DOWN = 0b1101, 0b1100
"""What a PHY shows between frames: link, 1 Gb/s (RGMII 2.0, table 4), full duplex."""


class Line:
    """The far end of the serial line: 8 bits, no parity, one stop bit."""

    def __init__(self, dut):
        self.rx, self.tx = dut.uart_rx, dut.uart_tx
        self.rx.value = 1

    async def send(self, octets):
        for octet in octets:
            for bit in [0, *(octet >> place & 1 for place in range(8)), 1]:
                self.rx.value = bit
                await Timer(BIT_PS, "ps")

    async def receive(self, count):
        octets = []
        for _ in range(count):
            if self.tx.value == 1:
                await with_timeout(FallingEdge(self.tx), 100, "us")
            await Timer(BIT_PS * 3 // 2, "ps")
            octet = 0
            for place in range(8):
                octet |= int(self.tx.value) << place
                await Timer(BIT_PS, "ps")
            assert self.tx.value == 1, "no stop bit"
            octets.append(octet)
        return bytes(octets)

    async def ask(self, command, count):
        """A command, and so many bytes of answer."""
        answer = cocotb.start_soon(self.receive(count))
        await self.send(command)
        return await answer


class SerialTransport:
    """The driver's way to the registers; to be used below `bridge`."""

    def __init__(self, line):
        self._send, self._ask = resume(line.send), resume(line.ask)

    def read(self, addresses):
        return [int.from_bytes(self._ask(read_command(address, 1), 4), "big") for address in addresses]

    def write(self, pairs):
        self._send(b"".join(write_commands(pairs)))


class Phy:
    """A PHY at 1 Gb/s: ``queue`` of `GmiiFrame` goes to the card, back to back; ``status`` is what it shows between
    them; ``sink`` has what the card sends."""

    def __init__(self, dut, port):
        names = ("tx_data", "tx_ctl", "tx_clk", "rx_data", "rx_ctl", "rx_clk")
        tx_data, tx_ctl, tx_clk, self._data, self._ctl, self._clk = (getattr(dut, f"{port}_{name}") for name in names)
        self.sink = RgmiiSink(tx_data, tx_ctl, tx_clk)
        self.queue, self.status, self.gap = [], UP, GAP
        self._clock, self._more, self._idle = None, Event(), True
        self._data.value, self._ctl.value, self._clk.value = 0, 0, 0

    def run(self, clocks=True):
        """Start or stop the receive clock, and with it whatever is on its way."""
        if clocks and self._clock is None:
            self._clock = Clock(self._clk, WIRE_PS, "ps")
            self._clock.start(start_high=False)
            if not hasattr(self, "_sender"):
                self._sender = cocotb.start_soon(self._send())
        elif not clocks and self._clock is not None:
            self._clock.stop()
            self._clock = None

    def send(self, *frames):
        self.queue += frames
        self._more.set()

    def show(self, status):
        """Another in-band status."""
        self.status = status
        self._more.set()

    @property
    def idle(self):
        return not self.queue and self._idle

    async def _send(self):
        falling = FallingEdge(self._clk)
        while True:
            await falling
            self._data.value, self._ctl.value = self.status, 0
            if not self.queue:
                self._idle = True
                self._more.clear()
                await self._more.wait()
                continue
            self._idle = False
            frame = self.queue.pop(0)
            frame.normalize()
            for octet, error in zip(frame.data, frame.error, strict=True):
                await self._octet(falling, octet, error)
            for _ in range(self.gap):
                await falling
                self._data.value, self._ctl.value = self.status, 0

    async def _octet(self, falling, octet, error):
        """Data change with the edge before the one that takes them: the card samples what was there."""
        await falling
        self._data.value, self._ctl.value = octet & 15, 1
        await self._clk.rising_edge
        self._data.value, self._ctl.value = octet >> 4, 1 ^ error


class Rig:
    """A card with everything around it. ``phys`` by port; ``line``; ``driver()`` asks the card who it is."""

    def __init__(self, dut, ports=("net", "host")):
        self.dut = dut
        self.line = Line(dut)
        self.transport = SerialTransport(self.line)
        self.phys = {port: Phy(dut, port) for port in ports}
        self._clocks = []
        Clock(dut.clk, CORE_PS, "ps").start()

    async def reset(self, clocks=4):
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, clocks)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 160)  # the MACs sleep for 128

    async def wires(self, on):
        """Start or stop all clocks but the core's, which makes long talks on the serial line short to simulate."""
        for phy in self.phys.values():
            phy.run(on)
        await self.transmit(on)
        if on:
            await Timer(5, "us")  # link and speed settle

    async def stand(self, which):
        """Stop the receive clocks of ports by name, and that of what the ports send: ``transmit``."""
        for port in which - {"transmit"}:
            self.phys[port].run(False)
        if "transmit" in which:
            await self.transmit(False)

    async def transmit(self, on):
        """Start or stop the ports' transmit clock: 125 MHz, and the same later, for its pins, with as many edges."""
        for clock in self._clocks:
            clock.stop()
            await Timer(SHIFT_PS, "ps")
        self._clocks = []
        for signal in (self.dut.clk125, self.dut.clk125_late) if on else ():
            clock = Clock(signal, WIRE_PS, "ps")
            clock.start(start_high=False)
            self._clocks.append(clock)
            await Timer(SHIFT_PS, "ps")

    async def call(self, function, *arguments):
        """A function that uses ``transport``."""
        return await bridge(function)(*arguments)
