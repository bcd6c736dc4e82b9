"""What becomes of a capture's frames before they are offered, and what is said of those that were not whole."""

import json
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Ether

from tests.harness.capture.test_capture import block, interface, option, section
from tests.harness.commands.cli_kit import (
    DOCUMENTS,
    FRAMES,
    ROUTER,
    WEB,
    mirror_it,
    read_copies,
    run,
    write_capture,
    write_policy,
)

OTHER = "0a:00:00:00:00:11"


def marked(data, options=b"", original=None):
    """An enhanced packet block with options."""
    original = len(data) if original is None else original
    return block(6, struct.pack("<IIIII", 0, 0, 0, len(data), original) + data + bytes(-len(data) % 4) + options)


def write_pcapng(folder, *blocks):
    path = folder / "marked.pcapng"
    path.write_bytes(section() + interface() + b"".join(blocks))
    return str(path)


def verdicts_of(capsys, *arguments, code=0):
    assert run("mirror", "--json", *arguments) == code
    output = capsys.readouterr()
    return json.loads(output.out), output.err


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (b"", "mirrored"),
        (option(1, b"halfsilver:dropped"), "dropped"),
        (option(1, b"some words") + option(1, b"halfsilver:dropped") + option(0, b""), "dropped"),
        (option(7, b"\x01" + struct.pack("<Q", 2)), "dropped"),  # TC_ACT_SHOT
        (option(7, b"\x02" + struct.pack("<Q", 1)), "dropped"),  # XDP_DROP
        (option(7, b"\x01" + struct.pack("<Q", 1)), "mirrored"),
        (option(7, b"\x02" + struct.pack("<Q", 2)), "mirrored"),  # XDP_PASS
        (option(7, b"\x00\x01"), "mirrored"),  # of hardware, opaque
        (option(2, struct.pack("<I", 1 << 24)), "malformed"),  # CRC error
        (option(2, struct.pack("<I", 0x80000000)), "malformed"),
        (option(2, struct.pack("<I", 1 << 27 | 1)), "mirrored"),  # interframe gap, inbound
        (option(0, b"") + option(1, b"halfsilver:dropped"), "mirrored"),  # behind the end of the options
    ],
)
def test_marks_of_a_pcapng(paths, capsys, options, verdict):
    capture = write_pcapng(paths[2], marked(FRAMES[0], options))
    assert verdicts_of(capsys, "-r", capture, "-c", paths[1])[0]["verdicts"] == {verdict: 1}


def test_an_egress_frame_that_is_marked_dropped_is_mirrored(paths, capsys):
    """Law: the mark is of ingress only."""
    capture = write_pcapng(paths[2], marked(FRAMES[1], option(1, b"halfsilver:dropped")))
    assert verdicts_of(capsys, "-r", capture, "-c", paths[1])[0]["verdicts"] == {"mirrored": 1}


def test_cut_frames_are_told_apart(paths, capsys):
    """Packet length 100: with 120 bytes captured the copy is the whole frame's, with exactly 100 too, with 99 not."""
    whole = FRAMES[0]
    capture = write_pcapng(
        paths[2], *(marked(whole[:size], original=len(whole)) for size in (120, 100, 99, 60, 20)), marked(whole)
    )
    summary, errors = verdicts_of(capsys, "-r", capture, "-c", paths[1])
    assert summary["verdicts"] == {"mirrored": 5, "malformed": 1}
    assert "5 frames captured with fewer bytes" in errors
    assert "2 copied as the whole frames would be, 2 copied to where the capture ends" in errors
    assert "1 malformed as they stand" in errors


def test_cut_frames_of_a_session_without_limit_end_where_the_capture_ends(tmp_path, capsys):
    documents = json.loads(json.dumps(DOCUMENTS))
    del documents["TrafficMirrorSessions"][0]["PacketLength"]
    capture = write_pcapng(tmp_path, marked(FRAMES[0][:200], original=254))
    errors = verdicts_of(capsys, "-r", capture, "-c", write_policy(tmp_path, documents))[1]
    assert "1 copied to where the capture ends" in errors and "as the whole" not in errors


@pytest.mark.parametrize(
    ("packet", "present", "decided"),
    [
        (IP() / TCP(), 38, True),
        (IP() / TCP(), 37, False),  # half a port
        (IP() / ICMP(type=3), 34, False),
        (IP() / ICMP(type=3), 35, True),  # no echo, which would have an identifier
        (IP() / ICMP(type=8), 39, False),
        (IP(frag=9, proto=6), 36, True),  # has no ports
        (IPv6() / TCP(), 57, False),
        (IPv6() / IPv6ExtHdrDestOpt() / TCP(), 54, False),  # the extension header
        (IPv6() / IPv6ExtHdrDestOpt() / TCP(), 58, False),  # what stands behind it
        (IPv6() / IPv6ExtHdrDestOpt() / TCP(), 66, True),
        (IPv6() / IPv6ExtHdrDestOpt() / ICMPv6EchoRequest(), 58, False),
        (IP() / TCP() / bytes(9200), 60, False),  # longer than any frame: the whole is malformed
    ],
)
def test_a_copy_is_the_whole_frames_if_all_that_decides_was_captured(tmp_path, capsys, packet, present, decided):
    documents = json.loads(json.dumps(DOCUMENTS))
    rule = documents["TrafficMirrorFilters"][0]["EgressFilterRules"][0]
    documents["TrafficMirrorFilters"][0]["EgressFilterRules"] += [
        rule
        | {
            "TrafficMirrorFilterRuleId": "tmfr-6",
            "RuleNumber": 40,
            "SourceCidrBlock": "::/0",
            "DestinationCidrBlock": "::/0",
        }
    ]
    documents["TrafficMirrorSessions"][0]["PacketLength"] = 20
    data = bytes(Ether(src=WEB, dst=ROUTER) / packet / bytes(100))
    capture = write_pcapng(tmp_path, marked(data[:present], original=len(data)))
    errors = verdicts_of(capsys, "-r", capture, "-c", write_policy(tmp_path, documents))[1]
    assert ("1 copied as the whole" in errors, "1 copied by the bytes present" in errors) == (decided, not decided)


def test_super_frames_are_segmented_or_said(paths, capsys):
    frame = bytes(Ether(src=WEB, dst=ROUTER) / IP(src="10.0.0.10", dst="10.0.9.9") / TCP(dport=80) / bytes(14_600))
    capture = write_capture(paths[2], [frame, FRAMES[1]], name="tso.pcap")
    summary, errors = verdicts_of(capsys, "-r", capture, "-c", paths[1])
    assert summary["verdicts"] == {"malformed": 1, "mirrored": 1} and "--segment cuts those of TCP" in errors
    out = paths[2] / "out.pcapng"
    summary, errors = verdicts_of(capsys, "-r", capture, "-c", paths[1], "--segment", "-w", str(out))
    assert summary["verdicts"] == {"mirrored": 11} and "1 super-frame offered as 10 segments" in errors
    assert [copy.comments[0] for copy in read_copies(out.read_bytes())][:1] == [
        b"mirrored by rule 30, session 1, 100 of 1514 bytes"
    ]
    summary, errors = verdicts_of(capsys, "-r", capture, "-c", paths[1], "--segment", "8000")
    assert summary["verdicts"] == {"mirrored": 3}
    assert run("explain", "-r", capture, "-c", paths[1], "--segment", "-n", "11") == 0
    assert "54" in capsys.readouterr().out


def test_what_is_longer_than_the_mtu_and_cannot_be_cut_is_said(paths, capsys):
    datagram = bytes(Ether(src=WEB, dst=ROUTER) / IP(src="10.0.0.10", dst="10.0.9.9") / UDP() / bytes(3000))
    stream = bytes(Ether(src=WEB, dst=ROUTER) / IP(src="10.0.0.10", dst="10.0.9.9") / TCP() / bytes(3000))
    capture = write_pcapng(paths[2], marked(datagram), marked(stream), marked(stream[:96], original=len(stream)))
    errors = verdicts_of(capsys, "-r", capture, "-c", paths[1], "--segment")[1]
    assert errors.count("longer than the MTU") == 1
    assert "2 frames longer than the MTU of 1,500 stayed whole" in errors and "1 super-frame offered as 3" in errors


@pytest.mark.parametrize("mtu", ["575", "9203", "x", "-1"])
def test_an_mtu_that_is_none_is_refused(paths, capsys, mtu):
    assert mirror_it(paths, f"--segment={mtu}") == 2
    assert f"'{mtu}' is no MTU: a number from 576 to 9,202" in capsys.readouterr().err


def two_sources(folder):
    """eni-11 is a source as well, with a session that takes ingress on port 443."""
    documents = json.loads(json.dumps(DOCUMENTS))
    documents["NetworkInterfaces"].append(
        {"NetworkInterfaceId": "eni-11", "MacAddress": OTHER, "PrivateIpAddress": "10.0.0.11"}
    )
    documents["TrafficMirrorSessions"].append(
        documents["TrafficMirrorSessions"][0]
        | {"TrafficMirrorSessionId": "tms-2", "NetworkInterfaceId": "eni-11", "VirtualNetworkId": 43}
    )
    return write_policy(folder, documents)


def test_both_sides_of_a_frame_between_two_interfaces(tmp_path, capsys):
    """As two NICs have it: egress at the sender's, ingress at the receiver's; each offered, each mirrored."""
    between = bytes(Ether(src=WEB, dst=OTHER) / IP(src="10.0.0.10", dst="10.0.0.11") / TCP(dport=443) / b"x")
    capture, policy = write_capture(tmp_path, [between, *FRAMES]), two_sources(tmp_path)
    lines = tmp_path / "v.jsonl"
    arguments = ("-r", capture, "-c", policy, "--verdicts", str(lines), "-w", str(tmp_path / "out.pcapng"))
    one, _ = verdicts_of(capsys, *arguments)
    assert one["offered"] == 8 and one["verdicts"]["mirrored"] == 3
    both, _ = verdicts_of(capsys, *arguments, "--both-sides")
    assert (both["offered"], both["verdicts"]["mirrored"], both["conserved"]) == (9, 4, True)
    first, second = [json.loads(line) for line in lines.read_text().splitlines()][:2]
    assert [(each["frame"], each["direction"], each["eni"], each["session"]) for each in (first, second)] == [
        (1, "egress", "eni-10", "tms-1"),
        (2, "ingress", "eni-11", "tms-2"),
    ]
    copies = read_copies((tmp_path / "out.pcapng").read_bytes())
    assert [bytes(copy)[50:] for copy in copies[:2]] == [between[:100]] * 2
    assert run("mirror", *arguments, "--both-sides", "--direction", "egress") == 2
    assert "leave out --direction egress" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "source", "destination", "direction"),
    [
        (0, WEB, OTHER, "egress"),
        (2, WEB, OTHER, "egress"),
        (1, WEB, OTHER, "ingress"),
        (1, WEB, ROUTER, "egress"),  # of the two only the sender is ours
        (2, ROUTER, WEB, "ingress"),
        (2, ROUTER, ROUTER, "egress"),
    ],
)
def test_a_capture_that_says_which_way_a_frame_went_decides(tmp_path, capsys, flags, source, destination, direction):
    frame = bytes(Ether(src=source, dst=destination) / IP(src="10.0.0.10", dst="10.0.0.11") / TCP(dport=443))
    capture = write_pcapng(tmp_path, marked(frame, option(2, struct.pack("<I", flags))))
    lines = tmp_path / "v.jsonl"
    arguments = ("mirror", "-r", capture, "-c", two_sources(tmp_path), "--verdicts", str(lines))
    for more, expected in (
        ((), direction),
        (("--direction", "ingress"), "ingress"),
        (("--direction", "egress"), "egress"),
    ):
        assert run(*arguments, *more) == 0
        assert json.loads(lines.read_text())["direction"] == expected


def test_both_sides_and_a_drop_mark(tmp_path, capsys):
    """The receiver's security group drops what the sender has sent."""
    between = bytes(Ether(src=WEB, dst=OTHER) / IP(src="10.0.0.10", dst="10.0.0.11") / TCP(dport=443))
    capture = write_pcapng(tmp_path, marked(between, option(1, b"halfsilver:dropped")))
    summary, _ = verdicts_of(capsys, "-r", capture, "-c", two_sources(tmp_path), "--both-sides")
    assert summary["verdicts"] == {"mirrored": 1, "dropped": 1}
