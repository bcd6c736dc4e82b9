"""The card, small, under cocotbext-eth's PHYs and a serial line, in Verilator: what goes in at one port comes out at
the other, the copy that the golden model wants comes out to the network, and Etherbone's answers to the host."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from halfsilver.boards.publish import SIMULATED
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.nic.image import policy_image, table_writes
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.bus.etherbone.port import EtherboneAddress
from halfsilver.hdl.card import LIGHTS, Light
from halfsilver.hdl.layout.card_registers import CARD_BASE, CARD_REGISTERS
from halfsilver.hdl.layout.registers import REGISTERS
from tests.harness.commands import cli_kit
from tests.hdl.bus.etherbone_kit import CARD_IP, CARD_MAC, HOST_IP, HOST_MAC, PORT, datagram
from tests.hdl.card.small_card import RATE, SMALL, run_bench
from tests.hdl.card.top import HASHES, CardTop

CORE_ID, CARD_ID = 0x48534D31, 0x48534331
"""``HSM1`` and ``HSC1``, by the register maps' pages."""
ETHERBONE = EtherboneAddress(bytes.fromhex(CARD_MAC.replace(":", "")), CARD_IP)
DOCUMENTS = cli_kit.DOCUMENTS | {
    "TrafficMirrorFilters": [
        {
            "TrafficMirrorFilterId": "tmf-1",
            "IngressFilterRules": [
                {
                    "TrafficMirrorFilterRuleId": "tmfr-1",
                    "RuleNumber": 10,
                    "RuleAction": "accept",
                    "Protocol": 6,
                    "SourceCidrBlock": "10.0.9.9/32",
                    "DestinationCidrBlock": "10.0.0.10/32",
                    "SourcePortRange": {"FromPort": 1000, "ToPort": 1000},
                    "DestinationPortRange": {"FromPort": 443, "ToPort": 443},
                }
            ],
            "EgressFilterRules": [],
            "NetworkServices": [],
        }
    ]
}
"""The command line's policy, with one rule instead of its three: the smallest NIC has no room for more."""

_IN = Ether(src=cli_kit.ROUTER, dst=cli_kit.WEB) / IP(src="10.0.9.9", dst="10.0.0.10")
FROM_NET = [
    bytes(_IN / TCP(sport=1000, dport=443) / bytes(range(200))),  # mirrored, cut to 100
    bytes(_IN / UDP(sport=1000, dport=443) / bytes(18)),  # no rule
    bytes(_IN / TCP(sport=1000, dport=443) / bytes(range(40))),  # mirrored whole
]
FROM_HOST = [
    bytes(Ether(src=cli_kit.WEB, dst=cli_kit.ROUTER) / IP(src="10.0.0.10", dst="10.0.9.9") / TCP() / bytes(range(90)))
]


def copies_of(folder: Path) -> tuple[Policy, list[bytes]]:
    """What the golden model makes of the frames from the network."""
    policy = Policy.load(cli_kit.write_policy(folder, DOCUMENTS))
    engine = GoldenEngine()
    engine.configure(policy)
    result = engine.process([Frame(frame, Direction.INGRESS) for frame in FROM_NET])
    return policy, [output.data for output in result.outputs]


def writes_of(policy: Policy) -> list[tuple[int, list[int]]]:
    """Register writes that load and commit the policy, runs to one address together; memories are zero at first."""
    image = {place: word for place, word in policy_image(policy, DEFAULT_FLAGS, SMALL).items() if word}
    runs: list[tuple[int, list[int]]] = []
    for address, word in [*table_writes(image, {}), (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))]:
        if not runs or runs[-1][0] != address:
            runs.append((address, []))
        runs[-1][1].append(word)
    return runs


def etherbone_exchange() -> tuple[bytes, bytes]:
    """A read of the identities of NIC and card, by the protocol's table, and what the host must get."""
    header, places, returned = bytes.fromhex("4e6f104400000000"), (0, CARD_BASE), 0x1234
    asked = struct.pack(">BBBB3I", 0, 0x0F, 0, len(places), returned, *places)
    answered = struct.pack(">BBBB3I", 0, 0x0F, len(places), 0, returned, CORE_ID, CARD_ID)
    back = Ether(src=CARD_MAC, dst=HOST_MAC) / IP(src=CARD_IP, dst=HOST_IP, id=0, flags="DF", ttl=64)
    return datagram(header + asked), bytes(back / UDP(sport=PORT, dport=40000, chksum=0) / (header + answered))


def case_of(ports: int, folder: Path) -> dict[str, Any]:
    """What the bench does, and what must be seen."""
    policy, copies = copies_of(folder)
    assert [Ether(copy)[VXLAN].vni for copy in copies] == [42, 42]
    assert [len(copy) for copy in copies] == [150, 50 + len(FROM_NET[2])]
    status, refused = REGISTERS.address("STATUS"), REGISTERS.address("REFUSED_WRITES")
    origin = [(CARD_REGISTERS.address(name.upper()), value) for name, value in HASHES.items()]
    asked, answer = etherbone_exchange()
    send = {"net": FROM_NET, "host": [*FROM_HOST, asked]} if ports == 2 else {"net": FROM_NET}
    due = {"net": [*copies, *FROM_HOST], "host": [*FROM_NET, answer]} if ports == 2 else {"net": copies}
    in_order = {"net": copies, "host": FROM_NET} if ports == 2 else {"net": copies}

    def texts(frames: dict[str, list[bytes]]) -> dict[str, list[str]]:
        return {name: [frame.hex() for frame in each] for name, each in frames.items()}

    return {
        "reads_before": [(0, CORE_ID), (status, REGISTERS.pack("STATUS")), *origin],
        "writes": writes_of(policy),
        "reads_after": [(refused, 0), (status, REGISTERS.pack("STATUS", active_bank=1, generation=1))],
        "send": texts(send),
        "due": texts(due),
        "in_order": texts(in_order),
        "lights": LIGHTS.const({"production": 1, "copies": 1}).as_bits(),
    }


@pytest.mark.parametrize("ports", SIMULATED)
def test_production_and_copies_and_the_registers(tmp_path, ports):
    case = tmp_path / "case.json"
    case.write_text(json.dumps(case_of(ports, tmp_path)))
    extra = {"etherbone": ETHERBONE} if ports == 2 else {}
    run_bench("tests.hdl.card.bench", ports, tmp_path, seed=1, environment={"CARD_CASE": str(case)}, **extra)


def test_a_light_shows_an_event_for_its_time():
    m = Module()
    m.submodules.light = light = Light(5)
    seen = []

    async def bench(ctx):
        for clock in range(20):
            ctx.set(light.i, clock in (2, 4, 12))
            await ctx.tick()
            seen.append(ctx.get(light.o))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert [clock for clock, on in enumerate(seen) if on] == [*range(2, 9), *range(12, 17)]


def test_a_light_of_no_time():
    with pytest.raises(ValueError, match="clocks must be at least 1"):
        Light(0)


@pytest.mark.parametrize("options", [{"phys": (0,), "inband": False}, {"phys": (0, 1)}])
def test_phys_that_cannot_be_asked(options):
    with pytest.raises(ValueError, match="cannot be asked: wanted is one per port, none of them in-band"):
        CardTop(SMALL, RATE, **options)


def test_etherbone_is_at_the_port_to_the_host():
    with pytest.raises(ValueError, match="Etherbone is at the port to the host, and there is none"):
        CardTop(SMALL, RATE, ports=1, etherbone=ETHERBONE)
