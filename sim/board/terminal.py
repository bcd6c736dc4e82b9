"""A board on a pseudo-terminal: the Verilated NIC behind its UART, for programs that open a serial port.

    python -m halfsilver.sim.board.terminal [--shape tiny|whole] [--baud 3000000]

prints the device to open, and runs until it is ended. Every bit goes through the gateware's UART; if the program has
set another rate than the card, both read each other's bits at the wrong times, as they would on a wire.

Time. The card's clock runs only while bytes are under way, or frames, and as fast as the simulation can: the terminal
holds 4 KiB each way and a program that sends faster waits. QUIET_SECONDS without a byte from the program are the pause
after which the card, which is built to wait for RESYNC_SECONDS of its clock, begins a command anew. Frames come to a
board that has ports (`halfsilver.sim.board.virtual`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import re
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Sequence

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.board.ports import Ports
from halfsilver.sim.board.serial_line import SerialLine, build_serial_nic
from halfsilver.sim.pump import Pump

__all__ = ["CARDS", "CLOCK", "PtyBoard", "QUIET_SECONDS", "RESYNC_SECONDS", "main", "make_line"]

CARDS = {
    "tiny": NicParameters(width=8, enis=1, sessions=1, rules=1, extension_headers=1, lookup_clocks=8),
    "whole": NicParameters(width=64, enis=4, sessions=3, rules=10, verdict_ring=4096),
}
"""One with tables that are soon filled, and one with as many words as any card of 4 x 3 x 10 has."""

CLOCK = 24_000_000
RESYNC_SECONDS = 1.5e-3
"""Of the card's clock: short enough to be simulated at once, and longer than the frames that may be simulated between
two pieces of a command which the program has sent as one."""

QUIET_SECONDS = 0.1
_BYTE_BITS = 10
_LISTEN_BYTES, _LISTENS = 3, 2
"""An answer is over if nothing comes for so long, looked at so often."""

_FRAME_BITS = 128
"""How long the clock runs at once if there are only frames: a millisecond of the simulation or some."""

_READ_BYTES = 64
"""Of the program's, that are sent at once; what frames bring is looked after in between."""

_MEND_SECONDS = 0.5
_RESYNC_BYTES = 20
_END, _PLUG = b"e", b"p"

_RATES = {getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B[1-9]\d*", name)}
"""Bits per second by the terminal's codes."""


def make_line(pump: Pump, baud: int) -> SerialLine:
    """The far end of the line of a NIC that `build_serial_nic` made with CLOCK, this rate, RESYNC_SECONDS at most."""
    return SerialLine(pump, CLOCK, baud, 1.05 * max(RESYNC_SECONDS * baud, _RESYNC_BYTES * _BYTE_BITS))


class Terminal:
    """A raw pseudo-terminal: ``path`` is for a program; we read what it writes, at the rate it has set."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()  # theirs stays open, or ours fails when the program leaves
        for end in (self._ours, self._theirs):
            tty.setraw(end)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)

    def fileno(self) -> int:
        return self._ours

    def read(self) -> bytes:
        return os.read(self._ours, _READ_BYTES)

    def write(self, octets: bytes) -> None:
        """What the program does not take is lost."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, octets)

    def rate(self, otherwise: int) -> int:
        """What the program has set; ``otherwise`` for one that has no code of its own."""
        return _RATES.get(termios.tcgetattr(self._ours)[5], otherwise)

    def close(self) -> None:
        for end in (self._ours, self._theirs):
            os.close(end)


class PtyBoard:
    """A line behind a pseudo-terminal, ``path``, and the card's ports if it has any; `serve` is the board at work.

    ``link`` is a symbolic link that is kept at the terminal. ``hang_up`` takes the terminal away, as if the cable was
    pulled out; the card behind the line lives on, and another board may be made of it.
    """

    def __init__(self, line: SerialLine, ports: Ports | None = None, link: str | None = None) -> None:
        self._line, self._ports, self._link = line, ports, link
        self._orders, self._ordered = os.pipe()
        self.taken = 0  # bytes, from the program
        self._heard: float | None = None  # when a byte came last, unless the card has begun anew since
        self._listens = 0  # how often an answer is still looked for
        self._plug()

    @property
    def path(self) -> str:
        return self._terminal.path

    def serve(self) -> None:
        """Until `end`."""
        while True:
            reading = [self._orders, self._terminal.fileno(), *(self._ports.reading() if self._ports else [])]
            writing = self._ports.writing() if self._ports else []
            ready, _, _ = select.select(reading, writing, [], self._patience())
            if self._orders in ready:
                if os.read(self._orders, 1) == _END:
                    return
                self._unplug()
                self._plug()
                continue
            self._turn(ready)

    def end(self) -> None:
        """Ends `serve`, which another thread runs."""
        os.write(self._ordered, _END)

    def plug_again(self) -> None:
        """The terminal goes away, and another one is there; for a signal, or another thread."""
        os.write(self._ordered, _PLUG)

    def hang_up(self) -> None:
        """Close the terminal, when `serve` has ended: for the program the port is gone."""
        self._unplug()
        for end in (self._orders, self._ordered):
            os.close(end)

    def _patience(self) -> float | None:
        """Seconds until there is something to do, if nobody sends."""
        if self._listens or (self._ports and self._ports.busy):
            return 0
        if self._heard is not None:
            return QUIET_SECONDS
        return None if self._ports is None or self._ports.whole else _MEND_SECONDS

    def _turn(self, ready: Sequence[int]) -> None:
        """What has come goes to the card, its clock runs for a while, and what left goes out."""
        if self._ports:
            self._ports.mend()
            self._ports.take_in(ready)
        bit = self._line.baud / self._terminal.rate(self._line.baud)
        self._run(self._terminal.read() if self._terminal.fileno() in ready else b"", bit)
        answer = self._line.received(bit)
        if answer:
            self._terminal.write(answer)
            self._listens = _LISTENS
        if self._ports:
            self._ports.give_out()

    def _run(self, octets: bytes, bit: float) -> None:
        """Run the card's clock, for as long as the line needs or frames do."""
        now = time.monotonic()
        if octets:
            self.taken += len(octets)
            self._heard, self._listens = now, _LISTENS
            self._line.send(octets, bit)
        elif self._listens:
            self._listens -= 1
            self._line.wait(_LISTEN_BYTES * _BYTE_BITS * max(1.0, bit))
        elif self._heard is not None and now - self._heard >= QUIET_SECONDS:
            self._heard = None
            self._line.settle()
        elif self._ports and self._ports.busy:
            self._line.wait(_FRAME_BITS)

    def _plug(self) -> None:
        self._terminal = Terminal()
        if self._link is not None:
            fresh = f"{self._link}.new"
            os.symlink(self._terminal.path, fresh)
            os.replace(fresh, self._link)

    def _unplug(self) -> None:
        self._terminal.close()
        if self._link is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._link)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m halfsilver.sim.board.terminal", description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=CARDS, default="tiny", help="which card")
    parser.add_argument("--baud", type=int, default=3_000_000, help="rate of the card's UART")
    options = parser.parse_args(arguments)
    pump = Pump(build_serial_nic(CARDS[options.shape], CLOCK, options.baud, RESYNC_SECONDS))
    board = PtyBoard(make_line(pump, options.baud))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: board.end())
    print(board.path, flush=True)
    board.serve()
    board.hang_up()
    pump.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
