"""Where in the gateware's source a cell of the netlist is written.

Cells that Yosys makes of processes (multiplexers, comparisons of a switch) carry no place. What they drive does, so
the way goes on from cell to cell until something has one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

__all__ = ["Places"]

OWN = "hdl/"
_LIBRARY = "site-packages/"
_SIGNAL = re.compile(r"[\\$][^\s\[{}]+")
_OUTPUTS = ("Y", "Q", "RD_DATA")


@dataclass(slots=True)
class _Cell:
    place: str
    drives: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Module:
    place: str
    cells: dict[str, _Cell] = field(default_factory=dict)
    wires: dict[str, str] = field(default_factory=dict)
    readers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    aliases: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Places:
    """The places of all cells of an RTLIL text."""

    def __init__(self, text: str) -> None:
        self._modules: dict[str, _Module] = {}
        module, cell, place = _Module(""), None, ""
        for line in text.splitlines():
            word, _, rest = line.strip().partition(" ")
            if word == "attribute":
                if rest.startswith("\\src "):
                    place = _own_first(rest.partition('"')[2].rstrip('"'))
                continue
            if word == "module":
                module = self._modules[_bare(rest)] = _Module(place)
            elif word == "wire":
                module.wires[rest.split()[-1]] = place
            elif word == "cell":
                kind, name = rest.split()
                cell = module.cells[_bare(name)] = _Cell(place)
                cell_name = _bare(name)
            elif word == "connect" and cell is not None:
                port, _, signals = rest.partition(" ")
                names = _SIGNAL.findall(signals)
                if _bare(port) in _OUTPUTS:
                    cell.drives.update(names)
                else:
                    for name in names:
                        module.readers[name].append(cell_name)
            elif word == "connect":
                names = _SIGNAL.findall(rest)
                for name in names[1:]:
                    module.aliases[name].append(names[0])
            elif word == "end":
                cell = None
            place = ""

    def of(self, module: str, cell: str) -> str:
        """``hdl/file.py:line``; a file of Amaranth's where the cell is written there; else the module's place."""
        inside = self._modules[_bare(module)]
        first = inside.cells[_bare(cell)]
        if first.place:
            return first.place
        seen, following = {_bare(cell)}, [first]
        while following:
            signals = sorted({name for one in following for name in one.drives})
            signals += [alias for name in signals for alias in inside.aliases.get(name, ())]
            for name in signals:
                if inside.wires.get(name, "").startswith(OWN):
                    return inside.wires[name]
            readers = sorted({reader for name in signals for reader in inside.readers.get(name, ())} - seen)
            for reader in readers:
                if inside.cells[reader].place.startswith(OWN):
                    return inside.cells[reader].place
            seen.update(readers)
            following = [inside.cells[reader] for reader in readers]
        return inside.place


def _own_first(places: str) -> str:
    """The first of several that is ours; of Amaranth's own the part that is the same on every machine."""
    every = places.split("|")
    own = [place for place in every if place.startswith(OWN)]
    return own[0] if own else every[0].rpartition(_LIBRARY)[2]


def _bare(name: str) -> str:
    return name.removeprefix("\\")
