"""Echo identifiers spread copies over UDP source ports as ports do, in golden model and gateware alike."""

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.engine import VerilatorEngine
from halfsilver.sim.mutation.regression import BUILDS
from halfsilver.sim.mutation.traffic import MACS, open_policy

IDENTIFIERS = 1000
STRANGER = "0a:00:00:00:00:99"
OWNER = ":".join(f"{octet:02x}" for octet in MACS[0])
ENGINES = {
    "golden": lambda build: GoldenEngine(extension_headers=build.extension_headers, toeplitz_key=build.hash_key),
    "verilator": lambda build: VerilatorEngine(build),
}


def echo(version, identifier, reply):
    """An echo request to the owner of the mirrored interface, or the owner's reply."""
    here, there = {4: ("10.0.0.1", "10.7.7.7"), 6: ("2001:db8::1", "2001:db8:7::7")}[version]
    source, destination = (here, there) if reply else (there, here)
    macs = {"src": OWNER, "dst": STRANGER} if reply else {"src": STRANGER, "dst": OWNER}
    if version == 4:
        packet = IP(src=source, dst=destination) / ICMP(type=0 if reply else 8, id=identifier)
    else:
        packet = IPv6(src=source, dst=destination) / (ICMPv6EchoReply if reply else ICMPv6EchoRequest)(id=identifier)
    return Frame(bytes(Ether(**macs) / packet), Direction.EGRESS if reply else Direction.INGRESS)


def source_ports(engine, frames):
    """UDP source port of each frame's copy, as scapy reads it."""
    copies = engine.process(frames).outputs
    assert len(copies) == len(frames)
    return [Ether(copy.data)[UDP].sport for copy in copies]


@pytest.fixture(params=sorted(ENGINES))
def engine_of(request):
    made = []

    def make(build):
        made.append(ENGINES[request.param](BUILDS[build]))
        made[-1].configure(open_policy(), Flags())
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.mark.parametrize("version", [4, 6])
def test_a_thousand_identifiers_use_many_ports_and_replies_share_them(engine_of, version):
    engine = engine_of("narrow")
    requests = source_ports(engine, [echo(version, number, False) for number in range(IDENTIFIERS)])
    replies = source_ports(engine, [echo(version, number, True) for number in range(IDENTIFIERS)])
    assert requests == replies
    assert len(set(requests)) == 128  # what AWS's seven bits can tell apart
    assert max(requests.count(port) for port in set(requests)) < 4 * IDENTIFIERS / 128


@pytest.mark.parametrize("engine_of", ["golden", pytest.param("verilator", marks=pytest.mark.long)], indirect=True)
@pytest.mark.parametrize("reply", [False, True])
def test_they_are_spread_under_a_key_without_symmetry(engine_of, reply):
    ports = source_ports(engine_of("uneven"), [echo(4, number, reply) for number in range(IDENTIFIERS)])
    assert len(set(ports)) > 100
