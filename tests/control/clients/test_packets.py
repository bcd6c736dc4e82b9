"""From the AWS CLI's command line to bytes on the simulated wire: the whole stack, with the gateware as the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.control.kits.serve_kit import COLLECTOR, INVENTORY, MACS, WEB, Server, to_web

AWS = Path(sys.executable).with_name("aws")
SECOND_COLLECTOR = "eni-0a1b2c3d4e5f60101"
ADDRESSES = {
    each["NetworkInterfaceId"]: each["PrivateIpAddress"]
    for each in json.loads(INVENTORY.read_text())["NetworkInterfaces"]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A NIC of four interfaces, in gateware."""
    folder = tmp_path_factory.mktemp("packets")
    documents = json.loads(INVENTORY.read_text())
    documents["Nic"]["NetworkInterfaceIds"] = documents["Nic"]["NetworkInterfaceIds"][:4]
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps(documents))
    with Server(folder / "state", "--engine", "verilator", inventory=inventory) as made:
        yield made


@pytest.fixture
def aws(server):
    """``aws ec2 ...`` as a user types it; the value of ``--query``."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": server.ready["url"],
        "AWS_DEFAULT_REGION": server.ready["region"],
        "AWS_SHARED_CREDENTIALS_FILE": server.ready["credentials"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_PAGER": "",
    }

    def run(command, query):
        done = subprocess.run(
            [str(AWS), "ec2", *command.split(), "--query", query, "--output", "text"],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def reply(port):
    """What the web server sends from a port."""
    return (
        Ether(src=MACS[WEB], dst="0a:00:00:00:00:99")
        / IP(src=ADDRESSES[WEB], dst="10.9.9.9")
        / TCP(sport=port, dport=1234)
        / Raw(b"answer" * 20)
    )


def query():
    return (
        Ether(src="0a:00:00:00:00:99", dst=MACS[WEB])
        / IP(src="10.9.9.9", dst=ADDRESSES[WEB])
        / UDP(sport=999, dport=161)
        / Raw(b"snmp")
    )


def copies(pushed):
    """Of each copy: where it went, its VNI, and the bytes after the VXLAN header."""
    return [(copy[Ether].dst, copy[IP].dst, copy["VXLAN"].vni, bytes(copy)[50:]) for copy in pushed[1]]


def test_the_aws_cli_and_the_gateware(server, aws):
    """Web traffic to one collector, everything else that is UDP or sent to the other, cut at 64 bytes."""
    everything = "--source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0"
    filters, targets, sessions = [], [], []
    for rules in (
        [
            "ingress --rule-number 10 --rule-action accept --protocol 6 --destination-port-range FromPort=80,ToPort=89",
            "egress --rule-number 10 --rule-action accept --protocol 6 --source-port-range FromPort=80,ToPort=89",
        ],
        ["ingress --rule-number 10 --rule-action reject --protocol 6", "ingress --rule-number 20 --rule-action accept"],
    ):
        filters.append(aws("create-traffic-mirror-filter", "TrafficMirrorFilter.TrafficMirrorFilterId"))
        for rule in rules:
            aws(
                f"create-traffic-mirror-filter-rule --traffic-mirror-filter-id {filters[-1]} {everything} "
                f"--traffic-direction {rule}",
                "TrafficMirrorFilterRule.RuleNumber",
            )
    for collector in (COLLECTOR, SECOND_COLLECTOR):
        targets.append(
            aws(
                f"create-traffic-mirror-target --network-interface-id {collector}",
                "TrafficMirrorTarget.TrafficMirrorTargetId",
            )
        )
    for number, more in ((1, "--virtual-network-id 1001"), (2, "--virtual-network-id 1002 --packet-length 64")):
        sessions.append(
            aws(
                f"create-traffic-mirror-session --network-interface-id {WEB} --session-number {number} "
                f"--traffic-mirror-filter-id {filters[number - 1]} "
                f"--traffic-mirror-target-id {targets[number - 1]} {more}",
                "TrafficMirrorSession.TrafficMirrorSessionId",
            )
        )

    frames = [to_web(80), to_web(90), reply(85), reply(90), query()]
    pushed = server.served.push(frames)
    assert pushed[0] == "mirrored=3 no-match=1 rejected=1"
    first, second = [(MACS[each], ADDRESSES[each]) for each in (COLLECTOR, SECOND_COLLECTOR)]
    assert copies(pushed) == [
        (*first, 1001, bytes(frames[0])),
        (*first, 1001, bytes(frames[2])),
        (*second, 1002, bytes(frames[4])[:64]),
    ]
    assert all(copy[Ether].src == MACS[WEB] and copy[IP].src == ADDRESSES[WEB] for copy in pushed[1])

    aws(
        f"modify-traffic-mirror-session --traffic-mirror-session-id {sessions[0]} --virtual-network-id 2001 "
        f"--packet-length 100 --traffic-mirror-target-id {targets[1]}",
        "TrafficMirrorSession.VirtualNetworkId",
    )
    assert copies(server.served.push(frames[:1])) == [(*second, 2001, bytes(frames[0])[:100])]
    aws(f"delete-traffic-mirror-session --traffic-mirror-session-id {sessions[0]}", "TrafficMirrorSessionId")
    assert server.served.push(frames)[0] == "mirrored=1 no-match=2 rejected=2"
    assert server.served.status()["engine"]["name"] == "verilator"
