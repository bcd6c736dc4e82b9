"""A module of a netlist without its state: what a combinational comparison needs, as RTLIL text.

Every bit of a register and every memory becomes an instance of an empty module, so that Yosys' ``expose -evert`` makes
ports of its ends, as it does of submodules. A memory gets gates before it, as it looks at some of its inputs only
sometimes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["body", "interfaces", "open_circuit"]

STATE = "state."
"""What the instances' names begin with."""

_BLACK_BOX = "attribute \\blackbox 1\n"
"""Before a module that is to be left as it is."""

_STATEFUL = ("$dff", "$mem_v2")
_PORTS = {
    "$dff": {"CLK": ("i", "1"), "D": ("i", "WIDTH"), "Q": ("o", "WIDTH")},
    "$mem_v2": {
        **{f"RD_{name}": ("i", "RD_PORTS") for name in ("CLK", "EN", "ARST", "SRST")},
        "RD_ADDR": ("i", "RD_PORTS*ABITS"),
        "RD_DATA": ("o", "RD_PORTS*WIDTH"),
        "WR_CLK": ("i", "WR_PORTS"),
        "WR_EN": ("i", "WR_PORTS*WIDTH"),
        "WR_ADDR": ("i", "WR_PORTS*ABITS"),
        "WR_DATA": ("i", "WR_PORTS*WIDTH"),
    },
}
"""Ports of what holds a state (Yosys' internal cell library): direction, and the parameters that are the width."""


def open_circuit(text: str, module: str) -> str:
    """A module of an RTLIL text with its state in instances of empty modules; and those."""
    boxes: dict[str, str] = {}
    lines = list(_boxed(body(text, module).splitlines(), boxes))
    return f"module \\{module}\n" + "\n".join(lines) + "\nend\n" + "".join(boxes.values())


def body(text: str, module: str) -> str:
    """What stands in a module."""
    _, start, rest = text.partition(f"\nmodule \\{module}\n")
    if not start:
        raise ValueError(f"no module {module} in the netlist")
    return rest.partition("\nend\n")[0]


def _boxed(lines: list[str], boxes: dict[str, str]) -> Iterator[str]:
    """The lines of a module with stateful cells as instances of ``boxes``, which are added."""
    parameters: dict[str, int] | None = None
    held: list[str] = []
    kind = instance = ""
    for line in lines:
        words = line.split()
        if words[:1] == ["cell"] and words[1] in _STATEFUL:
            parameters, kind, instance, held = {}, words[1], _bare(words[2]), []
        elif parameters is None:
            if words[:1] == ["cell"] and re.match(r"\$\w*(ff|ffe|latch|sr|mem\w*)$", words[1]):
                raise ValueError(f"a cell of kind {words[1]} holds a state and is not known here")
            yield line
        elif words[0] == "parameter":
            if words[-1].lstrip("-").isdigit():
                parameters[words[-2].lstrip("\\")] = int(words[-1])
        elif words[0] == "end":
            if kind == "$dff":
                yield from _register(instance, parameters["WIDTH"], held, boxes)
            else:
                # Yosys leaves instances alone whose name is its own.
                yield f"  cell {_box(kind, parameters, boxes)} \\{STATE}{instance}"
                yield from held
                yield line
            parameters = None
        else:
            held.append(line)


def _register(name: str, width: int, links: list[str], boxes: dict[str, str]) -> Iterator[str]:
    """A register bit by bit. A part of one that was split is called after the whole and the place in it."""
    whole, _, _ = name.partition("[")
    offset = sum(int(part.rpartition(":")[2]) for part in re.findall(r"\[([\d:]+)\]", name))
    signals = {_bare(port): signal for _, port, signal in (line.split(maxsplit=2) for line in links)}
    ends = {port: f"\\{port}.{whole}.{offset}" for port in ("D", "Q")}
    yield from (f"  wire width {width} {end}" for end in ends.values())
    yield f"  connect {ends['D']} {signals['D']}"
    yield f"  connect {signals['Q']} {ends['Q']}"
    for bit in range(width):
        yield f"  cell {_box('$dff', {'WIDTH': 1}, boxes)} \\{STATE}{whole}.{offset + bit}"
        yield f"    connect \\CLK {signals['CLK']}"
        yield from (f"    connect \\{port} {end} [{bit}]" for port, end in ends.items())
        yield "  end"


def _box(kind: str, parameters: dict[str, int], boxes: dict[str, str]) -> str:
    """Name of the module that stands for a cell: empty, or a memory's gates before an empty one."""
    widths = {}
    for port, (direction, width) in _PORTS[kind].items():
        bits = 1
        for factor in width.split("*"):
            bits *= 1 if factor == "1" else parameters[factor]
        widths[port] = direction, bits
    shape = "_".join(str(bits) for _, bits in widths.values())
    name = f"\\state_{kind.lstrip('$')}_{shape}"
    ports = [
        f"  wire width {bits} {'input' if direction == 'i' else 'output'} {number} \\{port}\n"
        for number, (port, (direction, bits)) in enumerate(widths.items(), 1)
    ]
    gates = _memory_gates(parameters) if kind == "$mem_v2" else {}
    if gates:
        links = [f"    connect \\{port} {gates.get(port, ('', chr(92) + port))[1]}\n" for port in widths]
        cells = "".join(text for text, _ in gates.values())
        inner = f"  cell {name}_inside \\inside\n{''.join(links)}  end\n"
        boxes[name] = f"module {name}\n{''.join(ports)}{cells}{inner}end\n"
        name, outer = f"{name}_inside", name
        boxes[name] = f"{_BLACK_BOX}module {name}\n{''.join(ports)}end\n"
        return outer
    boxes[name] = f"{_BLACK_BOX}module {name}\n{''.join(ports)}end\n"
    return name


def _memory_gates(parameters: dict[str, int]) -> dict[str, tuple[str, str]]:
    """Cells that let pass what matters, and the signal behind them, by port.

    Data count where they are written, an address while its port is enabled; else a memory ignores them.
    """
    address, word = parameters["ABITS"], parameters["WIDTH"]
    gates = {}
    for side, enable in (("WR", word), ("RD", 1)):
        text, signals = "", list[str]()
        for port in range(parameters[f"{side}_PORTS"]):
            on = f"\\{side}_EN [{(port + 1) * enable - 1}:{port * enable}]"
            bits = f"\\{side}_ADDR [{(port + 1) * address - 1}:{port * address}]"
            any_on, passed = f"\\{side}_any_{port}", f"\\{side}_address_{port}"
            text += f"  wire {any_on}\n  wire width {address} {passed}\n"
            text += _cell("reduce_bool", any_on, {"A": (on, enable)}, 1)
            text += f"  cell $mux $gate{passed}\n    parameter \\WIDTH {address}\n    connect \\S {any_on}\n"
            text += (
                f"    connect \\A {address}'{'0' * address}\n    connect \\B {bits}\n    connect \\Y {passed}\n  end\n"
            )
            signals.insert(0, passed)
        if signals:
            gates[f"{side}_ADDR"] = text, f"{{ {' '.join(signals)} }}"
    total = word * parameters["WR_PORTS"]
    if total:
        data = f"  wire width {total} \\WR_data\n"
        data += _cell("and", "\\WR_data", {"A": ("\\WR_DATA", total), "B": ("\\WR_EN", total)}, total)
        gates["WR_DATA"] = data, "\\WR_data"
    return gates


def _cell(kind: str, output: str, inputs: dict[str, tuple[str, int]], width: int) -> str:
    """One of Yosys' cells for an operator, as text."""
    lines = [f"  cell ${kind} $gate{output}"]
    for port, (signal, bits) in inputs.items():
        lines += [f"    parameter \\{port}_SIGNED 0", f"    parameter \\{port}_WIDTH {bits}"]
        lines += [f"    connect \\{port} {signal}"]
    lines += [f"    parameter \\Y_WIDTH {width}", f"    connect \\Y {output}", "  end"]
    return "\n".join(lines) + "\n"


def interfaces(text: str) -> str:
    """All modules with their ports alone."""
    parts = []
    for module in re.findall(r"^module .*?^end$", text, re.M | re.S):
        lines = module.splitlines()
        ports = [line for line in lines if re.match(r"  wire .*\b(input|output|inout) \d+ ", line)]
        parts.append(_BLACK_BOX + "\n".join([lines[0], *ports, "end"]) + "\n")
    return "".join(parts)


def _bare(name: str) -> str:
    return name.removeprefix("\\")
