"""Wireshark's and Linux's opinion of the copies: outer headers without fault, and the inner frame out again whole."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.sim.lots import CAPTURES, captures, prepare
from tests.judges.mirrored_kit import ENDS, JUMBO, POLICY, inner_frames, mirror

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is missing (apt install tshark)")
needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no captures in {CAPTURES}")

LAYERS = {"eth", "ethertype", "ip", "ipv6", "udp", "vxlan", "data", "frame"}
"""The profile: nothing above UDP but VXLAN, so that no application's dissector guesses at inner bytes."""

OUTER = ("eth", "ip", "ipv6", "udp", "vxlan")
GOOD, NOT_PRESENT = "1", "3"
"""Values of Wireshark's checksum status."""

FRAMES_PER_CAPTURE = 150


@pytest.fixture(scope="session")
def profile(tmp_path_factory):
    """A Wireshark configuration in which only LAYERS are dissected."""
    place = tmp_path_factory.mktemp("wireshark")
    (place / "profiles" / "l4").mkdir(parents=True)
    known = subprocess.run([TSHARK, "-G", "protocols"], capture_output=True, text=True, timeout=120, check=True)
    names = [line.split("\t")[2] for line in known.stdout.splitlines()]
    disabled = [name for name in names if name not in LAYERS and not name.startswith("_ws.")]
    (place / "profiles" / "l4" / "disabled_protos").write_text("\n".join(disabled) + "\n")
    return place


@pytest.fixture
def dissect(profile, tmp_path):
    """Frames -> for each, the outer layers: fields by name, and the expert messages inside them."""

    def run(frames):
        path = tmp_path / "copies.pcapng"
        with path.open("wb") as stream:
            writer = PcapngWriter(stream)
            for number, data in enumerate(frames):
                writer.write(data, number)
        done = subprocess.run(
            [
                TSHARK,
                "-n",
                "-C",
                "l4",
                "-o",
                "ip.check_checksum:TRUE",
                "-o",
                "udp.check_checksum:TRUE",
                "-o",
                "ip.defragment:FALSE",
                "-T",
                "pdml",
                "-r",
                str(path),
            ],
            capture_output=True,
            timeout=300,
            check=True,
            env=os.environ | {"WIRESHARK_CONFIG_DIR": str(profile)},
        )
        packets = ElementTree.fromstring(done.stdout).findall("packet")
        assert len(packets) == len(frames)
        return [outer_layers(packet) for packet in packets]

    return run


def outer_layers(packet):
    """Names of the layers up to VXLAN, their fields, and Wireshark's complaints about them."""
    layers, fields, complaints = [], {}, []
    for layer in packet.findall("proto"):
        if layer.get("name") not in OUTER:
            continue
        layers.append(layer.get("name"))
        for field in layer.iter("field"):
            fields.setdefault(field.get("name"), field.get("show"))
            if field.get("name") == "_ws.expert.message":
                complaints.append(field.get("show"))
        if layers[-1] == "vxlan":
            break
    return layers, fields, complaints


def check_outer(copies, dissected):
    """Every outer packet is as ``docs/mirroring.md`` section 7 says."""
    for (_, session, record, copy), (layers, fields, complaints) in zip(copies, dissected, strict=True):
        outer = session.outer
        network = "ip" if outer.destination.version == 4 else "ipv6"
        assert layers == ["eth", network, "udp", "vxlan"]
        assert complaints == []
        header = 20 if network == "ip" else 40
        assert len(copy) == 14 + header + 16 + record.copied
        wanted = {
            "eth.dst": outer.destination_mac.hex(":"),
            "eth.src": outer.source_mac.hex(":"),
            f"{network}.src": str(outer.source),
            f"{network}.dst": str(outer.destination),
            "udp.dstport": "4789",
            "udp.length": str(16 + record.copied),
            "vxlan.flags": "0x0800",
            "vxlan.vni": str(session.vni),
            "vxlan.gbp": "0",
            "vxlan.reserved8": "0",
        }
        if network == "ip":
            wanted |= {
                "ip.len": str(36 + record.copied),
                "ip.ttl": "255",
                "ip.id": "0x0000",
                "ip.flags": "0x00",
                "ip.dsfield": "0x00",
                "ip.frag_offset": "0",
                "ip.hdr_len": "20",
                "ip.checksum.status": GOOD,
                "udp.checksum.status": NOT_PRESENT,
            }
        else:
            wanted |= {
                "ipv6.plen": str(16 + record.copied),
                "ipv6.hlim": "255",
                "ipv6.nxt": "17",
                "ipv6.tclass": "0x00000000",
                "ipv6.flow": "0x00000000",
                "udp.checksum.status": GOOD,
            }
        found = {name: fields.get(name) for name in wanted}
        # Wireshark writes zero of a wide field in different widths from version to version.
        for values in (wanted, found):
            for name in ("ipv6.tclass", "ipv6.flow", "ip.flags", "vxlan.gbp", "vxlan.reserved8"):
                if name in values and values[name] is not None:
                    values[name] = int(values[name], 0)
        assert found == wanted


@pytest.fixture(scope="module")
def copies():
    """Copies of made frames in all six sessions."""
    return mirror(inner_frames())


@needs_tshark
def test_outer_headers_of_every_session(copies, dissect, judged):
    assert {session.vni for _, session, _, _ in copies} == {
        session.vni for interface in POLICY.interfaces for session in interface.sessions
    }
    lengths = {record.copied for _, _, record, _ in copies}
    assert max(lengths) == JUMBO and {35, 55, 60, 101, 1460} <= lengths  # whole, both floors, cut, cut by MTU
    check_outer(copies, dissect([copy for *_, copy in copies]))
    ports = {
        int.from_bytes(copy[at : at + 2])
        for _, session, _, copy in copies
        for at in [34 if session.outer.destination.version == 4 else 54]
    }
    assert len(ports) > 3 and min(ports) >= 0xFF80
    judged("tshark", f"{len(copies)} copies of made frames, no complaint about any outer header")


@needs_tshark
@needs_captures
def test_outer_headers_of_captured_traffic(dissect, judged):
    """Every development capture under a random policy."""
    rng = random.Random(4)
    versions = set()
    total = 0
    for path in captures():
        with open_capture(path) as reader:
            data = [captured.data for captured in reader]
        case = prepare(rng, rng.sample(data, min(len(data), FRAMES_PER_CAPTURE)), 4)
        copies = [copy for copy in mirror(case.frames, case.policy)]
        if copies:
            check_outer(copies, dissect([copy for *_, copy in copies]))
        versions |= {session.outer.destination.version for _, session, _, _ in copies}
        total += len(copies)
    assert versions == {4, 6} and total > 300
    judged("tshark", f"{total:,} copies of captured frames, no complaint about any outer header")


@needs_tshark
@pytest.mark.parametrize(
    ("version", "at", "complaint"),
    [(4, 24, "Bad checksum"), (4, 38, "length"), (6, 60, "Bad checksum"), (6, 100, "Bad checksum"), (6, 19, "length")],
)
def test_the_judge_sees_faults(copies, dissect, version, at, complaint):
    """One bit wrong in an outer header, or in the bytes under the UDP checksum: Wireshark complains."""
    copy = bytearray(
        next(copy for _, session, _, copy in copies if session.outer.destination.version == version and len(copy) > 150)
    )
    copy[at] ^= 0x40
    ((_, fields, complaints),) = dissect([bytes(copy)])
    assert any(complaint in each for each in complaints), (fields, complaints)


def test_ends_are_those_of_the_policy():
    """The addresses the Linux receiver of the next test has."""
    assert {str(session.outer.destination) for interface in POLICY.interfaces for session in interface.sessions} == {
        ends[1] for ends in ENDS.values()
    }
