"""Open vSwitch cuts and encapsulates as the card does: `output(max_len=...)` to a VXLAN port.

Its userspace datapath, which needs no kernel module, has one flow per rule, by priority. Its copies must be the golden
model's: the same frames in the same order, cut at the same byte, with the same lengths in all headers.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Outer, Policy
from halfsilver.harness.verdict import Direction
from halfsilver.sim.traffic.policies import draw_places
from tests.judges.namespace_kit import namespace, needs_root
from tests.judges.packets_kit import OWN, PLAIN, draw_frames, draw_interface, one_port

FRAMES = 200
"""Frames of each list of rules."""

PACE = 0.0005
"""Seconds between two frames: a flood would fill the datapath's queues."""

LENGTHS = (55, 60, 99, 100, 149, 1000)
"""Packet lengths, a list of rules each; none is below the floors of the law."""

QUIET = 0.5
"""Seconds without a copy after which there are no more."""

TARGET = bytes.fromhex("020000000002")
ENDS = ip_address("10.99.0.1"), ip_address("10.99.0.2")
VNI = 0x123456
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")

pytestmark = [
    *needs_root,
    pytest.mark.skipif(
        shutil.which("ovs-vswitchd") is None, reason="openvswitch is missing (apt install openvswitch-switch)"
    ),
]

SWITCH = f"""
add-br outside -- set bridge outside datapath_type=netdev -- add-port outside out
-- add-br inside -- set bridge inside datapath_type=netdev
-- add-port inside eni -- set interface eni ofport_request=1
-- add-port inside vx -- set interface vx ofport_request=2 type=vxlan options:remote_ip={ENDS[1]} options:key={VNI}
options:csum=false
"""


class Switch:
    """A switch with a device "eni" at the end of a virtual cable; copies leave at the end of another."""

    def __init__(self, inside, folder):
        self._inside, self._folder = inside, folder
        self.wire = self.end = None

    def start(self):
        inside, folder = self._inside, self._folder
        inside.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")  # no frames of the kernel's own
        for near, far in (("wire", "eni"), ("out", "end")):
            inside.links(f"link add {near} type veth peer name {far}")
            inside.links(f"link set {near} mtu 9300 up", f"link set {far} mtu 9300 up")
        database = f"unix:{folder}/db.sock"
        self._tool(f"ovsdb-tool create {folder}/conf.db {SCHEMA}")
        self._tool(f"ovsdb-server {folder}/conf.db --remote=p{database} --pidfile --detach --log-file --no-chdir")
        self._tool(f"ovs-vsctl --db={database} --no-wait init")
        self._tool(f"ovs-vswitchd {database} --pidfile --detach --log-file --no-chdir")
        self._tool(f"ovs-vsctl --timeout=20 --db={database} {SWITCH}")
        inside.links(f"addr add {ENDS[0]}/24 dev outside", "link set outside mtu 9300 up")
        self._control = f"{folder}/ovs-vswitchd.{(folder / 'ovs-vswitchd.pid').read_text().strip()}.ctl"
        self._ask(f"tnl/arp/set outside {ENDS[1]} {TARGET.hex(':')}")
        self.wire, self.end = inside.open_devices("wire", "end")
        self.end.settimeout(QUIET)

    def _tool(self, words, text=None):
        places = [f"{name}={self._folder}" for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR")]
        done = self._inside.run("env", *places, *words.split(), text=text)
        assert done.returncode == 0, done.stderr

    def _ask(self, words):
        self._tool(f"ovs-appctl -t {self._control} {words}")

    def mirror(self, rules, length, frames):
        """The copies that leave."""
        flows = [f"priority={1000 - place} {flow(rule, length)}" for place, rule in enumerate(rules)]
        self._tool("ovs-ofctl replace-flows inside -", "\n".join([*flows, "priority=0 actions=drop"]) + "\n")
        self._ask("revalidator/purge")  # the datapath would still cut some frames as the rules before these say
        for frame in frames:
            self.wire.send(frame.data)
            time.sleep(PACE)
        found = []
        with suppress(TimeoutError):
            while True:
                found.append(self.end.recv(0x10000))
        return found

    def stop(self):
        for name in ("ovs-vswitchd", "ovsdb-server"):
            with suppress(OSError, ValueError):
                os.kill(int((self._folder / f"{name}.pid").read_text()), signal.SIGTERM)


def flow(rule, length):
    """A rule in the words of ovs-fields(7)."""
    version = rule.source.version
    names = ("nw_src", "nw_dst") if version == 4 else ("ipv6_src", "ipv6_dst")
    words = ["in_port=1", "ip" if version == 4 else "ipv6"]
    words += [f"{name}={block}" for name, block in zip(names, (rule.source, rule.destination), strict=True)]
    if rule.protocol is not None:
        words.append(f"nw_proto={rule.protocol}")
    for name, ports in (("tp_src", rule.source_ports), ("tp_dst", rule.destination_ports)):
        if ports is not None:
            words.append(f"{name}={ports[0]}")
    action = f"output(port=2,max_len={length})" if rule.accept else "drop"
    return f"{','.join(words)},actions={action}"


@pytest.fixture(scope="module")
def switch():
    with namespace() as inside, tempfile.TemporaryDirectory(prefix="ovs-") as folder:
        made = Switch(inside, Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def situation(number, length):
    """(policy, its rules, frames that come in)"""
    rng = random.Random(f"openvswitch {number}")
    places = draw_places(rng)
    interface, rules = draw_interface(rng, places, Direction.INGRESS)
    rules = tuple(map(one_port, rules))
    outer = Outer(TARGET, OWN, *ENDS, None)
    session = replace(
        interface.sessions[0], ingress=rules, packet_length=length, vni=VNI, outer=outer, down_reason=None
    )
    interface = replace(interface, sessions=(session,))
    return Policy((interface,)), rules, draw_frames(rng, interface, places, Direction.INGRESS, FRAMES, PLAIN)


def golden_copies(policy, frames):
    golden = GoldenEngine()
    golden.configure(policy)
    return [output.data for output in golden.process(frames).outputs]


def essence(copy):
    """A copy without what is each encapsulator's own: its MAC address, flags, hop limit, IP checksum, source port."""
    return copy[:6], copy[12:20], copy[23:24], copy[26:34], copy[36:]


def essences(copies):
    """As often as they are: the datapath takes frames by the batch, and a batch by flows, so their order may change."""
    return Counter(map(essence, copies))


def test_cut_at_the_same_byte(switch, judged):
    total = cut = 0
    for number, length in enumerate(LENGTHS):
        policy, rules, frames = situation(number, length)
        wanted = golden_copies(policy, frames)
        found = switch.mirror(rules, length, frames)
        assert essences(found) == essences(wanted), length
        total += len(found)
        cut += sum(len(copy) - 50 == length for copy in found)
    assert cut > 100
    judged("Open vSwitch", f"{total:,} copies of {len(LENGTHS) * FRAMES:,} frames, {cut} of them cut, all equal")


def test_the_judge_sees_a_byte_less(switch):
    policy, rules, frames = situation(0, LENGTHS[0])
    wanted = essences(golden_copies(policy, frames))
    assert essences(switch.mirror(rules, LENGTHS[0], frames)) == wanted
    assert essences(switch.mirror(rules, LENGTHS[0] - 1, frames)) != wanted
