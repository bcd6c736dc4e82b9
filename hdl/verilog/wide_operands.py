"""RTLIL whose operators have operands as wide as their result, so that its Verilog leaves no width to be guessed.

Amaranth writes each operand as wide as it is and lets the cell extend it. In Verilog that becomes an expression of
unequal widths, for which lint tools rightly want to know whether it was meant. Here the extension is written out.
"""

import re

__all__ = ["widen_operands"]

_CELL = re.compile(r"^  cell \$(\w+) (\S+)\n(.*?)^  end\n", re.M | re.S)
_PARAMETER = re.compile(r"^    parameter \\(\w+) (\S+)\n", re.M)
_CONNECT = re.compile(r"^    connect \\(\w+) (.*)\n", re.M)

_ALIKE = {"eq", "ne", "lt", "le", "gt", "ge"}
"""Operands as wide as each other; the result is one bit."""

_RESULT = {"add", "sub", "mul", "and", "or", "xor", "xnor"}
"""Operands and result as wide as the widest of them."""

_SHIFT = {"shl", "shr", "sshr"}
"""First operand and result as wide as the wider of them."""


def widen_operands(text):
    """The same circuit with the operands of every operator zero-extended; signed operators stay as they are.

    An operand of no bits, which Verilog does not have, becomes one bit that says the same: 1 where all must be set.
    What has a result of no bits is left out.
    """
    return _CELL.sub(_widen, text)


def _widen(match):
    kind, name, body = match.groups()
    numbers = dict(_PARAMETER.findall(body))
    ports = dict(_CONNECT.findall(body))
    if numbers.get("Y_WIDTH") == "0":
        return ""
    empty = [port for port in "AB" if numbers.get(f"{port}_WIDTH") == "0"]
    for port in empty:
        numbers[f"{port}_WIDTH"] = "1"
        ports[port] = "1'1" if kind == "reduce_and" else "1'0"
    if empty:
        return _widen(_CELL.fullmatch(_cell(kind, name, numbers, ports)))
    if kind not in _ALIKE | _RESULT | _SHIFT or numbers["A_SIGNED"] != "0" or numbers["B_SIGNED"] != "0":
        return match.group(0)
    widths = {port: int(numbers[f"{port}_WIDTH"]) for port in "ABY"}
    grown = {"A", "B"} if kind in _ALIKE else {"A", "B", "Y"} if kind in _RESULT else {"A", "Y"}
    wide = max(widths[port] for port in grown)
    before = after = ""
    for port in grown:
        missing = wide - widths[port]
        if not missing:
            continue
        if port == "Y":
            # The upper bits of a wider result go nowhere.
            whole = f"{name}$whole"
            before = f"  wire width {wide} {whole}\n"
            after = f"  connect {ports['Y']} {whole} [{widths['Y'] - 1}:0]\n"
            ports["Y"] = whole
        else:
            ports[port] = f"{{ {missing}'{'0' * missing} {ports[port]} }}"
        numbers[f"{port}_WIDTH"] = str(wide)
    return f"{before}{_cell(kind, name, numbers, ports)}{after}"


def _cell(kind, name, numbers, ports):
    lines = [f"    parameter \\{key} {value}\n" for key, value in numbers.items()]
    lines += [f"    connect \\{port} {value}\n" for port, value in ports.items()]
    return f"  cell ${kind} {name}\n{''.join(lines)}  end\n"
