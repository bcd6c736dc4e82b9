"""Which frame does a verdict record, and which frame does a copy, belong to?

The card reports records in the order of the frames of each direction, and copies in the order of the records of each
direction; between the directions neither has an order of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Session
from halfsilver.harness.records import Frame, Output
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.assigned_numbers import ETHERTYPE_IPV4
from halfsilver.hdl.layout.outer import PREFIX_IPV4, PREFIX_IPV6

__all__ = ["VerdictMatcher", "copied_bytes", "is_addressed_to", "match_copies", "names_a_session", "outer_octets"]

_SEQUENCE_MASK = 0xFFFFFFFF


class VerdictMatcher:
    """Records to frames, batch after batch: sequence numbers go on, in both directions from ``start``."""

    def __init__(self, start: int = 0) -> None:
        self._next_sequence = dict.fromkeys(Direction, start)

    def match(self, frames: Sequence[Frame], wires: Sequence[bytes]) -> list[VerdictRecord]:
        """The record of each frame; HalfsilverError for nonsense, a missing one, or one too many."""
        queues: dict[Direction, deque[VerdictRecord]] = {direction: deque() for direction in Direction}
        for wire in wires:
            try:
                record = VerdictRecord.from_bytes(wire)
            except ValueError as error:
                raise HalfsilverError(f"verdict record {wire.hex()} makes no sense: {error}") from None
            queues[record.direction].append(record)
        for direction, queue in queues.items():
            offered = sum(frame.direction is direction for frame in frames)
            if len(queue) != offered:
                raise HalfsilverError(f"{offered} {direction} frames were offered, {len(queue)} verdicts came")
        verdicts = []
        for number, frame in enumerate(frames, 1):
            record = queues[frame.direction].popleft()
            expected = self._next_sequence[frame.direction]
            if record.sequence != expected:
                raise HalfsilverError(
                    f"the verdict of frame {number} of the batch ({frame.direction}) has sequence number "
                    f"{record.sequence}, not {expected}"
                )
            self._next_sequence[frame.direction] = (expected + 1) & _SEQUENCE_MASK
            verdicts.append(record)
        return verdicts


def match_copies(
    frames: Sequence[Frame],
    verdicts: Sequence[VerdictRecord],
    copies: Sequence[bytes],
    policy: Policy,
    *,
    in_input_order: bool,
) -> list[Output]:
    """Which frame each copy belongs to; HalfsilverError if there are more or fewer than were mirrored.

    Where the order holds only within each direction, the copied bytes tell which direction is next; where they fit
    both, the outer header decides, and where that fits both as well the copies are interchangeable.
    """
    mirrored = [index for index, record in enumerate(verdicts) if record.verdict is Verdict.MIRRORED]
    if len(copies) != len(mirrored):
        raise HalfsilverError(f"{len(mirrored)} frames were mirrored by their verdicts, {len(copies)} copies came")
    if in_input_order:
        return [Output(index, data) for index, data in zip(mirrored, copies, strict=True)]
    queues = {direction: deque[int]() for direction in Direction}
    for index in mirrored:
        queues[frames[index].direction].append(index)
    outputs = []
    for data in copies:
        heads = [queue[0] for queue in queues.values() if queue]
        best = max(heads, key=lambda index: _likeness(data, frames[index], verdicts[index], policy))
        queues[frames[best].direction].popleft()
        outputs.append(Output(best, data))
    return outputs


def _likeness(copy: bytes, frame: Frame, record: VerdictRecord, policy: Policy) -> tuple[bool, bool]:
    """Whether a copy has the bytes of the frame, and the destination and VNI of its session."""
    same_bytes = copied_bytes(copy) == frame.data[: record.copied]
    return same_bytes, same_bytes and is_addressed_to(copy, record, policy)


def copied_bytes(copy: bytes) -> bytes:
    """What a copy has of its frame, behind the outer headers."""
    return copy[_prefix(copy) :]


def is_addressed_to(copy: bytes, record: VerdictRecord, policy: Policy) -> bool:
    """Whether a copy has the MAC addresses and the VNI of the session that its record names."""
    if record.eni is None or record.session is None or record.eni >= len(policy.interfaces):
        return False
    sessions = policy.interfaces[record.eni].sessions
    return record.session < len(sessions) and _is_of(copy, sessions[record.session])


def outer_octets(record: VerdictRecord, policy: Policy) -> int:
    """Bytes of the frame's copy with its outer headers; 0 if it has none."""
    if record.verdict is not Verdict.MIRRORED or record.eni is None or record.session is None:
        return 0
    outer = policy.interfaces[record.eni].sessions[record.session].outer
    return record.copied + (PREFIX_IPV4 if outer is None or outer.source.version == 4 else PREFIX_IPV6)


def names_a_session(frame: bytes, policy: Policy) -> bool:
    """Whether a frame has the MAC addresses and the VNI of some session, as copies have."""
    return any(_is_of(frame, session) for interface in policy.interfaces for session in interface.sessions)


def _is_of(copy: bytes, session: Session) -> bool:
    prefix = _prefix(copy)
    addressed = any(copy[:12] == outer.destination_mac + outer.source_mac for outer in session.outers)
    return addressed and int.from_bytes(copy[prefix - 4 : prefix - 1], "big") == session.vni


def _prefix(copy: bytes) -> int:
    """Bytes of its outer headers."""
    return PREFIX_IPV4 if int.from_bytes(copy[12:14], "big") == ETHERTYPE_IPV4 else PREFIX_IPV6
