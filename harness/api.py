"""Halfsilver from Python: a policy and an engine in, for each frame a verdict and a copy out.

    with open_mirror("mirror.json") as mirror:
        for judged in mirror.send(frames):
            print(judged.verdict, judged.rule, judged.copy)

This is the documented interface; what else is in the package may change. Errors are ``HalfsilverError``: one line for
a mistake of the caller's, the same as the command line prints. In pytest, the fixture ``halfsilver_engine``
(``pytest_plugin.py``) opens mirrors and closes them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, SupportsBytes

from halfsilver.harness.commands.common import DEFAULT_SEED, DirectionChooser, open_engine, open_golden
from halfsilver.harness.engine import Engine
from halfsilver.harness.engines.registry import REFERENCE, entry_of
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.summary import RunSummary
from halfsilver.harness.report.verdict_lines import names_of
from halfsilver.harness.verdict import Service

__all__ = ["HalfsilverError", "Judged", "Mirror", "Policy", "check_engine", "load_policy", "open_mirror"]

Direction = Literal["ingress", "egress", "auto"]
FrameBytes = SupportsBytes | bytearray | memoryview
"""A frame as on the wire, without FCS: bytes, or a packet of scapy."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one frame.

    verdict    ``mirrored``, ``rejected``, ``no-match`` ... (docs/mirroring.md section 8)
    direction  ``ingress`` or ``egress``, seen from the instance
    copy       the outer frame, from its Ethernet header on; None unless the frame was mirrored
    eni, session, rule, rule_number, service  what decided, by AWS's ids; None where the verdict names none
    length, copied  bytes of the frame, and of it in the copy
    """

    frame: bytes
    verdict: str
    direction: str
    copy: bytes | None
    eni: str | None
    session: str | None
    rule: str | None
    rule_number: int | None
    service: str | None
    length: int
    copied: int


class Mirror:
    """An engine with a policy, as ``open_mirror`` makes it. Close it, or use it in a ``with`` statement."""

    def __init__(self, policy: Policy, engine: Engine, flags: Flags, seed: int, direction: Direction) -> None:
        self.policy = policy
        self._engine = engine
        self._flags = flags
        self._identity = engine.identify()
        self._choose = DirectionChooser(direction, policy)
        self._run = RunSummary(self._identity.name, seed, policy)

    def send(self, frames: Iterable[FrameBytes]) -> list[Judged]:
        """Offer frames, in this order; one result for each."""
        offered = [self._frame(number, each) for number, each in enumerate(frames, 1)]
        result = self._engine.process(offered)
        self._run.add([frame.direction for frame in offered], result, ())
        copies = {output.frame: output.data for output in result.outputs}
        judged = []
        for index, (frame, record) in enumerate(zip(offered, result.verdicts, strict=True)):
            names = names_of(self.policy, record.direction, record.eni, record.session, record.rule)
            judged.append(
                Judged(
                    frame.data,
                    str(record.verdict),
                    str(record.direction),
                    copies.get(index),
                    names.eni,
                    names.session,
                    names.rule,
                    names.rule_number,
                    None if record.service is Service.NONE else str(record.service),
                    record.length,
                    record.copied,
                )
            )
        return judged

    def explain(self, frame: FrameBytes) -> str:
        """Why this frame would, or would not, be copied, rule by rule, one step a line. It is not counted."""
        golden = open_golden(self.policy, self._flags, self._identity)
        return "\n".join(describe(golden.explain(self._frame(1, frame))))

    def summary(self) -> dict[str, Any]:
        """The sums of all frames sent, with the engine's counters: what ``halfsilver mirror --json`` prints."""
        return self._run.to_json()

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _frame(self, number: int, frame: FrameBytes) -> Frame:
        if not isinstance(frame, SupportsBytes | bytearray | memoryview):
            raise UsageError(f"frame {number} is of type {type(frame).__name__}; give its bytes")
        data = bytes(frame)
        if not data:
            raise UsageError(f"frame {number} has no bytes, which no wire carries")
        return Frame(data, self._choose(data))


def load_policy(policy: str | Path | Mapping[str, Any] | Policy, *, eni: str | None = None) -> Policy:
    """The policy of a ``mirror.json``, or of what such a file holds; ``eni`` is the interface to be the NIC's first."""
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, Mapping):
        return Policy.from_documents(policy, eni=eni)
    return Policy.load(policy, eni=eni)


def check_engine(name: str) -> None:
    """UsageError unless there is an engine of this name."""
    entry_of(name)


def open_mirror(
    policy: str | Path | Mapping[str, Any] | Policy,
    engine: str = REFERENCE,
    *,
    eni: str | None = None,
    direction: Direction = "auto",
    tap: bool = False,
    terminal_reject: bool = False,
    seed: int = DEFAULT_SEED,
) -> Mirror:
    """An engine by its name, configured with a policy. The settings are those of ``halfsilver mirror``."""
    check_engine(engine)
    if direction not in ("ingress", "egress", "auto"):
        raise UsageError(f"there is no direction {direction!r}; there are ingress, egress and auto")
    loaded = load_policy(policy, eni=eni)
    flags = Flags(tap=tap, terminal_reject=terminal_reject)
    return Mirror(loaded, open_engine(engine, loaded, flags, seed), flags, seed, direction)
