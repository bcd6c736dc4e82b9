"""What an appliance behind a Gateway Load Balancer gets: the load balancer's GENEVE around the copy
(``docs/mirroring.md`` section 15). No NIC makes this; the card sends VXLAN to the endpoint.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass

from halfsilver.harness.golden.encapsulate import ipv4_header, udp_checksum, udp_header
from halfsilver.harness.golden.flow_hash import Toeplitz, flow_hash
from halfsilver.harness.golden.parse import parse
from halfsilver.harness.policy.appliance import Appliance
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import VerdictRecord

__all__ = ["BehindGateway", "Flow", "endpoint_number", "flow_of", "wrap"]

GENEVE_PORT = 6081
"""UDP destination port (RFC 8926 section 3.3)."""
OPTION_CLASS = 0x0108
"""Amazon's option class (IANA "Geneve Option Class")."""

_ETHERNET = 14
_ETHERTYPE_IPV4 = 0x0800
_ENDPOINT, _ATTACHMENT, _COOKIE = 1, 2, 3
"""Option types, in the order in which they stand."""
_NO_ATTACHMENT = bytes(8)
_PORT_BASE, _PORT_MASK = 60_000, 0x0FFF
_HEX_ID = re.compile(r"vpce-([0-9a-f]{1,17})")


@dataclass(frozen=True, slots=True)
class Flow:
    """What is of the flow in a GENEVE packet: the UDP source port, and the cookie of 32 bits."""

    source_port: int
    cookie: int


class BehindGateway:
    """Copies as an appliance gets them: those to an endpoint in GENEVE, any other as it left the NIC."""

    def __init__(self, policy: Policy, appliance: Appliance) -> None:
        self._policy = policy
        self._appliance = appliance
        self._toeplitz = Toeplitz()

    def __reduce__(self) -> tuple[type[BehindGateway], tuple[Policy, Appliance]]:
        return BehindGateway, (self._policy, self._appliance)  # another process makes its own tables of the hash

    def __call__(self, record: VerdictRecord, copy: bytes) -> bytes:
        """``copy`` is the frame that left, ``record`` the verdict that sent it."""
        if record.eni is None or record.session is None:
            return copy
        outer = self._policy.interfaces[record.eni].sessions[record.session].outer
        if outer is None or outer.endpoint_id is None:
            return copy
        return wrap(self._appliance, endpoint_number(outer.endpoint_id), flow_of(copy, self._toeplitz), copy)


def endpoint_number(endpoint_id: str) -> int:
    """The 64 bits that stand for an endpoint: its id's hexadecimal digits, the last 16 of AWS's 17, the first being 0.

    An id that is not of this form, as documents have it for an example, is hashed.
    """
    match = _HEX_ID.fullmatch(endpoint_id)
    if match is None:
        return int.from_bytes(hashlib.sha256(endpoint_id.encode()).digest()[:8])
    return int(match[1][-16:], 16)


def flow_of(copy: bytes, toeplitz: Toeplitz) -> Flow:
    """Port and cookie of the flow that a copy is of to the load balancer, which looks at its outer headers alone."""
    number = flow_hash(toeplitz, parse(copy))
    return Flow(_PORT_BASE + (number & _PORT_MASK), number)


def wrap(appliance: Appliance, endpoint: int, flow: Flow, copy: bytes) -> bytes:
    """The frame that the appliance gets, without FCS: Ethernet, IPv4, UDP, GENEVE and the IP packet of ``copy``."""
    options = b"".join(
        struct.pack("!HBB", OPTION_CLASS, kind, len(value) // 4) + value
        for kind, value in (
            (_ENDPOINT, endpoint.to_bytes(8)),
            (_ATTACHMENT, _NO_ATTACHMENT),
            (_COOKIE, flow.cookie.to_bytes(4)),
        )
    )
    version_and_length, flags, protocol, vni = len(options) // 4, 0, copy[12:_ETHERNET], 0
    payload = struct.pack("!BB2sI", version_and_length, flags, protocol, vni << 8) + options + copy[_ETHERNET:]
    addresses = appliance.gateway_address.packed + appliance.address.packed
    checksum = udp_checksum(addresses, flow.source_port, GENEVE_PORT, payload)
    ethernet = appliance.mac + appliance.gateway_mac + struct.pack("!H", _ETHERTYPE_IPV4)
    udp = udp_header(flow.source_port, GENEVE_PORT, len(payload), checksum)
    return ethernet + ipv4_header(addresses, len(udp) + len(payload)) + udp + payload
