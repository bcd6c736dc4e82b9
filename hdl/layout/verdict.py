"""The verdict record: one layout, 128 bits, little-endian bytes as in ``docs/mirroring.md`` section 8.

It stands at the end of the match pipeline; counters, the verdict stream and every waveform carry this record.
"""

from enum import IntEnum

from halfsilver.hdl.layout.packed import Member, Packed

__all__ = ["NONE", "VERDICT_RECORD", "DirectionCode", "ServiceCode", "VerdictCode", "records_in_beat"]

NONE = 0xFF
"""Index fields: the verdict names no ENI, session or rule."""


class DirectionCode(IntEnum):
    """Seen from the instance: ingress is network to host."""

    INGRESS = 0
    EGRESS = 1


class VerdictCode(IntEnum):
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


class ServiceCode(IntEnum):
    """Traffic that rules never see."""

    NONE = 0
    ARP = 1
    DHCP = 2
    INSTANCE_METADATA = 3
    TIME_SYNC = 4
    WINDOWS_ACTIVATION = 5
    AMAZON_DNS = 6


VERDICT_RECORD = Packed(
    "verdict record",
    "What became of a frame; leaves as 16 bytes, the lowest bits first.",
    [
        Member("sequence", 32, "number of the frame in its direction, from 0; wraps"),
        Member("length", 16, "bytes of the frame; 65,535 for all that are longer"),
        Member("copied", 16, "bytes of the copy, 0 if there is none"),
        Member("verdict", 8, "what became of it", VerdictCode),
        Member("service", 8, "traffic that rules never see", ServiceCode),
        Member("direction", 8, "0 ingress, 1 egress"),
        Member("eni", 8, f"network interface, {NONE:#x}: none"),
        Member("session", 8, f"session of that interface in ascending session number, {NONE:#x}: none"),
        Member("rule", 8, f"rule of that session in ascending rule number, {NONE:#x}: none"),
        Member("generation", 16, "of the rule set that judged it"),
    ],
)


def records_in_beat(data: int, keep: int | None) -> list[bytes]:
    """The records in a beat of ``m_axis_verdict``, in order; ``keep`` is None where the port has no tkeep."""
    size = VERDICT_RECORD.width // 8
    if keep is None:
        return [data.to_bytes(size, "little")]
    places = range(0, keep.bit_length(), size)
    return [(data >> 8 * at & (1 << 8 * size) - 1).to_bytes(size, "little") for at in places if keep >> at & 1]
