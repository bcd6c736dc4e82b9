"""What a policy mirrors, by name: filters, and which appliance gets what they take.

The scenarios are those of the Traffic Mirroring guide ("Traffic Mirroring example configuration scenarios", and
"sessions" for HTTP apart from other TCP).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from halfsilver.harness.policy.types import Network

__all__ = ["PRESETS", "Plan", "Preset", "RulePlan", "Setting"]

TCP, UDP = 6, 17
HTTP, HTTPS, DNS = 80, 443, 53
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
INGRESS, EGRESS = "ingress", "egress"


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule without its number and ids; networks as AWS writes them, None for every protocol and port."""

    direction: str
    source: str
    destination: str
    accept: bool = True
    protocol: int | None = None
    source_port: int | None = None
    destination_port: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One session for each source: a filter, and the appliance (``A``, ``B``) that gets what it takes."""

    description: str
    rules: tuple[RulePlan, ...]
    appliance: str = "A"
    amazon_dns: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a preset is made for: IP versions to write rules for, and the networks that are the VPC's own."""

    versions: tuple[int, ...]
    local: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Preset:
    """``says`` in a few words what it mirrors; ``per_version``: with a session for each IP version."""

    says: str
    plans: Callable[[Setting], Sequence[Plan]]
    per_version: bool = False


def _all(setting: Setting, directions: Sequence[str], protocol: int | None = None) -> tuple[RulePlan, ...]:
    return tuple(
        RulePlan(direction, ANYWHERE[version], ANYWHERE[version], protocol=protocol)
        for direction in directions
        for version in setting.versions
    )


def _services(version: int, services: Sequence[tuple[int, int]]) -> tuple[RulePlan, ...]:
    """Both ways, whether the interface asks or answers; ``services`` are protocols with their ports."""
    return tuple(
        RulePlan(
            direction,
            ANYWHERE[version],
            ANYWHERE[version],
            protocol=protocol,
            source_port=port if by_source else None,
            destination_port=None if by_source else port,
        )
        for direction in (INGRESS, EGRESS)
        for protocol, port in services
        for by_source in (False, True)
    )


def _per_version(
    setting: Setting, what: str, services: Sequence[tuple[int, int]], amazon_dns: bool = False
) -> list[Plan]:
    """A filter for each IP version, as one has room for ten rules only."""
    return [
        Plan(f"{what} over IPv{version}", _services(version, services), amazon_dns=amazon_dns)
        for version in setting.versions
    ]


def _everything(setting: Setting) -> list[Plan]:
    return [Plan("everything", _all(setting, (INGRESS, EGRESS)), amazon_dns=True)]


def _web(setting: Setting) -> list[Plan]:
    return _per_version(setting, "HTTP and HTTPS", [(TCP, HTTP), (TCP, HTTPS)])


def _dns(setting: Setting) -> list[Plan]:
    return _per_version(setting, "DNS", [(UDP, DNS), (TCP, DNS)], amazon_dns=True)


def _inbound_tcp(setting: Setting) -> list[Plan]:
    return [Plan("inbound TCP", _all(setting, (INGRESS,), TCP))]


def _tcp_and_udp(setting: Setting) -> list[Plan]:
    tcp, udp = (_all(setting, (INGRESS,), protocol) for protocol in (TCP, UDP))
    return [Plan("inbound TCP", tcp, "A"), Plan("inbound UDP", udp, "B")]


def _http_and_tcp(setting: Setting) -> list[Plan]:
    http = tuple(rule for version in setting.versions for rule in _services(version, [(TCP, HTTP)]))
    return [Plan("HTTP", http, "A"), Plan("the rest of TCP", _all(setting, (INGRESS, EGRESS), TCP), "B")]


def _non_local(setting: Setting) -> list[Plan]:
    rules = []
    for network in setting.local:
        own, anywhere = str(network), ANYWHERE[network.version]
        rules.append(RulePlan(INGRESS, own, anywhere, accept=False))
        rules.append(RulePlan(EGRESS, anywhere, own, accept=False))
    return [Plan("traffic from and to places outside the VPC", (*rules, *_all(setting, (INGRESS, EGRESS))))]


PRESETS = {
    "everything": Preset("all that may be mirrored, both ways, to one appliance", _everything),
    "web": Preset("HTTP and HTTPS (TCP 80 and 443), asked or answered", _web, per_version=True),
    "dns": Preset("DNS, that of Amazon's resolver too", _dns, per_version=True),
    "inbound-tcp": Preset("the guide's first scenario: inbound TCP to one appliance", _inbound_tcp),
    "tcp-and-udp": Preset("the guide's second: inbound TCP to one appliance, UDP to another", _tcp_and_udp),
    "http-and-tcp": Preset("the guide's sessions: HTTP to one appliance, the rest of TCP to another", _http_and_tcp),
    "non-local": Preset("the guide's third: all but traffic within the VPC", _non_local),
}
