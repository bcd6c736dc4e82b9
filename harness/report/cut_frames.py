"""Frames that were captured with fewer bytes than they had: which copies are those of the whole frames, and which not.

The law looks at the bytes present (``docs/mirroring.md`` 3.7), so a cut frame is judged as what is there. A copy whose
length a limit of section 6 decided is the same as the whole frame's, if all that decided over it was captured; one that
ends where the capture ends is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import ETHERTYPE_IPV6, network_header
from halfsilver.harness.engine import Result
from halfsilver.harness.law import FLOOR_IPV4, FLOOR_IPV6
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Verdict, VerdictRecord

__all__ = ["CutFrames"]


class CutFrames:
    """Counts of a run: copies ``as_whole``, copies ``shorter`` than the whole frame's, and cut frames ``malformed``.

    ``unsure`` are copies of frames of which not all is there that decides over rules and flow hash: ``decided`` (bytes
    present, bytes on the wire) says whether it is.
    """

    def __init__(self, policy: Policy, decided: Callable[[bytes, int], bool]) -> None:
        self.as_whole = 0
        self.shorter = 0
        self.unsure = 0
        self.malformed = 0
        self._policy = policy
        self._decided = decided

    def take(self, batch: Sequence[CapturedFrame], result: Result) -> None:
        for captured, record in zip(batch, result.verdicts, strict=True):
            if not captured.cut:
                continue
            if record.verdict is Verdict.MALFORMED:
                self.malformed += 1
            elif record.verdict is Verdict.MIRRORED:
                if not self._decided(captured.data, captured.original_length):
                    self.unsure += 1
                elif self._is_as_whole(captured, record):
                    self.as_whole += 1
                else:
                    self.shorter += 1

    def _is_as_whole(self, captured: CapturedFrame, record: VerdictRecord) -> bool:
        if record.copied < record.length:
            return True
        if record.eni is None or record.session is None:
            return False
        session = self._policy.interfaces[record.eni].sessions[record.session]
        limits = [session.outer.mtu_limit if session.outer is not None else None]
        if session.packet_length is not None:
            limits.append(max(session.packet_length, _floor(captured.data)))
        return any(limit is not None and limit <= record.copied for limit in limits)

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


def _floor(data: bytes) -> int:
    return FLOOR_IPV6 if network_header(data)[0] == ETHERTYPE_IPV6 else FLOOR_IPV4
