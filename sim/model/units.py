"""The C++ that Verilator writes, compiled in few large units; and Verilator's runtime, compiled once for all models.

Verilator writes a dozen files, and its own makefile compiles each by itself. Two thirds of a second of each go into
the same headers, and functions that call each other are apart. Taken together, code that runs in each clock and code
that runs once, the same model takes a third less of the processor to compile, and is as fast.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.model.compilation import Compilation
from halfsilver.sim.model.tools import compiler, tool, tool_versions, verilator_root

__all__ = ["COVERAGE", "ONCE", "Optimisation", "compile_units", "includes", "objects", "runtime"]

COMPILER = "the C++ compiler"
NOTHING: Mapping[str, Path] = {}

RULES = Path(__file__).with_name("units.mk")

ONCE = "__Slow"
"""What Verilator's names of files end with whose code runs once."""

UNIT_BYTES = 4_000_000
"""A unit of the code that runs in each clock ends behind so much of it, so that wide models use several processors."""


@dataclass(frozen=True, slots=True)
class Optimisation:
    """What the compiler is asked for: code of each clock, code that runs once, Verilator's runtime."""

    fast: str
    slow: str
    runtime: str


COVERAGE = Optimisation("-O0", "-O0", "-O1")
"""Counting makes a model's code many times as long: compiling it well takes longer than running it does."""


def includes() -> list[str]:
    """Where the headers of Verilator are, for the compiler."""
    include = verilator_root() / "include"
    return ["-isystem", str(include), "-isystem", str(include / "vltstd")]


def compile_units(compilation: Compilation, place: Path, flags: Sequence[str], optimise: Optimisation) -> None:
    """Compile what Verilator wrote into ``place``; its objects are there then, ``fast*.o`` and ``slow.o``."""
    written = sorted(place.glob("*.cpp"))
    slow = [source for source in written if source.stem.endswith(ONCE)]
    units = _portions([source for source in written if source not in slow])
    for name, sources in [*((f"fast{number}", unit) for number, unit in enumerate(units)), ("slow", slow)]:
        (place / f"{name}.cc").write_text("".join(f'#include "{source.name}"\n' for source in sources))
    make = [tool("make"), "-f", str(RULES), f"-j{os.cpu_count() or 1}", f"CXX={compiler()}"]
    make += [f"FAST={optimise.fast}", f"SLOW={optimise.slow}", f"FLAGS={' '.join([*flags, '-I.', *includes()])}"]
    compilation.run(make, COMPILER)


def runtime(names: Sequence[str], flags: Sequence[str], level: str, others: Mapping[str, Path] = NOTHING) -> Path:
    """Directory with the objects of Verilator's runtime: these sources of it, and ``others``, by the object's name.

    The same for all models with these flags and this level of optimisation.
    """
    sources = {name: verilator_root() / "include" / f"{name}.cpp" for name in names} | dict(others)

    def make(place: Path) -> None:
        compilation = Compilation(place)
        for name, source in sources.items():
            command = [compiler(), level, *flags, *includes(), "-c", str(source), "-o", f"{name}.o"]
            compilation.run(command, COMPILER)

    texts = [path.read_text() for path in others.values()]
    return entry(f"runtime-{digest(names, flags, level, texts, tool_versions())}", make)


def objects(*places: Path) -> list[str]:
    """The objects in these directories, for the linker."""
    return [str(path) for place in places for path in sorted(place.glob("*.o"))]


def _portions(sources: Sequence[Path]) -> list[list[Path]]:
    """The sources in order, in portions that end behind ``UNIT_BYTES``."""
    portions: list[list[Path]] = [[]]
    octets = 0
    for source in sources:
        if octets >= UNIT_BYTES:
            portions.append([])
            octets = 0
        portions[-1].append(source)
        octets += source.stat().st_size
    return portions
