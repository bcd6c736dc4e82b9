"""What a test does to a NIC, in the verbs of the Packet Test Framework: send a packet, verify its copy, or none.

A test that fails says in its first line what differs; ``page.py`` shows the rest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from halfsilver.harness.commands.common import DirectionChooser, open_golden
from halfsilver.harness.errors import UsageError
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame, Tally
from halfsilver.harness.report.verdict_lines import Names, names_of
from halfsilver.harness.suite.engines import EngineUnderTest
from halfsilver.harness.suite.mask import FrameBytes, Mask, differences
from halfsilver.harness.verdict import Direction, Service, VerdictRecord, is_stopped

__all__ = ["Check", "Mismatch", "Nic", "Sent"]

Way = Literal["ingress", "egress", "auto"]
_Key = TypeVar("_Key", bound=Hashable)


class Mismatch(AssertionError):
    """The NIC did something else than was expected; the first line says what, of which frame."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that was sent, by its number in the test (from 1), and what became of it under which policy."""

    number: int
    frame: Frame
    record: VerdictRecord
    names: Names
    copies: tuple[bytes, ...]
    policy: Policy
    generation: int


@dataclass(frozen=True, slots=True)
class Check:
    """Something that did not hold: what, of which frame, and the copy that was expected (None: none was)."""

    message: str
    sent: Sent | None
    expected: Mask | None = None


class Nic:
    """An engine with a policy, as the fixture ``halfsilver_nic`` opens it.

    Frames are judged when they are sent. The verbs speak of the frame sent last, or of the one that is named by what
    ``send_packet`` gave back. What does not hold is a ``Mismatch``; ``failed`` keeps it for the page.
    """

    def __init__(self, engine: EngineUnderTest, policy: Policy, flags: Flags) -> None:
        self.engine, self.policy, self.flags = engine, policy, flags
        self.sent: list[Sent] = []
        self.failed: Check | None = None
        self._choose = DirectionChooser("auto", policy)
        self._production: dict[Direction, Tally] | None = {direction: Tally() for direction in Direction}
        engine.configure(policy, flags)
        self._before = engine.counters
        self._sequences = dict(engine.sequences)

    def send_packet(
        self, frame: FrameBytes, direction: Way = "auto", *, bad: bool = False, dropped: bool = False
    ) -> Sent:
        """Send one frame, ``bad`` as a MAC flags it, ``dropped`` with the mark of the security group.

        ``auto``: egress if an interface of the policy sent it, else ingress.
        """
        data = bytes(frame)
        if not data:
            raise UsageError("a frame without bytes, which no wire carries")
        way = self._choose(data) if direction == "auto" else Direction[direction.upper()]
        return self.send_packets([Frame(data, way, bad, dropped)])[0]

    def send_packets(self, frames: Iterable[Frame]) -> list[Sent]:
        """Send frames one after the other, as one batch."""
        offered = list(frames)
        result = self.engine.process(offered)
        if len(result.verdicts) != len(offered):
            raise self._mismatch(f"{len(offered)} frames were sent, and there are {len(result.verdicts)} verdicts")
        self._add_production(result.production)
        copies: dict[int, list[bytes]] = {}
        for output in result.outputs:
            copies.setdefault(output.frame, []).append(output.data)
        sent = []
        for index, (frame, record) in enumerate(zip(offered, result.verdicts, strict=True)):
            names = names_of(self.policy, record.direction, record.eni, record.session, record.rule)
            number = len(self.sent) + 1
            one = Sent(number, frame, record, names, tuple(copies.get(index, ())), self.policy, self.engine.generation)
            self.sent.append(one)
            sent.append(one)
        return sent

    def change_policy(self, policy: Policy) -> None:
        """Commit another policy; frames sent from now on are judged by it."""
        self.policy = policy
        self._choose = DirectionChooser("auto", policy)
        self.engine.configure(policy, self.flags)

    def verify_copy(self, expected: FrameBytes | Mask, sent: Sent | None = None) -> None:
        """There is one copy, and it is as expected but for what a ``Mask`` leaves out."""
        mask = expected if isinstance(expected, Mask) else Mask(expected)
        of = self._of(sent)
        if len(of.copies) != 1:
            count = f"{len(of.copies)} copies" if of.copies else f"no copy ({of.record.verdict})"
            raise self._mismatch(f"{count}, and one was expected", of, mask)
        wrong = differences(mask, of.copies[0])
        if wrong:
            more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise self._mismatch(f"copy differs: {wrong[0]}{more}", of, mask)

    def verify_no_copy(self, sent: Sent | None = None) -> None:
        """There is no copy."""
        of = self._of(sent)
        if of.copies:
            raise self._mismatch(f"{len(of.copies)} copies of it, and none was expected", of)

    def verify_verdict(self, verdict: str, sent: Sent | None = None, **named: str | int | None) -> None:
        """The record says this, and of ``named`` (eni, session, rule, service, length, copied, direction) as is said.

        ``eni`` and ``session`` are AWS's ids, ``rule`` is the rule's number; None: the record names none.
        """
        of = self._of(sent)
        record = of.record
        said: dict[str, str | int | None] = {
            "verdict": str(record.verdict),
            "direction": str(record.direction),
            "eni": of.names.eni,
            "session": of.names.session,
            "rule": of.names.rule_number,
            "service": None if record.service is Service.NONE else str(record.service),
            "length": record.length,
            "copied": record.copied,
        }
        for name, value in {"verdict": verdict, **named}.items():
            if said[name] != value:
                raise self._mismatch(f"{name} expected {value}, got {said[name]}", of)

    def verify_production(self) -> None:
        """All frames sent so far came out on the other side as they went in, but for those that the policy's own lists
        stop. UsageError where the engine cannot tell: mark the test ``needs("production")``."""
        if self._production is None:
            raise UsageError(f"engine {self.engine.name} does not say which production frames came out")
        for direction in Direction:
            ways = [one for one in self.sent if one.frame.direction is direction]
            due = [one.frame.data for one in ways if not is_stopped(one.record, one.policy.guarded)]
            came = self._production[direction]
            if (came.frames, came.octets) != (len(due), sum(map(len, due))):
                message = f"{direction} production: {came.frames} frames of {came.octets} bytes came out"
                raise self._mismatch(f"{message}, {len(due)} of {sum(map(len, due))} went in")

    def verify_records(self) -> None:
        """What holds of any frames: one record each, numbered in order, of the generation in force; the counters of
        verdicts went up by as many (docs/mirroring.md sections 8, 9 and 11); and where the engine carries production,
        it came out."""
        expected = dict(self._sequences)
        for one in self.sent:
            record = one.record
            facts = record.direction, record.sequence, record.length, record.generation
            direction, length = one.frame.direction, min(len(one.frame.data), 0xFFFF)
            due = direction, expected[direction], length, one.generation
            if facts != due:
                names = "direction, sequence number, length, generation"
                raise self._mismatch(f"{names}: expected {_list(due)}, got {_list(facts)}", one)
            expected[direction] = (expected[direction] + 1) & 0xFFFFFFFF
        counted = sum(tally.frames for tally in self.counted().verdicts.values())
        if counted != len(self.sent):
            raise self._mismatch(f"{len(self.sent)} frames were sent, the verdicts' counters say {counted}")
        if self._production is not None:
            self.verify_production()

    def counted(self) -> Counters:
        """What the counters went up by since this NIC was opened, of verdicts, sessions and rules."""
        after, before = self.engine.counters, self._before
        return Counters(
            verdicts=_less(after.verdicts, before.verdicts),
            sessions=_less(after.sessions, before.sessions),
            skipped=_less(after.skipped, before.skipped),
            rules=_less(after.rules, before.rules),
        )

    def explain(self, sent: Sent | None = None) -> str:
        """How the law judges this frame, rule by rule, one step a line."""
        of = self._of(sent)
        golden = open_golden(of.policy, self.flags, self.engine.identify())
        return "\n".join(describe(golden.explain(of.frame)))

    def fail(self, message: str, sent: Sent | None = None) -> Mismatch:
        """The error to raise for something else that does not hold."""
        return self._mismatch(message, sent)

    def _of(self, sent: Sent | None) -> Sent:
        if sent is not None:
            return sent
        if not self.sent:
            raise UsageError("nothing was sent yet: send_packet comes before what verifies it")
        return self.sent[-1]

    def _mismatch(self, message: str, sent: Sent | None = None, expected: Mask | None = None) -> Mismatch:
        if sent is not None:
            message = f"frame {sent.number}: {message}"
        self.failed = Check(message, sent, expected)
        return Mismatch(message)

    def _add_production(self, came: dict[Direction, Tally] | None) -> None:
        if came is None or self._production is None:
            self._production = None
            return
        for direction, tally in came.items():
            total = self._production[direction]
            total.frames += tally.frames
            total.octets += tally.octets


def _list(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _less(after: dict[_Key, Tally], before: dict[_Key, Tally]) -> dict[_Key, Tally]:
    none = Tally()
    return {
        key: Tally(tally.frames - before.get(key, none).frames, tally.octets - before.get(key, none).octets)
        for key, tally in after.items()
        if tally != before.get(key)
    }
