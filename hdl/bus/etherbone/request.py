"""Is a frame one that the card answers? Everything is looked at before anything is done."""

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.etherbone.buffer import BUFFER_BYTES, HALF_BITS, HALF_BYTES, INDEX_BITS
from halfsilver.hdl.bus.etherbone.divert import MAC_BITS
from halfsilver.hdl.checksum import add_with_carry
from halfsilver.hdl.layout.assigned_numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTOCOL_UDP

__all__ = [
    "ARP_IPV4",
    "ARP_REQUEST",
    "ETHERBONE_MAGIC",
    "ETHERBONE_VERSION",
    "IP_BITS",
    "IP_HEADER_BYTES",
    "PROBE",
    "VERSION_IHL",
    "At",
    "Request",
    "halves",
]

IP_BITS = 32
ALL_ONES = (1 << HALF_BITS) - 1

ARP_IPV4 = (0x0001, ETHERTYPE_IPV4, 0x0604)
"""Ethernet, IPv4, six and four bytes (RFC 826)."""
ARP_REQUEST = 1

VERSION_IHL = 0x45
_FRAGMENT = 0x3FFF
"""More fragments, and where this one belongs (RFC 791)."""
ETHERNET_BYTES = 14
IP_HEADER_BYTES = 20
_UDP_BYTES = 8

ETHERBONE_MAGIC = 0x4E6F
ETHERBONE_VERSION = 0x1044
"""Version 1; 32-bit addresses and words."""
PROBE = 0x0100
_NO_READS = 0x0400
ETHERBONE_BYTES = 8


class At(enum.IntEnum):
    """Where things begin in a frame, in units of 16 bits."""

    DESTINATION = 0
    SOURCE = 3
    ETHERTYPE = 6
    ARP_FORMAT = 7
    ARP_OPERATION = 10
    ARP_SENDER_MAC = 11
    ARP_SENDER_IP = 14
    ARP_TARGET_IP = 19
    ARP_END = 21
    IP = 7
    IP_LENGTH = 8
    IP_FRAGMENT = 10
    IP_PROTOCOL = 11
    IP_CHECKSUM = 12
    IP_SOURCE = 13
    IP_DESTINATION = 15
    UDP = 17
    UDP_PORT = 18
    UDP_LENGTH = 19
    UDP_CHECKSUM = 20
    ETHERBONE = 21
    ETHERBONE_FLAGS = 22
    RECORDS = 25


def halves(octets):
    """Bytes as they are on the wire, as numbers of 16 bits."""
    return [int.from_bytes(octets[place : place + HALF_BYTES], "big") for place in range(0, len(octets), HALF_BYTES)]


class Request(wiring.Component):
    """Reads a frame from its beginning, 16 bits a clock.

    Parameters: ``mac`` and ``ip`` of the card, as bytes; ``port``.

    Ports
    -----
    clear              a new frame, of ``octets`` bytes; one clock or more, and none of them with ``valid``
    valid, at, half    16 bits, from 0 on and in order
    finished           the one a clock ago was the last that matters; what comes with it is not looked at
    good               from two clocks after ``finished``: an ARP request for ``ip``, or an Etherbone datagram to
                       ``port``, whole and with the right checksums
    arp, probe         which one it is; neither: records
    end                where the datagram ends, in units of 16 bits
    mac, ip, port      who asks
    """

    def __init__(self, mac, ip, port):
        self._mac, self._ip, self._port = halves(mac), halves(ip), port
        super().__init__(
            {
                "clear": In(1),
                "octets": In(range(BUFFER_BYTES + 1)),
                "valid": In(1),
                "at": In(INDEX_BITS),
                "half": In(HALF_BITS),
                "finished": Out(1),
                "good": Out(1),
                "arp": Out(1),
                "probe": Out(1),
                "end": Out(INDEX_BITS),
                "mac": Out(MAC_BITS),
                "ip": Out(IP_BITS),
                "port": Out(HALF_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # What comes is from a block RAM, and so comes late in its clock: it is looked at in the next.
        self._valid, self._at, self._half = Signal(), Signal.like(self.at), Signal.like(self.half)
        m.d.sync += [self._valid.eq(self.valid & ~self.finished), self._at.eq(self.at), self._half.eq(self.half)]
        fits = Signal()
        wrong = Signal()  # in this clock
        self._read(m, wrong)
        m.d.comb += self.finished.eq(self._valid & (self._at >= At.ARP_END - 1) & (~fits | (self._at == self.end - 1)))
        sums = self._sum(m)
        with m.If(self.clear):
            m.d.sync += fits.eq(self.octets >= At.ARP_END * HALF_BYTES)
        with m.Elif(self._valid & wrong):
            m.d.sync += fits.eq(0)
        m.d.sync += self.good.eq(fits & (self.arp | sums))
        return m

    def _read(self, m, wrong):
        """Fields, as they come by; ``wrong`` for one that is not as it has to be."""
        half, valid = self._half, self._valid
        own, everybody = Signal(), Signal()
        sender = Cat(half, self.mac)[:MAC_BITS]
        asker = Cat(half, self.ip)[:IP_BITS]
        ip_length = Signal(HALF_BITS)
        self._udp_length = (ip_length - IP_HEADER_BYTES)[:HALF_BITS]
        with m.If(self.clear):
            m.d.sync += [own.eq(1), everybody.eq(1)]

        def must_be(value):
            m.d.comb += wrong.eq(half != value)

        with m.If(valid), m.Switch(self._at):
            for place, part in enumerate(self._mac, At.DESTINATION):
                with m.Case(place):
                    m.d.sync += [own.eq(own & (half == part)), everybody.eq(everybody & (half == ALL_ONES))]
            with m.Case(*range(At.SOURCE, At.ETHERTYPE)):
                m.d.sync += self.mac.eq(sender)
            with m.Case(At.ETHERTYPE):
                m.d.sync += [self.arp.eq(half == ETHERTYPE_ARP), self.end.eq(At.ARP_END)]
                is_arp, is_ip = half == ETHERTYPE_ARP, half == ETHERTYPE_IPV4
                m.d.comb += wrong.eq(~((is_arp & (own | everybody)) | (is_ip & own)))
        with m.If(valid & self.arp), m.Switch(self._at):
            for place, value in enumerate((*ARP_IPV4, ARP_REQUEST), At.ARP_FORMAT):
                with m.Case(place):
                    must_be(value)
            with m.Case(*range(At.ARP_SENDER_MAC, At.ARP_SENDER_IP)):
                m.d.sync += self.mac.eq(sender)
            with m.Case(At.ARP_SENDER_IP, At.ARP_SENDER_IP + 1):
                m.d.sync += self.ip.eq(asker)
            for place, value in enumerate(self._ip, At.ARP_TARGET_IP):
                with m.Case(place):
                    must_be(value)
        with m.If(valid & ~self.arp), m.Switch(self._at):
            with m.Case(At.IP):
                m.d.comb += wrong.eq(half[8:] != VERSION_IHL)
            with m.Case(At.IP_LENGTH):
                m.d.sync += [ip_length.eq(half), self.end.eq(At.IP + (half >> 1))]
                m.d.comb += wrong.eq(
                    half[0]
                    | (half < IP_HEADER_BYTES + _UDP_BYTES + ETHERBONE_BYTES)
                    | (half + ETHERNET_BYTES > self.octets)
                )
            with m.Case(At.IP_FRAGMENT):
                m.d.comb += wrong.eq((half & _FRAGMENT) != 0)
            with m.Case(At.IP_PROTOCOL):
                m.d.comb += wrong.eq(half[:8] != PROTOCOL_UDP)
            with m.Case(At.IP_SOURCE, At.IP_SOURCE + 1):
                m.d.sync += self.ip.eq(asker)
            for place, value in enumerate(self._ip, At.IP_DESTINATION):
                with m.Case(place):
                    must_be(value)
            with m.Case(At.UDP):
                m.d.sync += self.port.eq(half)
            with m.Case(At.UDP_PORT):
                must_be(self._port)
            with m.Case(At.UDP_LENGTH):
                must_be(self._udp_length)
            with m.Case(At.ETHERBONE):
                must_be(ETHERBONE_MAGIC)
            with m.Case(At.ETHERBONE_FLAGS):
                m.d.sync += self.probe.eq((half & PROBE) != 0)
                m.d.comb += wrong.eq((half | PROBE | _NO_READS) != ETHERBONE_VERSION | PROBE | _NO_READS)

    def _sum(self, m):
        """Whether both checksums are right, from the clock after the last 16 bits (RFC 768, RFC 1071)."""
        ip_sum, udp_sum = Signal(HALF_BITS + 1), Signal(HALF_BITS + 1)
        unchecked = Signal()
        with m.If(self.clear):
            m.d.sync += [ip_sum.eq(0), udp_sum.eq(0)]
        with m.Elif(self._valid):
            with m.If((self._at >= At.IP) & (self._at < At.UDP)):
                m.d.sync += ip_sum.eq(add_with_carry(ip_sum, self._half))
            with m.If(self._at == At.UDP_CHECKSUM):
                m.d.sync += unchecked.eq(self._half == 0)
            # The pseudo-header's protocol and length are added where the IP header has what is not in it.
            word = Mux(
                self._at == At.IP_PROTOCOL, PROTOCOL_UDP, Mux(self._at == At.IP_CHECKSUM, self._udp_length, self._half)
            )
            with m.If(self._at >= At.IP_PROTOCOL):
                m.d.sync += udp_sum.eq(add_with_carry(udp_sum, word))

        def right(total):
            return add_with_carry(total, 0)[:HALF_BITS] == ALL_ONES

        return right(ip_sum) & (unchecked | right(udp_sum))
