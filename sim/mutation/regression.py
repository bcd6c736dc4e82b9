"""A compact regression of the gateware against the golden model, for faults planted by hand and by machine.

``python -m halfsilver.sim.mutation.regression --build NAME`` builds the gateware of the tree it is started from
and exits 0 if golden model and gateware agree, 1 at the first disagreement, which it prints on stdout as
``phase: what``. Any other exit code means that nothing was learned (no compiler, gateware that cannot be elaborated).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EXIT_MISMATCH, EXIT_OK, HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.compare import compare
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import traffic
from halfsilver.sim.build import build_nic
from halfsilver.sim.engine import VerilatorEngine
from halfsilver.sim.mutation.memory import Memory, Remembered
from halfsilver.sim.mutation.swap import check_swaps
from halfsilver.sim.mutation.traffic import (
    ENIS,
    RULES,
    SESSIONS,
    bit_frames,
    bit_policy,
    checksum_frame,
    draw_frames,
    draw_policy,
    edge_frames,
    open_policy,
    overflow_frames,
    swap_frames,
    tiny_frames,
)
from halfsilver.sim.random_policy import SOURCE_PORTS
from halfsilver.sim.traffic import Situation, golden_for, situations, sweeps
from halfsilver.sim.traffic.situations import carries
from halfsilver.sim.traffic.upheavals import run_upheavals

__all__ = ["BUILDS", "LONG", "PHASES", "WIDTHS", "Phases", "Setting", "first_disagreement", "main"]

EXTENSION_HEADERS = 3
UNEVEN_KEY = bytes(range(1, 41))
"""A hash key without a period: only with one does the hash depend on what is the same at both ends of a flow."""

_SMALL: dict[str, Any] = {
    "enis": ENIS,
    "sessions": SESSIONS,
    "rules": RULES,
    "extension_headers": EXTENSION_HEADERS,
    "copies": 16,
}
BUILDS = {
    "narrow": NicParameters(width=32, lookup_clocks=4, **_SMALL),
    "wide": NicParameters(width=64, lookup_clocks=1, **_SMALL),
    "uneven": NicParameters(width=32, lookup_clocks=4, hash_key=UNEVEN_KEY, **_SMALL),
    "turns": NicParameters(width=128, lookup_clocks=1, **_SMALL),
}
"""Small builds, quick to compile. Most faults show in the first."""

WIDTHS = {"8": NicParameters(width=8, lookup_clocks=8, **_SMALL), "32": BUILDS["narrow"], "64": BUILDS["wide"]}
"""The builds that mutants of the netlist are drawn from, by their width in bits."""

POLICIES, FRAMES = 12, 400
BATCHES = 2
SITUATIONS = 60
UPHEAVALS = 5
RESETS, ALL_RESETS = 40, 400
"""Clock cycles at which a batch is reset."""

TINY = 150
"""Runs of frames of a few bytes."""

ROOM = (60, 8192)
"""Lengths of frames that fill the queue, by number and by bytes."""

CARRIES = (66_000, 120)
"""Frames of one byte and of 9,216 bytes in each direction: past 16 bits of frames and 20 bits of bytes."""

PLACES, ALL_PLACES = 4, 40
"""Times that all places for copies are counted."""

LEFTOVERS, ALL_LEFTOVERS = 1, 6
"""Rule sets in banks that held something else."""

COMMITS, ALL_COMMITS = 60, 300
"""Clock cycles at which rule sets change."""

TURNS, ALL_TURNS = 250, 65_400
"""Commits without a frame before that: the generation carries past 8 bits, and 16."""

MANY_REFUSED = 100_000
"""Up to so many words are refused in a row: past 16 bits."""

MANY_LONGEST = 1_850
"""Frames of 9,216 bytes: past 24 bits of them."""

MANY_WORDS = 530_000
"""Words in the tables without a commit: past 16 bits, and more than any rule set has."""

FAR_APART = (17, 150, 1_500, 16_000, 33_000)
"""One verdict in so many is kept in the ring; twice as many frames of each direction pass, past 16 bits of them."""

MANY_SNAPSHOTS = 60
"""Of the counters, in the middle of traffic."""

MANY_INSIDE = {Direction.INGRESS: 40, Direction.EGRESS: 2_200}
"""Frames that have entered and cannot leave, at a snapshot each."""

_UDP_CHECKSUM = slice(14 + 40 + 6, 14 + 40 + 8)
"""Of an outer packet over IPv6."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What every phase gets."""

    parameters: NicParameters
    library: Path
    seed: int
    memory: Memory | None = None

    def golden(self) -> GoldenEngine | Remembered:
        """A fresh golden model, with the memory's answers if there is one."""
        golden = golden_for(self.parameters)
        return golden if self.memory is None else self.memory.engine(golden)

    def gateware(self, *, full_rate: bool = False, output_stalls: float | None = None) -> VerilatorEngine:
        """A fresh NIC."""
        return VerilatorEngine(
            self.parameters, seed=self.seed, full_rate=full_rate, output_stalls=output_stalls, library=self.library
        )

    def pair(self, *, full_rate: bool = False, output_stalls: float | None = None) -> Pair:
        """A fresh golden model and a fresh NIC."""
        return Pair(self.golden(), self.gateware(full_rate=full_rate, output_stalls=output_stalls), full_rate)

    def drawn(self, name: str, make: Callable[[], Iterable[Situation]]) -> Sequence[Situation]:
        """Random traffic, drawn once for all runs that share a memory."""
        return list(make()) if self.memory is None else self.memory.drawn(name, lambda: list(make()))


class Pair:
    """Both engines side by side; a difference is a HalfsilverError."""

    def __init__(self, golden: GoldenEngine | Remembered, gateware: VerilatorEngine, congestion: bool) -> None:
        self._golden, self._gateware = golden, gateware
        self._congestion = congestion

    def configure(self, policy: Policy, flags: Flags = Flags()) -> None:  # noqa: B008 (frozen)
        generations = self._golden.configure(policy, flags), self._gateware.configure(policy, flags)
        if generations[0] != generations[1]:
            raise HalfsilverError(f"generation {generations[1]}, not {generations[0]}")

    def check(self, frames: Sequence[Frame]) -> list[Verdict]:
        """The gateware's verdicts."""
        results = self._golden.process(frames), self._gateware.process(frames)
        differences = compare(*results, congestion=self._congestion)
        if differences:
            more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
            raise HalfsilverError(differences[0].describe((REFERENCE, "gateware")) + more)
        return [record.verdict for record in results[1].verdicts]

    def copy_of(self, frame: Frame) -> bytes:
        """The golden model's copy."""
        copy = self._golden.explain(frame).copy
        assert copy is not None
        return copy

    def close(self) -> None:
        self._gateware.close()


def _rules(setting: Setting, chance: Random) -> None:
    """Random policies and flags, frames drawn around them, random stalls."""
    pair = setting.pair()
    for number in range(POLICIES):
        policy = draw_policy(chance)
        base, mask = SOURCE_PORTS[number // 2 % 2]
        pair.configure(policy, Flags(number % 4 == 1, number % 4 >= 2, base, mask))
        pair.check(draw_frames(chance, policy, FRAMES))
    pair.close()


def _edges(setting: Setting, chance: Random) -> None:
    """Lengths at every limit; an outer UDP checksum that must not be 0."""
    pair = setting.pair()
    pair.configure(open_policy(), Flags(tap=True))
    pair.check(edge_frames(chance))
    for frame in swap_frames(chance, 4, Direction.EGRESS):
        even = Frame(frame.data[: len(frame.data) & ~1], Direction.EGRESS)
        checksum = int.from_bytes(pair.copy_of(even)[_UDP_CHECKSUM], "big")
        all_ones = Frame(checksum_frame(even.data, checksum), Direction.EGRESS)
        assert pair.copy_of(all_ones)[_UDP_CHECKSUM] == b"\xff\xff"
        pair.check([all_ones])
    pair.close()


def _tiny(setting: Setting, chance: Random) -> None:
    """Frames of a few bytes, more than verdicts come for, back to back; whole ones behind them are judged as ever."""
    pair = setting.pair(full_rate=True)
    pair.configure(open_policy(), Flags(tap=True))
    for ways in ([Direction.INGRESS], [Direction.EGRESS], [*Direction]):
        pair.check(tiny_frames(chance, TINY, ways))
    pair.close()


def _bits(setting: Setting, chance: Random) -> None:
    """Every bit of the addresses and ports that a rule names, in every place for a rule."""
    pair = setting.pair()
    policy = bit_policy(chance)
    pair.configure(policy)
    pair.check(bit_frames(policy))
    pair.close()


def _overflow(setting: Setting, chance: Random) -> None:
    """Both inputs back to back into a slow output: copies are lost whole, and no room is lost with them."""
    for stalls in (0.5, 0.0):
        pair = setting.pair(full_rate=True, output_stalls=stalls)
        longest = edge_frames(chance)[-1]
        for _ in range(BATCHES):
            pair.configure(open_policy(), Flags(tap=True))
            verdicts = pair.check(overflow_frames(chance))
            if not {Verdict.MIRRORED, Verdict.CONGESTED} <= set(verdicts):
                raise HalfsilverError("an overload in which nothing, or everything, is congested")
            for _ in range(3):
                if pair.check([longest]) != [Verdict.MIRRORED]:
                    raise HalfsilverError("after an overload the longest frame finds no room in an empty queue")
            policy = draw_policy(chance)
            pair.configure(policy)
            pair.check(draw_frames(chance, policy, FRAMES))
        pair.close()


def _swaps(setting: Setting, chance: Random) -> None:
    """Rule sets change under traffic."""
    check_swaps(setting.library, setting.parameters, chance)


def _situations(setting: Setting, chance: Random) -> None:
    """Random traffic that was written without the gateware in view (``halfsilver.sim.traffic``)."""
    _agree(setting, "situations", lambda: situations(setting.seed, SITUATIONS, setting.parameters))


def _carries(setting: Setting, chance: Random) -> None:
    """So many frames that counters and sequence numbers carry into their upper halves."""
    _agree(setting, "carries", lambda: [carries(Random(setting.seed), setting.parameters, *CARRIES)])


def _sweeps(setting: Setting, chance: Random) -> None:
    """The law's statements case by case (``halfsilver.sim.traffic.sweeps``)."""
    _agree(setting, "sweeps", lambda: sweeps.quick(setting.seed, setting.parameters))


def _all_sweeps(setting: Setting, chance: Random) -> None:
    """The same, and no case left out."""
    _agree(setting, "all sweeps", lambda: sweeps.thorough(setting.seed, setting.parameters))


def _room(setting: Setting, chance: Random) -> None:
    """The last place for a copy, by number, by bytes, and by number again when the queue has been drained."""
    _fill(setting, _crowds(setting, ROOM))


def _all_room(setting: Setting, chance: Random) -> None:
    """The same in all sizes."""
    _fill(setting, _crowds(setting, (*sweeps.NUMBERS, *sweeps.SIZES)))


def _crowds(setting: Setting, sizes: Iterable[int]) -> list[sweeps.Crowd]:
    return [sweeps.crowd(Random(f"room {setting.seed} {size}"), setting.parameters, size) for size in sizes]


def _fill(setting: Setting, crowds: Sequence[sweeps.Crowd]) -> None:
    pair = traffic.Pair(setting.parameters, engines=lambda: (setting.golden(), setting.gateware()))
    for crowd in (*crowds, crowds[0]):
        found = pair.differences(crowd.situation)
        if not found and pair.results is not None:
            found = [each for each in [sweeps.least_held(crowd, pair.results[1].verdicts)] if each]
        if found:
            raise HalfsilverError(found[0])
    pair.close()


def _agree(setting: Setting, name: str, make: Callable[[], Iterable[Situation]]) -> None:
    pair = traffic.Pair(setting.parameters, engines=lambda: (setting.golden(), setting.gateware()))
    for number, situation in enumerate(setting.drawn(name, make)):
        if found := pair.differences(situation):
            raise HalfsilverError(f"situation {number}: {found[0]}")
    pair.close()


Phase = Callable[[Setting, Random], None]
Phases = dict[str, Phase]


def _on_a_card(check: Callable[..., object], *more: object, **options: object) -> Phase:
    """Traffic of ``halfsilver.sim.traffic`` that has a NIC of its own, and judges it."""

    def phase(setting: Setting, chance: Random) -> None:
        check(setting.parameters, setting.seed, *more, library=setting.library, **options)

    return phase


PHASES: Phases = {
    "registers": _on_a_card(sweeps.check_registers),
    "resets": _on_a_card(sweeps.check_resets, range(RESETS)),
    "sweeps": _sweeps,
    "rules": _rules,
    "edges": _edges,
    "tiny": _tiny,
    "swaps": _swaps,
    "overflow": _overflow,
    "room": _room,
    "bus": _on_a_card(sweeps.check_bus),
    "tables": _on_a_card(sweeps.check_tables),
    "ring": _on_a_card(sweeps.check_ring),
    "counters": _on_a_card(sweeps.check_counters),
    "pace": _on_a_card(sweeps.check_pace),
    "places": _on_a_card(sweeps.check_places, PLACES),
    "leftovers": _on_a_card(sweeps.check_leftovers, LEFTOVERS),
    "commits": _on_a_card(sweeps.check_commits, range(COMMITS), TURNS),
    "turns": _on_a_card(sweeps.check_turns),
}
LONG: Phases = {
    "carries": _carries,
    "situations": _situations,
    "upheavals": _on_a_card(run_upheavals, UPHEAVALS),
    "all sweeps": _all_sweeps,
    "all resets": _on_a_card(sweeps.check_resets, range(ALL_RESETS)),
    "all room": _all_room,
    "all places": _on_a_card(sweeps.check_places, ALL_PLACES),
    "all leftovers": _on_a_card(sweeps.check_leftovers, ALL_LEFTOVERS),
    "all commits": _on_a_card(sweeps.check_commits, range(ALL_COMMITS), ALL_TURNS),
    "all snapshots": _on_a_card(
        sweeps.check_counters, snapshots=MANY_SNAPSHOTS, inside=MANY_INSIDE, longest=MANY_LONGEST
    ),
    "all verdicts": _on_a_card(sweeps.check_ring, far=FAR_APART),
    "all refusals": _on_a_card(sweeps.check_tables, refused=MANY_REFUSED, words=MANY_WORDS),
    "all bits": _bits,
}
"""For mutants that survive `PHASES`, with another seed."""


def first_disagreement(setting: Setting, phases: Phases = PHASES) -> str | None:
    """All phases, until one finds something: ``phase: what``; None if golden model and gateware agree."""
    if setting.memory is not None:
        setting.memory.rewind()
    for name, phase in phases.items():
        try:
            phase(setting, Random(f"{name} {setting.seed}"))
        except Exception as error:  # answers that make no sense may stumble anywhere; a control run does not
            return f"{name}: {error or type(error).__name__}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m halfsilver.sim.mutation.regression", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--build", choices=BUILDS, default="narrow")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    parameters = BUILDS[options.build]
    try:
        library = build_nic(parameters)
    except Exception as error:  # whatever elaboration raises
        print(f"not built: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    found = first_disagreement(Setting(parameters, library, options.seed))
    if found is not None:
        print(found)
    return EXIT_OK if found is None else EXIT_MISMATCH


if __name__ == "__main__":
    sys.exit(main())
