"""A wire on a network interface: what goes in comes out as it was, and what does not is said."""

import ctypes
import fcntl
import itertools
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from halfsilver.harness.bench.packet_wire import PacketWire
from halfsilver.harness.bench.wires import FramesLost, open_wire
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_BOARD, CardUnreachable, UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.report.compare import compare
from tests.harness.bench.board_kit import SIDES, Board
from tests.harness.bench.network_kit import cable, enter_network, ip, own_network, this_network
from tests.harness.bench.test_card_engine import batch
from tests.harness.commands.cli_kit import DOCUMENTS

pytestmark = pytest.mark.root
HEAD = bytes.fromhex("020000000001 020000000002")
WAIT = 2.0
SIOCETHTOOL, ETHTOOL_GGRO, ETHTOOL_SGRO = 0x8946, 0x2B, 0x2C


def frame(number, length=60, tags=b""):
    return (HEAD + tags + b"\x88\xb5" + number.to_bytes(4, "big")).ljust(length, b"\xa5")


def receive_all(wire, count):
    came = []
    while len(came) < count and (more := wire.receive(WAIT)):
        came += more
    return came


@own_network
def test_frames_come_out_as_they_went_in():
    """Both ways, in order, of all lengths, with and without VLAN tags, which Linux takes out."""
    near, far = cable()
    tags = [b"", b"\x81\x00\x20\x2a", b"\x88\xa8\xa0\x07\x81\x00\x00\x2a", b"\x88\xa8\x00\x07"]
    kinds = itertools.product(range(60, 1600, 23), tags)
    frames = [frame(number, length, tag) for number, (length, tag) in enumerate(kinds)] + [frame(9999, 9216)]
    before = time.time_ns()
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        for sender, receiver in ((one, other), (other, one)):
            sender.send(frames)
            came = receive_all(receiver, len(frames))
            assert [each.data for each in came] == frames
            times = [each.time_ns for each in came]
            assert before <= min(times) <= max(times) <= time.time_ns()
        assert one.receive(0.05) == other.receive(0.05) == []  # nobody hears what it has sent itself


@own_network
def test_frames_for_others_are_heard():
    near, far = cable()
    stranger = b"\x02\xff\xff\xff\xff\xff" + frame(1)[6:]
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        one.send([stranger])
        assert [each.data for each in receive_all(other, 1)] == [stranger]
        assert "promiscuity 1" in ip("-d", "link", "show", far)  # veth has no filter that would keep it away


@own_network
def test_a_burst_is_buffered_whole():
    near, far = cable()
    frames = [frame(number) for number in range(20_000)]
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        one.send(frames)
        assert [each.data for each in receive_all(other, len(frames))] == frames


@own_network
def test_what_this_host_loses_is_an_error():
    """More than the buffer takes, while nobody reads."""
    near, far = cable()
    long = [frame(number, 9000) for number in range(6000)]
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        one.send(long)
        with pytest.raises(
            FramesLost, match=r"packet:far0: this host has lost [\d,]+ of the frames that came"
        ) as raised:
            receive_all(other, len(long))
        assert raised.value.exit_code == EXIT_BOARD


@own_network
def test_what_the_interface_leaves_out_is_an_error(tmp_path):
    near, _ = cable()
    counter = tmp_path / "rx_crc_errors"
    counter.write_text("7\n")
    with closing(PacketWire(near, tmp_path)) as wire:
        assert wire.receive(0) == []
        counter.write_text("9\n")
        with pytest.raises(FramesLost, match=r"frames did not come whole: the interface counts rx_crc_errors \+2$"):
            wire.receive(0)


@own_network
def test_what_is_wrong_with_an_interface_is_said():
    near, far = cable()
    with pytest.raises(CardUnreachable, match="there is no network interface neer0; did you mean near0?"):
        open_wire("packet:neer0")
    ip("link", "set", far, "down")
    with pytest.raises(CardUnreachable, match="packet:near0 has no link: see that the cable is in"):
        open_wire(f"packet:{near}")
    with pytest.raises(CardUnreachable, match="packet:far0 is down: `ip link set far0 up` brings it up") as raised:
        open_wire(f"packet:{far}")
    assert raised.value.exit_code == EXIT_BOARD and "\n" not in str(raised.value)


@own_network
def test_a_link_that_has_just_gone_is_not_there():
    """Linux sets the flags of interfaces once a second: of the second link that goes, mostly, it does so later."""
    (near, far), (_, other) = cable(), cable("near1", "far1")
    with closing(open_wire(f"packet:{near}")) as wire:
        time.sleep(1.1)
        for end in (other, far):
            ip("link", "set", end, "down")
        with pytest.raises(CardUnreachable, match="packet:near0 has no link"):
            wire.receive(0)


@own_network
def test_a_link_that_goes_later_is_said():
    near, far = cable()
    with closing(open_wire(f"packet:{near}")) as wire:
        ip("link", "set", far, "down")
        with pytest.raises(CardUnreachable, match="packet:near0 has no link"):
            wire.receive(0)
        ip("link", "del", near)
        with pytest.raises(CardUnreachable, match="packet:near0 went away|the network interface went away"):
            wire.receive(0)
        with pytest.raises(CardUnreachable, match="packet:near0 went away"):
            wire.send([frame(1)])


@own_network
def test_a_frame_that_is_too_long_is_said():
    near, _ = cable(mtu=1500)
    with (
        closing(open_wire(f"packet:{near}")) as wire,
        pytest.raises(UsageError, match="a frame of 1,600 bytes is longer"),
    ):
        wire.send([frame(1, 1600)])


@own_network
def test_merging_is_off_while_a_wire_is_open():
    """Generic receive offload would make one frame of several."""
    near, far = cable()

    def ethtool(command, value=0):
        word = (ctypes.c_uint32 * 2)(command, value)
        with closing(socket.socket()) as any_socket:
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP16x", near.encode(), ctypes.addressof(word)))
        return word[1]

    ethtool(ETHTOOL_SGRO, 1)
    assert ethtool(ETHTOOL_GGRO) == 1
    with closing(open_wire(f"packet:{near}")):
        assert ethtool(ETHTOOL_GGRO) == 0
    assert ethtool(ETHTOOL_GGRO) == 1


@own_network
def test_what_this_host_sends_itself_is_not_heard():
    """Another program's frames, on the same interface."""
    near, far = cable()
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        with closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)) as program:
            program.bind((near, 0))
            program.send(frame(1))
        assert [each.data for each in receive_all(other, 1)] == [frame(1)]
        assert one.receive(0.05) == []


NOBODY = """
import os
from halfsilver.harness.bench.wires import open_wire
os.setgroups([]); os.setgid(65534); os.setuid(65534)
open_wire("packet:lo")
"""


def test_who_is_not_root_is_told():
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    done = subprocess.run([sys.executable, "-c", NOBODY], capture_output=True, text=True, timeout=60)
    assert "CardUnreachable: packet:lo: this user may not send and receive raw frames: be root" in done.stderr


@own_network
def test_random_frames_survive():
    near, far = cable()
    source = random.Random(5)
    frames = [HEAD + source.randbytes(source.randrange(46, 3000)) for _ in range(2000)]
    with closing(open_wire(f"packet:{near}")) as one, closing(open_wire(f"packet:{far}")) as other:
        one.send(frames)
        assert [each.data for each in receive_all(other, len(frames))] == frames


@own_network
def test_a_card_on_two_interfaces():
    """All of the way: engine, raw sockets, cables, a board at their far ends, and hosts that speak by themselves."""
    policy = Policy.from_documents(DOCUMENTS)
    board = Board(policy)
    ports = {side: open_wire(f"packet:{cable(f'{side}0', f'{side}1')[1]}") for side in SIDES}
    over = threading.Event()
    speech = b"\xff" * 6 + frame(77, 90)[6:]

    def serve():
        enter_network(home)
        while not over.is_set():
            for side, port in ports.items():
                for number, came in enumerate(port.receive(0.001)):
                    for out, data in board.take(side, came.data):
                        ports[out].send([data])
                    if number == 3:
                        ports[side].send([speech])

    home = this_network()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        engine = CardEngine(board.card, *(open_wire(f"packet:{side}0") for side in SIDES), name="board:test")
        engine.configure(policy)
        frames = [Frame(each.data.ljust(60, b"\0"), each.direction) for each in batch(300)]
        result = engine.process(frames)
        engine.close()
    finally:
        over.set()
        thread.join()
        for port in ports.values():
            port.close()
    golden = GoldenEngine(shortest_frame=60)
    golden.configure(policy)
    assert not compare(golden.process(frames), result) and result.noise
