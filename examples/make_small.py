"""Makes a small capture to follow docs/tutorial.md with: one computer asks for two names and fetches two pages.

``python examples/make_small.py FILE`` writes 15 frames, the same on every run.
"""

from __future__ import annotations

import argparse

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

COMPUTER, ROUTER = "02:00:00:00:00:05", "02:00:00:00:00:01"
START = 1_767_225_600
"""Time of the first frame: 2026-01-01 00:00 UTC, in seconds since 1970; the others follow at 10 ms."""


def sent(packet: Packet) -> Packet:
    return Ether(src=COMPUTER, dst=ROUTER) / packet


def received(packet: Packet) -> Packet:
    return Ether(src=ROUTER, dst=COMPUTER) / packet


def visit(number: int, name: str, server: str) -> list[Packet]:
    """A name is asked for, and a page is fetched over HTTPS."""
    question = DNSQR(qname=name)
    to_resolver = IP(src="192.168.1.5", dst="192.168.1.1") / UDP(sport=40000 + number, dport=53)
    to_computer = IP(src="192.168.1.1", dst="192.168.1.5") / UDP(sport=53, dport=40000 + number)
    out = IP(src="192.168.1.5", dst=server)
    back = IP(src=server, dst="192.168.1.5")
    mine, theirs = {"sport": 50000 + number, "dport": 443}, {"sport": 443, "dport": 50000 + number}
    return [
        sent(to_resolver / DNS(qd=question)),
        received(to_computer / DNS(qr=1, qd=question, an=DNSRR(rrname=name, rdata=server))),
        sent(out / TCP(**mine, flags="S", seq=100)),
        received(back / TCP(**theirs, flags="SA", seq=500, ack=101)),
        sent(out / TCP(**mine, flags="A", seq=101, ack=501)),
        sent(out / TCP(**mine, flags="PA", seq=101, ack=501) / Raw(bytes(200))),
        received(back / TCP(**theirs, flags="PA", seq=501, ack=301) / Raw(bytes(1200))),
    ]


def frames() -> list[Packet]:
    asked = sent(ARP(psrc="192.168.1.5", pdst="192.168.1.1", hwsrc=COMPUTER))
    return [asked, *visit(0, "example.com", "203.0.113.7"), *visit(1, "example.org", "203.0.113.8")]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the capture of docs/tutorial.md.")
    parser.add_argument("file", metavar="FILE", help="the pcap to write")
    packets = frames()
    for number, packet in enumerate(packets):
        packet.time = START + number / 100
    wrpcap(parser.parse_args().file, packets)


if __name__ == "__main__":
    main()
