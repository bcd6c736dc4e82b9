"""Golden model and gateware side by side: the same situation after situation on both, every byte compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from halfsilver.harness.engine import Result
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame, Tally
from halfsilver.harness.report.compare import compare
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.engine import VerilatorEngine
from halfsilver.sim.traffic.situations import Situation, golden_for

__all__ = ["Pair", "counted_since"]


class Judge(Protocol):
    """What is needed of a golden model."""

    def configure(self, policy: Policy, flags: Flags = ...) -> int: ...

    def process(self, frames: Sequence[Frame]) -> Result: ...


Engines = tuple[Judge, VerilatorEngine]


class Pair:
    """One golden model and one simulated NIC; sequence numbers, counters, generations and both banks go on.

    After a difference both start afresh, so that the next situation is judged by itself. ``results`` are those of
    the last situation that both came through, golden first. ``engines`` makes other ones than the build's own.
    """

    def __init__(
        self, parameters: NicParameters, *, seed: int = 1, engines: Callable[[], Engines] | None = None
    ) -> None:
        self._make = engines or (lambda: (golden_for(parameters), VerilatorEngine(parameters, seed=seed)))
        self._engines: Engines | None = None
        self._counted = Counters(), Counters()
        self._offered = 0
        self.results: tuple[Result, Result] | None = None

    def differences(self, situation: Situation, told: Policy | None = None) -> list[str]:
        """What disagrees, in words; what the gateware's driver complains about is a disagreement too.

        ``told`` is a policy that the golden model gets instead, for those who plant a fault.
        """
        try:
            found = self._judge(situation, told)
        except EnvironmentMissing:
            raise
        except HalfsilverError as error:
            found = [str(error)]
        if found and told is None:
            self.close()
        return found

    def _judge(self, situation: Situation, told: Policy | None) -> list[str]:
        policy, flags, frames, pacing = situation
        golden, gateware = self._start()
        generations = golden.configure(told or policy, flags), gateware.configure(policy, flags)
        gateware.pace(pacing)
        totals = golden.process(frames), gateware.process(frames)
        first, second = (
            replace(total, counters=counted_since(total.counters, before))
            for total, before in zip(totals, self._counted, strict=True)
        )
        self._counted = totals[0].counters, totals[1].counters
        self.results = first, second
        self._offered += len(frames)
        found = [each.describe() for each in compare(first, second, congestion=pacing.full_rate)]
        if generations[0] != generations[1]:
            found.append("generation: golden {}, verilator {}".format(*generations))
        counted = sum(tally.frames for tally in totals[1].counters.verdicts.values())
        if counted != self._offered:
            found.append(f"the verdict counters add up to {counted} frames, {self._offered} were offered")
        return found

    def _start(self) -> Engines:
        if self._engines is None:
            self._engines = self._make()
            self._counted = Counters(), Counters()
            self._offered = 0
        return self._engines

    def close(self) -> None:
        """End the simulation; another use starts a new one."""
        if self._engines is not None:
            self._engines[1].close()
            self._engines = None


def counted_since(now: Counters, then: Counters) -> Counters:
    """What was counted between two readings of the counters."""
    return Counters(
        *(
            {
                key: Tally(tally.frames - before.frames, tally.octets - before.octets)
                for key, tally in getattr(now, name).items()
                for before in [getattr(then, name).get(key, Tally())]
                if tally != before
            }
            for name in ("verdicts", "sessions", "skipped", "rules", "ports")
        )
    )
