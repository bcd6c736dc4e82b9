"""A virtual board as a process, and both hosts at its wires, which need no root."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.sim.board.board_kit import FRAME

SECONDS = 120
"""Whatever a busy machine needs."""

OUTER = 50


def cpu_seconds(process):
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Running:
    """`python -m halfsilver.sim.board.virtual` with a tiny card, and a client at each wire."""

    def __init__(self, net=None, host=None, card="tiny"):
        self.folder = Path(tempfile.mkdtemp(prefix="hs"))
        self.link = self.folder / "serial"
        addresses = [net or f"unix:{self.folder}/net", host or f"unix:{self.folder}/host"]
        command = [sys.executable, "-m", "halfsilver.sim.board.virtual", "--card", card, "--attended", "--counts"]
        command += ["--net", addresses[0], "--host", addresses[1], "--serial", str(self.link)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.net, self.host = (None if address.startswith("tap") else self.plug(address) for address in addresses)
        self._sent = 0

    @staticmethod
    def plug(address):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.settimeout(SECONDS)
        end.connect(address.removeprefix("unix:"))
        return end

    def flow(self, count=4):
        """Frames each way, which must come out whole and in order; returns the VNIs of the copies."""
        inward = [FRAME + (self._sent + number).to_bytes(4, "big") for number in range(count)]
        outward = [bytes(60 + number) for number in range(count)]
        self._sent += count
        for frame, other in zip(inward, outward, strict=True):
            self.net.send(frame)
            self.host.send(other)
        assert [self.host.recv(1 << 16) for _ in inward] == inward
        came = [self.net.recv(1 << 16) for _ in range(2 * count)]
        assert [frame for frame in came if frame in outward] == outward
        copies = [frame for frame in came if frame not in outward]
        assert [copy[OUTER:] for copy in copies] == inward
        return {int.from_bytes(copy[OUTER - 4 : OUTER - 1], "big") for copy in copies}

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def rest(self):
        """Wait until the board has nothing to do: until then bytes of before may still be on the line."""
        busy, until = None, time.monotonic() + SECONDS
        while busy != self.cpu_seconds():
            assert time.monotonic() < until, "the board is never at rest"
            busy = self.cpu_seconds()
            time.sleep(0.5)

    def stop(self):
        """End it, if it runs; returns what it counted."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=SECONDS)
        for end in (self.net, self.host):
            if end is not None:
                end.close()
        return json.loads(output) if output else None

    def clear(self):
        self.process.kill()
        self.stop()
        shutil.rmtree(self.folder)
