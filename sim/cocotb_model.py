"""Verilog -> Verilated model that cocotb can drive, in the user's cache, and how a simulation of it is run.

A model is a shared object that is preloaded into the Python executable (``cocotb_host.cpp`` says why). It is keyed
by its Verilog, the flags and the tool versions. Only the ports of the top are visible to cocotb: benches judge a
block from outside, and the model stays fast.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import cocotb_tools.config

from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.model.compilation import Compilation
from halfsilver.sim.model.tools import COVERAGE_FLAGS, compiler, run_process, tool, tool_versions, verilator_root
from halfsilver.sim.model.units import COVERAGE, ONCE, Optimisation, compile_units, objects, runtime

__all__ = ["TOP", "Flavour", "build_model", "exclusive", "simulate"]

HOST = Path(__file__).with_name("cocotb_host.cpp")

TOP = "bench_top"
"""Module name of whatever is simulated."""

_PYTHON = os.path.realpath(sys.executable)
_LIBRARIES = Path(cocotb_tools.config.libs_dir)
_MAIN = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"


class Flavour(Enum):
    """How a model is compiled: words for people, flags of Verilator, and the compiler's optimisation.

    BENCH  only the ports are visible; compiled soon, as a bench spends its time in Python
    FAST   the same, and the compiler takes its time: what speed is measured with
    STOCK  what cocotb's own runner asks for: every signal can be read and written, the compiler's defaults
    """

    BENCH = "", ("--public-depth", "1", "-O3"), Optimisation("-O1", "-O0", "-O1")
    FAST = ", optimised", ("--public-depth", "1", "-O3"), Optimisation("-O2", "-O0", "-O1")
    STOCK = ", as its own runner builds it", ("--public-flat-rw",), Optimisation("-Os", "-O0", "-Os")


_VERILATOR_FLAGS = (
    "--cc",
    "--vpi",
    "--prefix",
    "Vtop",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--timescale",
    "1ns/1ps",
    "--no-timing",
    "-Wno-fatal",
    "-Wno-lint",
)

_CXX_FLAGS = ("-std=c++20", "-fPIC", "-Dmain=simulation_main")


def build_model(
    what: str, verilog: str, *, waves: bool = False, flavour: Flavour = Flavour.BENCH, coverage: bool = False
) -> Path:
    """The model of a Verilog text whose top is `TOP`.

    ``what`` says to people which model this is. ``waves``: can write a VCD file. ``coverage``: counts what is
    exercised. Errors: EnvironmentMissing, HalfsilverError with the path of the log.
    """
    words, chosen, optimise = flavour.value
    if coverage:
        chosen, optimise = (*chosen, *COVERAGE_FLAGS), COVERAGE
    flags = [*_CXX_FLAGS, f"-DVM_TRACE={int(waves)}", f"-DVM_TRACE_VCD={int(waves)}", f"-DVM_COVERAGE={int(coverage)}"]
    recipe = [_VERILATOR_FLAGS, chosen, optimise, flags, HOST.read_text(), importlib.metadata.version("cocotb")]
    key = digest(verilog, recipe, waves, tool_versions())
    details = f"{what}, for cocotb{words}" + ", with waves" * waves + ", with coverage" * coverage

    def make(place: Path) -> None:
        trace = ["--trace-vcd"] if waves else []
        verilate = [tool("perl"), str(verilator_root() / "bin" / "verilator"), *_VERILATOR_FLAGS, *chosen, *trace]
        (place / "top.v").write_text(verilog)
        compilation = Compilation(place, details)
        compilation.run([*verilate, "--top-module", TOP, "--Mdir", ".", "top.v"], "Verilator")
        shutil.copy(_MAIN, place / f"main{ONCE}.cpp")
        compile_units(compilation, place, flags, optimise)
        _link(compilation, place, _runtime(flags, optimise, waves, coverage))
        for path in place.iterdir():
            if path.name != "model.so":
                path.unlink()
        compilation.done()

    return entry(f"cocotb-{key}", make) / "model.so"


def _runtime(flags: Sequence[str], optimise: Optimisation, waves: bool, coverage: bool) -> Path:
    """Verilator's runtime, and the simulation's host."""
    names = ["verilated", "verilated_vpi", "verilated_threads"]
    names += ["verilated_vcd_c"] * waves + ["verilated_cov"] * coverage
    return runtime(names, flags, optimise.runtime, {"host": HOST})


def _link(compilation: Compilation, place: Path, shared: Path) -> None:
    cocotb = [f"-L{_LIBRARIES}", "-lcocotbvpi_verilator", "-ldl", "-pthread"]
    command = [compiler(), "-shared", "-o", "model.so", *objects(place, shared), *cocotb]
    compilation.run(command, "the linker")


def simulate(
    model: Path,
    modules: str,
    directory: Path,
    *,
    seed: int,
    results: Path,
    log: Path,
    timeout: float,
    environment: Mapping[str, str],
    test_filter: str | None = None,
    waves: bool = False,
    coverage: Path | None = None,
) -> int | None:
    """Run cocotb test modules on a model, in ``directory``; returns the exit code, None after a timeout.

    ``waves`` writes ``dump.vcd`` there, ``coverage`` names the file for a model that counts. Undefined bits get their
    values from the seed.
    """
    variables = os.environ | {
        "LD_PRELOAD": str(model),
        "LD_LIBRARY_PATH": os.pathsep.join([str(_LIBRARIES), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]),
        "COCOTB_TOPLEVEL": TOP,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TEST_MODULES": modules,
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        "GPI_USERS": cocotb_tools.config.pygpi_entry_point(),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        **environment,
    }
    if test_filter is not None:
        variables["COCOTB_TEST_FILTER"] = test_filter
    command = [_PYTHON, "+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]
    if coverage is not None:
        command.append(f"+verilator+coverage+file+{coverage}")
    return run_process(command + ["--trace"] * waves, directory, variables, log, timeout)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time: others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
