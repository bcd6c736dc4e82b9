"""Frames that were captured with fewer bytes than they had: which copies are those of the whole frames, and which not.

The law looks at the bytes present (``docs/mirroring.md`` 3.7), so a cut frame is judged as what is there. A copy whose
length a limit of section 6 decided is the same as the whole frame's, if all that decided over it was captured; one that
ends where the capture ends is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import ETHERTYPE_IPV6, network_header
from halfsilver.harness.engine import Result
from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Verdict, VerdictRecord

__all__ = ["CutFrames", "CutSums"]


@dataclass(slots=True)
class CutSums:
    """Copies ``as_whole``, copies ``shorter`` than the whole frame's, and cut frames ``malformed``.

    ``unsure`` are copies of frames of which not all is there that decides over rules and flow hash.
    """

    as_whole: int = 0
    shorter: int = 0
    unsure: int = 0
    malformed: int = 0

    def take_in(self, other: CutSums) -> None:
        """The sums of other frames of the run."""
        self.as_whole += other.as_whole
        self.shorter += other.shorter
        self.unsure += other.unsure
        self.malformed += other.malformed

    def describe(self) -> str | None:
        """One line; None if there was nothing of the kind."""
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.as_whole, "copied as the whole frames would be"),
                (self.shorter, "copied to where the capture ends, and no further (tcpdump -s 0 captures whole frames)"),
                (self.unsure, "copied by the bytes present, which lack some that decide (headers, ports, the length)"),
                (self.malformed, "malformed as they stand"),
            )
            if count
        ]
        return f"of the frames captured short: {', '.join(parts)}" if parts else None


@dataclass(frozen=True, slots=True)
class CutFrames:
    """Sums up a batch. ``decided`` (bytes present, bytes on the wire): all that decides over a frame is there."""

    policy: Policy
    decided: Callable[[bytes, int], bool]

    def __call__(self, batch: Sequence[CapturedFrame], result: Result, first: int) -> CutSums:
        sums = CutSums()
        for captured, record in zip(batch, result.verdicts, strict=True):
            if not captured.cut:
                continue
            if record.verdict is Verdict.MALFORMED:
                sums.malformed += 1
            elif record.verdict is Verdict.MIRRORED:
                if not self.decided(captured.data, captured.original_length):
                    sums.unsure += 1
                elif self._is_as_whole(captured, record):
                    sums.as_whole += 1
                else:
                    sums.shorter += 1
        return sums

    def _is_as_whole(self, captured: CapturedFrame, record: VerdictRecord) -> bool:
        if record.copied < record.length:
            return True
        if record.eni is None or record.session is None:
            return False
        session = self.policy.interfaces[record.eni].sessions[record.session]
        limits = [session.outer.mtu_limit if session.outer is not None else None]
        if session.packet_length is not None:
            limits.append(max(session.packet_length, _floor(captured.data)))
        return any(limit is not None and limit <= record.copied for limit in limits)


def _floor(data: bytes) -> int:
    return FLOOR_IPV6 if network_header(data)[0] == ETHERTYPE_IPV6 else FLOOR_IPV4
