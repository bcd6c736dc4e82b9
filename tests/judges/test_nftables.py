"""nftables judges the same frames by the same filters: every outcome as often as the golden model and the gateware say.

The kernel's packet filter shares no line with this project. Random frames go over a virtual cable to a device that has
the policy at its ingress hook, and out of it at its egress hook; copies are duplicated by ``dup``.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Outer, Policy
from halfsilver.harness.records import Flags
from halfsilver.harness.verdict import Direction
from halfsilver.sim.engine import VerilatorEngine
from halfsilver.sim.traffic.policies import draw_places, draw_policy
from tests.judges.namespace_kit import namespace, needs_root
from tests.judges.nftables_kit import OFFERED, counters, load, program
from tests.judges.packets_kit import OWN, PARAMETERS, Kinds, draw_frames, label

FRAMES = 1000
"""Frames of each rule set."""

RULE_SETS = 40
PATIENCE = 5.0
"""Seconds in which all frames must have been judged."""

pytestmark = [
    *needs_root,
    pytest.mark.skipif(shutil.which("nft") is None, reason="nft is missing (apt install nftables)"),
]


class Judge:
    """A device "eni" at the end of a virtual cable; ``copies`` has the device for those of each session."""

    def __init__(self, inside):
        self.inside = inside
        inside.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")  # no frames of the kernel's own
        inside.links("link add wire type veth peer name eni", "link set wire mtu 9300 up", "link set eni mtu 9300 up")
        self.copies = {}
        wire, eni = inside.open_devices("wire", "eni")
        self._ways = {Direction.INGRESS: wire, Direction.EGRESS: eni}

    def judge(self, interface, direction, frames, **options):
        """How often each outcome was, by nftables."""
        load(self.inside, program(interface, direction, "eni", self.copies, **options))
        for frame in frames:
            self._ways[direction].send(frame.data)
        found, end = counters(self.inside), time.monotonic() + PATIENCE
        while found[OFFERED] < len(frames) and time.monotonic() < end:
            found = counters(self.inside)
        assert found.pop(OFFERED) == len(frames)
        return found


@pytest.fixture(scope="module")
def judge():
    with namespace() as inside:
        yield Judge(inside)


def outcomes(engine, policy, frames, flags):
    """How often each outcome was, by an engine."""
    engine.configure(policy, flags)
    return Counter(label(record, claims=True) for record in engine.process(frames).verdicts)


def situation(number):
    """(interface, direction, frames, whether a reject is final); every other one is of the other direction."""
    rng = random.Random(f"nftables {number}")
    places = draw_places(rng)
    (interface,) = draw_policy(rng, PARAMETERS, places, macs=[OWN], wide=number % 8 == 0).interfaces
    direction = Direction(number % 2)
    kinds = Kinds(tagged=direction is Direction.INGRESS)
    return interface, direction, draw_frames(rng, interface, places, direction, FRAMES, kinds), number % 3 == 0


def test_every_outcome_is_as_frequent(judge, judged, frames_to_judge):
    golden, gateware = GoldenEngine(), VerilatorEngine(PARAMETERS, seed=1)
    seen = Counter()
    count = frames_to_judge // FRAMES or RULE_SETS
    for number in range(count):
        interface, direction, frames, is_final = situation(number)
        found = judge.judge(interface, direction, frames, terminal_reject=is_final)
        policy, flags = Policy((interface,)), Flags(terminal_reject=is_final)
        assert found == outcomes(golden, policy, frames, flags), number
        assert found == outcomes(gateware, policy, frames, flags), number
        seen += found
    gateware.close()
    judged("nftables", f"{seen.total():,} frames under {count} random policies, {len(seen)} outcomes, all equal")


def with_rules(interface, change):
    """The same with other lists of rules in its sessions."""
    sessions = [replace(each, ingress=change(each.ingress), egress=change(each.egress)) for each in interface.sessions]
    return replace(interface, sessions=tuple(sessions))


def swap_ports(rules):
    return tuple(
        replace(each, source_ports=each.destination_ports, destination_ports=each.source_ports) for each in rules
    )


def shorten_prefixes(rules):
    return tuple(replace(each, source=each.source.supernet()) if each.source.prefixlen else each for each in rules)


def end_ranges_early(rules):
    """The last port of a range no longer belongs to it."""

    def shorter(ports):
        return ports and (ports[0], max(ports[0], ports[1] - 1))

    return tuple(replace(each, destination_ports=shorter(each.destination_ports)) for each in rules)


FAULTS = {
    "ports swapped": lambda interface: with_rules(interface, swap_ports),
    "prefixes a bit short": lambda interface: with_rules(interface, shorten_prefixes),
    "ranges end early": lambda interface: with_rules(interface, end_ranges_early),
    "last rule first": lambda interface: with_rules(interface, lambda rules: rules[::-1]),
    "accept for reject": lambda interface: with_rules(
        interface, lambda rules: tuple(replace(each, accept=True) for each in rules)
    ),
    "sessions swapped": lambda interface: replace(interface, sessions=interface.sessions[::-1]),
    "no resolver": lambda interface: replace(interface, resolver=None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees_faults(judge, fault):
    """One of these in a policy that the golden model has without it: some count differs before long."""
    golden = GoldenEngine()
    for number in range(RULE_SETS):
        interface, direction, frames, _ = situation(number)
        if judge.judge(FAULTS[fault](interface), direction, frames) != outcomes(
            golden, Policy((interface,)), frames, Flags()
        ):
            return
    pytest.fail(f"{fault}: nothing seen in {RULE_SETS} rule sets")


ENDS = ip_address("10.99.0.1"), ip_address("10.99.0.2")
TARGET = bytes.fromhex("020000000002")
VNIS = 0x42, 0x123456, 0xFFFFFF


@pytest.fixture(scope="module")
def encapsulating():
    """A judge whose copies go into a VXLAN device for each session, and a socket where their packets come out."""
    with namespace() as inside:
        judge = Judge(inside)
        inside.links(
            "link add out type veth peer name end",
            "link set out mtu 9300 up",
            "link set end mtu 9300 up",
            f"addr add {ENDS[0]}/24 dev out",
            f"neigh add {ENDS[1]} lladdr {TARGET.hex(':')} dev out nud permanent",
        )
        way = f"dstport 4789 nolearning dev out local {ENDS[0]} remote {ENDS[1]}"
        for index, vni in enumerate(VNIS):
            inside.links(f"link add vx{index} type vxlan id {vni} {way}", f"link set vx{index} mtu 9200 up")
        judge.copies = {index: f"vx{index}" for index in range(len(VNIS))}
        (end,) = inside.open_devices("end")
        end.settimeout(0.2)
        yield judge, end
        end.close()


def arrived(end):
    """(VNI, inner frame) of each packet, in order."""
    found = []
    while True:
        try:
            data = end.recv(0x10000)
        except TimeoutError:
            return found
        assert data[:6] == TARGET and data[12:14] == b"\x08\x00" and data[26:34] == ENDS[0].packed + ENDS[1].packed
        assert data[36:38] == (4789).to_bytes(2, "big") and data[42:46] == b"\x08\0\0\0" and data[49] == 0
        found.append((int.from_bytes(data[46:49], "big"), data[50:]))


def test_linux_mirrors_the_same_frames(encapsulating, judged):
    """`dup` into VXLAN devices: the golden model's copies, in order, each in its session's network, byte for byte."""
    judge, end = encapsulating
    golden, total = GoldenEngine(), 0
    for number in (1, 3, 5, 9):
        interface, direction, frames, _ = situation(number)
        outer = Outer(TARGET, OWN, *ENDS, None)
        sessions = [
            replace(session, vni=vni, packet_length=None, outer=outer, down_reason=None)
            for session, vni in zip(interface.sessions, VNIS, strict=False)
        ]
        interface = replace(interface, sessions=tuple(sessions))
        golden.configure(Policy((interface,)))
        wanted = [(int.from_bytes(each.data[46:49], "big"), each.data[50:]) for each in golden.process(frames).outputs]
        judge.judge(interface, direction, frames)
        assert arrived(end) == wanted
        total += len(wanted)
    assert total > 500
    judged("Linux as a mirror", f"{total:,} copies by nftables' dup and vxlan, the same frames in the same order")
