"""A policy in the words of nftables: a chain at a ``netdev`` hook of a device, and a counter for every outcome.

Written from ``docs/mirroring.md`` sections 1, 4 and 5 alone; nothing of the golden model or the driver is used.

What Linux takes differently, so that ``packets_kit`` draws no such frames, or a rule here says it:
- It reads ports from fragments other than the first. For IPv4, rules with ports say "offset 0" besides; IPv6 fragments
  other than the first are neither TCP nor UDP, nor is their next header one more extension header, behind which Linux
  finds no protocol.
- It reads a port of which the two bytes are there; the law wants those of both.
- Authentication and mobility headers end the chain of IPv6 extension headers.
- A packet whose length field promises more bytes than the frame has is no packet: it has no protocol.
- A VLAN tag is unpacked from what comes in only, and only one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from halfsilver.harness.policy.policy import Interface, Network, Rule, Session
from halfsilver.harness.verdict import Direction
from tests.judges.namespace_kit import Namespace

OFFERED = "offered"
FAMILY = {4: "ip", 6: "ip6"}
TCP, UDP = 6, 17

METADATA = ("169.254.169.254", "fd00:ec2::254")
TIME = ("169.254.169.123", "fd00:ec2::123")
ACTIVATION = ("169.254.169.250", "169.254.169.251", "fd00:ec2::250")
DNS = ("169.254.169.253", "fd00:ec2::253")


def program(
    interface: Interface, direction: Direction, device: str, copies: Mapping[int, str], *, terminal_reject: bool = False
) -> str:
    """For ``nft -f``. ``copies`` has the device that a session's copies are duplicated to, by index."""
    marks: list[str] = []
    chains = [
        _chain(f"session{index}", _session_lines(index, session, direction, copies, marks, terminal_reject))
        for index, session in enumerate(interface.sessions)
    ]
    lines = [
        f'type filter hook {direction} device "{device}" priority 0; policy accept;',
        f'counter comment "{OFFERED}"',
    ]
    lines += _service_lines(interface, copies)
    if not interface.sessions:
        lines.append(_end("", "no-session"))
    lines.append(_end("meta protocol != { ip, ip6 }", "not-ip"))
    lines += [f"jump session{index}" for index in range(len(interface.sessions))]
    lines += [_end(f"meta mark {mark}", outcome) for mark, outcome in enumerate(marks, 1)]
    lines.append(_end("", "no-match"))
    return "table netdev judge {\n" + "\n".join([*chains, _chain("judge", lines)]) + "\n}\n"


def load(inside: Namespace, text: str) -> None:
    """In place of what was loaded before."""
    done = inside.run("nft", "-f", "-", text="table netdev judge\ndelete table netdev judge\n" + text)
    assert done.returncode == 0, done.stderr + text


def counters(inside: Namespace) -> Counter[str]:
    """Frames by outcome, those that are zero left out; ``OFFERED`` is all of them."""
    listed = json.loads(inside.run("nft", "-j", "list", "table", "netdev", "judge").stdout)
    found: Counter[str] = Counter()
    for rule in (each["rule"] for each in listed["nftables"] if "rule" in each):
        for counter in (part["counter"] for part in rule["expr"] if "counter" in part):
            found[rule["comment"]] += counter["packets"]
    return +found


def _chain(name: str, lines: list[str]) -> str:
    return f" chain {name} {{\n" + "".join(f"  {line}\n" for line in lines) + " }"


def _end(match: str, outcome: str, copy_to: str | None = None) -> str:
    """A rule that ends the judgement of what it matches."""
    dup = "" if copy_to is None else f'dup to "{copy_to}" '
    return f'{match} counter {dup}accept comment "{outcome}"'.lstrip()


def _service_lines(interface: Interface, copies: Mapping[int, str]) -> Iterator[str]:
    """Section 4, in the order of the codes."""
    yield _end("meta protocol arp", "not-eligible arp")
    for version, ports in ((4, (67, 68)), (6, (546, 547))):
        for side in ("sport", "dport"):
            match = [f"meta protocol {FAMILY[version]}", f"meta l4proto {UDP}", _ports(version, side, ports)]
            yield _end(" ".join(match), "not-eligible dhcp")
    for address in METADATA:
        for end in ("saddr", "daddr"):
            yield _end(_address(end, address), "not-eligible instance-metadata")
    yield from (_end(match, "not-eligible time-sync") for match in _server(TIME, [UDP], 123))
    yield from (_end(match, "not-eligible windows-activation") for match in _server(ACTIVATION, [TCP], 1688))
    takers = [index for index, session in enumerate(interface.sessions) if session.amazon_dns]
    outcome = f"mirrored amazon-dns session {takers[0]}" if takers else "not-eligible amazon-dns"
    resolver = () if interface.resolver is None else (str(interface.resolver),)
    for match in _server((*DNS, *resolver), [UDP, TCP], 53):
        yield _end(match, outcome, copies.get(takers[0]) if takers else None)


def _server(addresses: tuple[str, ...], protocols: list[int], port: int) -> Iterator[str]:
    """Either address, either port."""
    for address in addresses:
        for end in ("saddr", "daddr"):
            for protocol in protocols:
                for side in ("sport", "dport"):
                    ports = _ports(ip_address(address).version, side, (port, port))
                    yield f"{_address(end, address)} meta l4proto {protocol} {ports}"


def _address(end: str, address: str) -> str:
    return f"{FAMILY[ip_address(address).version]} {end} {address}"


def _session_lines(
    index: int,
    session: Session,
    direction: Direction,
    copies: Mapping[int, str],
    marks: list[str],
    terminal_reject: bool,
) -> list[str]:
    """Its rules in order. The first session that rejects a frame leaves its mark on it, for the end."""
    lines = []
    for number, rule in enumerate(session.ingress if direction is Direction.INGRESS else session.egress):
        match, where = _match(rule), f"session {index} rule {number}"
        if rule.accept:
            lines.append(_end(match, f"mirrored {where}", copies.get(index)))
        elif terminal_reject:
            lines.append(_end(match, f"rejected {where}"))
        else:
            marks.append(f"rejected {where}")
            lines += [f"{match} meta mark 0 meta mark set {len(marks)}", f"{match} return"]
    return lines


def _match(rule: Rule) -> str:
    words = [f"meta protocol {FAMILY[rule.source.version]}"]
    words += [_network(end, block) for end, block in (("saddr", rule.source), ("daddr", rule.destination))]
    if rule.protocol is not None:
        words.append(f"meta l4proto {rule.protocol}")
    for side, ports in (("sport", rule.source_ports), ("dport", rule.destination_ports)):
        if ports is not None:
            words.append(_ports(rule.source.version, side, ports))
    return " ".join(word for word in words if word)


def _network(end: str, block: Network) -> str:
    return f"{FAMILY[block.version]} {end} {block}" if block.prefixlen else ""


def _ports(version: int, side: str, ports: tuple[int, int]) -> str:
    """All ports are written as two halves: nft leaves a range of everything out, and then no ports would do too."""
    first, last = ports
    words = "{ 0-32767, 32768-65535 }" if ports == (0, 0xFFFF) else f"{first}-{last}" if first < last else f"{first}"
    return f"{'ip frag-off & 0x1fff 0 ' if version == 4 else ''}th {side} {words}"
