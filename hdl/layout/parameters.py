"""Build parameters of the NIC, validated in one place."""

from dataclasses import dataclass

from halfsilver.hdl.layout.frames import FLOOR_IPV6, MAX_FRAME, SHORTEST_ON_WIRE, check_width
from halfsilver.hdl.layout.outer import PREFIX_IPV6
from halfsilver.hdl.layout.tables import SESSION_BITS

__all__ = ["COPIES_LEAVE", "LOOKUP_WORDS", "MEANINGS", "NicParameters", "NicShape"]

LOOKUP_WORDS = 512
"""Words of one ECP5 block RAM (EBR) at 36 bits; a lookup lane is sized to fill one."""

_LEAST_RULE_BITS = 4
"""Builds of up to 16 rules, AWS's 10 among them, number their counters alike."""

COPIES_LEAVE = ("net", "own")
"""Ways out for copies: the network port, between production frames, or a stream of their own."""

MEANINGS = {
    "width": "data width in bits: 8, 16, ... 1024",
    "enis": "network interfaces carried, 1 to 16",
    "sessions": "sessions per interface, 1 to 3 (AWS: 3)",
    "rules": "rules per filter and direction, 1 to 40 (AWS: 10, a quota that can be raised)",
    "extension_headers": "IPv6 extension headers the parser reads, 1 to 15",
    "lookup_clocks": "clock cycles per lookup: 1, 2, 4 or 8; more cycles, fewer block RAMs",
    "receivers": "registered targets that the copies of a session are spread over, 1 to 16 (1: none are spread)",
    "security_groups": "rules of security groups and network ACLs per interface, 0 to 128 (0: the card applies none)",
    "queue_depth": "bytes of copy buffer per direction, a power of two, at least 16,384",
    "cut_copies": f"longest copy in bytes of the frame, {FLOOR_IPV6} to {MAX_FRAME:,} (which cuts none)",
    "copies": "places for copies per direction, a power of two, 8 to 1,024",
    "verdict_ring": "verdicts kept until the host reads them, a power of two, 2 to 4,096",
}
"""What the build parameters that are numbers are, in words for people; the command lines say the same."""


@dataclass(frozen=True)
class NicShape:
    """What a card says of itself in its registers, and all a driver must know to fill its tables; see MEANINGS."""

    width: int = 64
    enis: int = 4
    sessions: int = 3
    rules: int = 10
    extension_headers: int = 8
    lookup_clocks: int = 1
    queue_depth: int = 16384
    cut_copies: int = MAX_FRAME
    security_groups: int = 0
    receivers: int = 1

    def __post_init__(self) -> None:
        check_width(self.width)
        self._check_range("enis", 1, 16)
        self._check_range("sessions", 1, 3)
        self._check_range("rules", 1, 40)
        self._check_range("extension_headers", 1, 15)
        self._check_range("cut_copies", FLOOR_IPV6, MAX_FRAME)
        self._check_range("security_groups", 0, 128)
        self._check_range("receivers", 1, 16)
        if self.queue_depth < 16384 or self.queue_depth & (self.queue_depth - 1):
            raise ValueError(
                f"queue_depth must be a power of two of at least 16384 bytes (one {MAX_FRAME}-byte frame and "
                f"room for the next), not {self.queue_depth!r}"
            )
        if self.lookup_clocks not in (1, 2, 4, 8):
            raise ValueError(f"lookup_clocks must be 1, 2, 4 or 8, not {self.lookup_clocks!r}")

    def _check_range(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} must be {low} to {high}, not {value!r}")

    @property
    def beat_bytes(self) -> int:
        """Bytes per beat."""
        return self.width // 8

    @property
    def eni_bits(self) -> int:
        """Bits of an ENI's number, in every index."""
        return (self.enis - 1).bit_length()

    @property
    def receiver_bits(self) -> int:
        """Bits of a receiver's number, in every index."""
        return (self.receivers - 1).bit_length()

    @property
    def matchers(self) -> int:
        """Match pipelines: one for both directions where that keeps up with Ethernet's shortest frames, back to back
        at both inputs; else one for each direction, with the contexts of its own alone.
        """
        beats = -(-SHORTEST_ON_WIRE // self.beat_bytes)
        return 1 if 2 * self.lookup_clocks <= beats else 2

    @property
    def shortest_frame(self) -> int:
        """Bytes of the shortest frame that verdicts keep up with, back to back at both inputs."""
        return (2 * self.lookup_clocks // self.matchers - 1) * self.beat_bytes + 1

    @property
    def contexts(self) -> int:
        """Rule contexts of a matcher: one per ENI, rounded up to a power of two, and direction that it serves."""
        return (2 << self.eni_bits) // self.matchers

    @property
    def rule_slots(self) -> int:
        """Rules of one context: sessions x rules, at most 120."""
        return self.sessions * self.rules

    @property
    def rule_bits(self) -> int:
        """Bits of a rule's place in the index of a counter."""
        return max(_LEAST_RULE_BITS, (self.rules - 1).bit_length())

    @property
    def chunk_bits(self) -> int:
        """Key bits per lookup chunk, so that one lane (two banks) fills one block RAM."""
        per_chunk = LOOKUP_WORDS // (2 * self.contexts * self.lookup_clocks)
        return max(1, per_chunk.bit_length() - 1)

    @property
    def session_slots(self) -> int:
        """Sessions of the whole NIC, addressed as {ENI, session}."""
        return 1 << SESSION_BITS + self.eni_bits


@dataclass(frozen=True)
class NicParameters(NicShape):
    """Parameters of a build: its shape, and what no register tells.

    copies_leave  one of COPIES_LEAVE
    copies     three are kept for frames that end before the queue has counted those ahead of them, so with fewer than
               8 a copy could find no room in an empty queue. Of the bytes (queue_depth), two beats stay empty
    hash_key   Toeplitz key of the flow hash, 40 bytes (as in Microsoft receive-side scaling)
    """

    copies_leave: str = "net"
    copies: int = 256
    verdict_ring: int = 512
    hash_key: bytes = bytes.fromhex("6d5a") * 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copies_leave not in COPIES_LEAVE:
            raise ValueError(f"copies_leave must be {' or '.join(map(repr, COPIES_LEAVE))}, not {self.copies_leave!r}")
        self._check_range("copies", 8, 1024)
        self._check_range("verdict_ring", 2, 4096)
        for name in ("copies", "verdict_ring"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if not isinstance(self.hash_key, bytes) or len(self.hash_key) != 40:
            raise ValueError("hash_key must be 40 bytes")

    @property
    def longest_copy(self) -> int:
        """Bytes of the longest copy as it leaves, with its outer headers."""
        return PREFIX_IPV6 + self.cut_copies
