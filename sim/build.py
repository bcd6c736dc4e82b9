"""Amaranth component or Verilog text -> Verilated model -> shared library with the native pump.

Each step is an entry of the user's cache (``halfsilver.sim.model.cache``): Verilog, Verilator's runtime, the model
(an archive) and the library that links them with the pump. Each is keyed by its inputs, flags and tool versions, so
a second run rebuilds only what changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.model.compilation import Compilation
from halfsilver.sim.model.tools import (
    COVERAGE_FLAGS,
    COVERAGE_MAKE_FLAGS,
    compiler,
    tool,
    tool_versions,
    verilator_root,
)
from halfsilver.sim.model.verilog import Port, block_verilog, ports_of, to_verilog
from halfsilver.sim.native.structures import header

__all__ = ["NIC_NAME", "build", "build_library", "build_nic", "nic_verilog"]

NATIVE = Path(__file__).with_name("native")
"""Sources of the pump, which is compiled with each model."""

NIC_NAME = "halfsilver"
"""Module name of the NIC in the simulation."""

CXX_FLAGS = ("-O3", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-std=c++20")
"""Hidden symbols, none of them unique: two models in one process must not share anything."""

VERILATOR_FLAGS = ("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-timing", "-Wno-fatal", "-Wno-lint")
"""``unique``: what the design leaves undefined depends on the run's seed, so that relying on it shows."""

MAKE_FLAGS = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")
"""Optimisation of the model's parts: every clock, rarely, the runtime. -O3 takes half as long again to compile, and no
run was faster for it."""


def build(component: Any, name: str, *, trace: bool = False) -> Path:
    """Shared library of an Amaranth component whose ports are those of ``halfsilver.hdl.export.AxiNic``."""
    return build_library(to_verilog(component, name), name, ports_of(component), trace=trace)


def nic_verilog(parameters: Any) -> tuple[str, list[Port]]:
    """Verilog and ports of the NIC as it is exported, module ``NIC_NAME``."""
    return block_verilog("export.AxiNic", asdict(parameters), {}, NIC_NAME)


@cache
def build_nic(parameters: Any, *, trace: bool = False) -> Path:
    """Shared library of the NIC with these NicParameters."""
    verilog, ports = nic_verilog(parameters)
    interfaces = f"{parameters.enis} interface{'s' if parameters.enis > 1 else ''}"
    return build_library(verilog, NIC_NAME, ports, trace=trace, what=f"{parameters.width} bit, {interfaces}")


def build_library(
    verilog: str,
    top: str,
    ports: Sequence[Port],
    *,
    trace: bool = False,
    coverage: bool = False,
    what: str | None = None,
) -> Path:
    """Shared library of module ``top`` of a Verilog text, with PyVerilator's symbols and the pump's.

    ``trace`` adds VCD tracing, ``coverage`` counts what is exercised; ``what`` says to people which model this is.
    Errors: EnvironmentMissing without compiler, make or perl; HalfsilverError, naming a log file, if a tool fails.
    """
    flags = [*VERILATOR_FLAGS, *(["--trace-vcd"] if trace else []), *(COVERAGE_FLAGS if coverage else [])]
    optimise = COVERAGE_MAKE_FLAGS if coverage else MAKE_FLAGS
    key = digest(verilog, top, flags, CXX_FLAGS, optimise, tool_versions())
    what = (what or top) + ", with waves" * trace + ", with coverage" * coverage
    model = entry(f"model-{key}", lambda place: _verilate(place, verilog, top, flags, optimise, what))
    runtime = _runtime(trace, coverage)
    generated = {"ports.h": _ports_header(top, ports), "structures.h": header()}
    sources = [path.read_text() for path in sorted(NATIVE.glob("*.[hc]*"))]
    key = digest(key, generated, sources)

    def link(place: Path) -> None:
        for name, text in generated.items():
            (place / name).write_text(text)
        inputs = [str(NATIVE / "pump.cpp"), str(model / "libVmodel.a"), *map(str, sorted(runtime.glob("*.o")))]
        options = ["-shared", "-Wl,-Bsymbolic", "-pthread", "-o", "model.so"]
        command = [*_compile(trace, coverage), "-I.", f"-I{model}", f"-I{NATIVE}", *inputs, *options]
        Compilation(place).run(command, "the C++ compiler")

    return entry(f"library-{key}", link) / "model.so"


def _compile(trace: bool, coverage: bool) -> list[str]:
    include = verilator_root() / "include"
    return [
        compiler(),
        *_cxx_flags(),
        f"-DVM_TRACE={int(trace)}",
        f"-DVM_TRACE_VCD={int(trace)}",
        f"-DVM_COVERAGE={int(coverage)}",
        "-DVL_TIME_CONTEXT",
        "-isystem",
        str(include),
        "-isystem",
        str(include / "vltstd"),
    ]


def _runtime(trace: bool, coverage: bool) -> Path:
    """Directory with the object files of Verilator's runtime, the same for all models."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]
    names += ["verilated_cov"] if coverage else []

    def make(place: Path) -> None:
        compilation = Compilation(place)
        for name in names:
            source = verilator_root() / "include" / f"{name}.cpp"
            compilation.run([*_compile(trace, coverage), "-c", str(source), "-o", f"{name}.o"], "the C++ compiler")

    return entry(f"runtime-{digest(names, CXX_FLAGS, tool_versions())}", make)


def _verilate(place: Path, verilog: str, top: str, flags: Sequence[str], optimise: Sequence[str], what: str) -> None:
    """Model archive and headers in ``place``."""
    verilate = [tool("perl"), str(verilator_root() / "bin" / "verilator"), "--cc", *flags]
    make = [tool("make"), "-f", "Vmodel.mk", f"-j{min(4, os.cpu_count() or 1)}", *optimise, f"CXX={compiler()}"]
    make += [f"USER_CPPFLAGS={' '.join(_cxx_flags()[1:])} -DVL_TIME_CONTEXT", "libVmodel.a"]
    (place / "top.v").write_text(verilog)
    compilation = Compilation(place, what)
    compilation.run([*verilate, "--prefix", "Vmodel", "--top-module", top, "--Mdir", ".", "top.v"], "Verilator")
    compilation.run(make, "the C++ compiler")
    for path in place.iterdir():
        if path.suffix not in (".h", ".a", ".v"):
            path.unlink()
    compilation.done()


def _ports_header(top: str, ports: Sequence[Port]) -> str:
    """``ports.h``: the port list as data, read by ``pyverilator.h`` and ``model.h``."""

    def kind(port: Port) -> str:
        return "NARROW" if port.width <= 32 else "LONG" if port.width <= 64 else "WIDE"

    data_bits = next((port.width for port in ports if port.name == "m_axis_net_tdata"), None)
    if data_bits is None:
        raise ValueError(
            f"module {top} has no port m_axis_net_tdata; the pump needs the ports of halfsilver.hdl.export.AxiNic"
        )
    own = any(port.name == "m_axis_mirror_tdata" for port in ports)
    lines = [f'#define MODULE_NAME "{top}"', f"#define DATA_BITS {data_bits}", f"#define OWN_STREAM {int(own)}"]
    for macro, is_input in (("INPUTS", True), ("OUTPUTS", False)):
        chosen = [port for port in ports if port.is_input is is_input]
        items = " \\\n".join(f"    X({port.name}, {port.width}, {kind(port)})" for port in chosen)
        lines.append(f"#define {macro}(X) \\\n{items}\n")
    return "\n".join(lines)


def _cxx_flags() -> list[str]:
    """``CXX_FLAGS`` without what the compiler does not know: Clang makes no unique symbols in the first place."""
    gcc_only = {"-fno-gnu-unique"} if "clang" in tool_versions() else set()
    return [flag for flag in CXX_FLAGS if flag not in gcc_only]
