"""The virtual board as a process: frames at its wires and a driver at its serial port, and bad days of both."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import serial

from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, RigError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.opening import open_serial
from tests.sim.board.board_kit import BAUD, with_vni
from tests.sim.board.virtual_kit import SECONDS, Running


@pytest.fixture(scope="module")
def module_board():
    board = Running()
    with opened(board) as transport:
        Driver(transport).load(with_vni(5))
    yield board
    board.clear()


@pytest.fixture
def board(module_board):
    """One that mirrors; whatever a test does to it, frames pass afterwards."""
    yield module_board
    assert module_board.flow()


def opened(board):
    board.rest()
    return contextlib.closing(open_serial(str(board.link), BAUD, patience=SECONDS))


def test_it_says_where_it_is_and_removes_what_it_made():
    board = Running()
    try:
        ready = {"net": f"unix:{board.folder}/net", "host": f"unix:{board.folder}/host"}
        assert board.ready == {"serial": str(board.link), **ready, "pid": board.process.pid}
        assert os.readlink(board.link).startswith("/dev/pts/")
        board.host.send(bytes(100))
        assert board.net.recv(1000) == bytes(100)
        zeros = {"lost": 0, "too long": 0, "marked bad": 0}
        assert board.stop() == {"net": {"received": 0, "sent": 1, **zeros}, "host": {"received": 1, "sent": 0, **zeros}}
        assert board.process.returncode == 0 and not list(board.folder.iterdir())
    finally:
        board.clear()


def test_it_ends_when_whoever_attends_to_it_does():
    board = Running()
    try:
        board.process.stdin.close()
        assert board.process.wait(SECONDS) == 0 and not list(board.folder.iterdir())
    finally:
        board.process.stdin = None
        board.clear()


def test_a_wire_that_cannot_be_made_is_told_in_one_line(board):
    command = [sys.executable, "-m", "halfsilver.sim.board.virtual", "--net", board.ready["net"], "--host", "unix:x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == f"virtual board: {board.ready['net']}: a board listens there already\n"


def test_frames_and_registers_at_once(board):
    with opened(board) as transport:
        driver = Driver(transport)
        before = sum(tally.frames for tally in driver.counters().verdicts.values())
        for _ in range(5):
            board.flow()
        assert sum(tally.frames for tally in driver.counters().verdicts.values()) == before + 40


def test_a_board_at_rest_takes_no_processor_time(board):
    board.flow()
    board.rest()
    before = board.cpu_seconds()
    time.sleep(1)
    assert board.cpu_seconds() - before <= 0.05


KILLED = """
import os, signal, sys
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.serial_port import SerialPort
from halfsilver.harness.nic.transports.uartbone import UartboneTransport
from tests.sim.board.board_kit import BAUD, with_vni

class Mortal(SerialPort):
    sent = 0

    def send(self, octets):
        self.sent += len(octets)
        if self.sent > 9000:
            super().send(octets[:1001])
            os.kill(os.getpid(), signal.SIGKILL)
        super().send(octets)

Driver(UartboneTransport(Mortal(sys.argv[1], BAUD, patience=100))).load(with_vni(6))
"""


def test_a_driver_that_is_killed_in_a_load(board):
    """In the middle of a word. The rule set before it goes on; the next driver needs to know nothing of it."""
    before = board.flow()
    driver = subprocess.Popen([sys.executable, "-c", KILLED, str(board.link)])
    while driver.poll() is None:
        assert board.flow() == before
    assert driver.returncode == -signal.SIGKILL
    assert board.flow() == before
    with opened(board) as transport:
        Driver(transport).load(with_vni(7))
    assert board.flow() == {7}


def test_a_serial_port_that_is_pulled_out_in_a_load(board):
    before = board.flow()
    with opened(board) as transport:
        driver, path = Driver(transport), os.readlink(board.link)
        write = transport.write

        def pull(pairs):
            board.process.send_signal(signal.SIGHUP)
            write(pairs)

        transport.write = pull
        with pytest.raises(CardUnreachable, match="went away .*; the rule set before it stays in force") as caught:
            driver.load(with_vni(8))
    assert caught.value.exit_code == EXIT_BOARD == 4 and "\n" not in str(caught.value)
    assert board.flow() == before and os.readlink(board.link).startswith(os.path.dirname(path))
    with opened(board) as transport:
        assert Driver(transport).card.shape.enis == 1


@pytest.mark.parametrize("seed", [1])
def test_rubbish_on_the_serial_line_while_frames_flow(board, seed):
    before, source = board.flow(), random.Random(seed)
    with serial.Serial(str(board.link), BAUD) as port:
        for _ in range(12):
            port.write(source.choice([source.randbytes(100), bytes(source.choices(range(6), k=100)), b"AT+GMI\r\n"]))
            assert board.flow(3) == before
    with opened(board) as transport:
        assert Driver(transport).card.shape.enis == 1


def test_the_wrong_rate_while_frames_flow(board):
    before = board.flow()
    with pytest.raises(RigError, match="at 1,000,000 baud: the card answers at another rate, 3,000,000 baud"):
        open_serial(str(board.link), 1_000_000, patience=10)
    assert board.flow() == before


def test_a_wire_that_goes_and_comes_back(board):
    """What is for it is lost meanwhile, as on a cable that is out; the other way is not held up."""
    before = board.flow()
    board.net.close()
    for number in range(5):
        board.host.send(bytes(60 + number))
    board.net = board.plug(board.ready["net"])
    board.net.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while True:  # those that were under way when it came back
            board.net.recv(1000)
    board.net.settimeout(SECONDS)
    assert board.flow() == before
