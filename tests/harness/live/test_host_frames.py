"""What ``halfsilver live`` does to frames of the kernel's, how it knows its own copies, and wrong use of it."""

import socket

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from halfsilver.harness.live.copies import OwnCopies
from halfsilver.harness.live.tap import with_checksum
from halfsilver.harness.policy.policy import Policy
from tests.harness.commands.cli_kit import (
    COLLECTOR,
    DOCUMENTS,
    FRAMES,
    WEB,
    read_copies,
    run,
    write_capture,
    write_policy,
)

ETHER = Ether(src=WEB, dst=COLLECTOR)


@pytest.mark.parametrize("network", [IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")])
@pytest.mark.parametrize("transport", [TCP(sport=1, dport=2, flags="A"), UDP(sport=1, dport=2)])
@pytest.mark.parametrize("head", [ETHER, ETHER / Dot1Q(vlan=3)])
@pytest.mark.parametrize("payload", [b"", b"odd", b"x" * 1400])
def test_an_unfinished_checksum_is_filled_in(network, transport, head, payload):
    """What the kernel leaves to the NIC: in place of the checksum stands the sum of the pseudo-header."""
    whole = bytes(head / network / transport / payload)
    parsed = Ether(whole)
    segment = parsed[type(transport)]
    addresses = socket.inet_aton(parsed[IP].src) + socket.inet_aton(parsed[IP].dst) if IP in parsed else b""
    if IPv6 in parsed:
        addresses = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in (parsed[IPv6].src, parsed[IPv6].dst))
    protocol = 6 if TCP in parsed else 17
    pseudo = addresses + protocol.to_bytes(2, "big") + len(bytes(segment)).to_bytes(2, "big")
    total = sum(int.from_bytes(pseudo[at : at + 2], "big") for at in range(0, len(pseudo), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    at = len(whole) - len(bytes(segment)) + (16 if TCP in parsed else 6)
    unfinished = whole[:at] + total.to_bytes(2, "big") + whole[at + 2 :]
    assert with_checksum(unfinished) == whole


@pytest.mark.parametrize("frame", [b"", b"x" * 13, bytes(ETHER / IP()), bytes(ETHER / IP(proto=1) / b"x"), FRAMES[3]])
def test_what_has_no_such_checksum_stays_as_it_is(frame):
    assert with_checksum(frame) == frame


def test_own_copies_are_known(tmp_path):
    policy = Policy.from_documents(DOCUMENTS)
    own = OwnCopies(policy)
    assert run("mirror", "-r", write_capture(tmp_path), "-c", write_policy(tmp_path), "-w", str(tmp_path / "w")) == 0
    copies = [bytes(copy) for copy in read_copies((tmp_path / "w").read_bytes())]
    assert len(copies) == 2 and all(copy in own for copy in copies)
    assert not any(frame in own for frame in (*FRAMES, b"", b"x" * 20))
    other = Ether(copies[0])
    other[IP].dst = "10.0.0.41"
    assert bytes(other) not in own


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-i", "near9", "-o", "udp"), 2, "-i near9: there is no such network interface"),
        (("-i", "lo", "-o", "copies.doc"), 2, "captures are written as .pcapng"),
        (("-i", "lo", "-o", "-", "--json"), 2, "would mix on standard output"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, capsys, arguments, code, message):
    assert run("live", "-c", write_policy(tmp_path), *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
