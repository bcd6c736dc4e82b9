"""A tiny NIC behind a line, and behind a pseudo-terminal that can be pulled out."""

import threading
import time

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from halfsilver.harness.nic.transports.uartbone import UartboneTransport
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.board.serial_line import build_serial_nic
from halfsilver.sim.board.terminal import CARDS, CLOCK, RESYNC_SECONDS, PtyBoard, make_line
from halfsilver.sim.pump import Pacing, Pump
from tests.harness.golden.golden_kit import ENI_0, interface, policy, rule, session

PARAMETERS = CARDS["tiny"]
BAUD = 3_000_000
FRAME = bytes(
    Ether(dst=ENI_0, src="02:00:00:00:00:99") / IP(src="10.9.9.9", dst="10.0.0.10") / UDP(dport=53) / b"hello"
)


def with_vni(vni):
    return policy(interface(session([rule(protocol=17)], vni=vni)))


class SharedPump(Pump):
    """The board on its terminal and the test are two threads."""

    def __init__(self, library, **options):
        self.lock = threading.RLock()
        super().__init__(library, **options)

    def access(self, plan):
        with self.lock:
            return super().access(plan)

    def run(self, *arguments, **options):
        with self.lock:
            return super().run(*arguments, **options)

    def serial(self, *arguments):
        with self.lock:
            super().serial(*arguments)


class Bench:
    """A NIC with a line; ``judge`` says by which policy frames are mirrored, as the VNI of a copy."""

    def __init__(self, parameters=PARAMETERS):
        self.pump = SharedPump(build_serial_nic(parameters, CLOCK, BAUD, RESYNC_SECONDS), seed=1)
        self.line = make_line(self.pump, BAUD)
        self.transport = UartboneTransport(self.line)

    def judge(self):
        (copy,) = self.pump.run([Frame(FRAME, Direction.INGRESS)], Pacing()).copies
        assert copy[50:] == FRAME
        return int.from_bytes(copy[46:49], "big")


class Plugged:
    """A line on a pseudo-terminal, at work in a thread until it is pulled out."""

    def __init__(self, line):
        self.board = PtyBoard(line)
        self.path = self.board.path
        self.thread = threading.Thread(target=self.board.serve)
        self.thread.start()

    def pull(self):
        """The port goes away; the card behind it runs on."""
        if self.thread.is_alive():
            self.board.end()
            self.thread.join()
            self.board.hang_up()

    def pull_after(self, octets):
        """The port goes away when so many bytes more have come from the program."""
        until = self.board.taken + octets

        def watch():
            while self.board.taken < until:
                time.sleep(0.001)
            self.pull()

        threading.Thread(target=watch).start()
