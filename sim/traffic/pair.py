"""Golden model and gateware side by side: the same situation after situation on both, every byte compared."""

from __future__ import annotations

from dataclasses import replace

from halfsilver.harness.engine import Counters, Result, Tally
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.compare import compare
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.engine import VerilatorEngine
from halfsilver.sim.traffic.situations import Situation, golden_for

__all__ = ["Pair", "counted_since"]


class Pair:
    """One golden model and one simulated NIC; sequence numbers, counters, generations and both banks go on.

    ``results`` are those of the last situation, golden first.
    """

    def __init__(self, parameters: NicParameters, *, seed: int = 1) -> None:
        self._golden = golden_for(parameters)
        self._gateware = VerilatorEngine(parameters, seed=seed)
        self._counted = Counters(), Counters()
        self._offered = 0
        self.results: tuple[Result, Result] | None = None

    def differences(self, situation: Situation, told: Policy | None = None) -> list[str]:
        """What disagrees, in words; what the gateware's driver complains about is a disagreement too.

        ``told`` is a policy that the golden model gets instead, for those who plant a fault.
        """
        policy, flags, frames, pacing = situation
        generation = self._golden.configure(told or policy, flags)
        try:
            configured = self._gateware.configure(policy, flags)
            self._gateware.pace(pacing)
            totals = self._golden.process(frames), self._gateware.process(frames)
        except HalfsilverError as error:
            return [str(error)]
        first, second = (
            replace(total, counters=counted_since(total.counters, before))
            for total, before in zip(totals, self._counted, strict=True)
        )
        self._counted = totals[0].counters, totals[1].counters
        self.results = first, second
        self._offered += len(frames)
        found = [each.describe() for each in compare(first, second, congestion=pacing.full_rate)]
        if configured != generation:
            found.append(f"generation: golden {generation}, verilator {configured}")
        counted = sum(tally.frames for tally in totals[1].counters.verdicts.values())
        if counted != self._offered:
            found.append(f"the verdict counters add up to {counted} frames, {self._offered} were offered")
        return found

    def close(self) -> None:
        """End the simulation."""
        self._gateware.close()


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
            for name in ("verdicts", "sessions", "rules")
        )
    )
