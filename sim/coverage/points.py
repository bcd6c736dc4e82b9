"""Verilator's coverage file, and where in the gateware's sources each of its points lies.

The file is text: a point a line, ``C '<key>' <count>``, the key being fields of a name (after ``\\x01``) and a value
(after ``\\x02``). Two kinds of points count here. *Branches*: each way through an ``if``, a ``case`` or a ``?:``.
*Toggles*: each bit of each declared signal, rising and falling.

Points lie in Verilog. Yosys leaves the Amaranth line beside declarations and operators, so a toggle belongs to the
line that declares the signal. A branch belongs to the line of its condition if that is an operation, else to the line
that declares the signal it decides.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BRANCH", "TOGGLE", "Place", "Points", "SourceMap", "read_points"]

BRANCH, TOGGLE = "branch", "toggle"

_LINE = re.compile(r"^C '(.*)' (\d+)$")
_BRANCHES = {"if", "else", "elsif", "case", "cond_then", "cond_else"}
_NAME = r"(\\\S+|[A-Za-z_]\w*)"
_SOURCE = re.compile(r'\(\* src = "([^"|]+):(\d+)')
_MODULE = re.compile(rf"^module {_NAME}\s?\(")
_DECLARATION = re.compile(rf"^ +(?:input|output|wire|reg|inout)(?: signed)?(?: \[\d+:\d+\])? {_NAME} ?(?: = [^;]*)?;")
_REGISTER = re.compile(rf"^ +{_NAME} +<= {_NAME} ?;")
_ASSIGNMENT = re.compile(rf"^ +{_NAME}(?:\[[\d:]+\])? += ")
_ASSIGN = re.compile(rf"^ +assign {_NAME}")
_CONDITION = re.compile(rf"^ +(?:end else )?(?:if|casez|case) \({_NAME}")
_ARTEFACT = "$verilog_backend"
"""Yosys's own switches, which start its combinational blocks."""

Points = Counter[tuple[str, int, int, str]]
"""How often each point was passed: (kind, Verilog line, column, what)."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of the gateware's sources and what is there: a signal's name, or of a branch the signal it decides."""

    file: str
    line: int
    kind: str
    name: str


def read_points(path: Path) -> Points:
    """The branches and toggles of a coverage file. ValueError for a line that is none of Verilator's."""
    points: Points = Counter()
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        found = _LINE.match(line)
        if found is None:
            raise ValueError(f"{path}, line {number}: not a coverage point: {line[:60]!r}")
        fields = dict(part.split("\x02", 1) for part in found[1].split("\x01") if "\x02" in part)
        what = fields.get("o", "")
        if fields.get("page", "").startswith("v_toggle"):
            kind = TOGGLE
        elif what in _BRANCHES:
            kind = BRANCH
        else:
            continue
        points[kind, int(fields["l"]), int(fields["n"]), what] += int(found[2])
    return points


class SourceMap:
    """Where the lines of a Verilog text of ours come from."""

    def __init__(self, verilog: str) -> None:
        self._toggles: dict[int, Place] = {}
        self._branches: dict[int, Place] = {}
        first = 1
        lines: list[str] = []
        for line in verilog.splitlines():
            lines.append(line)
            if line.startswith("endmodule"):
                self._read_module(first, lines)
                first += len(lines)
                lines = []

    def place(self, kind: str, line: int) -> Place | None:
        """The source place of a point on a Verilog line; None for what Yosys put there itself."""
        return (self._toggles if kind == TOGGLE else self._branches).get(line)

    def _read_module(self, first: int, lines: list[str]) -> None:
        """Declarations and operations first: a block may stand before what it uses."""
        module = _Module()
        source: tuple[str, int] | None = None
        for number, line in enumerate(lines, first):
            found = _SOURCE.search(line)
            here = (found[1], int(found[2])) if found else None
            if line.lstrip().startswith("(*"):
                source = here or source
                continue
            if _MODULE.match(line):
                module.place = source or module.place
            elif match := _DECLARATION.match(line):
                name = _plain(match[1])
                module.declared.setdefault(name, source if source and source[0].startswith("hdl/") else module.place)
                if not name.startswith("$"):
                    self._toggles[number] = Place(*module.declared[name], TOGGLE, name)
                if line.lstrip().startswith(("input", "output")):
                    continue  # the wire of the same name follows, from the same source line
            elif match := _REGISTER.match(line):
                module.registers[_plain(match[2])] = _plain(match[1])
            elif here and (match := _ASSIGN.match(line)):
                module.operations[_plain(match[1])] = here
            source = None
        self._read_branches(first, lines, module)

    def _read_branches(self, first: int, lines: list[str], module: _Module) -> None:
        target, place = "", None
        for number, line in enumerate(lines, first):
            if line.startswith("  always"):
                target, place = "", None
            elif not target and (match := _ASSIGNMENT.match(line)):
                target = module.registers.get(_plain(match[1]), _plain(match[1]))
            if match := _CONDITION.match(line):
                condition = _plain(match[1])
                where = module.operations.get(condition) or module.declared.get(target) or module.place
                place = None if _ARTEFACT in condition else Place(*where, BRANCH, target)
            elif " ? " in line and (match := _ASSIGN.match(line)):
                name = _plain(match[1])
                place = Place(*module.operations.get(name, module.place), BRANCH, name)
            if place is not None:
                self._branches[number] = place  # the items of a case follow on lines of their own


@dataclass(slots=True)
class _Module:
    """What a Verilog module says: places of itself, of signals and of operations; each register by its next state."""

    place: tuple[str, int] = ("", 0)
    declared: dict[str, tuple[str, int]] = field(default_factory=dict)
    operations: dict[str, tuple[str, int]] = field(default_factory=dict)
    registers: dict[str, str] = field(default_factory=dict)


def _plain(name: str) -> str:
    """A name without Verilog's escape."""
    return name.removeprefix("\\")
