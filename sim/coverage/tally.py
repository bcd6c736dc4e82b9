"""Coverage of several runs and builds, added up per place in the gateware's sources.

Runs of one build are added point by point. Builds of different widths have different points, so for each place the
build that covers the larger share of its points counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from halfsilver.sim.coverage.points import BRANCH, TOGGLE, Place, Points, SourceMap

__all__ = ["Share", "Tally", "add_up", "per_file"]


@dataclass(frozen=True, slots=True)
class Share:
    """Points of a place that were passed, of all; ``missing`` names those that were not."""

    covered: int
    total: int
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.covered == self.total


Tally = dict[Place, Share]


def add_up(builds: Mapping[str, Iterable[Points]]) -> Tally:
    """The tally of all runs, given by the Verilog they ran on."""
    tally: Tally = {}
    for verilog, runs in builds.items():
        for place, share in _of_build(SourceMap(verilog), runs).items():
            best = tally.get(place)
            if best is None or share.covered * best.total > best.covered * share.total:
                tally[place] = share
    return tally


def _of_build(sources: SourceMap, runs: Iterable[Points]) -> Tally:
    points: Points = Counter()
    for run in runs:
        for point, count in run.items():
            points[point] += count  # unlike update(), which keeps zeroes too, this adds
    groups: dict[Place, list[tuple[str, bool]]] = defaultdict(list)
    for (kind, line, _, what), count in sorted(points.items()):
        place = sources.place(kind, line)
        if place is not None:
            groups[place].append((_name(kind, what), count > 0))
    return {
        place: Share(
            sum(passed for _, passed in group),
            len(group),
            tuple(sorted({name for name, passed in group if not passed}, key=_natural)),
        )
        for place, group in groups.items()
    }


def _name(kind: str, what: str) -> str:
    """Of a toggle the bit and edge, of a branch the way."""
    if kind == TOGGLE:
        return "[" + what.partition("[")[2] if "[" in what else what.partition(":")[2] or "toggles"
    return {"cond_then": "if", "cond_else": "else", "elsif": "if"}.get(what, what)


def _natural(name: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, name.partition("]")[0]))
    return int(digits or 0), name


def per_file(tally: Tally) -> dict[str, dict[str, Share]]:
    """Sums by source file and kind."""
    sums: dict[str, dict[str, Share]] = {}
    for place, share in tally.items():
        kinds = sums.setdefault(place.file, {BRANCH: Share(0, 0), TOGGLE: Share(0, 0)})
        before = kinds[place.kind]
        kinds[place.kind] = Share(before.covered + share.covered, before.total + share.total)
    return dict(sorted(sums.items()))
