"""A board of the bench file as an engine, and a recorded run of one."""

from __future__ import annotations

import os
from contextlib import ExitStack

from halfsilver.harness.bench.bench_file import DEFAULT, BenchBoard, check_build, port_of, read_bench
from halfsilver.harness.bench.playback import Playback
from halfsilver.harness.bench.wires import open_wire
from halfsilver.harness.engines.card import PATIENCE, CardEngine
from halfsilver.harness.engines.registry import Request
from halfsilver.harness.errors import UsageError
from halfsilver.harness.nic.transports.opening import open_transport
from halfsilver.harness.spelling import rather

__all__ = ["RIG_VARIABLE", "drive", "open_board", "open_recording"]

RIG_VARIABLE = "HALFSILVER_RIG"


def open_board(request: Request) -> CardEngine:
    """``board:NAME``: of the bench file that the request or the environment names, else of bench.toml here.

    RigError (exit code 4), before anything is written to it, if the board is not there, does not answer, is another
    card than the file expects, or lacks a link.
    """
    file = request.rig or os.environ.get(RIG_VARIABLE) or DEFAULT
    boards = read_bench(file)
    if request.argument not in boards:
        raise UsageError(f"{file}: there is no board {request.argument!r}; {rather(request.argument, boards)}")
    return drive(boards[request.argument], request, ExitStack())


def drive(board: BenchBoard, request: Request, stack: ExitStack) -> CardEngine:
    """A board as an engine. ``stack``, what it rests on, is closed with it, or now if it cannot be opened."""
    try:
        device = port_of(board)
        transport = open_transport(device, board.baud, patience=board.patience or None)
        stack.callback(transport.close)
        wires = []
        for address in (board.net, board.host):
            wires.append(open_wire(address))
            stack.callback(wires[-1].close)
        engine = CardEngine(
            transport,
            *wires,
            name=request.name,
            detail=f"at {device}",
            patience=board.patience or PATIENCE,
            release=stack.close,
            recorder=request.recorder,
        )
        check_build(board, engine.card)
    except BaseException:
        stack.close()
        raise
    return engine


def open_recording(request: Request) -> CardEngine:
    """``replay:FILE``: what `halfsilver.harness.bench.recording` has written, without a board."""
    playback = Playback(request.argument)
    return CardEngine(
        playback.transport(),
        playback.wire("net"),
        playback.wire("host"),
        name=request.name,
        detail=f"as {playback.engine} was recorded",
        patience=playback.patience,
        recorder=request.recorder,
    )
