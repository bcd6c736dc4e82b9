"""The flow hash: Toeplitz (Microsoft RSS) over addresses and ports, XOR the protocol number.

Stands beside the classifier; the mirror queue keeps the hash with the copy, and its low bits become the UDP
source port of the outer packet.
"""

from amaranth.hdl import Cat, Const, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.pipeline import delay, registered

__all__ = ["FlowHash", "FlowKey"]

KEY_BYTES = 40
HASH_BITS = 32
INPUT_BITS = 288
"""IPv6: two addresses and two ports. IPv4 uses the first 96 of these positions."""

PERIOD = 16
"""A key that repeats after 16 bits (0x6d5a...) gives both directions of a flow the same hash."""


class FlowKey(data.Struct):
    """What is hashed. Addresses have the first byte on the wire in bits [7:0]; IPv4 uses bits [31:0],
    whatever the others hold. Ports and protocol are numbers, 0 where the flow has none.
    """

    src: 128
    dst: 128
    ipv6: 1
    sport: 16
    dport: 16
    protocol: 8


class FlowHash(wiring.Component):
    """Toeplitz hash of source address, destination address, source port, destination port in network order
    (12 or 36 bytes), XOR the protocol number.

    Parameters
    ----------
    key : bytes
        40 bytes, fixed in the build. A key with a period of 16 bits costs about a tenth of a general one.

    Ports
    -----
    i : FlowKey, valid only
    o : 32 bits, valid only

    One key per clock, never stalls; the hash follows ``LATENCY`` clocks after its key. Zero ports contribute
    nothing, so the hash of a flow without ports is the hash of its addresses.

    Source: Microsoft, "Verifying the RSS hash calculation".
    """

    LATENCY = 3

    def __init__(self, key):
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise ValueError(f"the hash key must be {KEY_BYTES} bytes, not {key!r}")
        self._key = [key[bit // 8] >> (7 - bit % 8) & 1 for bit in range(8 * KEY_BYTES)]
        self._periodic = self._key[PERIOD:] == self._key[:-PERIOD]
        super().__init__(
            {
                "i": In(stream.Signature(FlowKey, always_ready=True)),
                "o": Out(stream.Signature(HASH_BITS, always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        build = self._elaborate_periodic if self._periodic else self._elaborate_general
        toeplitz = build(m)

        valid = delay(m, self.i.valid, self.LATENCY - 1, "valid")
        protocol = delay(m, self.i.payload.protocol, self.LATENCY - 1, "protocol")
        m.d.sync += [self.o.valid.eq(valid), self.o.payload.eq(toeplitz ^ protocol)]
        return m

    def _elaborate_periodic(self, m):
        """Input bits 16 apart meet the same key bits, so XOR them first: 16 bits are left, and since every
        field starts at a multiple of 16 bits, IPv4 and IPv6 need no different arrangement.
        """
        key = self.i.payload
        src, dst = _network_bits(key.src), _network_bits(key.dst)
        ports = [*reversed(key.sport), *reversed(key.dport)]
        folded = []
        for position in range(PERIOD):
            always = [*src[position:32:PERIOD], *dst[position:32:PERIOD], *ports[position::PERIOD]]
            only_ipv6 = [*src[32 + position :: PERIOD], *dst[32 + position :: PERIOD]]
            folded.append(_parity(always) ^ (_parity(only_ipv6) & key.ipv6))
        folded = registered(m, Cat(folded), "folded")

        rows = [_parity([folded[bit] for bit in range(PERIOD) if self._key[bit + row]]) for row in range(PERIOD)]
        half = registered(m, Cat(reversed(rows)), "half")
        return Cat(half, half)

    def _elaborate_general(self, m):
        """The 288 positions, then per hash bit the parity of those the key selects, in two clocks."""
        positions = registered(m, Cat(self._positions()), "positions")
        toeplitz = []
        for row in range(HASH_BITS):
            # Four positions at a time: hash bits that select the same ones of a group share that parity.
            groups = [
                _parity([positions[bit] for bit in range(start, start + 4) if self._key[bit + row]])
                for start in range(0, INPUT_BITS, 4)
            ]
            partials = [_parity(groups[at : at + 16]) for at in range(0, len(groups), 16)]
            toeplitz.append(registered(m, Cat(partials), f"partials_{row}").xor())
        return Cat(reversed(toeplitz))

    def _positions(self):
        """Input bits in the order in which they meet the key; positions that IPv4 does not have are 0."""
        key = self.i.payload
        src, dst = _network_bits(key.src), _network_bits(key.dst)
        ports = [*reversed(key.sport), *reversed(key.dport)]
        ipv6 = src + dst + ports
        ipv4 = src[:32] + dst[:32] + ports
        return ipv4[:32] + [
            Mux(key.ipv6, long, ipv4[at] if at < len(ipv4) else 0) for at, long in enumerate(ipv6) if at >= 32
        ]


def _network_bits(address):
    """Bits of an address in network order: first byte first, most significant bit first."""
    return [address[byte * 8 + bit] for byte in range(len(address) // 8) for bit in reversed(range(8))]


def _parity(bits):
    return Cat(bits).xor() if bits else Const(0, 1)
