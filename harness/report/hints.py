"""What to do about a run that copied little: why its frames were not copied, and what would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.engine import Result
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.run_sums import Fate, FateSum, RunSums
from halfsilver.harness.report.verdict_lines import names_of
from halfsilver.harness.verdict import Direction, Verdict

__all__ = ["Hints", "strangers"]

LITTLE_PERCENT = 20
"""A run that copied less than this share of its frames copied little; a reason with less is not worth a line."""
NAMED = 3
"""MACs and rules that a hint names."""
MOST_MACS = 10_000
"""MACs that are counted; a capture with more has no busiest ones worth naming."""


def strangers(batch: Sequence[CapturedFrame], result: Result, first: int = 1) -> Counter[bytes]:
    """MAC addresses of stations in frames of no interface, with their frames, in the order in which they came."""
    macs: Counter[bytes] = Counter()
    for captured, record in zip(batch, result.verdicts, strict=True):
        if record.verdict is Verdict.NO_ENI:
            for mac in dict.fromkeys((captured.data[0:6], captured.data[6:12])):
                if not mac[0] & 1:
                    macs[mac] += 1
    return macs


class Hints:
    """Looks at the frames of a run as they go by; ``lines`` says at its end what would help.

    Memory is bounded whatever the run: it counts MAC addresses of frames of no interface.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._macs: Counter[bytes] = Counter()

    def take_in(self, strangers: Counter[bytes]) -> None:
        """The MAC addresses of a batch."""
        for mac, count in strangers.items():
            if mac in self._macs or len(self._macs) < MOST_MACS:
                self._macs[mac] += count

    def lines(self, sums: RunSums) -> Iterator[str]:
        """A line for each thing that kept many frames from being copied; none if enough were."""
        by_verdict = sums.by(lambda fate: fate.verdict)
        copied = by_verdict.get(Verdict.MIRRORED, FateSum()).frames
        if not _little(copied, sums.frames):
            return
        for verdict, part in sorted(by_verdict.items(), key=lambda each: -each[1].frames):
            if verdict is not Verdict.MIRRORED and not _little(part.frames, sums.frames):
                yield f"hint: {part.frames:,} of {sums.frames:,} frames {self._advice(verdict, part, sums)}"

    def _advice(self, verdict: Verdict, part: FateSum, sums: RunSums) -> str:
        why = f"`halfsilver explain -n {part.examples[0]}` says why of the first"
        match verdict:
            case Verdict.NO_ENI:
                return self._of_nobody()
            case Verdict.NO_MATCH:
                return f"met no rule that matches{self._without_rules(sums)}; {why}"
            case Verdict.REJECTED:
                return f"were rejected, most by {self._rejecting(sums)}; {why}"
            case Verdict.NO_SESSION:
                return (
                    f"are of interfaces without a session ({self._enis(verdict, sums)}); TrafficMirrorSessions has none"
                )
            case Verdict.NOT_ELIGIBLE:
                services = _listed(sums, verdict, lambda fate: str(fate.service))
                return f"are of services that are never mirrored ({services})"
            case Verdict.NOT_IP:
                return "are not IP, and rules match IP only"
            case Verdict.TARGET_DOWN:
                return "are for a target that is down; `halfsilver check` says what it lacks"
            case Verdict.CONGESTED:
                return "found no room on the link, which production has first"
            case _:
                return f"are {verdict}; {why}"

    def _of_nobody(self) -> str:
        if not self._policy.interfaces:
            return "are of no interface, as the policy gives the NIC none; `halfsilver init CAPTURE` proposes a policy"
        busiest = ", ".join(f"{mac.hex(':')} ({count:,})" for mac, count in self._macs.most_common(NAMED))
        return (
            f"are of no interface of the policy (no-eni); busiest MACs: {busiest or 'none that is of one station'}; "
            "--tap (with make TAP=1) gives them to the first, `halfsilver init CAPTURE` proposes a policy for them"
        )

    def _without_rules(self, sums: RunSums) -> str:
        """Says so if no filter of the interfaces in question has a rule for a direction."""
        fates = [fate for fate in sums.fates if fate.verdict is Verdict.NO_MATCH]
        if any(self._rules(fate) for fate in fates):
            return ""
        ways = " and ".join(sorted({str(fate.direction) for fate in fates}))
        return f", as no filter there has a rule for {ways} (--direction says which way frames are taken)"

    def _rules(self, fate: Fate) -> int:
        """Rules that a frame of this fate may have met."""
        if fate.eni is None or fate.eni >= len(self._policy.interfaces):
            return 0
        sessions = self._policy.interfaces[fate.eni].sessions
        return sum(len(each.egress if fate.direction is Direction.EGRESS else each.ingress) for each in sessions)

    def _rejecting(self, sums: RunSums) -> str:
        def name(fate: Fate) -> str:
            names = names_of(self._policy, fate.direction, fate.eni, fate.session, fate.rule)
            return f"rule {names.rule_number} {names.rule}"

        return _listed(sums, Verdict.REJECTED, name)

    def _enis(self, verdict: Verdict, sums: RunSums) -> str:
        return _listed(sums, verdict, lambda fate: str(names_of(self._policy, fate.direction, fate.eni).eni))


def _little(part: int, whole: int) -> bool:
    return part * 100 < whole * LITTLE_PERCENT


def _listed(sums: RunSums, verdict: Verdict, name: Callable[[Fate], str]) -> str:
    """The busiest few that ``name`` gives fates of the verdict, with their frames."""
    found: Counter[str] = Counter()
    for fate, part in sums.fates.items():
        if fate.verdict is verdict:
            found[name(fate)] += part.frames
    return ", ".join(f"{each} ({count:,})" for each, count in found.most_common(NAMED))
