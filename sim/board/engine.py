"""The virtual board as an engine: a process that nobody can tell from a card, with its serial port and two wires.

No root: the wires are sockets. What is simulated of a board says ``halfsilver.sim.board.virtual``.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from halfsilver.harness.bench.recording import Recorder
from halfsilver.harness.bench.wires import open_wire
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.registry import VIRTUAL, Request
from halfsilver.harness.nic.transports.opening import open_serial
from halfsilver.sim.board.process import BoardProcess

__all__ = ["PATIENCE", "open_virtual", "start_engine"]

PATIENCE = 60.0
"""Seconds that an answer or a frame may take: simulated time is slow where many share a processor."""


def open_virtual(request: Request) -> CardEngine:
    """``virtual``: the card called whole."""
    return start_engine("whole", seed=request.seed, recorder=request.recorder)


def start_engine(card: str, *, seed: int = 0, recorder: Recorder | None = None) -> CardEngine:
    """Start a virtual board, and drive it; both end with the engine.

    Errors: CardUnreachable if it does not start; EnvironmentMissing without what it takes to compile the model.
    """
    stack = ExitStack()
    try:
        folder = tempfile.mkdtemp(prefix="halfsilver-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        net, host = (f"unix:{Path(folder) / port}" for port in ("net", "host"))
        board = BoardProcess(net, host, card=card, seed=seed)
        stack.callback(board.end)
        transport = open_serial(board.serial, patience=PATIENCE)
        stack.callback(transport.close)
        wires = []
        for address in (net, host):
            wires.append(open_wire(address))
            stack.callback(wires[-1].close)
        return CardEngine(
            transport,
            *wires,
            name=VIRTUAL,
            detail=f"a virtual board, process {board.number}",
            patience=PATIENCE,
            release=stack.close,
            recorder=recorder,
        )
    except BaseException:
        stack.close()
        raise
