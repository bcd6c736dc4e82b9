"""Eligibility: traffic that no rule may see (ARP, DHCP, instance metadata, ...), and Amazon DNS.

It stands beside the owner lookup and before the session choice: constants and one address per ENI, no table. Source:
the guide's list of traffic that is not mirrored; the exact tests are in ``docs/mirroring.md`` section 4.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.parser.parser import PROTOCOL_TCP, PROTOCOL_UDP, Headers, Kind
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

PORT_DHCP = (67, 68)
PORT_DHCPV6 = (546, 547)
PORT_NTP = 123
PORT_ACTIVATION = 1688
PORT_DNS = 53


class Eligibility(wiring.Component):
    """Headers -> ServiceCode (NONE: the rules decide), one per clock.

    Ports: ``i`` Headers; ``i_has_resolver`` and ``i_resolver`` (the ENI's resolver) OWNER clocks after ``i``, when
    the owner is known; ``o`` the service, LATENCY clocks after ``i``. Meaningless for malformed frames.
    """

    OWNER = 3
    LATENCY = 6

    def __init__(self):
        super().__init__({"i": In(Headers), "i_has_resolver": In(1), "i_resolver": In(32), "o": Out(ServiceCode)})

    def elaborate(self, platform):
        m = Module()
        headers = self.i
        ipv4, ipv6 = headers.kind == Kind.IPV4, headers.kind == Kind.IPV6

        # Clock 1: which network, which host of it; which ports.
        either = {}
        for name in ("source", "destination"):
            address = headers[name]
            in_ipv4, in_ipv6 = Signal(name=f"{name}_ipv4"), Signal(name=f"{name}_ipv6")
            upper_ipv6 = Signal(name=f"{name}_upper_ipv6")
            m.d.sync += [
                in_ipv4.eq(ipv4 & (address[:24] == LINK_LOCAL_IPV4)),
                in_ipv6.eq(ipv6 & (address[:56] == AMAZON_IPV6 & (1 << 56) - 1)),
                upper_ipv6.eq(address[56:112] == AMAZON_IPV6 >> 56),
            ]
            for host_name, (host_ipv4, host_ipv6) in (
                ("metadata", METADATA),
                ("time", TIME_SYNC),
                ("activation", ACTIVATION),
                ("dns", RESOLVER),
            ):
                match_ipv4 = Signal(name=f"{name}_{host_name}_ipv4")
                match_ipv6 = Signal(name=f"{name}_{host_name}_ipv6")
                is_host = address[24:32] == host_ipv4
                if host_name == "activation":
                    is_host |= address[24:32] == ACTIVATION_SECOND
                low, high = host_ipv6 & 0xFF, host_ipv6 >> 8
                m.d.sync += [
                    match_ipv4.eq(is_host),
                    match_ipv6.eq((address[112:120] == high) & (address[120:128] == low)),
                ]
                # Clock 2: the two together.
                match = Signal(name=f"{name}_{host_name}")
                m.d.sync += match.eq((in_ipv4 & match_ipv4) | (in_ipv6 & upper_ipv6 & match_ipv6))
                either.setdefault(host_name, []).append(match)
        with_host = {name: matches[0] | matches[1] for name, matches in either.items()}

        def port_is(*numbers):
            hit = Signal(name=f"port_{numbers[0]}")
            compares = [
                port == number for port in (headers.source_port, headers.destination_port) for number in numbers
            ]
            m.d.sync += hit.eq(headers.has_ports & reduce(or_, compares))
            return delay(m, hit, 1, hit.name)

        tcp = delay(m, headers.protocol == PROTOCOL_TCP, 2, "tcp")
        udp = delay(m, headers.protocol == PROTOCOL_UDP, 2, "udp")
        is_ipv4, is_ipv6 = delay(m, ipv4, 2, "is_ipv4"), delay(m, ipv6, 2, "is_ipv6")
        dns_port = port_is(PORT_DNS)

        # Clock 3: the services.
        arp = delay(m, headers.kind == Kind.ARP, 3, "arp")
        dhcp, metadata, time, activation, dns, on_dns_port = (
            Signal(name=n) for n in ("dhcp", "metadata", "time", "activation", "dns", "on_dns_port")
        )
        m.d.sync += [
            dhcp.eq(udp & ((is_ipv4 & port_is(*PORT_DHCP)) | (is_ipv6 & port_is(*PORT_DHCPV6)))),
            metadata.eq(with_host["metadata"]),
            time.eq(udp & port_is(PORT_NTP) & with_host["time"]),
            activation.eq(tcp & port_is(PORT_ACTIVATION) & with_host["activation"]),
            dns.eq((tcp | udp) & dns_port & with_host["dns"]),
            on_dns_port.eq(is_ipv4 & (tcp | udp) & dns_port),
        ]

        # Clocks 4 and 5: the ENI's own resolver, now that the owner is known.
        resolver_hits = []
        for name in ("source", "destination"):
            address = delay(m, headers[name][:32], self.OWNER, f"{name}_late")
            halves = Signal(2, name=f"{name}_resolver")
            m.d.sync += [
                halves[0].eq(address[:16] == self.i_resolver[:16]),
                halves[1].eq(address[16:] == self.i_resolver[16:]),
            ]
            resolver_hits.append(halves.all())
        has_resolver = delay(m, self.i_has_resolver, 1, "has_resolver")
        on_resolver = Signal()
        m.d.sync += on_resolver.eq(
            has_resolver & delay(m, on_dns_port, 1, "on_dns_port") & (resolver_hits[0] | resolver_hits[1])
        )

        # Clock 6: the lowest code that fits.
        arp, dhcp, metadata, time, activation, dns = (
            delay(m, s, 2, f"{s.name}_ready") for s in (arp, dhcp, metadata, time, activation, dns)
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
