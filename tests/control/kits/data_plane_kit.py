"""A small account in the store, an engine that refuses when told to, and frames for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.engine import Identity, Progress, Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import CapacityExceeded, HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction

OWNER, OTHER = "111111111111", "222222222222"
SOURCE, SECOND, COLLECTOR, OFF_NIC = (f"eni-{number:017x}" for number in (1, 2, 3, 4))
NIC = (SOURCE, SECOND)
FILTER, TARGET, SESSION = "tmf-00000000000000001", "tmt-00000000000000001", "tms-00000000000000001"


def mac(eni_id: str) -> str:
    return f"0a:00:00:00:00:{int(eni_id[-2:], 16):02x}"


def interface(eni_id: str, account: str = OWNER, **fields: Any) -> Record:
    last = int(eni_id[-2:], 16)
    return Record(
        "interface",
        eni_id,
        account,
        {
            "NetworkInterfaceId": eni_id,
            "OwnerId": account,
            "MacAddress": mac(eni_id),
            "VpcId": "vpc-00000000000000001",
            "PrivateIpAddress": f"10.0.0.{last}",
            "Description": "",
            **fields,
        },
    )


def rule(number: int, direction: str = "ingress", port: int = 80, filter_id: str = FILTER, **fields: Any) -> Record:
    """Accepts TCP to one port from anywhere."""
    identifier = f"tmfr-{int(filter_id[4:], 16) * 0x1000 + number * 2 + (direction == 'egress'):017x}"
    return Record(
        "rule",
        identifier,
        OWNER,
        {
            "TrafficMirrorFilterRuleId": identifier,
            "TrafficMirrorFilterId": filter_id,
            "TrafficDirection": direction,
            "RuleNumber": number,
            "RuleAction": "accept",
            "Protocol": 6,
            "SourceCidrBlock": "0.0.0.0/0",
            "DestinationCidrBlock": "0.0.0.0/0",
            "DestinationPortRange": {"FromPort": port, "ToPort": port},
            **fields,
        },
        parent=filter_id,
        slot=f"{direction}/{number}",
    )


def session(
    number: int = 1,
    eni_id: str = SOURCE,
    *,
    identifier: str = SESSION,
    target_id: str = TARGET,
    filter_id: str = FILTER,
    vni: int = 5,
    account: str = OWNER,
    note: dict[str, Any] | None = None,
) -> Record:
    return Record(
        "session",
        identifier,
        account,
        {
            "TrafficMirrorSessionId": identifier,
            "TrafficMirrorTargetId": target_id,
            "TrafficMirrorFilterId": filter_id,
            "NetworkInterfaceId": eni_id,
            "OwnerId": account,
            "SessionNumber": number,
            "VirtualNetworkId": vni,
        },
        parent=eni_id,
        slot=str(number),
        note=note or {},
    )


def target(identifier: str = TARGET, **destination: str) -> Record:
    where = destination or {"NetworkInterfaceId": COLLECTOR}
    kind = {
        "NetworkInterfaceId": "network-interface",
        "NetworkLoadBalancerArn": "network-load-balancer",
        "GatewayLoadBalancerEndpointId": "gateway-load-balancer-endpoint",
    }[next(iter(where))]
    return Record(
        "target", identifier, OWNER, {"TrafficMirrorTargetId": identifier, "OwnerId": OWNER, "Type": kind, **where}
    )


def mirror_filter(identifier: str = FILTER) -> Record:
    return Record("filter", identifier, OWNER, {"TrafficMirrorFilterId": identifier, "NetworkServices": []})


def fill(store: Store, *more: Record) -> None:
    """Interfaces, filter and target; ``more`` as well."""
    with store.begin(write=True) as transaction:
        for record in (*map(interface, (*NIC, COLLECTOR, OFF_NIC)), mirror_filter(), target(), *more):
            transaction.insert(record)


def request(port: int = 80, eni_id: str = SOURCE, payload: bytes = b"x" * 60) -> Frame:
    """A TCP segment that the network brings to an interface."""
    return Frame(
        bytes(
            Ether(src="0a:00:00:00:00:99", dst=mac(eni_id))
            / IP(src="10.9.9.9", dst="10.0.0.1")
            / TCP(sport=1234, dport=port)
            / Raw(payload)
        ),
        Direction.INGRESS,
    )


class Refusing:
    """The golden model behind an engine that can be out of order.

    ``faults`` are raised by the next calls of ``configure``, one by one, and leave rubbish in the engine as far as they
    may; ``dead``: everything fails until it is false.
    """

    def __init__(self) -> None:
        self.golden = GoldenEngine()
        self.faults: list[Exception] = []
        self.dead = False
        self.configured: list[Policy] = []
        self.closed = False

    def identify(self) -> Identity:
        return self.golden.identify()

    def configure(self, policy: Policy) -> int:
        if self.dead:
            raise HalfsilverError("the board does not answer")
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, CapacityExceeded):
            raise fault
        generation = self.golden.configure(policy if fault is None else Policy(()))
        if fault is not None:
            raise fault
        self.configured.append(policy)
        return generation

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        if self.dead:
            raise HalfsilverError("the board does not answer")
        return self.golden.process(frames, progress)

    def close(self) -> None:
        self.closed = True
