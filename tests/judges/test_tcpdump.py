"""tcpdump's filters judge single rules, and its printer the outer headers. It needs no root."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Direction
from halfsilver.sim.traffic.policies import draw_places
from tests.judges.mirrored_kit import inner_frames, mirror
from tests.judges.packets_kit import Kinds, draw_frames, draw_interface

FRAMES = 500
"""Frames of each list of rules."""

LISTS = 12
FAMILY = {4: "ip", 6: "ip6"}
KINDS = Kinds(tagged=False, extensions=False, services=False)
"""What libpcap's primitives look behind: IPv4 options and fragments, but neither tags nor extension headers."""

TCPDUMP = shutil.which("tcpdump")
pytestmark = pytest.mark.skipif(TCPDUMP is None, reason="tcpdump is missing (apt install tcpdump)")


def tcpdump(*words):
    return subprocess.run([TCPDUMP, "-n", *words], capture_output=True, text=True, timeout=60, check=True).stdout


def write(path, frames):
    """Frames by their number as the time."""
    with path.open("wb") as stream:
        writer = PcapngWriter(stream)
        for number, data in enumerate(frames):
            writer.write(data, number * 1000)


def expression(rule):
    """A rule in the words of pcap-filter(7)."""
    words = [FAMILY[rule.source.version]]
    for end, block in (("src", rule.source), ("dst", rule.destination)):
        if block.prefixlen:
            words.append(f"{end} net {block}")
    if rule.protocol is not None:
        words.append(f"{words[0]} proto {rule.protocol}")
    for end, ports in (("src", rule.source_ports), ("dst", rule.destination_ports)):
        if ports is not None:
            words.append(f"{end} portrange {ports[0]}-{ports[1]}")
    return " and ".join(words)


def first_match(rules, frames, folder, words=expression):
    """For each frame, the number of the first rule that takes it, by tcpdump; None where none does."""
    taken, every, some = [None] * len(frames), folder / "frames.pcapng", folder / "taken.pcap"
    write(every, [frame.data for frame in frames])
    for number, rule in reversed(list(enumerate(rules))):
        tcpdump("-r", str(every), "-w", str(some), words(rule))
        with open_capture(some) as reader:
            for captured in reader:
                taken[captured.timestamp // 1000] = number
    return taken


def situation(number):
    """(interface, its rules, frames), every other one of the other direction."""
    rng = random.Random(f"tcpdump {number}")
    places, direction = draw_places(rng), Direction(number % 2)
    interface, rules = draw_interface(rng, places, direction)
    return interface, rules, draw_frames(rng, interface, places, direction, FRAMES, KINDS)


def decided(interface, frames):
    """The same by the golden model."""
    golden = GoldenEngine()
    golden.configure(Policy((interface,)))
    return [record.rule for record in golden.process(frames).verdicts]


def test_the_same_rule_decides(tmp_path, judged):
    count = hits = 0
    for number in range(LISTS):
        interface, rules, frames = situation(number)
        found = first_match(rules, frames, tmp_path)
        assert found == decided(interface, frames)
        count += len(rules)
        hits += len(frames) - found.count(None)
    judged("tcpdump", f"{LISTS * FRAMES:,} frames, {count} rules in {LISTS} lists, {hits:,} matches, all equal")


def short_ranges(rule):
    """Ranges that lack their last port."""

    def shorter(ports):
        return ports and (ports[0], max(ports[0], ports[1] - 1))

    wrong = {name: shorter(getattr(rule, name)) for name in ("source_ports", "destination_ports")}
    return expression(replace(rule, **wrong))


def test_the_judge_sees_a_wrong_range(tmp_path):
    lists = map(situation, range(LISTS))
    assert any(
        first_match(rules, frames, tmp_path, short_ranges) != decided(interface, frames)
        for interface, rules, frames in lists
    )


OUTER = re.compile(
    r"^IP \(tos 0x0, ttl 255, id 0, offset 0, flags \[none\], proto UDP \(17\), length (?P<length>\d+)\)\n"
    r"    (?P<ends>\S+\.\d+ > \S+\.4789): \[no cksum\] VXLAN, flags \[I\] \(0x08\), vni (?P<vni>\d+)$"
    r"|^IP6 \(hlim 255, next-header UDP \(17\) payload length: (?P<length6>\d+)\) "
    r"(?P<ends6>\S+\.\d+ > \S+\.4789): \[udp sum ok\] VXLAN, flags \[I\] \(0x08\), vni (?P<vni6>\d+)$",
    re.MULTILINE,
)
"""All that tcpdump prints of an outer packet in which nothing is wrong."""


def printed(copies, path):
    """(length in the IP header, ends, VNI) of each outer packet in which tcpdump finds nothing wrong."""
    write(path, copies)
    found = [at.groupdict() for at in OUTER.finditer(tcpdump("-t", "-vv", "-r", str(path)))]
    return [tuple(at[name] or at[name + "6"] for name in ("length", "ends", "vni")) for at in found]


def wanted(session, record, copy):
    outer = session.outer
    at, head = (34, 20) if outer.destination.version == 4 else (54, 0)  # an IPv6 length does not count its own header
    port = int.from_bytes(copy[at : at + 2], "big")
    return str(16 + head + record.copied), f"{outer.source}.{port} > {outer.destination}.4789", str(session.vni)


@pytest.fixture(scope="module")
def copies():
    return mirror(inner_frames())


def test_outer_headers_are_printed_without_complaint(copies, tmp_path, judged):
    found = printed([copy for *_, copy in copies], tmp_path / "copies.pcapng")
    assert found == [wanted(session, record, copy) for _, session, record, copy in copies]
    judged("tcpdump", f"{len(copies)} copies printed, nothing wrong in any outer packet")


@pytest.mark.parametrize(("version", "at"), [(4, 22), (4, 24), (4, 42), (6, 21), (6, 60), (6, 62), (6, 100)])
def test_the_judge_sees_faults_in_outer_headers(copies, tmp_path, version, at):
    """One bit wrong in the hop limit, a checksum, the flags of VXLAN or what a checksum covers."""
    copy = bytearray(next(copy for _, session, _, copy in copies if session.outer.destination.version == version))
    path = tmp_path / "copy.pcapng"
    assert len(printed([bytes(copy)], path)) == 1
    copy[at] ^= 0x08
    assert printed([bytes(copy)], path) == []
