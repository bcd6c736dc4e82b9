"""The NIC over its serial line, bit by bit: whole loads, bad days, and LiteX's server and client at the other end."""

import contextlib
import random
import socket
import subprocess
import sys
import time

import pytest

from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, RigError, TransferDamaged
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.image import policy_image, table_writes
from halfsilver.harness.nic.table_sum import sum_writes
from halfsilver.harness.nic.transports.runs import MAX_WORDS
from halfsilver.harness.nic.transports.uartbone import read_command, write_commands
from halfsilver.harness.records import DEFAULT_FLAGS
from halfsilver.hdl.layout.registers import REGISTERS
from tests.sim.board.board_kit import BAUD, PARAMETERS, Bench, Plugged, with_vni

TABLE_ADDRESS, TABLE_DATA = 0x020, 0x024


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.pump.close()


def pulses(source, toggles, count, longest):
    """The line is wrong for a while, ``count`` times, anywhere in what is sent."""
    last = max(toggles)
    hits = []
    for _ in range(count):
        begin = source.uniform(0, last)
        hits += [begin, begin + source.uniform(0.3, longest)]
    return sorted(toggles + hits)


def test_loads_over_a_line_and_over_axi(bench):
    driver = Driver(bench.transport)
    assert driver.card.shape.rules == 1
    assert driver.load(with_vni(5)) == 1
    assert bench.judge() == 5
    assert Driver(bench.pump).load(with_vni(6)) == 2
    assert bench.judge() == 6
    assert driver.load(with_vni(7)) == 3
    assert bench.judge() == 7
    assert sum(tally.frames for tally in driver.counters().sessions.values()) == 3


@pytest.mark.parametrize("seed", [1])
def test_noise_in_the_middle_of_a_load_is_got_over(bench, seed):
    Driver(bench.pump).load(with_vni(5))
    source, driver, hit = random.Random(seed), Driver(bench.transport), []

    def noise(toggles):
        if len(toggles) < 1000 or len(hit) == 1:
            return toggles
        hit.append(len(toggles))
        assert bench.judge() == 5
        return pulses(source, toggles, source.choice([1, 3, 30]), source.choice([1, 30]))

    bench.line.noise = noise
    assert driver.load(with_vni(6)) == 2
    assert hit
    assert bench.judge() == 6


def test_noise_without_an_end_leaves_the_old_rule_set_and_ends_with_one_line(bench):
    Driver(bench.pump).load(with_vni(5))
    source, driver = random.Random(4), Driver(bench.transport)
    bench.line.noise = lambda toggles: pulses(source, toggles, 1 + len(toggles) // 200, 3)
    with pytest.raises((TransferDamaged, CardUnreachable)) as caught:
        driver.load(with_vni(6))
    assert caught.value.exit_code == EXIT_BOARD == 4
    assert "\n" not in str(caught.value)
    bench.line.noise = None
    bench.line.wait(bench.line.silence)
    assert bench.judge() == 5
    assert bench.line.ask(read_command(0, 1), 4) == b"HSM1"
    assert Driver(bench.pump).load(with_vni(6)) == 2
    assert bench.judge() == 6


@pytest.mark.parametrize("share", [0.6])
def test_a_load_that_stops_half_way_is_forgotten(bench, share):
    """The host dies in the middle of a word; another one comes, after a silence, and loads."""
    Driver(bench.pump).load(with_vni(5))
    writes = table_writes(policy_image(with_vni(6), DEFAULT_FLAGS, PARAMETERS), {})
    commands = b"".join(write_commands(writes))
    bench.line.send(commands[: int(share * len(commands)) // 4 * 4 + 1])
    assert bench.judge() == 5
    bench.line.wait(bench.line.silence)
    bench.transport.write([(REGISTERS.address("COMMIT"), 1)])
    assert bench.judge() == 5  # whoever loads with a check has made it needed
    assert Driver(bench.transport).load(with_vni(7)) == 2
    assert bench.judge() == 7


@pytest.mark.parametrize("rate", [0.5, 1.1, 26.04])
def test_a_whole_load_at_the_wrong_rate_changes_nothing(bench, rate):
    """26.04: 115,200 baud at a card of 3 M. A load of commands, and the commit, which never comes to be one."""
    Driver(bench.pump).load(with_vni(5))
    writes = table_writes(policy_image(with_vni(6), DEFAULT_FLAGS, PARAMETERS), {})
    octets = b"".join(write_commands([*writes[: 60 if rate > 2 else 1500], (REGISTERS.address("COMMIT"), 1)]))
    bench.line.send(octets, rate)
    assert bench.judge() == 5
    bench.line.wait(bench.line.silence)
    assert bench.line.ask(read_command(0, 1), 4) == b"HSM1"
    assert Driver(bench.pump).load(with_vni(7)) == 2
    assert bench.judge() == 7


@pytest.mark.parametrize("seed", range(2))
def test_garbage_changes_nothing(bench, seed):
    source = random.Random(seed)
    Driver(bench.pump).load(with_vni(5))
    for _ in range(20):
        bench.line.send(source.choice([source.randbytes(200), bytes(source.choices(range(6), k=200)), b"AT+GMI\r\n"]))
        bench.line.wait(source.choice([5, bench.line.silence]))
        bench.line.drive(sorted(source.uniform(0, 300) for _ in range(60)), 300)
        bench.line.wait(source.choice([5, bench.line.silence]))
    assert bench.judge() == 5
    bench.line.wait(bench.line.silence)
    assert bench.line.ask(read_command(0, 1), 4) == b"HSM1"
    assert Driver(bench.pump).load(with_vni(7)) == 2
    assert bench.judge() == 7


def test_a_card_that_is_not_there(bench):
    bench.line.noise = lambda toggles: []
    with pytest.raises(CardUnreachable, match="does not answer, 3 times") as caught:
        Driver(bench.transport)
    assert isinstance(caught.value, RigError) and caught.value.exit_code == 4


# LiteX's tools


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_litex_server_and_client_over_a_pseudo_terminal(bench, tmp_path):
    """LiteX's RemoteClient reads who the card is, writes and reads registers, fills a table, and commits it."""
    litex = pytest.importorskip("litex", reason="needs litex, which the extra test of the installation brings")
    csr = tmp_path / "csr.csv"
    lines = [f"csr_register,{each.name.lower()},{each.address:#x},1,{each.access.value}" for each in REGISTERS]
    lines += ["constant,config_csr_data_width,32,,", "constant,config_bus_address_width,32,,"]
    csr.write_text("\n".join(["csr_base,halfsilver,0x0,,", *lines]) + "\n")
    board, port = Plugged(bench.line), free_port()
    command = [sys.executable, "-m", "litex.tools.litex_server", "--uart", "--uart-port", board.path]
    command += ["--uart-baudrate", str(BAUD), "--bind-port", str(port)]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        client = litex.RemoteClient(port=port, csr_csv=str(csr))
        for _ in range(100):
            with contextlib.suppress(ConnectionRefusedError):
                client.open()
                break
            time.sleep(0.1)
        assert client.regs.id.read() == 0x48534D31
        client.regs.counter_address.write(0x1000_0ABC)
        assert client.regs.counter_address.read() == 0x1000_0ABC
        shape = dict(width=PARAMETERS.width, enis=PARAMETERS.enis, sessions=PARAMETERS.sessions)
        assert client.read(0x000, 3) == [0x48534D31, REGISTERS["VERSION"].pack(), REGISTERS.pack("SHAPE", **shape)]

        words = [random.Random(1).getrandbits(32) for _ in range(40)]
        crc, count = sum_writes([(TABLE_ADDRESS, 0x20000003), *((TABLE_DATA, word) for word in words)], bank=1)
        client.regs.table_check.write(1)
        client.regs.table_address.write(0x20000003)
        for word in words:
            client.regs.table_data.write(word)
        assert (client.regs.table_crc.read(), client.regs.table_count.read()) == (crc, count) == (crc, 40)
        for expected, generation in ((crc ^ 1, 0), (crc, 1), (crc, 1)):
            client.regs.expected_crc.write(expected)
            client.regs.commit.write(1)
            assert client.regs.status.read() >> 16 == generation
        client.close()
    finally:
        server.terminate()
        server.wait()
        board.pull()


def test_commands_are_what_the_protocol_says():
    """Written out: addresses that count up, one address again and again, and a new run."""
    pairs = [(0x20, 1), (0x24, 2), (0x24, 3), (0x24, 4), (0x4C, 5), (0x50, 6)]
    assert b"".join(write_commands(pairs)).hex() == (
        "0102000000080000000100000002" + "0302000000090000000300000004" + "0102000000130000000500000006"
    )
    assert read_command(0x44, 2).hex() == "020200000011"
    long = b"".join(write_commands([(0x24, n) for n in range(MAX_WORDS + 2)]))
    assert long[:6].hex() == "03ff00000009" and long[6 + 4 * MAX_WORDS :].hex() == "030200000009000000ff00000100"
    with pytest.raises(ValueError, match="1 to 255 words, not 0"):
        read_command(0, 0)
