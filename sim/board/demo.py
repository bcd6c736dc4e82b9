"""`make virtual`: programs that know nothing of it talk through the simulated NIC, and Linux takes its copies apart.

As root, in three network namespaces: `host` and `net`, with a TAP device each, and the card between them; and
`receiver`, with the vxlan device that takes the copies apart. Otherwise the rootless form: the example's frames over
sockets. Either way everything that went in and came out is compared, and what came out is in build/virtual.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.harness.bench.wires import Wire, open_wire
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.commands.common import open_golden
from halfsilver.harness.engine import Identity
from halfsilver.harness.engines.registry import VIRTUAL
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, HalfsilverError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.opening import open_serial
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS
from halfsilver.harness.report.compare import compare
from halfsilver.harness.report.counters import render_counters
from halfsilver.sim.board.engine import PATIENCE, start_engine
from halfsilver.sim.board.links import enter_namespace
from halfsilver.sim.board.namespaces import Observer, Seen, ip, namespaces, within
from halfsilver.sim.board.passage import Passage
from halfsilver.sim.board.process import BoardProcess
from halfsilver.sim.board.terminal import CARDS
from halfsilver.sim.example import example_batch, make_example
from halfsilver.sim.places import BUILD, shown

__all__ = ["main", "talk"]

OUTPUT = BUILD / "virtual"
_HOST, _PEER, _COLLECTOR = "10.77.0.10", "10.77.0.1", "10.77.0.2"
_HOST_MAC, _PEER_MAC = "02:00:00:77:00:10", "02:00:00:77:00:01"
_VNI = 42
_OVERHEAD = 50
"""Bytes of a copy before its frame."""
_NIC, _WIRE, _VXLAN = "nic0", "wire0", "vx0"
_PROGRAM_SECONDS = 300
_QUIET_SECONDS = 2.0
_EXAMPLE_FRAMES = 400
_PORT = 8080


def policy_documents() -> dict[str, Any]:
    """All IPv4 of one interface, both ways, to a collector; as AWS prints it."""

    def interface(name: str, mac: str, address: str) -> dict[str, Any]:
        return {
            "NetworkInterfaceId": name,
            "MacAddress": mac,
            "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": address}],
        }

    def rule(direction: str) -> dict[str, Any]:
        return {
            "TrafficMirrorFilterRuleId": f"tmfr-{direction}",
            "TrafficMirrorFilterId": "tmf-77",
            "TrafficDirection": direction,
            "RuleNumber": 100,
            "RuleAction": "accept",
            "SourceCidrBlock": "0.0.0.0/0",
            "DestinationCidrBlock": "0.0.0.0/0",
        }

    return {
        "NetworkInterfaces": [
            interface("eni-host", _HOST_MAC, _HOST),
            interface("eni-collector", _PEER_MAC, _COLLECTOR),
        ],
        "TrafficMirrorTargets": [
            {"TrafficMirrorTargetId": "tmt-77", "Type": "network-interface", "NetworkInterfaceId": "eni-collector"}
        ],
        "TrafficMirrorFilters": [
            {
                "TrafficMirrorFilterId": "tmf-77",
                "IngressFilterRules": [rule("ingress")],
                "EgressFilterRules": [rule("egress")],
                "NetworkServices": [],
            }
        ],
        "TrafficMirrorSessions": [
            {
                "TrafficMirrorSessionId": "tms-77",
                "TrafficMirrorTargetId": "tmt-77",
                "TrafficMirrorFilterId": "tmf-77",
                "NetworkInterfaceId": "eni-host",
                "SessionNumber": 1,
                "VirtualNetworkId": _VNI,
            }
        ],
    }


@dataclass
class Rig:
    """The namespaces, and what is seen in them."""

    host: str
    net: str
    at_host: Observer
    at_net: Observer
    receiver: Wire
    received: list[Seen] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until nothing more passes anywhere."""
        count, until = self._take(), time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < until:
            time.sleep(0.05)
            if self._take() != count:
                count, until = self._take(), time.monotonic() + _QUIET_SECONDS

    def passage(self) -> Passage:
        def frames(observer: Observer, outgoing: bool) -> list[bytes]:
            return [seen.data for seen in observer.seen if seen.outgoing is outgoing]

        inner = [seen.data for seen in self.received]
        host, net = self.at_host, self.at_net
        return Passage(frames(host, True), frames(host, False), frames(net, True), frames(net, False), inner)

    def _take(self) -> int:
        self.received += [Seen(each.time_ns, False, each.data) for each in self.receiver.receive(0)]
        return self.at_host.take() + self.at_net.take() + len(self.received)


def talk(card: str, talks: Sequence[str], folder: Path, seed: int = 0) -> tuple[str, list[str]]:
    """Programs talk through a virtual board; returns a report, and what was wrong. Needs root."""
    policy = Policy.from_documents(policy_documents())
    with ExitStack() as stack:
        host, net, receiver = stack.enter_context(namespaces("host", "net", "receiver"))
        board = BoardProcess(f"tap:{_WIRE}@{net}", f"tap:{_NIC}@{host}", card=card, seed=seed)
        stack.callback(board.end)
        _say(f"a virtual board between {_NIC} in one network namespace and {_WIRE} in another")
        transport = stack.enter_context(contextlib.closing(open_serial(board.serial, patience=PATIENCE)))
        driver = Driver(transport)
        driver.load(policy)
        _say(f"all IPv4 of {_HOST} is mirrored to {_COLLECTOR}, VNI {_VNI}")
        rig = _lay_out(stack, host, net, receiver)
        problems = [problem for name in talks if (problem := TALKS[name](rig, folder))]
        rig.settle()
        build = driver.card
        identity = Identity(VIRTUAL, build.detail, {"extension_headers": build.shape.extension_headers})
        text, wrong = rig.passage().judge(policy, identity, driver.counters())
        for name, seen in (("host", rig.at_host.seen), ("net", rig.at_net.seen), ("vxlan", rig.received)):
            _write(folder / f"{name}.pcapng", seen)
    return text, problems + wrong


def _lay_out(stack: ExitStack, host: str, net: str, receiver: str) -> Rig:
    """Addresses, the vxlan device, and somebody who watches; nothing passes before."""
    for namespace, device, mac, mtu, addresses in (
        (host, _NIC, _HOST_MAC, 1500, [_HOST]),
        (net, _WIRE, _PEER_MAC, 1500 + _OVERHEAD, [_PEER, _COLLECTOR]),
    ):
        ip(namespace, f"link set {device} address {mac} mtu {mtu} txqueuelen 10000")
        for address in addresses:
            ip(namespace, f"addr add {address}/24 dev {device}")
    at_host, at_net = Observer(host, _NIC), Observer(net, _WIRE)
    stack.callback(at_host.close)
    stack.callback(at_net.close)
    ip(net, f"link set {_WIRE} up")
    ip(net, f"link add {_VXLAN} type vxlan id {_VNI} dstport 4789 local {_COLLECTOR} dev {_WIRE} nolearning")
    ip(net, f"link set {_VXLAN} netns {receiver}")
    ip(receiver, f"link set {_VXLAN} mtu 1500 up")
    with enter_namespace(receiver):
        wire = open_wire(f"packet:{_VXLAN}")
    stack.callback(wire.close)
    ip(host, f"link set {_NIC} up")
    return Rig(host, net, at_host, at_net, wire)


def _ping(rig: Rig, folder: Path) -> str | None:
    count = 5
    output = _program(rig.host, "ping", "-n", "-c", str(count), "-i", "0.2", "-W", "30", _PEER)
    answered = output.count(" ttl=")
    _say(f"ping {_PEER}: {answered} of {count} answered")
    return None if answered == count else f"ping: {answered} of {count} answered"


def _curl(rig: Rig, folder: Path) -> str | None:
    """A file from a web server on the other side."""
    served, fetched = folder / "served", folder / "fetched"
    served.write_bytes(bytes(range(256)) * 400)
    fetched.unlink(missing_ok=True)
    command = [sys.executable, "-m", "http.server", str(_PORT), "--bind", _PEER, "--directory", str(folder)]
    server = subprocess.Popen([*within(rig.net), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://{_PEER}:{_PORT}/{served.name}"
        _program(
            rig.host,
            "curl",
            "-sS",
            "--retry",
            "20",
            "--retry-delay",
            "1",
            "--retry-connrefused",
            "-o",
            str(fetched),
            url,
        )
    finally:
        server.kill()
        server.wait()
    same = fetched.exists() and fetched.read_bytes() == served.read_bytes()
    _say(f"curl {url}: {served.stat().st_size:,} bytes, {'as served' if same else 'NOT as served'}")
    return None if same else "curl: what was fetched is not what is served"


def _iperf3(rig: Rig, folder: Path) -> str | None:
    octets = 500_000
    server = subprocess.Popen([*within(rig.net), "iperf3", "-s", "-1", "-B", _PEER], stdout=subprocess.DEVNULL)
    try:
        for _ in range(20):
            time.sleep(0.5)
            output = _program(rig.host, "iperf3", "-c", _PEER, "-n", str(octets), "-l", "10000")
            if "iperf Done" in output:
                break
    finally:
        server.kill()
        server.wait()
    done = "iperf Done" in output
    _say(f"iperf3 -c {_PEER} -n {octets}: {'done' if done else 'NOT done'}")
    return None if done else f"iperf3: {output.strip().splitlines()[-1:]}"


TALKS = {"ping": _ping, "curl": _curl, "iperf3": _iperf3}


def rootless(card: str, folder: Path, seed: int = 0) -> tuple[str, list[str]]:
    """The example's first frames over sockets, judged by its policy; a report, and what was wrong."""
    policy = Policy.load(make_example().with_name("mirror.json"))
    _, frames = example_batch(CARDS[card], _EXAMPLE_FRAMES)
    with contextlib.closing(start_engine(card, seed=seed)) as engine:
        _say(engine.identify().detail)
        engine.configure(policy)
        result = engine.process(frames)
        golden = open_golden(policy, DEFAULT_FLAGS, engine.identify())
        problems = [str(difference) for difference in compare(golden.process(frames), result, first_frame=1)]
    _write(folder / "copies.pcapng", [Seen(output.frame, True, output.data) for output in result.outputs])
    return render_counters(result.counters, policy), problems


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m halfsilver.sim.board.demo", description=__doc__.split("\n")[0])
    parser.add_argument("--rootless", action="store_true", help="sockets, even as root")
    parser.add_argument("--card", choices=CARDS, default="whole", help="which card (default whole)")
    parser.add_argument("--seed", type=int, default=0, help="of the values of undefined bits (default 0)")
    options = parser.parse_args(arguments)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        if options.rootless or os.geteuid() != 0:
            if not options.rootless:
                _say("network namespaces need root: this is the form over sockets, which needs none")
            text, problems = rootless(options.card, OUTPUT, options.seed)
        else:
            absent = [name for name in TALKS if shutil.which(name) is None]
            if absent:
                _say(f"not installed here, and left out: {', '.join(absent)}")
            text, problems = talk(options.card, [name for name in TALKS if name not in absent], OUTPUT, options.seed)
    except HalfsilverError as error:
        print(f"make virtual: {error}", file=sys.stderr)
        return error.exit_code
    print(f"\n{text}\n")
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"{'NOT all' if problems else 'all'} of it as it has to be; captures are in {shown(OUTPUT)}")
    return EXIT_MISMATCH if problems else EXIT_OK


def _program(namespace: str, *command: str) -> str:
    """What a program in a namespace prints; it has _PROGRAM_SECONDS."""
    done = subprocess.run(
        [*within(namespace), *command], capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=False
    )
    return done.stdout + done.stderr


def _write(path: Path, seen: Sequence[Seen]) -> None:
    with open(path, "wb") as stream:
        writer = PcapngWriter(stream)
        for each in seen:
            writer.write(each.data, each.time_ns)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
