"""docs/tables.md is that of the data; and who reads the tables by that page alone finds what the driver wrote.

`Page` is written after the page, with the numbers that stand there, and takes nothing from the driver or the layouts.
"""

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from math import ceil
from pathlib import Path

import pytest

from halfsilver.harness.golden.spread import receiver_of
from halfsilver.harness.nic.image import policy_image
from halfsilver.harness.policy.policy import Guard
from halfsilver.harness.records import Flags
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.table_formats import render_tables
from tests.harness.golden.golden_kit import ENI_0, ENI_1, TARGET, interface, outer, policy, rule, session

ROOT = Path(__file__).resolve().parents[3]
GENERAL, SESSIONS, OUTER, LOOKUP = 3, 1, 2, 0
IPV4 = [0x0A000001, 0x0A0000FE, 0xC0A80001, 0x0A000002]
IPV6 = [0, 5, (1 << 128) - 3]
SHAPES = [
    NicShape(enis=1, sessions=1, rules=3),
    NicShape(enis=3, sessions=2, rules=4, lookup_clocks=4),
    NicShape(enis=4, sessions=3, rules=10, lookup_clocks=2),
    NicShape(enis=16, sessions=2, rules=2, lookup_clocks=8),
    NicShape(enis=1, sessions=3, rules=40),
    NicShape(enis=2, sessions=2, rules=20, lookup_clocks=2),
    NicShape(width=512, enis=1, sessions=2, rules=2),
    NicShape(width=512, enis=3, sessions=3, rules=12, lookup_clocks=2),
    NicShape(enis=2, sessions=2, rules=3, security_groups=7),
    NicShape(width=512, enis=2, sessions=3, rules=10, security_groups=40),
]


def test_the_page_is_that_of_the_data():
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == render_tables(), "run `make docs`"


class Page:
    """Looks a frame's key up in the words, by the formulas of the page."""

    def __init__(self, words, shape):
        self.words, self.shape = words, shape
        self.bits, self.clocks, self.rules = shape.chunk_bits, shape.lookup_clocks, shape.rules
        self.enis = 1 << (shape.enis - 1).bit_length()
        self.ternary_lanes = ceil(ceil(267 / self.bits) / self.clocks)
        self.digits = ceil(16 / self.bits)
        self.bound_lanes = ceil(self.digits / self.clocks)
        self.lanes = self.ternary_lanes + 8 * self.bound_lanes
        self.contexts = 2 * self.enis // shape.matchers
        self.bank_words = self.contexts * self.clocks * 2**self.bits
        self.slots = shape.sessions * shape.rules + shape.security_groups
        self.parts = 1
        while self.parts < ceil(self.slots / 32):
            self.parts *= 2

    def word(self, lane, context, slot, value):
        return self.all_parts(lane * self.bank_words + (context * self.clocks + slot) * 2**self.bits + value)

    def place(self, direction, eni):
        if self.shape.matchers == 1:
            return 0, direction * self.enis + eni
        return direction * (self.lanes + 1), eni

    def all_parts(self, word):
        return sum(self.words[LOOKUP, word * self.parts + part] << 32 * part for part in range(self.parts))

    def rules_that_match(self, direction, eni, key, ports):
        """{(session, rule): does it accept?}; ``key`` is the ternary key, ``ports`` source and destination.

        The rules of a guard are those of a session more.
        """
        first_lane, context = self.place(direction, eni)
        hits = (1 << self.slots) - 1
        for chunk in range(self.ternary_lanes * self.clocks):
            value = key >> chunk * self.bits & 2**self.bits - 1
            hits &= self.word(first_lane + chunk % self.ternary_lanes, context, chunk // self.ternary_lanes, value)
        for bound in range(4):
            inside, tied = 0, hits
            for digit in range(self.bound_lanes * self.clocks):
                shift = (self.digits - 1 - digit) * self.bits
                value = ports[bound // 2] >> shift & 2**self.bits - 1 if shift >= 0 else 0
                slot, position = digit // self.bound_lanes, digit % self.bound_lanes
                lane = first_lane + self.ternary_lanes + 2 * (bound * self.bound_lanes + position)
                inside |= tied & self.word(lane, context, slot, value)
                tied &= self.word(lane + 1, context, slot, value)
            hits &= inside | tied
        accepts = self.all_parts((first_lane + self.lanes) * self.bank_words + context)
        bits = {(s, r): s * self.rules + r for s in range(self.shape.sessions) for r in range(self.rules)}
        first = self.shape.sessions * self.rules
        bits |= {(self.shape.sessions, n): first + n for n in range(self.shape.security_groups)}
        return {place: bool(accepts >> bit & 1) for place, bit in bits.items() if hits >> bit & 1}


def random_rule(source, number):
    ipv6 = source.random() < 0.3
    bits = 128 if ipv6 else 32

    def network():
        prefix = source.choice([0, 1, 7, 8, 17, bits - 1, bits])
        address = source.choice(IPV6 if ipv6 else IPV4)
        return str((IPv6Network if ipv6 else IPv4Network)((address, prefix), strict=False))

    def ports():
        if source.random() < 0.5:
            return None
        low = source.choice([0, 1, 53, 255, 256, 4095, 65535])
        return low, max(low, source.choice([low, min(low + 1, 65535), 1023, 4096, 65535]))

    return rule(
        network(),
        network(),
        number=number,
        accept=source.random() < 0.6,
        protocol=source.choice([None, 6, 17, 1]),
        source_ports=ports(),
        destination_ports=ports(),
    )


def random_guard(source, most):
    entries = source.randint(0, most)
    groups = [replace(random_rule(source, number), accept=True) for number in range(most - entries)]
    return Guard(tuple(groups), tuple(random_rule(source, number) for number in range(entries)))


def random_packet(source):
    ipv6 = source.random() < 0.3
    size = 16 if ipv6 else 4
    pool = IPV6 if ipv6 else IPV4
    addresses = [source.choice(pool).to_bytes(size, "big") for _ in range(2)]
    protocol = source.choice([None, 6, 17, 1])
    has_ports = protocol in (6, 17) and source.random() < 0.8
    choices = [0, 1, 52, 53, 54, 255, 256, 1023, 4095, 4096, 65535]
    return addresses, protocol, tuple(source.choice(choices) for _ in range(2)) if has_ports else None


def matches(one, addresses, protocol, ports):
    """What a rule means (docs/mirroring.md, rules)."""
    networks = (one.source, one.destination)
    if any(len(octets) != len(net.network_address.packed) for octets, net in zip(addresses, networks, strict=True)):
        return False
    for octets, net in zip(addresses, networks, strict=True):
        if int.from_bytes(octets, "big") & int(net.netmask) != int(net.network_address):
            return False
    if one.protocol is not None and one.protocol != protocol:
        return False
    for wanted, port in zip((one.source_ports, one.destination_ports), ports or (None, None), strict=True):
        if wanted is not None and (port is None or not wanted[0] <= port <= wanted[1]):
            return False
    return True


@pytest.mark.parametrize(
    "shape",
    SHAPES,
    ids=lambda shape: f"{shape.width} bits, {shape.enis} ENIs, {shape.rules} rules, {shape.lookup_clocks} clocks",
)
def test_the_lookup_by_the_page_alone(shape):
    source = random.Random(shape.enis)

    def rules():
        return [random_rule(source, number) for number in range(source.randint(0, shape.rules))]

    macs = [f"02:00:00:00:01:{number:02x}" for number in range(shape.enis)]
    interfaces = [
        interface(*[session(rules(), rules(), number=n + 1) for n in range(shape.sessions)], address=mac)
        for mac in macs
    ]
    if shape.security_groups:
        interfaces = [replace(each, guard=random_guard(source, shape.security_groups)) for each in interfaces]
    page = Page(policy_image(policy(*interfaces), Flags(), shape), shape)
    found = 0
    for _ in range(1000):
        addresses, protocol, ports = random_packet(source)
        direction, eni = source.randrange(2), source.randrange(shape.enis)
        klass = (len(addresses[0]) == 16) | (ports is not None) << 1 | (protocol is not None) << 2
        key = int.from_bytes(addresses[0], "little") | int.from_bytes(addresses[1], "little") << 128
        key |= (protocol or 0) << 256 | klass << 264
        want = {
            (s, r): one.accept
            for s, each in enumerate(interfaces[eni].sessions)
            for r, one in enumerate(each.egress if direction else each.ingress)
            if matches(one, addresses, protocol, ports)
        }
        guard = interfaces[eni].guard if direction == 0 else None
        for number, one in enumerate(() if guard is None else (*guard.acl, *guard.groups)):
            if matches(one, addresses, protocol, ports):
                want[shape.sessions, number] = one.accept
        assert page.rules_that_match(direction, eni, key, ports or (0, 0)) == want
        found += len(want)
    assert found > 20


def test_a_guards_word_by_the_page_alone():
    """Bits 0 to 7: how many entries; 8: there is a network ACL; 9: there are security groups."""
    shape = NicShape(enis=4, security_groups=9)
    rules = [rule(number=number) for number in range(5)]
    guards = (None, Guard(tuple(rules), None), Guard(None, tuple(rules[:3])), Guard((), ()))
    macs = [f"02:00:00:00:01:{number:02x}" for number in range(4)]
    interfaces = [replace(interface(address=mac), guard=guard) for mac, guard in zip(macs, guards, strict=True)]
    words = policy_image(policy(*interfaces), Flags(), shape)
    assert [words[GENERAL, 16 + 4 * eni + 3] for eni in range(4)] == [0, 0x200, 0x103, 0x300]
    assert (GENERAL, 19) not in policy_image(policy(interfaces[0]), Flags(), NicShape(enis=4))


def test_the_other_tables_by_the_page_alone():
    shape = NicShape(enis=3, sessions=2, rules=4, lookup_clocks=4)
    ipv6 = outer("2001:db8::1", "2001:db8::2", mtu_limit=1440)
    interfaces = (
        interface(session(vni=0x123456), session(number=2, to=None), resolver="10.0.0.2"),
        interface(session(vni=0xABCDEF, packet_length=40, amazon_dns=True, to=ipv6), address=ENI_1),
    )
    flags = Flags(tap=True, terminal_reject=True, source_port_base=0xC000, source_port_mask=0x3FFF)
    words = policy_image(policy(*interfaces), flags, shape)
    mac_0, mac_1, target = (bytes.fromhex(text.replace(":", "")) for text in (ENI_0, ENI_1, TARGET))

    assert (words[GENERAL, 0], words[GENERAL, 1]) == (0b11, 0x3FFF << 16 | 0xC000)
    for eni, mac, resolver in ((0, mac_0, "0a000002"), (1, mac_1, None)):
        at = 16 + 4 * eni
        low, high, address = (words[GENERAL, at + offset].to_bytes(4, "little") for offset in range(3))
        assert low + high[:2] == mac
        assert (high[2], address.hex()) == (1 | (resolver is not None) << 1, resolver or "00000000")
    assert [words[GENERAL, 24 + offset] for offset in range(3)] == [0, 0, 0]

    valid, up, dns, outer_ipv6 = 1 << 28, 1 << 29, 1 << 30, 1 << 31
    assert words[SESSIONS, 0] == 8961 | 8961 << 14 | valid | up
    assert words[SESSIONS, 1] == 9216 | 9216 << 14 | valid
    assert words[SESSIONS, 4] == 40 | 55 << 14 | valid | up | dns | outer_ipv6
    assert words[SESSIONS, 5] == 0

    for eni, number, mac, vni, ends in (
        (0, 0, mac_0, 0x123456, interfaces[0].sessions[0].outer),
        (1, 0, mac_0, 0xABCDEF, ipv6),
    ):
        at = (eni * 4 + number) * 16
        template = b"".join(words[OUTER, at + word].to_bytes(4, "little") for word in range(13))
        assert (template[:6], template[6:12]) == (target, mac)
        assert template[12:16] == vni.to_bytes(4, "little")
        source, destination = ends.source.packed, ends.destination.packed
        assert template[16:32] == source.ljust(16, b"\0") and template[32:48] == destination.ljust(16, b"\0")
        constant = bytes.fromhex("450000000000ff11") + source + destination
        if eni == 1:
            constant = source + destination + bytes.fromhex("001112b508000000") + vni.to_bytes(3, "big") + b"\0"
        total = sum(int.from_bytes(constant[i : i + 2], "big") for i in range(0, len(constant), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert template[48:] == total.to_bytes(4, "little")
    assert (OUTER, 16) not in words  # the target of that session is down


def test_the_receivers_words_by_the_page_alone():
    """256 slots of 4 bits from word 4096 on, and an outer header for each receiver."""
    shape = NicShape(enis=3, sessions=2, rules=2, lookup_clocks=8, receivers=5)
    ways = tuple(outer(destination=f"10.9.0.{number}") for number in range(1, 6))
    spread = replace(session(number=2, to=ways[0]), receivers=ways)
    words = policy_image(policy(interface(), interface(session(), spread, address=ENI_1)), Flags(), shape)
    owners = [words[SESSIONS, 4096 + (1 * 4 + 1) * 32 + slot // 8] >> 4 * (slot % 8) & 15 for slot in range(256)]
    assert {ways[owner] for owner in owners} == set(ways)
    assert [ways[owner] for owner in owners] == [receiver_of(ways, slot) for slot in range(256)]
    for number, way in enumerate(ways):
        assert words[OUTER, ((number * 4 + 1) * 4 + 1) * 16 + 8] == int.from_bytes(way.destination.packed, "little")
    assert [words[SESSIONS, 4096 + 1 * 4 * 32 + word] for word in range(32)] == [0] * 32
    assert words[SESSIONS, 5] >> 28 & 1 and not any((SESSIONS, 4096 + word) in words for word in range(32))
