"""What security groups and network ACLs drop is not mirrored: from a policy file to the copies."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapWriter

from halfsilver.harness.cli import main
from tests.harness.commands.cli_kit import DOCUMENTS, ROUTER, WEB

FRAMES = [
    bytes(Ether(dst=WEB, src=ROUTER) / IP(src=source, dst="10.0.0.10") / TCP(sport=40000, dport=443))
    for source in ("10.1.0.1", "10.2.0.1", "10.3.0.1")
]


def mirrored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str = "golden", **lists: Any
) -> dict[str, int]:
    """The verdicts on FRAMES, by ``halfsilver mirror --json``; an engine that carries frames stops what is dropped."""
    documents = copy.deepcopy(DOCUMENTS)
    for interface in documents["NetworkInterfaces"]:
        interface |= {"Groups": [{"GroupId": "sg-1"}], "SubnetId": "subnet-1", "VpcId": "vpc-1"}
    config, capture = tmp_path / "mirror.json", tmp_path / "in.pcap"
    config.write_text(json.dumps(documents | lists))
    with RawPcapWriter(str(capture), linktype=1) as writer:
        for frame in FRAMES:
            writer.write(frame)
    arguments = ["-r", str(capture), "-c", str(config), "--json", "--engine", engine]
    assert main(["counters", *arguments]) == 0  # all sums meet
    capsys.readouterr()
    assert main(["mirror", "-w", str(tmp_path / "out.pcapng"), *arguments]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["conserved"] and summary["offered"] == len(FRAMES)
    assert summary["agreement"] in (None, True)
    assert summary["passed"] in (None, len(FRAMES) - summary["verdicts"].get("dropped", 0))
    return {name: count for name, count in summary["verdicts"].items() if count}


@pytest.mark.simulation
def test_the_gateware_agrees_and_stops_what_is_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy file asks for guards, so the engine builds a card that has them; an empty list lets nothing in."""
    pytest.importorskip("halfsilver.sim.engine", reason="the Verilator engine is not there")
    groups = [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.2.0.0/15"}]}]}]
    acls = [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}], "Entries": []}]
    for engine in ("golden", "verilator"):
        assert mirrored(tmp_path, capsys, engine, SecurityGroups=groups) == {"mirrored": 2, "dropped": 1}
        assert mirrored(tmp_path, capsys, engine, NetworkAcls=acls) == {"dropped": 3}


def test_only_what_comes_in_is_mirrored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/14"}]}
    groups = [{"GroupId": "sg-1", "IpPermissions": [permission]}]
    deny = {"RuleNumber": 90, "RuleAction": "deny", "Protocol": "-1", "Egress": False, "CidrBlock": "10.2.0.0/16"}
    allow = {"RuleNumber": 100, "RuleAction": "allow", "Protocol": "-1", "Egress": False, "CidrBlock": "10.0.0.0/8"}
    acls = [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}]}]
    assert mirrored(tmp_path, capsys) == {"mirrored": 3}
    assert mirrored(tmp_path, capsys, SecurityGroups=groups) == {"mirrored": 3}
    acls[0]["Entries"] = [allow, deny]
    assert mirrored(tmp_path, capsys, SecurityGroups=groups, NetworkAcls=acls) == {"mirrored": 2, "dropped": 1}
    permission["IpRanges"] = [{"CidrIp": "10.2.0.0/16"}]
    assert mirrored(tmp_path, capsys, SecurityGroups=groups) == {"mirrored": 1, "dropped": 2}
    assert mirrored(tmp_path, capsys, SecurityGroups=groups, NetworkAcls=acls) == {"dropped": 3}
