"""What the reader and the writers of captures share: a frame, damage, and the constants of both formats.

Sources: draft-ietf-opsawg-pcap (pcap) and draft-ietf-opsawg-pcapng (pcapng).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CapturedFrame", "Damage"]

NANOSECONDS = 1_000_000_000
MAX_RECORD = 262_144
"""Longest frame believed in, in bytes: libpcap's largest snapshot length. A longer one is damage."""

PCAP_NANOSECONDS = 0xA1B23C4D
PCAP_MAGIC = {0xA1B2C3D4: 1_000_000, PCAP_NANOSECONDS: NANOSECONDS}
"""Magic number of a pcap -> clock ticks per second."""
PCAP_VERSION = (2, 4)

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET = 0x0A0D0D0A, 1, 2, 3, 6
"""Types of pcapng blocks."""
BYTE_ORDER_MAGIC = 0x1A2B3C4D
OPTION_COMMENT, OPTION_APPLICATION = 1, 4
OPTION_FLAGS, OPTION_VERDICT = 2, 7
OPTION_TSRESOL, OPTION_FCSLEN, OPTION_TSOFFSET = 9, 13, 14


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One frame of a capture: bytes present (FCS removed), nanoseconds since 1970, bytes it had on the wire.

    A timestamp that 64 bits of nanoseconds cannot hold (before 1970, after 2554) is the nearest they can. ``bad``: the
    capture says that it came damaged; ``dropped``: that a filter did not let it in. ``outbound``: whether it
    left or came in, so whose frame it is meant to be, its sender's or its receiver's; None where its addresses decide.
    """

    data: bytes
    timestamp: int
    original_length: int
    bad: bool = False
    dropped: bool = False
    outbound: bool | None = None

    @property
    def cut(self) -> bool:
        """It was captured with fewer bytes than it had."""
        return len(self.data) < self.original_length


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a capture file breaks its format: byte offset of the record or block, and what is wrong."""

    offset: int
    message: str

    def __str__(self) -> str:
        return f"byte offset {self.offset}: {self.message}"
