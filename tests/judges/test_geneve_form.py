"""Wireshark's and Suricata's opinion of copies in GENEVE, as an appliance behind a Gateway Load Balancer has them."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from halfsilver.harness.capture.writer import PcapWriter
from halfsilver.harness.golden.flow_hash import Toeplitz
from halfsilver.harness.golden.geneve import flow_of, wrap
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.harness.golden.golden_kit import ENI_0, engine, interface, outer, session
from tests.harness.golden.test_geneve import APPLIANCE

ENDPOINT = 0x31E129CDC0CD8633
ENDS = {"4": ("10.9.0.1", "10.9.0.2"), "6": ("2001:db8::1", "2001:db8::2")}


def nested(family: str) -> list[bytes]:
    """Eight copies of TCP segments of four lengths, in GENEVE."""
    to = outer(*ENDS[family])
    frames = [
        Frame(
            bytes(Ether(dst=ENI_0) / IP(src="192.0.2.7", dst="10.0.0.1") / TCP(sport=1000 + n) / Raw(bytes(n * 97))),
            Direction.INGRESS,
        )
        for n in range(8)
    ]
    copies = engine(interface(session(to=to))).process(frames).outputs
    return [wrap(APPLIANCE, ENDPOINT, flow_of(each.data, Toeplitz()), each.data) for each in copies]


def written(path, frames):
    with path.open("wb") as stream:
        writer = PcapWriter(stream)
        for number, data in enumerate(frames):
            writer.write(data, number)
    return str(path)


def dissected(path):
    """For each packet, its layers' names and all values of the fields that are looked at, by tshark."""
    names = ["frame.protocols", "udp.dstport", "udp.checksum.status", "_ws.expert.severity", "ip.checksum.status"]
    names += ["geneve.version", "geneve.option.class", "geneve.option.type", "geneve.proto_type", "vxlan.vni"]
    fields = [word for name in names for word in ("-e", name)]
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    command = ["tshark", "-n", *checks, "-T", "json", *fields, "-r", path]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return [each["_source"]["layers"] for each in json.loads(done.stdout)]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is missing (apt install tshark)")
@pytest.mark.parametrize("family", ENDS)
def test_wireshark_takes_the_nest_apart(tmp_path, family, judged):
    packets = dissected(written(tmp_path / "nested.pcap", nested(family)))
    inner = "ip" if family == "4" else "ipv6"
    for packet in packets:
        assert packet["frame.protocols"][0].startswith(
            f"eth:ethertype:ip:udp:geneve:{inner}:udp:vxlan:eth:ethertype:ip:tcp"
        )
        assert packet["udp.dstport"] == ["6081", "4789"]
        assert packet["udp.checksum.status"][0] == packet["ip.checksum.status"][0] == "1"
        assert [int(each, 0) for each in packet["geneve.option.class"]] == [0x0108] * 3
        assert packet["vxlan.vni"] == [str(0x123456)]
    judged("tshark", f"{len(packets)} copies in GENEVE, an endpoint with IPv{family}")


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is missing (apt install tshark)")
@pytest.mark.parametrize(("at", "field"), [(24, "ip.checksum.status"), (90, "udp.checksum.status")])
def test_wireshark_sees_a_fault(tmp_path, at, field):
    """One bit wrong in a header or under the UDP checksum: the test above means something."""
    frame = bytearray(nested("4")[-1])
    frame[at] ^= 0x10
    (packet,) = dissected(written(tmp_path / "faulty.pcap", [bytes(frame)]))
    assert packet[field][0] == "0"


@pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is missing (apt install suricata)")
def test_suricata_sees_every_frame_within(tmp_path, judged):
    """Through GENEVE and VXLAN: each copied segment, and the VXLAN packet that carried it."""
    rules = tmp_path / "local.rules"
    rules.write_text(
        'alert tcp any any -> any any (msg:"frame"; sid:1;)\nalert udp any any -> any 4789 (msg:"copy"; sid:2;)\n'
    )
    capture = written(tmp_path / "nested.pcap", nested("4"))
    command = ["suricata", "-r", capture, "-S", str(rules), "-l", str(tmp_path)]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    alerts = (tmp_path / "fast.log").read_text().splitlines()
    for number in range(8):
        assert len([each for each in alerts if "] frame [" in each and f" 192.0.2.7:{1000 + number} -> " in each]) == 1
    assert len([each for each in alerts if " 10.9.0.1:" in each and "-> 10.9.0.2:4789" in each]) == 8
    judged("suricata", "8 copies in GENEVE, the frames within them")
