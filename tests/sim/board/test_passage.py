"""What an observer says of frames that passed a card; and, as root, programs that talk through the virtual board."""

import os
import shutil
import socket
import time
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from halfsilver.harness.commands.common import open_golden
from halfsilver.harness.engine import Identity
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.outer import PREFIX_IPV4
from halfsilver.sim.board import demo
from halfsilver.sim.board.links import enter_namespace
from halfsilver.sim.board.namespaces import Observer, ip, namespaces
from halfsilver.sim.board.passage import Passage, is_copy
from tests.sim.board.virtual_kit import SECONDS, Running

HOST, PEER = "02:00:00:77:00:10", "02:00:00:77:00:01"
IDENTITY = Identity("virtual", "")
POLICY = Policy.from_documents(demo.policy_documents())
INWARD = [
    bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER) / ARP(pdst="10.77.0.10")),
    *(bytes(Ether(dst=HOST, src=PEER) / IP(dst="10.77.0.10") / TCP(dport=n) / bytes(n)) for n in range(60, 70)),
]
OUTWARD = [bytes(Ether(dst=PEER, src=HOST) / IP(src="10.77.0.10") / UDP(dport=n) / bytes(n)) for n in range(80, 90)]


def passage():
    """As it has to be, and the card's counters of it."""
    padded = [frame.ljust(60, b"\0") for frame in INWARD]
    frames = [Frame(data, Direction.INGRESS) for data in padded] + [Frame(data, Direction.EGRESS) for data in OUTWARD]
    result = open_golden(POLICY, DEFAULT_FLAGS, IDENTITY).process(frames)
    copies = [output.data for output in result.outputs]
    came = [frame for pair in zip(copies, OUTWARD, strict=False) for frame in pair] + copies[len(OUTWARD) :]
    return Passage(OUTWARD, padded, INWARD, came, [copy[PREFIX_IPV4:] for copy in copies]), result.counters


def swapped(frames):
    return [frames[1], frames[0], *frames[2:]]


def changed(frames):
    return [*frames[:-1], frames[-1][:-1] + b"!"]


FAULTS = {
    "production is lost": ({"host_came": lambda frames: frames[1:]}, "network to host: 1 of 11 frames are missing"),
    "production is doubled": ({"host_came": lambda frames: frames + frames[:1]}, "and 1 came that were not sent"),
    "production is changed": ({"host_came": changed}, "network to host: 1 of 11 frames are missing, and 1 came"),
    "production is reordered": ({"host_came": swapped}, "network to host: the order has changed"),
    "production out is lost": (
        {"net_came": lambda frames: [each for each in frames if each != OUTWARD[3]]},
        "host to n",
    ),
    "a copy is lost": ({"net_came": lambda frames: frames[1:]}, "copies, by the golden model: 1 of 20 frames"),
    "a copy is changed": ({"net_came": changed}, "copies, by the golden model: 1 of 20 frames are missing, and 1 came"),
    "the receiver loses a frame": ({"inner": lambda frames: frames[:-1]}, "their frames, at the receiver: 1 of 20"),
    "the receiver changes a frame": ({"inner": changed}, "their frames, at the receiver: 1 of 20"),
}


def test_what_passed_whole_is_all_right():
    seen, counters = passage()
    text, problems = seen.judge(POLICY, IDENTITY, counters)
    assert not problems and sum(map(is_copy, seen.net_came)) == 20
    assert "network to host                11   11" in text and "ingress    not-eligible     1             1" in text


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told(fault):
    seen, counters = passage()
    (name, change), says = *FAULTS[fault][0].items(), FAULTS[fault][1]
    _, problems = replace(seen, **{name: change(getattr(seen, name))}).judge(POLICY, IDENTITY, counters)
    assert any(says in problem for problem in problems)


def test_a_card_that_judges_otherwise_is_told():
    seen, counters = passage()
    counters.verdicts[Direction.INGRESS, Verdict.MIRRORED].frames += 1
    _, problems = seen.judge(POLICY, IDENTITY, counters)
    assert problems == ["ingress mirrored: the card has judged 11 frames so, not 10"]


@pytest.mark.simulation
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2 for namespaces")
def test_programs_talk_through_the_board_and_linux_takes_its_copies_apart(tmp_path, capsys):
    """`make virtual`, with a tiny card, and of the programs one that is there."""
    talks = [name for name in ("ping", "curl") if shutil.which(name) is not None]
    if not talks:
        pytest.skip("neither ping (apt install iputils-ping) nor curl is here")
    text, problems = demo.talk("tiny", talks, tmp_path)
    assert not problems
    assert "mirrored" in text and all((tmp_path / f"{name}.pcapng").stat().st_size for name in ("host", "net", "vxlan"))
    assert all(f"{name} " in capsys.readouterr().out for name in talks[:1])


def devices(namespace):
    with enter_namespace(namespace):
        return [name for _, name in socket.if_nameindex()]


@pytest.mark.simulation
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2 for namespaces")
def test_a_tap_that_goes_and_comes_back():
    """With its namespace's device deleted, frames for it are lost; the board makes it again, and frames pass."""
    with namespaces("tap") as (namespace,):
        board = Running(net=f"tap:wire0@{namespace}")
        try:
            for _ in range(2):
                ip(namespace, "link set wire0 up")
                seen = Observer(namespace, "wire0")
                board.host.send(bytes(40))
                until = time.monotonic() + SECONDS
                while not seen.take() and time.monotonic() < until:
                    time.sleep(0.01)
                assert [each.data for each in seen.seen] == [bytes(60)]  # padded, as by a MAC
                seen.close()
                ip(namespace, "link delete wire0")
                board.host.send(bytes(40))
                while "wire0" not in devices(namespace) and time.monotonic() < until:
                    time.sleep(0.05)
            counts = board.stop()
            assert counts["net"]["sent"] == 2 and counts["net"]["lost"] == 2
        finally:
            board.clear()
