"""Where signals of a netlist go from one clock to another, and whether each way is one that is right by structure.

A way is right if it goes from a flip-flop, without logic, to the D of another one whose output goes nowhere but to the
D of further ones of the same clock (two flip-flops at least), or to an asynchronous set or reset. Memories, whose two
sides belong to a FIFO, are taken for flip-flops of the clock they are read with.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.hdl.verilog.convert import run_yosys, to_rtlil

_SCRIPT = "read_rtlil top.il; hierarchy -top top; flatten; proc; opt -full; memory_collect; techmap; opt -full"
_SCRIPT += "; opt_clean -purge; write_json top.json"


@dataclass
class Cell:
    """A flip-flop, a gate or a memory: bits by pin. ``clock``: that of a flip-flop or of a memory's reader."""

    kind: str
    pins: dict[str, list[Any]]
    outputs: set[str]
    clock: Any = None


@dataclass
class Netlist:
    """Cells, and for each bit its driver and who takes it, as (cell, pin)."""

    cells: list[Cell] = field(default_factory=list)
    driver: dict[int, Cell] = field(default_factory=dict)
    takers: dict[int, list[tuple[Cell, str]]] = field(default_factory=lambda: defaultdict(list))

    def origins(self, bit: Any, seen: set[Any]) -> Iterator[Cell]:
        """Flip-flops and memories that a bit comes from, through gates."""
        cell = self.driver.get(bit)
        if cell is None or bit in seen:
            return
        seen.add(bit)
        if cell.clock is not None:
            yield cell
            return
        for pin, bits in cell.pins.items():
            if pin not in cell.outputs:
                for each in bits:
                    yield from self.origins(each, seen)


def netlist_of(component: Any) -> Netlist:
    """A component, its domains as it declares them, in single gates."""
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        (Path(place) / "top.il").write_text(to_rtlil(component, "top", strip_src=True))
        run_yosys(_SCRIPT, Path(place))
        cells = json.loads((Path(place) / "top.json").read_text())["modules"]["top"]["cells"]
    netlist = Netlist()
    for each in cells.values():
        pins = each["connections"]
        outputs = {pin for pin, direction in each["port_directions"].items() if direction == "output"}
        cell = Cell(each["type"], pins, outputs)
        if "DFF" in cell.kind:
            cell.clock = pins["C"][0]
        elif cell.kind.startswith("$mem"):
            (cell.clock,) = set(pins["RD_CLK"])
        netlist.cells.append(cell)
        for pin, bits in pins.items():
            for bit in bits:
                if pin in outputs:
                    netlist.driver[bit] = cell
                else:
                    netlist.takers[bit].append((cell, pin))
    return netlist


def _asynchronous(cell: Cell) -> bool:
    """Whether pin R sets or resets without the clock."""
    return cell.kind.startswith(("$_DFF_", "$_DFFE_")) and "R" in cell.pins


def _arrives(netlist: Netlist, cell: Cell) -> bool:
    """Whether what a first flip-flop takes goes on to further ones alone."""
    (output,) = cell.pins["Q"]
    takers = netlist.takers[output]
    return bool(takers) and all(
        pin == "D" and "DFF" in other.kind and other.clock == cell.clock for other, pin in takers
    )


def crossings(netlist: Netlist) -> tuple[int, int, list[str]]:
    """Ways that are right, to a D and to an asynchronous set; and those that are wrong, in words."""
    data, sets, wrong = 0, 0, []
    for cell in netlist.cells:
        if "DFF" not in cell.kind:
            continue
        for pin in set(cell.pins) - cell.outputs - {"C"}:
            (bit,) = cell.pins[pin]
            free = pin == "R" and _asynchronous(cell)
            clocks = {origin.clock for origin in netlist.origins(bit, set())} - (set() if free else {cell.clock})
            if not clocks:
                continue
            source = netlist.driver[bit]
            if source.clock is None:
                wrong.append(f"logic between clocks, at {pin} of {cell}")
            elif free:
                sets += 1
            elif pin != "D" or "E" in cell.pins or not _arrives(netlist, cell):
                wrong.append(f"one flip-flop alone, at {pin} of {cell}")
            else:
                data += 1
    return data, sets, wrong
