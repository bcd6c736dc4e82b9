"""Linux traffic control, the mirror that users have without a card: u32 filters and mirred take the same frames.

One filter per rule, in the order of the rules, which is how tc judges too; it copies to one device for what is accepted
and to another for what is rejected. u32 compares under masks at fixed places: so rules have single ports here, not
ranges, and packets neither options nor fragments. (flower has ranges, but not every kernel has flower.)
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Direction
from halfsilver.sim.traffic.policies import draw_places
from tests.judges.namespace_kit import namespace, needs_root
from tests.judges.packets_kit import PLAIN, draw_frames, draw_interface, one_port

FRAMES = 500
"""Frames of each list of rules."""

LISTS = 16
QUIET = 0.2
"""Seconds without a copy after which there are no more."""

pytestmark = [
    *needs_root,
    pytest.mark.skipif(shutil.which("tc") is None, reason="tc is missing (apt install iproute2)"),
]

FAMILY = {4: ("ip", "ip"), 6: ("ipv6", "ip6")}
"""By address family: the words for the ethertype, and for the selector."""


def selector(rule):
    """What a rule matches, in the words of tc-u32(8)."""
    ethertype, name = FAMILY[rule.source.version]
    words = [f"match {name} {end} {block}" for end, block in (("src", rule.source), ("dst", rule.destination))]
    if rule.protocol is not None:
        words.append(f"match {name} protocol {rule.protocol} 0xff")
    for side, ports in (("sport", rule.source_ports), ("dport", rule.destination_ports)):
        if ports is not None:
            words.append(f"match {name} {side} {ports[0]} 0xffff")
    return f"protocol {ethertype}", f"u32 {' '.join(words)}"


class Mirror:
    """A device "eni" at the end of a virtual cable, and cables for what is accepted and rejected."""

    def __init__(self, inside):
        self.inside = inside
        inside.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")  # no frames of the kernel's own
        for near, far in (("wire", "eni"), ("accept", "accepted"), ("reject", "rejected")):
            inside.links(f"link add {near} type veth peer name {far}", f"link set {near} up", f"link set {far} up")
        wire, eni, self.accepted, self.rejected = inside.open_devices("wire", "eni", "accepted", "rejected")
        self.ways = {Direction.INGRESS: wire, Direction.EGRESS: eni}
        self.accepted.settimeout(QUIET)
        self.rejected.settimeout(QUIET)

    def tc(self, *words):
        done = self.inside.run("tc", *" ".join(words).split())
        if "not found" in done.stderr or "Failed to load" in done.stderr:
            pytest.skip(f"this kernel refuses `tc {' '.join(words)}`: {done.stderr.strip().splitlines()[0]}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def judge(self, rules, direction, frames):
        """(frames taken by each rule, accepted frames, rejected frames)"""
        self.tc("qdisc replace dev eni clsact")
        for place, rule in enumerate(rules, 1):
            family, match = selector(rule)
            action = f"action mirred egress mirror dev {'accept' if rule.accept else 'reject'}"
            self.tc("filter add dev eni", str(direction), family, f"pref {place}", match, action)
        for frame in frames:
            self.ways[direction].send(frame.data)
        taken = arrived(self.accepted), arrived(self.rejected)
        filters = json.loads(self.tc("-s -j filter show dev eni", str(direction)))
        self.tc("qdisc del dev eni clsact")
        count = Counter(
            {each["pref"] - 1: action["stats"]["packets"] for each in filters for action in actions_of(each)}
        )
        return +count, *taken


def actions_of(described):
    return described.get("options", {}).get("actions", [])


def arrived(device):
    found = []
    while True:
        try:
            found.append(device.recv(0x10000))
        except TimeoutError:
            return found


@pytest.fixture(scope="module")
def mirror():
    with namespace() as inside:
        yield Mirror(inside)


def situation(number):
    """(interface, its rules, direction, frames), every other one of the other direction."""
    rng = random.Random(f"tc {number}")
    places, direction = draw_places(rng), Direction(number % 2)
    interface, rules = draw_interface(rng, places, direction)
    rules = tuple(map(one_port, rules))
    session = replace(interface.sessions[0], ingress=rules, egress=rules)
    interface = replace(interface, sessions=(session,))
    return interface, rules, direction, draw_frames(rng, interface, places, direction, FRAMES, PLAIN)


def decided(interface, rules, frames):
    """The same by the golden model."""
    golden = GoldenEngine()
    golden.configure(Policy((interface,)))
    records = golden.process(frames).verdicts
    by = [(frame.data, record.rule) for frame, record in zip(frames, records, strict=True) if record.rule is not None]
    taken = [[data for data, rule in by if rules[rule].accept is accept] for accept in (True, False)]
    return Counter(rule for _, rule in by), *taken


def test_the_same_frames_are_mirrored(mirror, judged):
    total, count = Counter(), 0
    for number in range(LISTS):
        interface, rules, direction, frames = situation(number)
        found = mirror.judge(rules, direction, frames)
        assert found == decided(interface, rules, frames), number
        total += Counter(accepted=len(found[1]), rejected=len(found[2]))
        count += len(rules)
    assert min(total.values()) > 300
    words = f"{total['accepted']:,} copies of accepted and {total['rejected']:,} of rejected frames"
    judged("tc", f"{LISTS * FRAMES:,} frames, {count} rules in {LISTS} lists: {words}, byte for byte and in order")


def test_the_judge_sees_the_order_of_rules(mirror):
    """Rules from the last to the first."""
    for number in range(LISTS):
        interface, rules, direction, frames = situation(number)
        if mirror.judge(rules[::-1], direction, frames)[1:] != decided(interface, rules, frames)[1:]:
            return
    pytest.fail(f"nothing seen in {LISTS} lists")
