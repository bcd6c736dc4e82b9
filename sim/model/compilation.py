"""A compilation that takes a while: says what is compiled and why one waits, shows progress, explains a failure."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError
from halfsilver.sim.model.cache import log_of, shown
from halfsilver.sim.model.tools import run_process, verilator_environment

__all__ = ["Compilation"]

TIMEOUT = 900
"""Seconds one tool may take."""

SAY_EVERY = 20.0
"""Seconds between two lines of progress where standard error is no terminal; there it is one line, kept up to date."""


class Compilation:
    """Runs the tools that fill ``directory``, an entry of the cache in the making.

    ``what`` is for people ("64 bit, 4 interfaces"); an empty one is a small thing that is made without a word.
    """

    def __init__(self, directory: Path, what: str = "") -> None:
        self._directory = directory
        self._what = what
        self._start = self._said = time.monotonic()
        self._log = log_of(directory)
        if what:
            say(f"compiling the simulation model: {what} (about a minute; kept in {shown()})")

    def run(self, command: Sequence[str], tool: str) -> None:
        """Run a command. HalfsilverError with the tool's first error and the path of a log if it fails."""
        try:
            code = run_process(
                command,
                self._directory,
                verilator_environment(),
                self._log,
                TIMEOUT,
                self._show if self._what else None,
            )
        except FileNotFoundError:
            raise EnvironmentMissing(f"{tool} is missing: {command[0]} cannot be run") from None
        if code == 0:
            self._log.unlink(missing_ok=True)
            return
        self._wipe()
        if code is None:
            raise HalfsilverError(f"{tool} did not finish within {TIMEOUT} seconds (log: {self._log})")
        lines = self._log.read_text(errors="replace").splitlines()
        errors = [line.strip() for line in lines if "error" in line.lower()] or [*filter(None, lines)] or ["no output"]
        raise HalfsilverError(f"{tool} failed with exit code {code}: {errors[0]} (log: {self._log})")

    def done(self) -> None:
        """All is compiled."""
        self._wipe()
        say(f"compiled in {time.monotonic() - self._start:.0f} s")

    def _show(self) -> None:
        """Called a few times a second while a tool runs."""
        now = time.monotonic()
        if not sys.stderr.isatty() and now - self._said < SAY_EVERY:
            return
        self._said = now
        line = f"  {now - self._start:.0f} s: {self._stage()}"
        if sys.stderr.isatty():
            print(f"\r{line:60}", end="", file=sys.stderr, flush=True)
        else:
            say(line)

    def _stage(self) -> str:
        sources, objects = (sum(1 for _ in self._directory.glob(f"*.{kind}")) for kind in ("cc", "o"))
        return f"C++ compiler, {objects} of {sources} units" if sources else "Verilator"

    def _wipe(self) -> None:
        if self._what and sys.stderr.isatty():
            print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)
