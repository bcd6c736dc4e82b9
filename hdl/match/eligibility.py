"""Eligibility: traffic that no rule may see (ARP, DHCP, instance metadata, ...), and Amazon DNS.

It stands beside the owner lookup and before the session choice: constants and one address per ENI, no table. Source:
the guide's list of traffic that is not mirrored; the exact tests are in ``docs/mirroring.md`` section 4.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.assigned_numbers import PROTOCOL_TCP, PROTOCOL_UDP
from halfsilver.hdl.parser.headers import Headers, Kind
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import ServiceCode

__all__ = ["Eligibility"]

# Addresses with the first byte on the wire lowest, as in Headers.
LINK_LOCAL_IPV4 = int.from_bytes(bytes([169, 254, 169]), "little")
AMAZON_IPV6 = int.from_bytes(bytes.fromhex("fd000ec2" + "00" * 10), "little")

METADATA = (254, 0x0254)  # last byte of the IPv4 address; last two bytes of the IPv6 address
TIME_SYNC = (123, 0x0123)
ACTIVATION = (250, 0x0250)
ACTIVATION_SECOND = 251  # IPv4 only
RESOLVER = (253, 0x0253)
HOSTS = {"metadata": METADATA, "time": TIME_SYNC, "activation": ACTIVATION, "dns": RESOLVER}

PORT_DHCP = (67, 68)
PORT_DHCPV6 = (546, 547)
PORT_NTP = 123
PORT_ACTIVATION = 1688
PORT_DNS = 53

# Clocks behind ``i`` at which each stage is ready.
_PARTS_AT = 2  # addresses and ports have been compared
_SERVICES_AT = 3
_RESOLVER_CLOCKS = 2  # from the owner to whether its resolver is meant
_CHOICE_CLOCKS = 1  # one service of those that fit


class Eligibility(wiring.Component):
    """Headers -> ServiceCode (NONE: the rules decide), one per clock.

    Parameters: ``owner_at``, clocks from ``i`` to the owner's settings, at least 2.

    Ports: ``i`` Headers; ``i_has_resolver`` and ``i_resolver`` (the ENI's resolver) ``owner_at`` clocks after ``i``,
    when the owner is known; ``o`` the service, ``latency`` clocks after ``i``. Meaningless for malformed frames.
    """

    def __init__(self, owner_at):
        if owner_at + _RESOLVER_CLOCKS <= _SERVICES_AT:
            raise ValueError(f"the owner must be known {_SERVICES_AT - _RESOLVER_CLOCKS + 1} clocks on, not {owner_at}")
        self._owner_at = owner_at
        super().__init__({"i": In(Headers), "i_has_resolver": In(1), "i_resolver": In(32), "o": Out(ServiceCode)})

    @property
    def latency(self):
        """Clocks from ``i`` to ``o``."""
        return self._owner_at + _RESOLVER_CLOCKS + _CHOICE_CLOCKS

    def elaborate(self, platform):
        m = Module()
        services, on_dns_port = self._services(m, self._with_hosts(m))
        on_resolver = self._on_resolver(m, on_dns_port)

        # The lowest code that fits.
        ready_at = self.latency - _CHOICE_CLOCKS
        arp, dhcp, metadata, time, activation, dns = (
            delay(m, hit, ready_at - _SERVICES_AT, f"{hit.name}_ready") for hit in services
        )
        service = Mux(dns | on_resolver, ServiceCode.AMAZON_DNS, ServiceCode.NONE)
        for hit, code in (
            (activation, ServiceCode.WINDOWS_ACTIVATION),
            (time, ServiceCode.TIME_SYNC),
            (metadata, ServiceCode.INSTANCE_METADATA),
            (dhcp, ServiceCode.DHCP),
            (arp, ServiceCode.ARP),
        ):
            service = Mux(hit, code, service)
        m.d.sync += self.o.eq(service)
        return m

    def _with_hosts(self, m):
        """At `_PARTS_AT`: is the frame with this host (either address)? By the names of HOSTS."""
        either = {}
        for name in ("source", "destination"):
            for host_name, match in self._hosts_of(m, name).items():
                either.setdefault(host_name, []).append(match)
        return {host_name: matches[0] | matches[1] for host_name, matches in either.items()}

    def _hosts_of(self, m, name):
        """Is the address ``name`` this host's? Network and host are compared in one clock, put together in the next."""
        headers, address = self.i, self.i[name]
        in_ipv4, in_ipv6 = Signal(name=f"{name}_ipv4"), Signal(name=f"{name}_ipv6")
        upper_ipv6 = Signal(name=f"{name}_upper_ipv6")
        m.d.sync += [
            in_ipv4.eq((headers.kind == Kind.IPV4) & (address[:24] == LINK_LOCAL_IPV4)),
            in_ipv6.eq((headers.kind == Kind.IPV6) & (address[:56] == AMAZON_IPV6 & (1 << 56) - 1)),
            upper_ipv6.eq(address[56:112] == AMAZON_IPV6 >> 56),
        ]
        matches = {}
        for host_name, (host_ipv4, host_ipv6) in HOSTS.items():
            match_ipv4 = Signal(name=f"{name}_{host_name}_ipv4")
            match_ipv6 = Signal(name=f"{name}_{host_name}_ipv6")
            is_host = address[24:32] == host_ipv4
            if host_name == "activation":
                is_host |= address[24:32] == ACTIVATION_SECOND
            low, high = host_ipv6 & 0xFF, host_ipv6 >> 8
            m.d.sync += [match_ipv4.eq(is_host), match_ipv6.eq((address[112:120] == high) & (address[120:128] == low))]
            match = matches[host_name] = Signal(name=f"{name}_{host_name}")
            m.d.sync += match.eq((in_ipv4 & match_ipv4) | (in_ipv6 & upper_ipv6 & match_ipv6))
        return matches

    def _port_is(self, m, *numbers):
        """At `_PARTS_AT`: one of the two ports is one of these."""
        headers = self.i
        hit = Signal(name=f"port_{numbers[0]}")
        compares = [port == number for port in (headers.source_port, headers.destination_port) for number in numbers]
        m.d.sync += hit.eq(headers.has_ports & reduce(or_, compares))
        return delay(m, hit, _PARTS_AT - 1, hit.name)

    def _services(self, m, with_host):
        """At `_SERVICES_AT`: which services fit, in the order of their codes; and DNS over IPv4 to anybody."""
        headers = self.i
        tcp = delay(m, headers.protocol == PROTOCOL_TCP, _PARTS_AT, "tcp")
        udp = delay(m, headers.protocol == PROTOCOL_UDP, _PARTS_AT, "udp")
        is_ipv4 = delay(m, headers.kind == Kind.IPV4, _PARTS_AT, "is_ipv4")
        is_ipv6 = delay(m, headers.kind == Kind.IPV6, _PARTS_AT, "is_ipv6")
        is_arp = delay(m, headers.kind == Kind.ARP, _PARTS_AT, "is_arp")
        dns_port = self._port_is(m, PORT_DNS)
        arp, dhcp, metadata, time, activation, dns, on_dns_port = (
            Signal(name=name) for name in ("arp", "dhcp", "metadata", "time", "activation", "dns", "on_dns_port")
        )
        dhcp_port, dhcpv6_port = self._port_is(m, *PORT_DHCP), self._port_is(m, *PORT_DHCPV6)
        m.d.sync += [
            arp.eq(is_arp),
            dhcp.eq(udp & ((is_ipv4 & dhcp_port) | (is_ipv6 & dhcpv6_port))),
            metadata.eq(with_host["metadata"]),
            time.eq(udp & self._port_is(m, PORT_NTP) & with_host["time"]),
            activation.eq(tcp & self._port_is(m, PORT_ACTIVATION) & with_host["activation"]),
            dns.eq((tcp | udp) & dns_port & with_host["dns"]),
            on_dns_port.eq(is_ipv4 & (tcp | udp) & dns_port),
        ]
        return (arp, dhcp, metadata, time, activation, dns), on_dns_port

    def _on_resolver(self, m, on_dns_port):
        """`_RESOLVER_CLOCKS` behind the owner: DNS with the ENI's own resolver, compared in two halves."""
        headers = self.i
        resolver_hits = []
        for name in ("source", "destination"):
            address = delay(m, headers[name][:32], self._owner_at, f"{name}_late")
            halves = Signal(2, name=f"{name}_resolver")
            m.d.sync += [
                halves[0].eq(address[:16] == self.i_resolver[:16]),
                halves[1].eq(address[16:] == self.i_resolver[16:]),
            ]
            resolver_hits.append(halves.all())
        compared_at = self._owner_at + _RESOLVER_CLOCKS - 1
        has_resolver = delay(m, self.i_has_resolver, compared_at - self._owner_at, "has_resolver")
        dns_port = delay(m, on_dns_port, compared_at - _SERVICES_AT, "on_dns_port")
        on_resolver = Signal()
        m.d.sync += on_resolver.eq(has_resolver & dns_port & (resolver_hits[0] | resolver_hits[1]))
        return on_resolver
