"""What the tests of the command line share: a policy, a capture with known answers, a way to run."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import PcapNgReader, RawPcapWriter

from halfsilver.harness.cli import main
from halfsilver.harness.commands import judging
from halfsilver.harness.engine import Identity
from halfsilver.harness.engines.golden import GoldenEngine

ROOT = Path(__file__).resolve().parents[3]
WEB, COLLECTOR, ROUTER = "0a:00:00:00:00:10", "0a:00:00:00:00:40", "0a:00:00:00:00:01"
START = 1_700_000_000
DOCUMENTS = {
    "NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-10", "MacAddress": WEB, "PrivateIpAddress": "10.0.0.10"},
        {"NetworkInterfaceId": "eni-40", "MacAddress": COLLECTOR, "PrivateIpAddress": "10.0.0.40"},
    ],
    "TrafficMirrorTargets": [{"TrafficMirrorTargetId": "tmt-1", "NetworkInterfaceId": "eni-40"}],
    "TrafficMirrorFilters": [
        {
            "TrafficMirrorFilterId": "tmf-1",
            "IngressFilterRules": [
                {
                    "TrafficMirrorFilterRuleId": "tmfr-1",
                    "RuleNumber": 10,
                    "RuleAction": "reject",
                    "Protocol": 17,
                    "SourceCidrBlock": "0.0.0.0/0",
                    "DestinationCidrBlock": "0.0.0.0/0",
                },
                {
                    "TrafficMirrorFilterRuleId": "tmfr-2",
                    "RuleNumber": 20,
                    "RuleAction": "accept",
                    "Protocol": 6,
                    "SourceCidrBlock": "0.0.0.0/0",
                    "DestinationCidrBlock": "10.0.0.0/24",
                    "DestinationPortRange": {"FromPort": 443, "ToPort": 443},
                },
            ],
            "EgressFilterRules": [
                {
                    "TrafficMirrorFilterRuleId": "tmfr-3",
                    "RuleNumber": 30,
                    "RuleAction": "accept",
                    "SourceCidrBlock": "0.0.0.0/0",
                    "DestinationCidrBlock": "0.0.0.0/0",
                }
            ],
            "NetworkServices": [],
        }
    ],
    "TrafficMirrorSessions": [
        {
            "TrafficMirrorSessionId": "tms-1",
            "TrafficMirrorTargetId": "tmt-1",
            "TrafficMirrorFilterId": "tmf-1",
            "NetworkInterfaceId": "eni-10",
            "SessionNumber": 1,
            "VirtualNetworkId": 42,
            "PacketLength": 100,
        }
    ],
}
_IN = Ether(src=ROUTER, dst=WEB) / IP(src="10.0.9.9", dst="10.0.0.10")
_OUT = Ether(src=WEB, dst=ROUTER) / IP(src="10.0.0.10", dst="10.0.9.9")
FRAMES = [
    bytes(_IN / TCP(sport=1000, dport=443) / bytes(200)),  # rule 20, cut from 254 to 100 bytes
    bytes(_OUT / TCP(sport=443, dport=1000)),  # rule 30, 54 bytes
    bytes(_IN / UDP(sport=5, dport=6)),  # rule 10 rejects
    bytes(Ether(src=ROUTER, dst=WEB) / ARP()),  # never
    bytes(_IN / TCP(sport=1000, dport=80)),  # no rule
    bytes(Ether(src=ROUTER, dst="0a:00:00:00:00:99") / IP()),  # nobody's
    b"\x0a\x00\x00\x00\x00\x10short",  # malformed
]
ANSWERS = [  # verdict, direction, service, session, rule, rule number, length, copied: by hand from the rules
    ("mirrored", "ingress", None, "tms-1", "tmfr-2", 20, 254, 100),
    ("mirrored", "egress", None, "tms-1", "tmfr-3", 30, 54, 54),
    ("rejected", "ingress", None, "tms-1", "tmfr-1", 10, 42, 0),
    ("not-eligible", "ingress", "arp", None, None, None, 42, 0),
    ("no-match", "ingress", None, None, None, None, 54, 0),
    ("no-eni", "ingress", None, None, None, None, 34, 0),
    ("malformed", "ingress", None, None, None, None, 11, 0),
]


def write_policy(folder: Path, documents: object = DOCUMENTS) -> str:
    path = folder / "mirror.json"
    path.write_text(json.dumps(documents))
    return str(path)


def write_capture(
    folder: Path, frames: list[bytes] = FRAMES, name: str = "in.pcap", start: int = START, link: int = 1
) -> str:
    """A nanosecond pcap by scapy; frame n (from 0) has the time start s + 123456789 + n ns."""
    path = folder / name
    with RawPcapWriter(str(path), linktype=link, nano=True) as writer:
        writer.write_header(None)
        for number, frame in enumerate(frames):
            writer.write_packet(frame, sec=start, usec=123_456_789 + number)
    return str(path)


def read_copies(data: bytes) -> list:
    """The packets of a pcapng, by scapy."""
    return list(PcapNgReader(io.BytesIO(data)))


def run(*arguments: str) -> int:
    """The exit code of a command run in this process; argparse's exit counts as its code."""
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)


def output_of(capsys, *arguments: str, code: int = 0) -> str:
    """What the command prints on stdout; it must end with ``code``."""
    assert run(*arguments) == code
    return capsys.readouterr().out


def start(*arguments: str, **options) -> subprocess.Popen:
    """The command as a process of its own, pipes on all three streams.

    It can be interrupted even where the tests cannot: a shell's background jobs ignore SIGINT, and their children too.
    """
    command = [sys.executable, "-m", "halfsilver.harness.cli", *arguments]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    streams["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"}, **(streams | options))


def mirror_it(paths, *more: str) -> int:
    """`halfsilver mirror` of the kit's capture and policy."""
    return run("mirror", "-r", paths[0], "-c", paths[1], *more)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Faulty(GoldenEngine):
    """Stands in for the gateware: the golden model with one fault, planted by ``fault(result)``."""

    fault = staticmethod(lambda result: None)

    def identify(self):
        return Identity("verilator", "stand-in")

    def process(self, frames, progress=None):
        result = super().process(frames, progress)
        self.fault(result)
        return result


def use_faulty(monkeypatch, fault):
    """From now on any engine that is asked for has this fault."""

    def open_it(name, policy, flags, *_, **__):
        engine = Faulty()
        engine.fault = fault
        engine.configure(policy, flags)
        return engine

    monkeypatch.setattr(judging, "open_engine", open_it)
