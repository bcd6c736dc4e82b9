"""How a case is written down: frames by scapy, a policy in a few words, and what the law says becomes of each frame.

Expected bytes are made here, by scapy and by hand, and never by an engine. ``write_cases.py`` writes the folders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

WEB, OTHER, COLLECTOR, SECOND = (f"0a:00:00:00:00:{each}" for each in (10, 20, 40, 50))
"""MAC addresses of the interfaces eni-10 and eni-20, which are sources, eni-40 and eni-50, which are targets."""
ROUTER, STRANGER = "0a:00:00:00:00:01", "0a:00:00:00:00:99"
WEB4, WEB6, PEER4, PEER6 = "10.0.0.10", "2001:db8::10", "198.51.100.7", "2001:db8:ffff::7"
DATA = bytes(range(1, 21))
"""Payload that makes the shortest frames here 62 bytes long, so that no port pads them."""
ANY4, ANY6 = "0.0.0.0/0", "::/0"


# Frames.


def tcp(dport: int = 443, sport: int = 40000, data: bytes = DATA) -> Packet:
    return TCP(sport=sport, dport=dport) / Raw(data)


def udp(dport: int = 5000, sport: int = 40000, data: bytes = DATA) -> Packet:
    return UDP(sport=sport, dport=dport) / Raw(data)


def echo(identifier: int = 0x1234, reply: bool = False) -> Packet:
    return ICMP(type=0 if reply else 8, id=identifier, seq=1) / Raw(DATA)


def echo6(identifier: int = 0x1234, reply: bool = False) -> Packet:
    return (ICMPv6EchoReply if reply else ICMPv6EchoRequest)(id=identifier, seq=1, data=DATA)


def link_in(mac: str = WEB, vlan: tuple[Any, ...] = ()) -> Packet:
    """Ethernet from the router to an interface, with VLAN tags."""
    return _tagged(Ether(src=ROUTER, dst=mac), vlan)


def link_out(mac: str = WEB, vlan: tuple[Any, ...] = ()) -> Packet:
    return _tagged(Ether(src=mac, dst=ROUTER), vlan)


def _tagged(link: Packet, vlan: tuple[Any, ...]) -> Packet:
    for tag in vlan:
        link = link / tag
    return link


def tag(number: int = 7, kind: int | None = None) -> Packet:
    """A VLAN tag; ``kind`` is the ethertype behind it where scapy does not know."""
    return Dot1Q(vlan=number) if kind is None else Dot1Q(vlan=number, type=kind)


def into(payload: Packet, src: str = PEER4, dst: str = WEB4, mac: str = WEB, **ip: Any) -> Packet:
    """An IPv4 frame to an interface."""
    return link_in(mac) / IP(src=src, dst=dst, **ip) / payload


def out(payload: Packet, src: str = WEB4, dst: str = PEER4, mac: str = WEB, **ip: Any) -> Packet:
    return link_out(mac) / IP(src=src, dst=dst, **ip) / payload


def into6(payload: Packet, src: str = PEER6, dst: str = WEB6, mac: str = WEB, **ip: Any) -> Packet:
    return link_in(mac) / IPv6(src=src, dst=dst, **ip) / payload


def out6(payload: Packet, src: str = WEB6, dst: str = PEER6, mac: str = WEB, **ip: Any) -> Packet:
    return link_out(mac) / IPv6(src=src, dst=dst, **ip) / payload


# Policies.


def rule(number: int, accept: bool, src: str = "", dst: str = "", **more: Any) -> dict[str, Any]:
    """A rule; without networks it is for all of IPv4. ``more``: protocol, sport and dport (a port, or a range)."""
    src = src or (ANY6 if ":" in dst else ANY4)
    dst = dst or (ANY6 if ":" in src else ANY4)
    made: dict[str, Any] = {
        "RuleNumber": number,
        "RuleAction": "accept" if accept else "reject",
        "SourceCidrBlock": src,
        "DestinationCidrBlock": dst,
    }
    if "protocol" in more:
        made["Protocol"] = more["protocol"]
    for name, key in (("sport", "SourcePortRange"), ("dport", "DestinationPortRange")):
        if name in more:
            first, last = more[name] if isinstance(more[name], tuple) else (more[name], more[name])
            made[key] = {"FromPort": first, "ToPort": last}
    return made


def accept(number: int = 10, src: str = "", dst: str = "", **more: Any) -> dict[str, Any]:
    return rule(number, True, src, dst, **more)


def reject(number: int = 10, src: str = "", dst: str = "", **more: Any) -> dict[str, Any]:
    return rule(number, False, src, dst, **more)


ALL = (accept(10), accept(20, ANY6, ANY6))
"""Everything that is IP: rule 10 for IPv4, rule 20 for IPv6."""


def rules(ingress: Any = (), egress: Any = (), services: Any = (), name: str = "tmf-1") -> dict[str, Any]:
    """A filter."""
    lists = (("IngressFilterRules", "i", ingress), ("EgressFilterRules", "e", egress))
    made: dict[str, Any] = {"TrafficMirrorFilterId": name, "NetworkServices": list(services)}
    for key, letter, given in lists:
        number = name.removeprefix("tmf-")
        made[key] = [
            {"TrafficMirrorFilterRuleId": f"tmfr-{number}{letter}{each['RuleNumber']}", **each} for each in given
        ]
    return made


def session(
    number: int = 1, of: str = "tmf-1", to: str = "tmt-1", eni: str = "eni-10", vni: int | None = 42, **more: Any
) -> dict[str, Any]:
    """A session, its id after interface and number: tms-1 is eni-10's session 1, tms-20x1 is eni-20's."""
    name = f"tms-{number}" if eni == "eni-10" else f"tms-{eni.removeprefix('eni-')}x{number}"
    made = {
        "TrafficMirrorSessionId": name,
        "TrafficMirrorTargetId": to,
        "TrafficMirrorFilterId": of,
        "NetworkInterfaceId": eni,
        "SessionNumber": number,
        **more,
    }
    return made if vni is None else {**made, "VirtualNetworkId": vni}


def interface(number: int, *, v4: bool = True, v6: bool = True, mtu: int | None = None, **more: Any) -> dict[str, Any]:
    """eni-NUMBER, with the MAC and the addresses that end in the number."""
    made: dict[str, Any] = {"NetworkInterfaceId": f"eni-{number}", "MacAddress": f"0a:00:00:00:00:{number}"}
    if v4:
        made["PrivateIpAddress"] = f"10.0.0.{number}"
    if v6:
        made["Ipv6Addresses"] = [{"Ipv6Address": f"2001:db8::{number}"}]
    tags = [{"Key": "halfsilver:mtu", "Value": str(mtu)}] if mtu else []
    tags += [{"Key": "halfsilver:resolver", "Value": value} for value in [more.pop("resolver", None)] if value]
    return {**made, **more, **({"TagSet": tags} if tags else {})}


def target(name: str = "tmt-1", **destination: str) -> dict[str, Any]:
    return {"TrafficMirrorTargetId": name, **(destination or {"NetworkInterfaceId": "eni-40"})}


def policy(*filters: dict[str, Any], **lists: Any) -> dict[str, Any]:
    """mirror.json: eni-10, mirrored by session 1 with the filter, to eni-40; ``lists`` replace what is usual."""
    return {
        "NetworkInterfaces": lists.pop("interfaces", [interface(10), interface(40)]),
        "TrafficMirrorTargets": lists.pop("targets", [target()]),
        "TrafficMirrorFilters": list(filters),
        "TrafficMirrorSessions": lists.pop("sessions", [session()]),
        **lists,
    }


# What becomes of a frame.


@dataclass(frozen=True)
class Flow:
    """What the flow hash is made of, by hand where a frame is not plain."""

    src: str
    dst: str
    sport: int = 0
    dport: int = 0
    protocol: int = 0


@dataclass(frozen=True)
class Way:
    """How copies travel: from the source interface to the target's."""

    mac: str = COLLECTOR
    source: str = WEB4
    destination: str = "10.0.0.40"
    vni: int = 42
    source_mac: str = WEB
    base: int = 0xFF80
    mask: int = 0x7F


WAY = Way()
WAY6 = Way(source="2001:db8::10", destination="2001:db8::40")
ICMP_ECHO = {1: (0, 8), 58: (128, 129)}


def flow_of(packet: Packet) -> Flow:
    """The flow of a plain packet: no fragment, no extension headers, nothing cut off."""
    ip = packet.getlayer(IP) or packet.getlayer(IPv6)
    below, protocol = ip.payload, ip.proto if isinstance(ip, IP) else ip.nh
    if isinstance(below, TCP | UDP):
        return Flow(ip.src, ip.dst, below.sport, below.dport, protocol)
    if isinstance(below, ICMP | ICMPv6EchoRequest | ICMPv6EchoReply) and below.type in ICMP_ECHO[protocol]:
        return Flow(ip.src, ip.dst, below.id, 0, protocol)
    return Flow(ip.src, ip.dst, 0, 0, protocol)


def flow_hash(flow: Flow) -> int:
    """The low 16 bits of the law's hash (7.12, 7.13), in another way than Toeplitz's bit by bit.

    The key repeats after 16 bits, so its window at bit n is the key turned left by n modulo 16, and the hash is that of
    all 16-bit words of the input, combined by XOR.
    """
    octets = ip_address(flow.src).packed + ip_address(flow.dst).packed
    octets += flow.sport.to_bytes(2) + flow.dport.to_bytes(2)
    folded = 0
    for at in range(0, len(octets), 2):
        folded ^= int.from_bytes(octets[at : at + 2])
    key, result = 0x6D5A, 0
    for bit in range(16):
        if folded & (0x8000 >> bit):
            result ^= (key << bit | key >> (16 - bit)) & 0xFFFF
    return result ^ flow.protocol


def outer_headers(way: Way, flow: Flow, inner: bytes) -> list[str]:
    """Ethernet, IP, UDP and VXLAN of a copy, each as hexadecimal digits (section 7 of the law)."""
    link = Ether(src=way.source_mac, dst=way.mac)
    if ":" in way.source:
        ip = IPv6(src=way.source, dst=way.destination, tc=0, fl=0, hlim=255)
        ends, checksum = (14, 54, 62, 70), {}
    else:
        ip = IP(src=way.source, dst=way.destination, tos=0, id=0, flags=0, frag=0, ttl=255)
        ends, checksum = (14, 34, 42, 50), {"chksum": 0}
    port = way.base | (flow_hash(flow) & way.mask)
    packet = bytes(link / ip / UDP(sport=port, dport=4789, **checksum) / VXLAN(flags=8, vni=way.vni) / Raw(inner))
    return [packet[start:end].hex() for start, end in zip((0, *ends), ends, strict=False)]


@dataclass
class Line:
    """A frame, what it is in words, and its line of expect.json."""

    data: bytes
    what: str
    packet: Packet | None
    line: dict[str, Any]

    def gets(self, verdict: str, eni: str | None = "eni-10", **named: Any) -> Line:
        """A verdict without a copy; ``named`` are session, rule and service."""
        if verdict in ("malformed", "no-eni"):
            eni = None
        self.line.update({"verdict": verdict, "eni": eni, **named})
        return self

    def mirrored(
        self,
        rule: int | None = 10,
        session: str = "tms-1",
        *,
        copied: int | None = None,
        way: Way = WAY,
        flow: Flow | None = None,
        eni: str = "eni-10",
        **more: Any,
    ) -> Line:
        """A copy of ``copied`` bytes (None: the whole frame) by ``way``; the hash is over ``flow``, or what the frame
        plainly is. ``more``: service and ignore."""
        length = len(self.data) if copied is None else copied
        if flow is None:
            assert self.packet is not None, "state the flow of a frame that is given as bytes"
            flow = flow_of(self.packet)
        outer = outer_headers(way, flow, self.data[:length])
        named = {"eni": eni, "session": session, "rule": rule, **more}
        self.line.update({"verdict": "mirrored", **named, "copied": length, "outer": outer})
        return self


def ingress(packet: Packet | bytes, what: str, **marks: Any) -> Line:
    """A frame from the network; ``marks``: bad, dropped, and which policy it is judged by (from 1)."""
    return _line(packet, what, "ingress", marks)


def egress(packet: Packet | bytes, what: str, **marks: Any) -> Line:
    return _line(packet, what, "egress", marks)


def _line(packet: Packet | bytes, what: str, direction: str, marks: dict[str, Any]) -> Line:
    return Line(bytes(packet), what, packet if isinstance(packet, Packet) else None, {"direction": direction, **marks})


@dataclass
class Described:
    """A case: its name, the rules of docs/mirroring.md that it shows, what it shows and where that comes from."""

    name: str
    rules: str
    shows: str
    source: str
    policies: list[dict[str, Any]]
    lines: list[Line]
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def needs(self) -> list[str]:
        """What an engine must be able to do to be offered these frames."""
        lengths = [len(line.data) for line in self.lines]
        wanted = {
            "bad-frames": any(line.line.get("bad") for line in self.lines),
            "drop-mark": any(line.line.get("dropped") for line in self.lines),
            "short-frames": min(lengths) < 60,
            "jumbo": max(lengths) > 1514,
            "giants": max(lengths) > 9216,
        }
        return [name for name, needed in wanted.items() if needed]


FILTER = rules(ALL, ALL)
EVERYTHING = policy(FILTER)
BY_PORT = policy(rules([accept(10, protocol=6, dport=443), accept(20, "::/0", protocol=6, dport=443)], ALL))
PLAIN6 = Flow(PEER6, WEB6, 40000, 443, 6)
"""What most cases have: all IP is mirrored, or of what comes in TCP to port 443; and a connection that both take."""

ALL_CASES: list[Described] = []


def case(name: str, rules: str, shows: str, source: str, given: Any, lines: list[Line], **more: Any) -> None:
    """Write a case down; ``given`` is its policy, or a list of them."""
    ALL_CASES.append(
        Described(name, rules, shows, source, given if isinstance(given, list) else [given], lines, **more)
    )


def issue(where: str, kind: str = "issues") -> str:
    """The address of an issue or a pull request, written as OWNER/NAME#NUMBER."""
    name, number = where.split("#")
    return f"https://github.com/{name}/{kind}/{number}"


def pull(where: str) -> str:
    return issue(where, "pull")
