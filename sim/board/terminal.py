"""A board on a pseudo-terminal: the Verilated NIC behind its UART, for programs that open a serial port.

    python -m halfsilver.sim.board.terminal [--shape tiny|whole] [--baud 3000000]

prints the device to open, and runs until it is ended. Every bit goes through the gateware's UART; if the program has
set another rate than the card, both read each other's bits at the wrong times, as they would on a wire.

Time. The line's clock runs only while bytes are under way, and as fast as the simulation can: the terminal holds 4 KiB
each way and a program that sends faster waits. QUIET_SECONDS without a byte from the program are the pause after which
the card, which is built to wait for 20 bytes' time, begins a command anew. No frames come to this board.
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
import tty
from collections.abc import Sequence

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.board.serial_line import SerialLine, build_serial_nic
from halfsilver.sim.pump import Pump

__all__ = ["CARDS", "CLOCK", "PtyBoard", "QUIET_SECONDS", "SILENCE", "main", "make_line"]

CARDS = {
    "tiny": NicParameters(width=8, enis=1, sessions=1, rules=1, extension_headers=1, copies=8, lookup_clocks=8),
    "whole": NicParameters(width=8, enis=4, sessions=3, rules=10, extension_headers=1, copies=8, lookup_clocks=1),
}
"""One with tables that are soon filled, and one with as many words as any card of 4 x 3 x 10 has."""

CLOCK = 24_000_000
SILENCE = 210
"""Bits, a little more than the card's 20 bytes."""

QUIET_SECONDS = 0.1
_BYTE_BITS = 10
_QUIET_BYTES = 6
"""An answer is over if nothing comes for so long."""

_READ_BYTES = 4096

_RATES = {getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B[1-9]\d*", name)}
"""Bits per second by the terminal's codes."""


def make_line(pump: Pump, baud: int) -> SerialLine:
    """The far end of the line of a NIC that `build_serial_nic` made with CLOCK, this rate and no more silence."""
    return SerialLine(pump, CLOCK, baud, SILENCE)


class PtyBoard:
    """A line behind a pseudo-terminal, ``path``; `serve` is the board at work.

    ``hang_up`` takes the terminal away, as if the cable was pulled out; the card behind the line lives on, and another
    board may be made of it.
    """

    def __init__(self, line: SerialLine) -> None:
        self._line = line
        self._ours, self._theirs = pty.openpty()  # theirs stays open, or ours fails when the program leaves
        for end in (self._ours, self._theirs):
            tty.setraw(end)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        self._stop, self._stopped = os.pipe()
        self.taken = 0  # bytes, from the program

    def serve(self) -> None:
        """Until `end`."""
        fresh = False
        while True:
            ready, _, _ = select.select([self._ours, self._stop], [], [], QUIET_SECONDS)
            if self._stop in ready:
                return
            if ready:
                self._pass_on(os.read(self._ours, _READ_BYTES))
                fresh = True
            elif fresh:
                self._line.settle()
                fresh = False

    def end(self) -> None:
        """Ends `serve`, which another thread runs."""
        os.write(self._stopped, b"!")

    def hang_up(self) -> None:
        """Close the terminal, when `serve` has ended: for the program the port is gone."""
        for end in (self._ours, self._theirs, self._stop, self._stopped):
            os.close(end)

    def _pass_on(self, octets: bytes) -> None:
        """To the card, and what it answers to the program; what the program does not take is lost."""
        self.taken += len(octets)
        bit = self._line.baud / self._rate()
        self._line.send(octets, bit)
        quiet = 0
        while quiet < _QUIET_BYTES:
            self._line.wait(_BYTE_BITS * max(1.0, bit))
            answer = self._line.received(bit)
            quiet += 1
            if answer:
                quiet = 0
                with contextlib.suppress(BlockingIOError):
                    os.write(self._ours, answer)

    def _rate(self) -> int:
        """What the program has set; one that has no code of its own is taken for the card's."""
        return _RATES.get(termios.tcgetattr(self._ours)[5], self._line.baud)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m halfsilver.sim.board.terminal", description=__doc__.split("\n")[0])
    parser.add_argument("--shape", choices=CARDS, default="tiny", help="which card")
    parser.add_argument("--baud", type=int, default=3_000_000, help="rate of the card's UART")
    options = parser.parse_args(arguments)
    pump = Pump(build_serial_nic(CARDS[options.shape], CLOCK, options.baud, 0.0))
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
