"""Traffic with something in it for Suricata's rules, and what it has to say of a capture or of its own log."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.judges.mirrored_kit import POLICY, SOURCES, session

SURICATA = shutil.which("suricata")
CONFIGURATION = Path("/etc/suricata/suricata.yaml")
needs_suricata = [
    pytest.mark.skipif(SURICATA is None, reason="suricata is missing (apt install suricata, from backports)"),
    pytest.mark.skipif(not CONFIGURATION.exists(), reason="suricata has no configuration here"),
]

RULES = """
alert http any any -> any any (msg:"path"; http.uri; content:"/oracle"; sid:1;)
alert http any any -> any any (msg:"agent"; http.user_agent; content:"halfsilver"; sid:2;)
alert dns any any -> any any (msg:"name"; dns.query; content:"mirror.example"; sid:3;)
alert udp any any -> any 7000 (msg:"datagram"; content:"|de ad be ef|"; sid:4;)
alert tcp any any -> any any (msg:"answer"; flow:established,to_client; content:"sterling"; sid:5;)
"""
EVENTS = {"alert", "http", "dns"}
PEER = "02:00:00:00:00:b0"
SECOND = 10**9

WHOLE = Policy((replace(POLICY.interfaces[0], sessions=(session(0, 1, 0x42, 4, None, None, None),)),))
"""All IPv4 and IPv6 frames of one interface in one session, whole."""


def inspect_capture(frames, folder):
    """Frames -> what Suricata has to say of them: alerts and transactions, by their inner ends, and its counters."""
    capture, log, rules = folder / "frames.pcapng", folder / "log", write_rules(folder)
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir()
    with capture.open("wb") as stream:
        writer = PcapngWriter(stream)
        for number, data in enumerate(frames):
            writer.write(data, SECOND + number * SECOND // 1000)
    words = [SURICATA, "-c", CONFIGURATION, "-S", rules, "-r", capture, "-l", log, "-k", "none"]
    subprocess.run(words, capture_output=True, timeout=120, check=True)
    return read_log(log)


def write_rules(folder):
    rules = folder / "local.rules"
    rules.write_text(RULES)
    return rules


def read_log(folder):
    """Alerts and transactions, and the last counters."""
    lines = [json.loads(line) for line in (folder / "eve.json").read_text().splitlines()]
    (stats,) = [line["stats"] for line in lines if line["event_type"] == "stats"][-1:]
    return Counter(event(line) for line in lines if line["event_type"] in EVENTS), stats["decoder"]


def event(line):
    """An alert or a transaction without what says how its packet came."""
    ends = tuple(line.get(name) for name in ("src_ip", "src_port", "dest_ip", "dest_port", "proto"))
    kind = line["event_type"]
    what = line["alert"]["signature_id"] if kind == "alert" else json.dumps(line[kind], sort_keys=True)
    return kind, what, *ends


def conversation(source, destination, port, request, answer):
    """(packet, whether the host sent it) of a TCP connection that says these two things."""
    network = IPv6 if ":" in source else IP
    out, back = network(src=source, dst=destination), network(src=destination, dst=source)
    mine, theirs = {"sport": port, "dport": 80}, {"sport": 80, "dport": port}
    told, heard = 1001 + len(request), 5001 + len(answer)
    return [
        (out / TCP(**mine, flags="S", seq=1000), True),
        (back / TCP(**theirs, flags="SA", seq=5000, ack=1001), False),
        (out / TCP(**mine, flags="A", seq=1001, ack=5001), True),
        (out / TCP(**mine, flags="PA", seq=1001, ack=5001) / request, True),
        (back / TCP(**theirs, flags="PA", seq=5001, ack=told) / answer, False),
        (out / TCP(**mine, flags="FA", seq=told, ack=heard), True),
        (back / TCP(**theirs, flags="FA", seq=heard, ack=told + 1), False),
        (out / TCP(**mine, flags="A", seq=told + 1, ack=heard + 1), True),
    ]


def as_frames(packets, tagged=False):
    frames = []
    for packet, is_ours in packets:
        ends = (SOURCES[0].hex(":"), PEER) if is_ours else (PEER, SOURCES[0].hex(":"))
        head = Ether(src=ends[0], dst=ends[1])
        data = bytes(head / Dot1Q(vlan=7) / packet) if tagged else bytes(head / packet)
        frames.append(Frame(data, Direction.EGRESS if is_ours else Direction.INGRESS))
    return frames


def traffic():
    """Web, names and datagrams over IPv4 and IPv6, one conversation tagged."""
    request = b"GET /oracle?%d HTTP/1.1\r\nHost: mirror.example\r\nUser-Agent: halfsilver\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1208\r\n\r\nsterling" + b"." * 1200
    frames = []
    for number, (ours, theirs) in enumerate([("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "2001:db8::2")] * 2):
        frames += as_frames(conversation(ours, theirs, 40000 + number, request % number, answer), tagged=number == 2)
        network = IPv6 if ":" in ours else IP
        query = UDP(sport=5000 + number, dport=53) / DNS(id=number, qd=DNSQR(qname="mirror.example"))
        frames += as_frames([(network(src=ours, dst=theirs) / query, True)])
    return frames + datagrams([0, 1, 18, 1400])


def datagrams(sizes):
    """With four bytes that a rule looks for at their start, and so many more."""
    head = IP(src="192.0.2.1", dst="198.51.100.7")
    return as_frames(
        [
            (head / UDP(sport=6000 + n, dport=7000) / (b"\xde\xad\xbe\xef" + bytes(size)), True)
            for n, size in enumerate(sizes)
        ]
    )
