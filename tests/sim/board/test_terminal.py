"""The driver over a serial port, with the gateware at the other end: loads, faults on the way, ports that go away."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import serial
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, RigError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.opening import open_serial
from halfsilver.harness.nic.transports.serial_port import SILENCE_BYTES, SILENCE_SECONDS
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.bus.uartbone import RESYNC_BYTES, RESYNC_SECONDS
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.board.terminal import CARDS
from halfsilver.sim.pump import Pacing
from tests.harness.golden.golden_kit import ENI_1, interface, policy, rule, session
from tests.sim.board.board_kit import BAUD, Bench, Plugged, with_vni

PATIENCE = 40
"""Seconds: the simulation is slower than the line, and the machine may be busy."""

WRONG_RATE_PATIENCE = 10
"""The same, where two questions wait for it in vain and each other rate gets a fifth of it."""


@pytest.fixture(scope="module")
def module_bench():
    made = Bench()
    yield made
    made.pump.close()


@pytest.fixture
def bench(module_bench):
    """A tiny card that mirrors with VNI 5, whatever it did before."""
    Driver(module_bench.pump).load(with_vni(5))
    return module_bench


@pytest.fixture
def plug():
    """Boards on terminals, which are pulled out in the end."""
    with contextlib.ExitStack() as stack:

        def make(line):
            plugged = Plugged(line)
            stack.callback(plugged.pull)
            return plugged

        yield make


def opened(path, baud=BAUD, patience=PATIENCE):
    return contextlib.closing(open_serial(path, baud, patience=patience))


def whole_policy():
    """4 interfaces x 3 sessions x 10 rules, each rule different."""

    def rules(at):
        return [rule(f"{at}.{n}.0.0/20", number=n, protocol=6, destination_ports=(n, 1000 * n)) for n in range(1, 11)]

    return policy(
        *(
            interface(
                *(session(rules(16 * e + n), rules(96 + e), number=n, vni=100 * e + n) for n in (1, 2, 3)),
                address=f"{ENI_1[:-2]}{e:02x}",
            )
            for e in range(4)
        )
    )


def frames_for(source, count):
    """Some of each interface, most of which some rule takes."""
    for _ in range(count):
        eni, number = source.randrange(4), source.randrange(1, 11)
        addresses = {"dst": f"{ENI_1[:-2]}{eni:02x}", "src": "02:00:00:00:00:99"}
        network = f"{16 * eni + source.randrange(1, 4)}.{number}.0.{source.randrange(256)}"
        segment = TCP(dport=source.randrange(0, 1200 * number))
        yield Frame(bytes(Ether(**addresses) / IP(src=network, dst="10.0.0.10") / segment / b"x"), Direction.INGRESS)


@pytest.mark.long
def test_a_whole_rule_set_loads_in_less_than_half_a_second(plug, capsys):
    """At 3 Mbaud, by the line's clock; then the card does what one does that was loaded past the line."""
    bench, other = Bench(CARDS["whole"]), Bench(CARDS["whole"])
    plugged = plug(bench.line)
    with opened(plugged.path) as transport:
        driver = Driver(transport)
        cycles, octets = bench.line.cycles, plugged.board.taken
        assert driver.load(whole_policy()) == 1
        seconds = (bench.line.cycles - cycles) / bench.line.clock
        octets = plugged.board.taken - octets
    plugged.pull()
    with capsys.disabled():
        print(f"\n{octets:,} bytes: {seconds:.3f} s at {BAUD:,} baud")
    assert octets > 88_000  # 22,000 words and their commands
    assert octets * 10 / BAUD < seconds < 0.5
    assert Driver(other.pump).load(whole_policy()) == 1
    runs = [each.pump.run(list(frames_for(random.Random(3), 200)), Pacing()) for each in (bench, other)]
    assert runs[0].copies == runs[1].copies and runs[0].verdicts == runs[1].verdicts
    assert 60 < len(runs[0].copies) < 190
    for each in (bench, other):
        each.pump.close()


def test_what_is_loaded_and_counted(bench, plug):
    with opened(plug(bench.line).path) as transport:
        driver = Driver(transport)
        assert driver.card.shape.rules == 1
        before = sum(tally.frames for tally in driver.counters().sessions.values())
        driver.load(with_vni(6))
        assert bench.judge() == 6
        assert sum(tally.frames for tally in driver.counters().sessions.values()) == before + 1


@pytest.mark.long
def test_garbage_before_and_half_a_command_are_got_over(bench, plug):
    """What a terminal program, a boot loader or a driver that was killed leaves behind."""
    source = random.Random(2)
    path = plug(bench.line).path
    for octets in (source.randbytes(300), b"AT+GMI\r\n", b"\x01\xff\0\0\0\x09" + bytes(7), b"\x02"):
        with serial.Serial(path, BAUD) as port:
            port.write(octets)
        with opened(path) as transport:
            assert Driver(transport).card.shape.enis == 1
        assert bench.judge() == 5


def test_a_port_that_is_pulled_out_in_a_load(bench, plug):
    """The card runs on as it was; plugged in again it is loaded."""
    plugged = plug(bench.line)
    with opened(plugged.path) as transport:
        driver = Driver(transport)
        plugged.pull_after(9_000)  # of 17,500
        with pytest.raises(CardUnreachable) as caught:
            driver.load(with_vni(6))
    plugged.thread.join()
    said = str(caught.value)
    assert caught.value.exit_code == EXIT_BOARD == 4
    assert plugged.path in said and "went away" in said and "see that board and cable" in said and "\n" not in said
    assert said.endswith("the rule set before it stays in force")
    assert bench.judge() == 5
    with opened(plug(bench.line).path) as transport:
        Driver(transport).load(with_vni(7))
    assert bench.judge() == 7


class Watched:
    """A transport, of whose writes somebody is told before or after."""

    def __init__(self, transport, before=lambda pairs: None, after=lambda pairs: None):
        self.read, self._write, self._before, self._after = transport.read, transport.write, before, after

    def write(self, pairs):
        self._before(pairs)
        self._write(pairs)
        self._after(pairs)


def test_a_port_that_is_pulled_out_at_the_commit(bench, plug):
    """Whether the card heard it is not known, and that is said."""
    plugged = plug(bench.line)

    def after(pairs):
        if pairs == [(REGISTERS.address("COMMIT"), 1)]:
            plugged.pull()

    with opened(plugged.path) as transport:
        driver = Driver(Watched(transport, after=after))
        with pytest.raises(CardUnreachable, match="whether the new rule set is in force is not known"):
            driver.load(with_vni(6))
    assert bench.judge() in (5, 6)


@contextlib.contextmanager
def board_process():
    """`python -m halfsilver.sim.board.terminal`, and the device it names."""
    process = subprocess.Popen(
        [sys.executable, "-m", "halfsilver.sim.board.terminal"], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_a_board_that_is_killed_in_a_load():
    """First it stands still, so that the terminal is full and the load cannot end before; then it is gone."""
    with board_process() as (process, path), opened(path) as transport:

        def before(pairs):
            process.send_signal(signal.SIGSTOP)
            threading.Timer(0.5, process.kill).start()

        driver = Driver(Watched(transport, before))
        with pytest.raises(CardUnreachable, match="went away .*; the rule set before it stays in force") as caught:
            driver.load(with_vni(7))
        assert caught.value.exit_code == 4 and "\n" not in str(caught.value)
    assert process.returncode == -signal.SIGKILL


def test_a_board_that_stands_still():
    """Nothing is taken, or nothing is answered: both end in time."""
    with board_process() as (process, path), opened(path, patience=0.5) as transport:
        driver = Driver(transport)
        process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(CardUnreachable, match="does not answer, 3 times .not a byte came in time."):
            driver.counters()
        with pytest.raises(CardUnreachable, match="takes nothing more"):
            transport.write([(0x024, n) for n in range(5000)])
        assert time.monotonic() - begin < 20


def test_a_second_driver_is_refused_and_told_who_has_the_port(bench, plug):
    path = plug(bench.line).path
    hold = (
        f"from halfsilver.harness.nic.transports.serial_port import SerialPort\nport = SerialPort({path!r}, {BAUD})\n"
    )
    hold += "print('mine', flush=True)\ninput()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"mine\n"
        with pytest.raises(CardUnreachable) as caught:
            open_serial(path, BAUD)
        assert caught.value.exit_code == 4
        assert f"{path} is in use by python" in str(caught.value) and f"(process {holder.pid})" in str(caught.value)
    finally:
        holder.kill()
        holder.communicate()
    with opened(path) as transport:
        Driver(transport)
        with pytest.raises(CardUnreachable, match=f"is in use by .* .process {os.getpid()}."):
            open_serial(path, BAUD)


@pytest.mark.parametrize("baud", [1_000_000, 115_200])
def test_the_wrong_rate_is_told(bench, plug, baud):
    """Bits at the wrong times, both ways; the card's rate is found."""
    with pytest.raises(RigError, match=f"at {baud:,} baud: the card answers at another rate, 3,000,000 baud"):
        open_serial(plug(bench.line).path, baud, patience=WRONG_RATE_PATIENCE)
    assert bench.judge() == 5


def test_the_pauses_of_the_host_are_longer_than_those_of_the_card():
    assert SILENCE_SECONDS > RESYNC_SECONDS and SILENCE_BYTES > RESYNC_BYTES
