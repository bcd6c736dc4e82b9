"""The verdict record: one per offered frame, the same from golden model, simulation and board.

The wire form is 16 bytes, little-endian (``docs/mirroring.md`` section 8). This module is shared by all
host code and knows nothing of any engine.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

__all__ = ["RECORD_SIZE", "Direction", "Service", "Verdict", "VerdictRecord", "is_stopped"]

_WIRE = struct.Struct("<IHHBBBBBBH")
_NONE = 0xFF

RECORD_SIZE = _WIRE.size
"""Bytes of the wire form."""


class Direction(enum.IntEnum):
    """Seen from the instance: ingress is network to host, egress is host to network."""

    INGRESS = 0
    EGRESS = 1

    def __str__(self) -> str:
        return self.name.lower()


class Verdict(enum.IntEnum):
    """What became of a frame; the values are the wire codes."""

    MIRRORED = 0
    MALFORMED = 1
    NO_ENI = 2
    DROPPED = 3
    NOT_ELIGIBLE = 4
    NO_SESSION = 5
    NOT_IP = 6
    REJECTED = 7
    NO_MATCH = 8
    SAMPLED_OUT = 9
    RATE_LIMITED = 10
    CONGESTED = 11
    TARGET_DOWN = 12

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Service(enum.IntEnum):
    """Traffic the rules never see (``docs/mirroring.md`` section 4); the values are the wire codes."""

    NONE = 0
    ARP = 1
    DHCP = 2
    INSTANCE_METADATA = 3
    TIME_SYNC = 4
    WINDOWS_ACTIVATION = 5
    AMAZON_DNS = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """One frame's verdict.

    ``eni``, ``session`` and ``rule`` are indices (``docs/mirroring.md`` section 8), None where the verdict names
    none. ``length`` and ``copied`` are bytes; ``copied`` is 0 unless the verdict is ``mirrored``.
    """

    sequence: int
    direction: Direction
    verdict: Verdict
    length: int
    service: Service = Service.NONE
    eni: int | None = None
    session: int | None = None
    rule: int | None = None
    copied: int = 0
    generation: int = 0

    def to_bytes(self) -> bytes:
        """The 16-byte wire form."""

        def index(value: int | None) -> int:
            return _NONE if value is None else value

        return _WIRE.pack(
            self.sequence,
            self.length,
            self.copied,
            self.verdict,
            self.service,
            self.direction,
            index(self.eni),
            index(self.session),
            index(self.rule),
            self.generation,
        )

    @classmethod
    def from_bytes(cls, wire: bytes) -> VerdictRecord:
        """Parse the wire form; ValueError for a wrong length or an unknown code."""
        if len(wire) != _WIRE.size:
            raise ValueError(f"a verdict record is {_WIRE.size} bytes, not {len(wire)}")
        sequence, length, copied, verdict, service, direction, eni, session, rule, generation = _WIRE.unpack(wire)

        return cls(
            sequence,
            Direction(direction),
            Verdict(verdict),
            length,
            Service(service),
            None if eni == _NONE else eni,
            None if session == _NONE else session,
            None if rule == _NONE else rule,
            copied,
            generation,
        )


def is_stopped(record: VerdictRecord, guarded: bool) -> bool:
    """Whether the frame goes no further; ``guarded``: the policy has lists that say so (section 14.11)."""
    return guarded and record.direction is Direction.INGRESS and record.verdict is Verdict.DROPPED
