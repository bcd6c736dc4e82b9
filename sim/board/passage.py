"""What passed a card, seen from outside: was all of it carried, and every copy there that had to be?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from halfsilver.harness.commands.common import open_golden
from halfsilver.harness.engine import Identity
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Frame
from halfsilver.harness.report.tables import table
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.assigned_numbers import ETHERTYPE_IPV4
from halfsilver.hdl.layout.frames import SHORTEST_ON_WIRE
from halfsilver.hdl.layout.outer import PREFIX_IPV4

__all__ = ["Passage", "is_copy"]

_VXLAN = 4789
_UDP = 17


@dataclass
class Passage:
    """Frames in the order in which they were seen: sent and taken by the hosts on both sides, and what a receiver of
    the copies took out of them."""

    host_sent: list[bytes] = field(default_factory=list)
    host_came: list[bytes] = field(default_factory=list)
    net_sent: list[bytes] = field(default_factory=list)
    net_came: list[bytes] = field(default_factory=list)
    inner: list[bytes] = field(default_factory=list)

    def judge(self, policy: Policy, identity: Identity, counters: Counters) -> tuple[str, list[str]]:
        """Tables for people, and what was wrong; the golden model says of each frame what had to become of it.

        ``counters`` are the card's, which must have been at 0 before.
        """
        copies = [frame for frame in self.net_came if is_copy(frame)]
        production = [frame for frame in self.net_came if not is_copy(frame)]
        sent = {Direction.INGRESS: _padded(self.net_sent), Direction.EGRESS: _padded(self.host_sent)}
        golden = open_golden(policy, DEFAULT_FLAGS, identity)
        result = golden.process([Frame(data, way) for way in Direction for data in sent[way]])
        steps: list[tuple[str, list[bytes], list[bytes], bool]] = [
            ("network to host", sent[Direction.INGRESS], self.host_came, True),
            ("host to network", sent[Direction.EGRESS], production, True),
            ("copies, by the golden model", [output.data for output in result.outputs], copies, False),
            ("their frames, at the receiver", [copy[PREFIX_IPV4:] for copy in copies], self.inner, False),
        ]
        found = [(what, _difference(there, here, in_order)) for what, there, here, in_order in steps]
        problems = [f"{what}: {difference}" for what, difference in found if difference]
        verdicts = []
        for key in sorted({*counters.verdicts, *result.counters.verdicts}):
            numbers = [each.verdicts[key].frames if key in each.verdicts else 0 for each in (counters, result.counters)]
            verdicts.append((str(key[0]), str(key[1]), *numbers))
            if numbers[0] != numbers[1]:
                problems.append(f"{key[0]} {key[1]}: the card has judged {numbers[0]:,} frames so, not {numbers[1]:,}")
        rows = [(what, len(there), len(here)) for what, there, here, _ in steps]
        tables = [table(("frames", "in", "out"), rows, right="12")]
        tables.append(table(("direction", "verdict", "card", "golden model"), verdicts, right="23"))
        return "\n\n".join(tables), problems


def is_copy(frame: bytes) -> bool:
    """VXLAN over IPv4, as copies are; nobody else speaks it here."""
    head = frame[12:14], frame[23:24], frame[36:38]
    return head == (ETHERTYPE_IPV4.to_bytes(2, "big"), bytes([_UDP]), _VXLAN.to_bytes(2, "big"))


def _padded(frames: Sequence[bytes]) -> list[bytes]:
    """As they are on a wire."""
    return [frame.ljust(SHORTEST_ON_WIRE, b"\0") for frame in frames]


def _difference(there: Sequence[bytes], here: Sequence[bytes], in_order: bool) -> str | None:
    """What became of frames on their way, in words; None if nothing did."""
    lost, surplus = Counter(there) - Counter(here), Counter(here) - Counter(there)
    if lost or surplus:
        return f"{lost.total():,} of {len(there):,} frames are missing, and {surplus.total():,} came that were not sent"
    return "the order has changed" if in_order and list(there) != list(here) else None
