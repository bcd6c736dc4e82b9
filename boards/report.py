"""What is known of a bitstream: clocks, use, seeds, tools and hashes; as JSON, as text, as a row of a table.

The table is that of docs/reference/boards.md. A report has no date, no duration and no path: the same sources and tools
give the same report.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ClockReport", "Report", "SeedReport", "TimingProblem", "read_seed"]

CELLS = {"LUT": "TRELLIS_COMB", "FF": "TRELLIS_FF", "EBR": "DP16KD"}
"""What is counted, and how nextpnr calls it. LUT: LUT4s for logic, carry and distributed RAM."""

TOLERANCE_MHZ = 0.01
"""nextpnr rounds periods to picoseconds."""


class TimingProblem(Exception):
    """The clocks of a design are not those that were wanted; in one line."""


@dataclass(frozen=True, slots=True)
class ClockReport:
    """One clock of one seed, in MHz."""

    name: str
    wanted: float
    achieved: float

    @property
    def margin(self) -> float:
        """How much faster than wanted, as a fraction; below 0 it misses."""
        return self.achieved / self.wanted - 1


@dataclass(frozen=True, slots=True)
class SeedReport:
    """Place and route with one seed."""

    seed: int
    clocks: tuple[ClockReport, ...]
    use: dict[str, tuple[int, int]]

    @property
    def margin(self) -> float:
        """That of the tightest clock."""
        return min(clock.margin for clock in self.clocks)


def read_seed(seed: int, document: dict[str, Any], wanted: dict[str, float]) -> SeedReport:
    """From nextpnr's report. ``wanted``: MHz by clock domain.

    TimingProblem if a clock is missing, is one that nobody asked for, or was judged by another frequency than wanted:
    a clock without a constraint of its own would pass at any speed.
    """
    clocks = []
    for net, entry in sorted(document["fmax"].items()):
        name = next((domain for domain in wanted if _last(net) in _nets(domain)), None)
        if name is None:
            raise TimingProblem(f"{net} is a clock that the board does not name; it has {', '.join(wanted)}")
        if abs(entry["constraint"] - wanted[name]) > TOLERANCE_MHZ:
            raise TimingProblem(
                f"the clock {name} was judged by {entry['constraint']:.2f} MHz; wanted are {wanted[name]:g}"
            )
        clocks.append(ClockReport(name, wanted[name], round(entry["achieved"], 2)))
    missing = sorted(wanted.keys() - {clock.name for clock in clocks})
    if missing:
        raise TimingProblem(f"nextpnr judged no clock {', '.join(missing)}")
    utilization = document["utilization"]
    use = {name: (utilization[cell]["used"], utilization[cell]["available"]) for name, cell in CELLS.items()}
    return SeedReport(seed, tuple(clocks), use)


def _nets(domain: str) -> tuple[str, ...]:
    """What the clock of a domain may be called: Amaranth's name for it, and that of the signal that drives it."""
    return (f"clk_{domain}", "clk" if domain == "sync" else f"{domain}_clk")


def _last(net: str) -> str:
    """``$glbnet$top.clocks.clk_sync`` is ``clk_sync``: nextpnr's mark of a global net, and the path, left out."""
    return net.removeprefix("$glbnet$").rpartition(".")[2]


@dataclass(frozen=True)
class Report:
    """A build: ``seeds`` in the order asked for, ``taken`` the one that the bitstream is of.

    margin_wanted  what the median over three seeds or more must have; with fewer, no clock may miss
    """

    board: str
    device: str
    parameters: dict[str, Any]
    seeds: tuple[SeedReport, ...]
    taken: int
    margin_wanted: float
    tools: dict[str, str]
    hashes: dict[str, str]

    @property
    def chosen(self) -> SeedReport:
        return next(seed for seed in self.seeds if seed.seed == self.taken)

    @property
    def margin(self) -> float:
        """The median over the seeds of the tightest clock's margin."""
        return statistics.median(seed.margin for seed in self.seeds)

    @property
    def problems(self) -> list[str]:
        """Why the build is not good, a line each."""
        missed = [clock for clock in self.chosen.clocks if clock.margin < 0]
        lines = [f"{clock.name} misses {clock.wanted:g} MHz: {clock.achieved:g}, seed {self.taken}" for clock in missed]
        if len(self.seeds) >= 3 and not missed and self.margin < self.margin_wanted:
            seeds = len(self.seeds)
            lines.append(
                f"the median margin of {seeds} seeds is {self.margin:.1%}; wanted are {self.margin_wanted:.0%}"
            )
        return lines

    def median(self, clock: str) -> float:
        """MHz of one clock, the median over the seeds."""
        return statistics.median(each.achieved for seed in self.seeds for each in seed.clocks if each.name == clock)

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"margin": round(self.margin, 4), "problems": self.problems}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        document = json.loads(text)
        seeds = tuple(
            SeedReport(
                each["seed"],
                tuple(ClockReport(**clock) for clock in each["clocks"]),
                {name: (used, available) for name, (used, available) in each["use"].items()},
            )
            for each in document["seeds"]
        )
        names = ("board", "device", "parameters", "taken", "margin_wanted", "tools", "hashes")
        return cls(seeds=seeds, **{name: document[name] for name in names})

    def to_text(self) -> str:
        """For people: one line per clock, then use, seeds, tools and hashes."""
        lines = [f"{self.board} on {self.device}"]
        lines.append(f"  {'clock':12} {'wanted':>8} {'median':>8} {'margin':>8}   seeds {self._seeds()}")
        for clock in self.chosen.clocks:
            every = [each.achieved for seed in self.seeds for each in seed.clocks if each.name == clock.name]
            median = self.median(clock.name)
            lines.append(
                f"  {clock.name:12} {clock.wanted:8.2f} {median:8.2f} {median / clock.wanted - 1:8.1%}   "
                + ", ".join(f"{each:.2f}" for each in every)
            )
        use = ", ".join(
            f"{used:,} of {available:,} {name} ({used / available:.0%})"
            for name, (used, available) in self.chosen.use.items()
        )
        lines.append(f"  use: {use}")
        lines.append(f"  bitstream: seed {self.taken}, sha256 {self.hashes['bitstream']}")
        lines.append(f"  gateware: sha256 {self.hashes['gateware']}")
        lines.append(f"  its registers say: git {self.hashes['git']}, build {self.hashes['build']}")
        lines.append("  tools: " + ", ".join(f"{name} {version}" for name, version in self.tools.items()))
        lines += [f"  NOT GOOD: {problem}" for problem in self.problems]
        return "\n".join(lines) + "\n"

    def _seeds(self) -> str:
        return ", ".join(str(seed.seed) for seed in self.seeds)
