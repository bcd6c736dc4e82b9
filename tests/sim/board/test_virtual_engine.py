"""The virtual board as an engine: golden's copies and verdicts, wires that lie, boards that are killed."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from halfsilver.harness.bench.wires import open_wire
from halfsilver.harness.commands.common import open_golden
from halfsilver.harness.control.metrics.book import Book
from halfsilver.harness.control.metrics.card import CardCounters
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.registry import VIRTUAL
from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, HalfsilverError
from halfsilver.harness.nic.transports.opening import open_serial
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.harness.report.compare import compare
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.board.engine import PATIENCE, start_engine
from halfsilver.sim.board.process import BoardProcess
from halfsilver.sim.example import example_batch, make_example
from tests.harness.golden.golden_kit import interface, policy, rule, session
from tests.sim.board import board_kit
from tests.sim.board.board_kit import FRAME
from tests.sim.board.virtual_kit import SECONDS

NET, HOST = 0, 1
SERVER = "0a:3b:5c:00:00:10"
"""Of the example, whose frames a tiny card judges by a rule of its own."""


@pytest.fixture
def engine():
    made = start_engine("tiny")
    yield made
    made.close()


def with_vni(vni):
    return Policy(board_kit.with_vni(vni).interfaces)


def process_of(engine):
    return int(re.search(r"process (\d+)", engine.identify().detail)[1])


def test_a_slice_of_the_example_is_judged_and_copied_as_by_the_golden_model(engine):
    one = Policy(policy(interface(session([rule(protocol=6)], vni=77), address=SERVER)).interfaces)
    _, frames = example_batch(NicParameters(enis=4), 400)
    frames = random.Random(1).sample(frames, 80)
    assert engine.configure(one) == 1
    golden = open_golden(one, DEFAULT_FLAGS, engine.identify())
    for batch in (frames[:60], frames[60:]):
        result = engine.process(batch)
        assert not compare(golden.process(batch), result, first_frame=1)
    assert len(result.outputs) > 2 and len({record.verdict for record in result.verdicts}) > 2
    assert any(len(frame.data) < 60 for frame in frames) and any(len(frame.data) > 1514 for frame in frames)
    for way, tally in result.production.items():
        assert tally.frames == sum(frame.direction is way for frame in batch) > 0


class Meddler:
    """A wire on which ``meddle`` changes what has come."""

    def __init__(self, wire):
        self._wire, self.name, self.shortest = wire, wire.name, wire.shortest
        self.send, self.close = wire.send, wire.close
        self.meddle = list

    def receive(self, seconds):
        return self.meddle(self._wire.receive(seconds))


@pytest.fixture
def meddled():
    """An engine on a virtual board, its wires, net's and host's, and its serial port."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        addresses = [f"unix:{folder}/{port}" for port in ("net", "host")]
        board = BoardProcess(*addresses, card="tiny")
        stack.callback(board.end)
        wires = [Meddler(open_wire(address)) for address in addresses]
        transport = open_serial(board.serial, patience=PATIENCE)
        stack.callback(transport.close)
        engine = CardEngine(transport, *wires, name=VIRTUAL, patience=3)
        stack.callback(engine.close)
        engine.configure(with_vni(5))
        yield engine, wires, board.serial


def on_nth(frames, at, change):
    """The frames that came, the ``at``-th of them and what follows changed."""
    return frames[:at] + change(frames[at:])


def changed(frame):
    return replace(frame, data=frame.data[:-1] + b"?")


FAULTS = {
    "loses": (lambda frames: frames[1:], "did not come"),
    "changes the order": (lambda frames: [frames[1], frames[0], *frames[2:]], "out of order"),
    "changes": (
        lambda frames: [replace(frames[0], data=frames[0].data[:-1] + b"?"), *frames[1:]],
        "different from byte",
    ),
}


@pytest.mark.parametrize(("fault", "side"), [("loses", NET), ("changes the order", HOST), ("changes", NET)])
def test_a_board_with_a_fault_is_noticed(meddled, fault, side):
    """Behind the card: of production, or of a copy. And nobody else has the card meanwhile."""
    engine, wires, path = meddled
    change, says = FAULTS[fault]
    frames = [Frame(FRAME + bytes([number]), Direction.INGRESS) for number in range(12)]
    assert len(engine.process(frames).outputs) == 12
    came = []

    def meddle(received):
        came.extend(received)
        if len(came) < 12:
            return []
        whole, came[:] = list(came), []
        return on_nth(whole, 5, change)

    wires[side].meddle = meddle
    with pytest.raises(HalfsilverError, match=says) as caught:
        engine.process(frames)
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)
    with pytest.raises(CardUnreachable, match=f"{path} is in use by .*process {os.getpid()}"):
        open_serial(path)


def killed(process):
    """The board stands still, so that nothing can end before, and is gone soon."""
    os.kill(process, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (process, signal.SIGKILL)).start()


def test_a_board_that_is_killed_in_a_load_or_a_run(engine):
    engine.configure(with_vni(5))
    assert [record.verdict for record in engine.process([Frame(FRAME, Direction.INGRESS)]).verdicts] == [
        Verdict.MIRRORED
    ]
    killed(process_of(engine))
    with pytest.raises(CardUnreachable, match="went away") as caught:
        engine.process([Frame(FRAME, Direction.INGRESS)] * 5)
    assert caught.value.exit_code == EXIT_BOARD == 4 and "\n" not in str(caught.value)
    with pytest.raises(CardUnreachable, match="went away .*; the rule set before it stays in force") as caught:
        engine.configure(with_vni(6))
    assert caught.value.exit_code == 4 and "\n" not in str(caught.value)


def children(process):
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def terminals(process):
    """Serial lines that a process has open."""
    opened = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            opened += [place for place in [os.readlink(descriptor)] if place.startswith("/dev/pts/")]
    return opened


def test_a_command_whose_board_is_killed_ends_with_one_line(tmp_path):
    capture = make_example()
    command = [Path(sys.executable).with_name("halfsilver"), "mirror", "--engine", VIRTUAL, "-w", "copies.pcapng"]
    command += ["-r", capture, "-c", capture.with_name("mirror.json")]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    until = time.monotonic() + SECONDS
    while not terminals(run.pid):  # then the driver reads or loads
        assert run.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    (board,) = children(run.pid)
    os.kill(board, signal.SIGKILL)
    output, said = run.communicate(timeout=120)
    assert run.returncode == EXIT_BOARD == 4 and not output
    (line,) = [line for line in said.splitlines() if not line.startswith("warning: ")]
    assert "went away" in line and not (tmp_path / "copies.pcapng").exists()


@pytest.mark.long
def test_what_others_send_through_a_board_is_in_a_servers_totals(engine):
    """Read while their frames pass, the sums of each reading meet; what the server sends counts once."""
    one = Policy(policy(interface(session([rule(protocol=6)], vni=77), address=SERVER)).interfaces)
    frames = [each for each in example_batch(NicParameters(enis=4), 200)[1] if 60 <= len(each.data) <= 1514][:60]
    golden = open_golden(one, DEFAULT_FLAGS, engine.identify())
    book = Book()
    card = CardCounters(book)
    card.opened()
    engine.configure(one)
    assert card.configured(one)
    card.read(engine)
    for way, wire in engine._wires.items():
        wire.send([frame.data for frame in frames if frame.direction is way])
    deadline = time.monotonic() + 300
    while sum(tally.frames for tally in book.totals().verdicts.values()) < len(frames):
        assert time.monotonic() < deadline
        card.read(engine)
    expected = golden.process(frames).counters
    assert book.totals().verdicts == {(str(way), str(of)): tally for (way, of), tally in expected.verdicts.items()}
    mirrored = sum(tally.frames for tally in book.totals().sessions.values())
    assert mirrored == sum(tally.frames for tally in expected.sessions.values()) > 0
    engine.process(frames[:20])
    card.read(engine)
    both = golden.process(frames[:20]).counters
    assert book.totals().verdicts == {(str(way), str(of)): tally for (way, of), tally in both.verdicts.items()}
