"""What the verdicts and copies of a card must be while its rule sets change: each record names the one that judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.golden.model import Model
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.pump import PumpRun

__all__ = ["GENERATIONS", "Judge", "RuleSet", "check_copies"]

GENERATIONS = REGISTERS.unpack("STATUS", (1 << 32) - 1)["generation"] + 1
"""After as many commits the generation is 0 again."""

RuleSet = tuple[Policy, Flags]


class Judge:
    """The golden models of the generations that may judge, and what they have said.

    ``seen`` counts all verdicts, ``counted`` those by direction since the last reset. ``stops``: ingress that is
    dropped goes no further, as the rule sets since then have guards; all must have them, or none.
    """

    def __init__(self, parameters: NicParameters) -> None:
        self._parameters = parameters
        self.seen: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
        self.forget()

    def forget(self) -> None:
        """As after a reset."""
        self._sequences = dict.fromkeys(Direction, 0)
        self._models = {0: self._model(Policy(()), Flags(), 0)}
        self.counted: dict[tuple[Direction, Verdict], int] = {}
        self.stops = False

    def expect(self, generation: int, rule_set: RuleSet) -> None:
        """From now on frames may be judged by this generation."""
        self.stops |= rule_set[0].guarded
        self._models[generation % GENERATIONS] = self._model(*rule_set, generation % GENERATIONS)

    def _model(self, policy: Policy, flags: Flags, generation: int) -> Model:
        parameters = self._parameters
        build = parameters.extension_headers, parameters.hash_key, parameters.cut_copies
        return Model(policy.interfaces, flags, generation, *build)

    def copies(self, frames: Sequence[Frame], records: Sequence[VerdictRecord], congestion: bool) -> list[bytes]:
        """The copies that the records promise; each record must be that of its generation's golden model."""
        copies = []
        generation = records[0].generation if records else 0
        for frame, record in zip(frames, records, strict=False):
            later = (record.generation - generation) % GENERATIONS
            if record.generation not in self._models or later > GENERATIONS // 2:
                raise HalfsilverError(f"generation {record.generation} after {generation}: {record}")
            generation = record.generation
            trace = self._models[generation].judge(frame, self._sequences[record.direction])
            wanted = trace.record
            if congestion and record.verdict is Verdict.CONGESTED and wanted.verdict is Verdict.MIRRORED:
                wanted = replace(wanted, verdict=Verdict.CONGESTED, copied=0)
            if record != wanted:
                raise HalfsilverError(f"{record}, not {wanted}, for {frame.data[:200].hex()}")
            self._sequences[record.direction] += 1
            self.seen[record.verdict] += 1
            place = record.direction, record.verdict
            self.counted[place] = self.counted.get(place, 0) + 1
            if record.verdict is Verdict.MIRRORED and trace.copy is not None:
                copies.append(trace.copy)
        return copies


def check_copies(run: PumpRun, wanted: dict[Direction, list[bytes]], is_cut: bool) -> None:
    """The copies are those wanted, in the order of their direction; of a cut run a prefix of them.

    Which direction a copy belongs to need not be clear when it comes, as two may be equal: all ways that are left are
    kept, each as the number of ingress copies among those seen.
    """
    ingress, egress = wanted[Direction.INGRESS], wanted[Direction.EGRESS]
    ways = {0}
    for number, copy in enumerate(run.copies):
        ways = {one + 1 for one in ways if one < len(ingress) and ingress[one] == copy} | {
            one for one in ways if number - one < len(egress) and egress[number - one] == copy
        }
        if not ways:
            raise HalfsilverError(f"copy {number + 1} is not due: {copy[:200].hex()}")
    if len(run.copies) != len(ingress) + len(egress) and not is_cut:
        raise HalfsilverError(f"{len(run.copies)} copies came out, not {len(ingress) + len(egress)}")
