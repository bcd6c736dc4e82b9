"""Amaranth component or Verilog text -> Verilated model -> shared library with the native pump.

Each step is an entry of the user's cache (``halfsilver.sim.model.cache``): Verilog, Verilator's runtime, the model
(its objects) and the library that links them with the pump. Each is keyed by its inputs, flags and tool versions, so
a second run rebuilds only what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.model.compilation import Compilation
from halfsilver.sim.model.tools import COVERAGE_FLAGS, compiler, tool, tool_versions, verilator_root
from halfsilver.sim.model.units import COVERAGE, Optimisation, compile_units, includes, objects, runtime
from halfsilver.sim.model.verilog import Port, block_verilog, ports_of, to_verilog
from halfsilver.sim.native.structures import header

__all__ = ["NIC_NAME", "build", "build_library", "build_nic", "nic_verilog"]

NATIVE = Path(__file__).with_name("native")
"""Sources of the pump, which is compiled with each model."""

NIC_NAME = "halfsilver"
"""Module name of the NIC in the simulation."""

CXX_FLAGS = ("-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-std=c++20")
"""Hidden symbols, none of them unique: two models in one process must not share anything."""

VERILATOR_FLAGS = ("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-timing", "-Wno-fatal", "-Wno-lint")
"""``unique``: what the design leaves undefined depends on the run's seed, so that relying on it shows."""

OPTIMISATION = Optimisation(fast="-O2", slow="-O0", runtime="-O3")
"""-O3 for what runs in each clock takes half as long again to compile, and no run was faster for it."""

PUMP_LEVEL = "-O3"


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
    optimise = COVERAGE if coverage else OPTIMISATION
    defined = _flags(trace, coverage)
    key = digest(verilog, top, flags, defined, optimise, tool_versions())
    what = (what or top) + ", with waves" * trace + ", with coverage" * coverage
    model = entry(f"model-{key}", lambda place: _verilate(place, verilog, top, flags, optimise, defined, what))
    shared = runtime(_runtime(trace, coverage), defined, optimise.runtime)
    generated = {"ports.h": _ports_header(top, ports), "structures.h": header()}
    sources = [path.read_text() for path in sorted(NATIVE.glob("*.[hc]*"))]
    key = digest(key, generated, sources)

    def link(place: Path) -> None:
        for name, text in generated.items():
            (place / name).write_text(text)
        inputs = [str(NATIVE / "pump.cpp"), *objects(model, shared)]
        options = ["-shared", "-Wl,-Bsymbolic", "-pthread", "-o", "model.so"]
        headers = ["-I.", f"-I{model}", f"-I{NATIVE}", *includes()]
        command = [compiler(), PUMP_LEVEL, *defined, *headers, *inputs, *options]
        Compilation(place).run(command, "the C++ compiler")

    return entry(f"library-{key}", link) / "model.so"


def _flags(trace: bool, coverage: bool) -> list[str]:
    """Flags of everything that becomes part of a model."""
    return [
        *_cxx_flags(),
        f"-DVM_TRACE={int(trace)}",
        f"-DVM_TRACE_VCD={int(trace)}",
        f"-DVM_COVERAGE={int(coverage)}",
        "-DVL_TIME_CONTEXT",
    ]


def _runtime(trace: bool, coverage: bool) -> list[str]:
    """What a model needs of Verilator's runtime."""
    return ["verilated", "verilated_threads", *["verilated_vcd_c"] * trace, *["verilated_cov"] * coverage]


def _verilate(
    place: Path, verilog: str, top: str, flags: Sequence[str], optimise: Optimisation, defined: Sequence[str], what: str
) -> None:
    """Objects and headers of the model in ``place``."""
    verilate = [tool("perl"), str(verilator_root() / "bin" / "verilator"), "--cc", *flags]
    (place / "top.v").write_text(verilog)
    compilation = Compilation(place, what)
    compilation.run([*verilate, "--prefix", "Vmodel", "--top-module", top, "--Mdir", ".", "top.v"], "Verilator")
    compile_units(compilation, place, defined, optimise)
    for path in place.iterdir():
        if path.suffix not in (".h", ".o", ".v"):
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
