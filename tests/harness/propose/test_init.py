"""``halfsilver init``: a policy for a capture that has none, whose copies are not zero."""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from halfsilver.harness.propose.presets import PRESETS
from tests.harness.commands.cli_kit import output_of, run, write_capture

CAPTURES = Path(os.environ.get("HALFSILVER_CAPTURES", Path(__file__).resolve().parents[4] / "shared" / "captures"))
WITHOUT_IP = {
    "gopacket__test008.pcapng",  # DHCP
    "tcpdump__802.1ad_QinQ.pcap",  # ARP
    "tcpdump__LLDP_and_CDP.pcap",
    "tcpdump__arp-oobr.pcap",
    "tcpdump__dhcpv4v6-rfc5970-rfc8572.pcap",
    "tcpdump__ipv6_jumbogram_1.pcap",  # one frame, longer than any that may be mirrored
}
"""Captures without a frame that may be mirrored, by what tshark says of them."""
HOST, PEER, ROUTER = "02:11:22:33:44:10", "02:11:22:33:44:20", "02:11:22:33:44:01"


def proposal(folder: Path, capsys: pytest.CaptureFixture[str], frames: list[Packet], *more: str) -> tuple[dict, dict]:
    """What ``init`` says of a capture, as JSON, and the policy it wrote, which ``check`` finds nothing wrong with."""
    capture = write_capture(folder, [bytes(frame) for frame in frames])
    policy = folder / "proposed.json"
    said = json.loads(output_of(capsys, "init", capture, "-o", str(policy), "--json", *more))
    assert output_of(capsys, "check", str(policy)).endswith("0 errors, 0 warnings\n")
    return said, json.loads(policy.read_text())


def verdicts(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, int]:
    """What ``mirror`` makes of the capture by the policy."""
    arguments = ("-r", str(folder / "in.pcap"), "-c", str(folder / "proposed.json"), "--json", *more)
    return json.loads(output_of(capsys, "mirror", *arguments))["verdicts"]


def web(source: str, destination: str, sport: int, dport: int, **ip: str) -> Packet:
    return Ether(src=source, dst=destination) / IP(**ip) / TCP(sport=sport, dport=dport)


def conversation() -> list[Packet]:
    """A private host that talks to five public ones through a router; HTTP, DNS and ARP."""
    frames: list[Packet] = [Ether(src=HOST, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=HOST, psrc="10.7.3.10")]
    for number in range(1, 6):
        peer = f"9.9.9.{number}"
        frames.append(web(HOST, ROUTER, 40000, 80, src="10.7.3.10", dst=peer))
        frames.append(web(ROUTER, HOST, 80, 40000, src=peer, dst="10.7.3.10"))
    ask = DNS(rd=1, qd=DNSQR(qname="example.com"))
    frames.append(Ether(src=HOST, dst=ROUTER) / IP(src="10.7.3.10", dst="10.7.3.53") / UDP(sport=9, dport=53) / ask)
    return frames


def test_the_host_is_mirrored_and_not_the_router(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said, policy = proposal(tmp_path, capsys, conversation())
    assert [source["mac"] for source in said["sources"]] == [HOST]
    assert said["sources"][0]["ipv4"] == "10.7.3.10" and not said["sources"][0]["router"] and not said["tap"]
    assert policy["NetworkInterfaces"][0]["MacAddress"] == HOST
    assert verdicts(tmp_path, capsys) == {"mirrored": 11, "not-eligible": 1} == said["trial"]["verdicts"]


def test_a_router_stands_for_many_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames: list[Packet] = []
    for number in range(12):
        host, address = f"02:00:00:00:01:{number:02x}", f"10.0.0.{number + 10}"
        frames.append(web(host, ROUTER, 1000, 80, src=address, dst=f"203.0.113.{number}"))
        frames.append(web(ROUTER, host, 80, 1000, src=f"203.0.113.{number}", dst=address))
    said, _ = proposal(tmp_path, capsys, frames)
    assert [(source["mac"], source["router"]) for source in said["sources"]] == [(ROUTER, True)]
    assert said["sources"][0]["ipv4"] is None, "none of the addresses that it sends from is its own"
    assert verdicts(tmp_path, capsys) == {"mirrored": 24}


def test_stations_apart_are_interfaces_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [
        Ether(src=f"02:00:00:00:02:{number:02x}", dst=f"02:00:00:00:03:{number:02x}")
        / Dot1Q(vlan=10 + number)
        / IP(src=f"10.0.{number}.1", dst=f"10.0.{number}.2")
        / ICMP()
        for number in range(20)
    ]
    said, _ = proposal(tmp_path, capsys, frames)
    assert len(said["sources"]) == 10 and said["missed"] == 10 and said["tap"]
    assert said["sources"][0]["vlans"] == [[10]]
    assert verdicts(tmp_path, capsys) == {"mirrored": 10, "no-eni": 10}
    assert said["next"].endswith("--tap")
    assert verdicts(tmp_path, capsys, "--tap") == {"mirrored": 20}


def test_frames_without_a_usable_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zero = "00:00:00:00:00:00"  # a loopback device
    said, policy = proposal(tmp_path, capsys, [web(zero, zero, 1, 2, src="127.0.0.1", dst="127.0.0.1")])
    assert said["sources"] == [] and said["next"].endswith("--tap")
    assert verdicts(tmp_path, capsys, "--tap") == {"mirrored": 1}
    assert len(policy["NetworkInterfaces"]) == 2


def cooked(packet: Packet, kind: int, sender: str | None) -> bytes:
    """As LINUX_SLL has it: `tcpdump -i any`. ``kind`` 0 came in, 4 went out; a loopback has no sender's address."""
    mac = bytes(6) if sender is None else bytes.fromhex(sender.replace(":", ""))
    ethertype = b"\x08\x06" if ARP in packet else b"\x08\x00"
    return struct.pack("!HHH", kind, 772 if sender is None else 1, 6) + mac + bytes(2) + ethertype + bytes(packet)


def without_ethernet(what: str) -> tuple[int, list[bytes]]:
    """Link type and frames of the conversation, or of a loopback."""
    frames = [frame for frame in conversation()[1:]]
    if what == "tunnel":
        return 101, [bytes(frame[IP]) for frame in frames]
    if what == "any":
        asked = Ether(src=ROUTER) / ARP(op="who-has", hwsrc=ROUTER, psrc="10.7.3.1", pdst="10.7.3.10")
        return 113, [cooked(each.payload, 4 if each.src == HOST else 0, each.src) for each in [*frames, asked]]
    return 113, [cooked(IP(src="127.0.0.1", dst="127.0.0.1") / frame[IP].payload, 0, None) for frame in frames]


@pytest.mark.parametrize(
    ("what", "address", "ways"),
    [
        ("tunnel", "10.7.3.10", {"ingress": 5, "egress": 6}),
        ("any", "10.7.3.10", {"ingress": 5, "egress": 6}),
        ("loopback", "127.0.0.1", None),
    ],
)
def test_a_capture_without_ethernet_headers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, address: str, ways: dict[str, int] | None
) -> None:
    """Who is in it is known by the IP addresses, and mirror finds the interface by its own."""
    link, frames = without_ethernet(what)
    capture = write_capture(tmp_path, frames, link=link)
    policy = tmp_path / "proposed.json"
    said = json.loads(output_of(capsys, "init", capture, "-o", str(policy), "--json"))
    assert [source["ipv4"] for source in said["sources"]] == [address] and not said["tap"]
    made = verdicts(tmp_path, capsys)
    assert said["trial"]["verdicts"] == made and made["mirrored"] == 11
    found = json.loads(output_of(capsys, "mirror", "-r", capture, "-c", str(policy), "--json"))["counters"]["verdicts"]
    copied = {each["direction"]: each["frames"] for each in found if each["verdict"] == "mirrored"}
    assert ways in (None, copied)


def test_minimal_has_nothing_that_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, policy = proposal(tmp_path, capsys, conversation()[1:3], "--minimal")
    assert verdicts(tmp_path, capsys) == {"mirrored": 2}
    mirror_filter = policy["TrafficMirrorFilters"][0]
    assert [len(mirror_filter[name]) for name in ("IngressFilterRules", "EgressFilterRules")] == [1, 1]

    def without(node: object) -> list[tuple[dict, str]]:
        """Every member of every object of the policy."""
        if isinstance(node, list):
            return [place for each in node for place in without(each)]
        if not isinstance(node, dict):
            return []
        return [(node, key) for key in node] + [place for each in node.values() for place in without(each)]

    for owner, key in without(policy):
        value = owner.pop(key)
        (tmp_path / "proposed.json").write_text(json.dumps(policy))
        code = run("check", str(tmp_path / "proposed.json"))
        fine = code == 0 and "0 warnings" in capsys.readouterr().out
        same = fine and verdicts(tmp_path, capsys) == {"mirrored": 2}
        capsys.readouterr()
        owner[key] = value
        assert not same, f"{key} is not needed"


EXPECTED = {  # copies of each session, by hand, for MIXED below
    "everything": [8],
    "web": [3, 1],
    "dns": [1, 0],
    "inbound-tcp": [3],
    "tcp-and-udp": [3, 1],
    "http-and-tcp": [3, 2],
    "non-local": [6],
}
MIXED = [
    web(PEER, HOST, 1000, 80, src="8.8.4.4", dst="10.7.3.10"),
    web(HOST, PEER, 80, 1000, src="10.7.3.10", dst="8.8.4.4"),
    web(PEER, HOST, 443, 1000, src="8.8.4.4", dst="10.7.3.10"),
    web(HOST, PEER, 1000, 22, src="10.7.3.10", dst="10.7.3.20"),
    Ether(src=PEER, dst=HOST) / IP(src="10.7.3.20", dst="10.7.3.10") / UDP(sport=53, dport=9) / Raw(b"x"),
    Ether(src=HOST, dst=PEER) / IP(src="10.7.3.10", dst="8.8.4.4") / ICMP(),
    Ether(src=PEER, dst=HOST) / IPv6(src="2a00:1450::9", dst="fd00::10") / TCP(sport=9, dport=80),
    Ether(src=HOST, dst=PEER) / IPv6(src="fd00::10", dst="2a00:1450::9") / UDP(sport=9, dport=9),
]


@pytest.mark.parametrize("name", PRESETS)
def test_presets(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    proposal(tmp_path, capsys, MIXED, "--like", name)
    arguments = ("-r", str(tmp_path / "in.pcap"), "-c", str(tmp_path / "proposed.json"), "--json")
    counted: dict[str, int] = {}
    for entry in json.loads(output_of(capsys, "mirror", *arguments))["counters"]["sessions"]:
        counted[entry["session"]] = counted.get(entry["session"], 0) + entry["frames"]
    copies = [counted.get(f"tms-{number:017x}", 0) for number in range(1, len(EXPECTED[name]) + 1)]
    assert copies == EXPECTED[name] and sum(copies) == sum(counted.values())


def test_a_file_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = write_capture(tmp_path, [bytes(conversation()[1])])
    policy = tmp_path / "mine.json"
    policy.write_text("mine")
    assert run("init", capture, "-o", str(policy)) == 2
    assert "is there already" in capsys.readouterr().err and policy.read_text() == "mine"
    assert run("init", capture, "-o", capture, "--force") == 2
    assert "is the file that CAPTURE reads" in capsys.readouterr().err
    assert run("init", capture, "-o", str(policy), "--force") == 0
    assert "NetworkInterfaces" in policy.read_text()


def test_on_standard_output_there_is_nothing_but_the_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = write_capture(tmp_path, [bytes(conversation()[1])])
    assert run("init", capture, "-o", "-") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["TrafficMirrorSessions"] and "next: halfsilver mirror" in printed.err
    assert "-c MIRROR.JSON -w" in printed.err  # not a file that was never written
    assert run("init", capture, "-o", "-", "--json") == 2
    assert "would mix" in capsys.readouterr().err


def test_nothing_to_mirror(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = write_capture(tmp_path, [bytes(conversation()[0])])
    policy = tmp_path / "proposed.json"
    assert run("init", capture, "-o", str(policy)) == 5
    assert "none may be mirrored (1 arp)" in capsys.readouterr().err and not policy.exists()
    assert run("init", write_capture(tmp_path, []), "-o", str(policy)) == 5
    assert "holds no frame" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(6))
def test_captures_that_scapy_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    """Stations, roles, VLANs, families and protocols at random: what is copied of unicast IP is most of it."""
    draw = random.Random(seed)
    stations = [
        (f"02:00:00:{seed:02x}:00:{n:02x}", f"10.{seed}.0.{n + 1}", f"fd00::{n + 1:x}") for n in range(2 + seed)
    ]
    frames = []
    for _ in range(60):
        (mac, ip4, ip6), (to, to4, to6) = draw.sample(stations, 2)
        tags = Dot1Q(vlan=draw.randrange(1, 4095)) if draw.random() < 0.3 else None
        network = IP(src=ip4, dst=to4) if draw.random() < 0.6 else IPv6(src=ip6, dst=to6)
        above = draw.choice([TCP(sport=draw.randrange(65536), dport=80), UDP(sport=7, dport=7), Raw(b"data")])
        frame = Ether(src=mac, dst=to)
        frames.append((frame / tags / network if tags else frame / network) / above)
    said, _ = proposal(tmp_path, capsys, frames)
    found = verdicts(tmp_path, capsys, *(["--tap"] if said["tap"] else []))
    assert found == said["trial"]["verdicts"]
    assert found["mirrored"] >= 0.94 * len(frames)


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no captures at {CAPTURES} (set HALFSILVER_CAPTURES)")
@pytest.mark.parametrize(
    "minimal", [(), pytest.param(("--minimal",), marks=pytest.mark.long)], ids=["whole", "minimal"]
)
def test_captures_of_others(tmp_path: Path, capsys: pytest.CaptureFixture[str], minimal: tuple[str, ...]) -> None:
    """Copies of every capture that has something to mirror."""
    without, few = set(), {}
    for path in sorted(CAPTURES.glob("*/*.pcap*")):
        policy = str(tmp_path / f"{path.name}.json")
        code = run("init", str(path), "-o", policy, "--json", *minimal)
        if code == 5:
            without.add(path.name)
            continue
        said = json.loads(capsys.readouterr().out)
        assert code == 0 and output_of(capsys, "check", policy).endswith("0 errors, 0 warnings\n"), path.name
        copies, eligible = said["trial"]["verdicts"].get("mirrored", 0), min(said["eligible"], said["trial"]["frames"])
        if copies < 0.9 * eligible:
            few[path.name] = (copies, eligible)
    assert without == WITHOUT_IP
    assert not few
