"""The verdict record: one layout, 128 bits, little-endian bytes as in ``docs/mirroring.md`` section 8.

It stands at the end of the match pipeline; counters, the verdict stream and every waveform carry this record.
"""

from amaranth.lib import data, enum

__all__ = ["NONE", "DirectionCode", "ServiceCode", "VerdictCode", "VerdictRecord"]

NONE = 0xFF
"""Index fields: the verdict names no ENI, session or rule."""


class DirectionCode(enum.Enum, shape=1):
    """Seen from the instance: ingress is network to host."""

    INGRESS = 0
    EGRESS = 1


class VerdictCode(enum.Enum, shape=8):
    """What became of a frame."""

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


class ServiceCode(enum.Enum, shape=8):
    """Traffic that rules never see."""

    NONE = 0
    ARP = 1
    DHCP = 2
    INSTANCE_METADATA = 3
    TIME_SYNC = 4
    WINDOWS_ACTIVATION = 5
    AMAZON_DNS = 6


class VerdictRecord(data.Struct):
    """128 bits; the first field is in the lowest bits, so the wire form is the little-endian bytes."""

    sequence: 32
    length: 16
    copied: 16
    verdict: VerdictCode
    service: ServiceCode
    direction: 8
    eni: 8
    session: 8
    rule: 8
    generation: 16
