"""The virtual board: a Verilated NIC with a serial port and two Ethernet ports, as a process of its own.

    python -m halfsilver.sim.board.virtual --net WIRE --host WIRE [--serial LINK] [--card NAME] [--seed N]

A WIRE is `tap:NAME`, `tap:NAME@NAMESPACE` (a TAP device that is made here; needs root) or `unix:PATH` (a socket that
keeps messages apart, where the board listens; needs none). When the board is ready it prints one line of JSON: the
device of its serial port, its wires and its process. It ends on SIGTERM or SIGINT, with status 0, and removes what it
made. SIGHUP pulls its serial port out, and plugs it in again as another device, where LINK points then.

What is simulated. The NIC is the gateware as it is exported, and the serial line every bit of it, through the
gateware's UART (`halfsilver.sim.board.terminal` says what its time is). Ethernet is at the level of frames, at the core
side of the MACs: frames go in and come out over the AXI streams, with the wire's pauses, and there is neither RGMII nor
FCS. What comes out marked bad is left out, as a receiver does with a wrong FCS. A TAP's frames are padded to 60 bytes,
as a MAC does; those of a socket are as they are. The clock stands still while nothing is under way; what comes
meanwhile goes in by portions of half the copy buffer, each when the one before is out with its copies, so that none is
congested.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.board.links import open_link
from halfsilver.sim.board.ports import Ports
from halfsilver.sim.board.serial_line import build_serial_nic
from halfsilver.sim.board.stream import StreamPump
from halfsilver.sim.board.terminal import CARDS, CLOCK, RESYNC_SECONDS, PtyBoard, make_line

__all__ = ["main"]

_BAUD = 3_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        _serve(options)
    except HalfsilverError as error:
        print(f"virtual board: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m halfsilver.sim.board.virtual", description=__doc__.split("\n")[0])
    wire = "tap:NAME, tap:NAME@NAMESPACE or unix:PATH"
    parser.add_argument("--net", required=True, metavar="WIRE", help=f"the port to the network: {wire}")
    parser.add_argument("--host", required=True, metavar="WIRE", help="the port to the host, likewise")
    parser.add_argument("--serial", metavar="LINK", help="a symbolic link to keep at the serial port's device")
    parser.add_argument("--card", choices=CARDS, default="whole", help="which card (default whole)")
    parser.add_argument("--seed", type=int, default=0, help="of the values of undefined bits (default 0)")
    parser.add_argument("--attended", action="store_true", help="end when standard input ends, as well")
    parser.add_argument(
        "--counts", action="store_true", help="in the end, print frames by what became of them, as JSON"
    )
    return parser


def _serve(options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        net = open_link(options.net)
        stack.callback(net.close)
        host = open_link(options.host)
        stack.callback(host.close)
        card = CARDS[options.card]
        library = build_serial_nic(card, CLOCK, _BAUD, RESYNC_SECONDS)
        pump = StreamPump(library, width=card.width, seed=options.seed)
        stack.callback(pump.close)
        ports = Ports(pump, net, host, room=card.queue_depth // 2)
        board = PtyBoard(make_line(pump, _BAUD), ports, options.serial)
        stack.callback(board.hang_up)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: board.end())
        signal.signal(signal.SIGHUP, lambda *_: board.plug_again())
        if options.attended:
            threading.Thread(target=_end_with_input, args=(board,), daemon=True).start()
        ready = {"serial": options.serial or board.path, "net": net.name, "host": host.name, "pid": os.getpid()}
        print(json.dumps(ready), flush=True)
        board.serve()
        if options.counts:
            print(json.dumps(ports.counts()), flush=True)


def _end_with_input(board: PtyBoard) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    board.end()


if __name__ == "__main__":
    sys.exit(main())
