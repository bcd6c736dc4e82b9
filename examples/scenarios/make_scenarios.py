"""Makes what each scenario is shown with: its frames (frames.pcap) and its policy (mirror.json), the same on every run.

``python examples/scenarios/make_scenarios.py [FOLDER]`` writes them into the scenarios' folders, or below FOLDER.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

HERE = Path(__file__).resolve().parent
START = 1_767_225_600
"""Time of the first frame: 2026-01-01 00:00 UTC, in seconds since 1970; the others follow at 10 ms."""
ROUTER = "0a:3b:5c:00:00:01"
WEB, COLLECTOR, SECOND = "eni-0a1b2c3d4e5f60010", "eni-0a1b2c3d4e5f60100", "eni-0a1b2c3d4e5f60101"
SPOKE_1, SPOKE_2 = "eni-0a1b2c3d4e5f61010", "eni-0a1b2c3d4e5f62010"
CLIENT, OTHER, OUTSIDE = "203.0.113.7", "10.0.2.20", "198.51.100.9"
ANY = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}
TCP_NUMBER, UDP_NUMBER = 6, 17
GET = b"GET %s HTTP/1.1\r\nHost: web.example\r\n\r\n"


class Host:
    """An interface of the inventory, and frames that reach it or that it sends."""

    def __init__(self, mac: str, address: str) -> None:
        self.mac, self.address = mac, address

    def received(self, packet: Packet, source: str = CLIENT) -> Packet:
        return Ether(src=ROUTER, dst=self.mac) / IP(src=source, dst=self.address) / packet

    def sent(self, packet: Packet, destination: str = CLIENT) -> Packet:
        return Ether(src=self.mac, dst=ROUTER) / IP(src=self.address, dst=destination) / packet


def rule(number: int, action: str = "accept", **members: Any) -> dict[str, Any]:
    return {"RuleNumber": number, "RuleAction": action, **ANY, **members}


def port(number: int) -> dict[str, int]:
    return {"FromPort": number, "ToPort": number}


INBOUND_TCP = ([rule(100, Protocol=TCP_NUMBER)], [])
INBOUND_UDP = ([rule(100, Protocol=UDP_NUMBER)], [])
ALL_TCP = ([rule(100, Protocol=TCP_NUMBER)], [rule(100, Protocol=TCP_NUMBER)])
HTTP = (
    [rule(100, Protocol=TCP_NUMBER, DestinationPortRange=port(80))],
    [rule(100, Protocol=TCP_NUMBER, SourcePortRange=port(80))],
)
LEAVING = (
    [rule(10, "reject", SourceCidrBlock="10.0.0.0/16"), rule(20)],
    [rule(10, "reject", DestinationCidrBlock="10.0.0.0/16"), rule(20)],
)
"""Filters: the rules for ingress, those for egress."""

WEB_HOST = Host("0a:3b:5c:00:00:10", "10.0.1.10")
IN_SPOKE_1, IN_SPOKE_2 = Host("0a:3b:5c:00:10:10", "10.1.1.10"), Host("0a:3b:5c:00:20:10", "10.2.1.10")


def web(*numbers: int, flags: str = "PA", data: bytes = b"data") -> Packet:
    return TCP(sport=numbers[0], dport=numbers[1], flags=flags) / Raw(data)


SCENARIOS: dict[str, tuple[list[Packet], list[Any], list[tuple[str, int, str, int]]]] = {
    "tcp-and-udp": (
        [
            WEB_HOST.received(web(40000, 443)),
            WEB_HOST.received(UDP(sport=40001, dport=5000) / Raw(b"datagram")),
            WEB_HOST.sent(web(443, 40000)),
            WEB_HOST.sent(UDP(sport=5000, dport=40001) / Raw(b"answer")),
            WEB_HOST.received(ICMP(id=7) / Raw(b"echo")),
            Ether(src=ROUTER, dst=WEB_HOST.mac) / ARP(hwsrc=ROUTER, psrc="10.0.1.1", pdst=WEB_HOST.address),
        ],
        [INBOUND_TCP, INBOUND_UDP],
        [(WEB, 1, COLLECTOR, 1001), (WEB, 2, SECOND, 1002)],
    ),
    "non-local-vpc": (
        [
            WEB_HOST.received(web(40000, 443)),
            WEB_HOST.sent(web(443, 40000)),
            WEB_HOST.received(web(40002, 443), OTHER),
            WEB_HOST.sent(web(40003, 5432), OTHER),
            WEB_HOST.sent(ICMP(id=7) / Raw(b"echo"), OUTSIDE),
            WEB_HOST.sent(UDP(sport=40004, dport=53) / Raw(b"name"), "10.0.0.2"),
            Ether(src=WEB_HOST.mac, dst=ROUTER) / IPv6(src="2001:db8:1:1::10", dst="2001:db8::7") / web(40005, 443),
        ],
        [LEAVING],
        [(WEB, 1, COLLECTOR, 1003)],
    ),
    "gwlb-two-spokes": (
        [
            IN_SPOKE_1.received(web(40000, 443)),
            IN_SPOKE_2.received(web(40000, 443)),
            IN_SPOKE_1.sent(web(443, 40000)),
            IN_SPOKE_2.received(UDP(sport=40001, dport=5000) / Raw(b"datagram")),
            IN_SPOKE_1.received(web(40006, 443, data=bytes(8407))),
        ],
        [INBOUND_TCP],
        [(SPOKE_1, 1, "vpce-0a1b2c3d4e5f61001", 2001), (SPOKE_2, 1, "vpce-0a1b2c3d4e5f62001", 2002)],
    ),
    "http-and-rest": (
        [
            WEB_HOST.received(web(40000, 80, data=GET % b"/")),
            WEB_HOST.sent(web(80, 40000, data=b"HTTP/1.1 200 OK\r\n\r\n")),
            WEB_HOST.received(web(40007, 443)),
            WEB_HOST.sent(web(40008, 80, data=GET % b"/there")),
            WEB_HOST.received(UDP(sport=40009, dport=80) / Raw(b"no TCP")),
        ],
        [HTTP, ALL_TCP],
        [(WEB, 1, COLLECTOR, 1004), (WEB, 2, SECOND, 1005)],
    ),
    "suricata": (
        [
            WEB_HOST.received(web(40000, 80, flags="S", data=b"")),
            WEB_HOST.sent(web(80, 40000, flags="SA", data=b"")),
            WEB_HOST.received(web(40000, 80, data=GET % b"/../../etc/passwd")),
            WEB_HOST.received(web(40010, 80, data=GET % b"/index.html")),
            WEB_HOST.received(UDP(sport=40011, dport=5000) / Raw(b"/etc/passwd")),
        ],
        [INBOUND_TCP],
        [(WEB, 1, COLLECTOR, 1006)],
    ),
}
"""By name: frames, filters, and sessions: source, number, what the copies go to, VNI."""


def policy(name: str) -> dict[str, Any]:
    """What AWS would print once the scenario is set up; ids are those of nobody's account."""
    _, filters, sessions = SCENARIOS[name]
    own = HERE / name / "inventory.json"
    inventory = json.loads((own if own.exists() else HERE.parent / "inventory.json").read_text())
    endpoints = [
        each for each in inventory["VpcEndpoints"] if each["VpcEndpointId"] in {to for _, _, to, _ in sessions}
    ]
    used = {each for source, _, to, _ in sessions for each in (source, to)}
    used |= {eni_id for each in endpoints for eni_id in each["NetworkInterfaceIds"]}
    if endpoints:  # and what is behind them
        used |= {each["NetworkInterfaceId"] for each in inventory["NetworkInterfaces"]}
    interfaces = [each for each in inventory["NetworkInterfaces"] if each["NetworkInterfaceId"] in used]
    vpcs = {each["VpcId"] for each in interfaces}
    return {
        "Vpcs": [each for each in inventory["Vpcs"] if each["VpcId"] in vpcs],
        "NetworkInterfaces": interfaces,
        **({"VpcEndpoints": endpoints} if endpoints else {}),
        "TrafficMirrorFilters": [_filter(number, *rules) for number, rules in enumerate(filters, 1)],
        "TrafficMirrorTargets": [_target(number, to) for number, (_, _, to, _) in enumerate(sessions, 1)],
        "TrafficMirrorSessions": [
            {
                "TrafficMirrorSessionId": f"tms-0a1b2c3d4e5f6000{number}",
                "TrafficMirrorTargetId": f"tmt-0a1b2c3d4e5f6000{number}",
                "TrafficMirrorFilterId": f"tmf-0a1b2c3d4e5f6000{min(number, len(filters))}",
                "NetworkInterfaceId": source,
                "SessionNumber": session_number,
                "VirtualNetworkId": vni,
            }
            for number, (source, session_number, _, vni) in enumerate(sessions, 1)
        ],
    }


def _filter(number: int, ingress: list[Any], egress: list[Any]) -> dict[str, Any]:
    filter_id = f"tmf-0a1b2c3d4e5f6000{number}"
    directions = (("ingress", ingress), ("egress", egress))
    return {"TrafficMirrorFilterId": filter_id, "NetworkServices": []} | {
        f"{direction.capitalize()}FilterRules": [
            {
                "TrafficMirrorFilterRuleId": f"tmfr-0a1b2c3d4e5f6{number}{direction[0]}{each['RuleNumber']:02}",
                "TrafficMirrorFilterId": filter_id,
                "TrafficDirection": direction,
                **each,
            }
            for each in rules
        ]
        for direction, rules in directions
    }


def _target(number: int, to: str) -> dict[str, Any]:
    key = "GatewayLoadBalancerEndpointId" if to.startswith("vpce-") else "NetworkInterfaceId"
    return {"TrafficMirrorTargetId": f"tmt-0a1b2c3d4e5f6000{number}", key: to}


def write(name: str, folder: Path) -> None:
    """Both files of a scenario, in its folder below ``folder``."""
    packets = SCENARIOS[name][0]
    for number, packet in enumerate(packets):
        packet.time = START + number / 100
    (folder / name).mkdir(exist_ok=True)
    wrpcap(str(folder / name / "frames.pcap"), packets)
    (folder / name / "mirror.json").write_text(json.dumps(policy(name), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the frames and the policies of the scenarios.")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", type=Path, default=HERE)
    folder = parser.parse_args().folder
    for name in SCENARIOS:
        write(name, folder)


if __name__ == "__main__":
    main()
