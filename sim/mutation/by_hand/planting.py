"""``make mutants LIST=hand``: plants one-line faults in the gateware and counts those the regression catches.

For each fault of ``halfsilver.sim.mutation.by_hand.faults`` the gateware, host code and simulation are copied to
``build/mutants/<name>``, one line is changed, and
``halfsilver.sim.mutation.regression`` runs there in a process of its own.
A control run without a fault comes first. The result goes to ``build/mutants-hand.json``. A run of the whole list
goes on where one of the same tree and seed was interrupted.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, EnvironmentMissing, HalfsilverError, UsageError
from halfsilver.sim.model.cache import VARIABLE, directory
from halfsilver.sim.mutation.by_hand.faults import FAULTS, Fault
from halfsilver.sim.mutation.by_hand.outcomes import CAUGHT, SURVIVED, UNKNOWN, Kept, Outcome
from halfsilver.sim.mutation.regression import PHASES
from halfsilver.sim.places import BUILD, ROOT, shown

__all__ = ["CAUGHT", "REPORT", "Outcome", "run"]

PLACE = BUILD / "mutants"
REPORT = BUILD / "mutants-hand.json"
KEPT = PLACE / "hand.json"
COPIED = ("hdl", "harness", "sim")
PACKAGE = "halfsilver"
"""The copies are one import package, as in an installation."""
YOSYS_CACHE = "YOWASP_CACHE_DIR"
"""Where Yosys, which is WebAssembly, keeps itself translated: minutes of work that no fault changes."""
CACHE = "cache"
"""Each copy's own: a gateware with a fault is of no use to anybody else."""
TIMEOUT = 600
"""Seconds for one fault: the build and the regression take about 15 on an idle machine."""


def run(only: Sequence[str], jobs: int, seed: int) -> dict[str, Outcome]:
    """The faults of these names, or all; table on stdout, JSON in `REPORT`.

    Errors: UsageError for a name that there is not, HalfsilverError if the gateware fails without any fault.
    """
    names = [fault.name for fault in FAULTS]
    if unknown := [name for name in only if name not in names]:
        raise UsageError(f"no fault is called {unknown[0]!r}; there are: {', '.join(names)}")
    chosen = [fault for fault in FAULTS if not only or fault.name in only]
    with _alone():
        outcomes = _run_all(chosen, jobs, seed, whole=not only)
    _report(chosen, outcomes, seed)
    return outcomes


def _run_all(faults: Sequence[Fault], jobs: int, seed: int, whole: bool) -> dict[str, Outcome]:
    """Control runs, then the faults; of the whole list those that are not known from an interrupted run.

    HalfsilverError if the gateware fails without any fault.
    """
    runner = _Runner(seed)
    kept = Kept(KEPT, runner.control / PACKAGE, seed) if whole else None
    outcomes: dict[str, Outcome] = dict(kept.outcomes) if kept else {}
    if outcomes:
        print(f"known from before: {len(outcomes)} of {len(faults)}", file=sys.stderr, flush=True)
    left = [fault for fault in faults if fault.name not in outcomes]
    pool = ThreadPoolExecutor(jobs)
    try:
        # One after the other: the first build makes the runtime that all others link.
        for build in dict.fromkeys(fault.build for fault in left):
            _control(build, runner)
        pending = {pool.submit(_plant, fault, runner): fault for fault in left}
        for future in as_completed(pending):
            fault, outcome = pending[future], future.result()
            outcomes[fault.name] = outcome
            if kept:
                kept.add(fault.name, outcome)
            print(
                f"[{len(outcomes)}/{len(faults)}] {fault.name}: {outcome.result} ({outcome.seconds:.0f} s) "
                f"{outcome.by}",
                file=sys.stderr,
                flush=True,
            )
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        runner.stop()
        raise
    pool.shutdown()
    return {fault.name: outcomes[fault.name] for fault in faults}


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another run in this tree to end: both would use the same folders."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another run to end ...", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Runner:
    """Runs the regression in copies of the tree. The control copy is the snapshot all others are made of."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self.control = PLACE / "control"
        for name in COPIED:
            shutil.rmtree(self.control / PACKAGE / name, ignore_errors=True)
            shutil.copytree(ROOT / name, self.control / PACKAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
        self._compiler = self._quick_compiler()

    @contextmanager
    def copy(self, name: str) -> Iterator[Path]:
        """A copy of the snapshot, with the compiled runtime of the control run; gone afterwards."""
        place = PLACE / name
        shutil.rmtree(place, ignore_errors=True)
        for part in COPIED:
            shutil.copytree(
                self.control / PACKAGE / part, place / PACKAGE / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        cache = place / CACHE / PACKAGE
        cache.mkdir(parents=True)
        for runtime in (self.control / CACHE / PACKAGE).glob("runtime-*"):
            (cache / runtime.name).symlink_to(runtime, target_is_directory=True)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def run(self, place: Path, build: str) -> tuple[int | None, str]:
        """Exit code (None: timed out) and last line of the regression in ``place``."""
        command = [
            sys.executable,
            "-m",
            "halfsilver.sim.mutation.regression",
            "--build",
            build,
            "--seed",
            str(self._seed),
        ]
        environment = os.environ | {
            "PYTHONPATH": str(place),
            "CXX": str(self._compiler),
            VARIABLE: str(place / CACHE),
            YOSYS_CACHE: os.environ.get(YOSYS_CACHE, str(directory().parent / "YoWASP")),
        }
        process = subprocess.Popen(
            command,
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            if self._stopped:
                _kill(process)
            output, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            return None, f"not done within {TIMEOUT} seconds"
        finally:
            self._running.discard(process)
        lines = output.strip().splitlines()
        return process.returncode, lines[-1] if lines else ""

    def stop(self) -> None:
        """End what is running; nothing new starts."""
        self._stopped = True
        for process in list(self._running):
            _kill(process)

    def _quick_compiler(self) -> Path:
        """The C++ compiler without optimisation: the runs are short, so most of the time is compilation."""
        real = next(
            (
                path
                for name in (os.environ.get("CXX"), "c++", "g++", "clang++")
                if name and (path := shutil.which(name))
            ),
            None,
        )
        if real is None:
            raise EnvironmentMissing("no C++ compiler found (c++, g++ or clang++, or the variable CXX)")
        script = PLACE / "c++"
        script.write_text(f'#!/bin/sh\n# The last -O counts.\nexec "{real}" "$@" -O0\n')
        script.chmod(0o755)
        return script


def _kill(process: subprocess.Popen[str]) -> None:
    """The regression and the tools it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _control(build: str, runner: _Runner) -> None:
    """The unmodified gateware must pass; HalfsilverError if not."""
    start = time.monotonic()
    code, line = runner.run(runner.control, build)
    if code != EXIT_OK:
        raise HalfsilverError(f"the gateware without any fault does not pass ({build} build): {line}")
    print(f"control, {build} build: passed ({time.monotonic() - start:.0f} s)", file=sys.stderr, flush=True)


def _plant(fault: Fault, runner: _Runner) -> Outcome:
    """Run the regression with one fault."""
    start = time.monotonic()
    with runner.copy(fault.name) as place:
        try:
            fault.apply(place / PACKAGE)
        except ValueError as error:
            return Outcome(UNKNOWN, str(error), 0.0)
        code, line = runner.run(place, fault.build)
    result = UNKNOWN
    if code == EXIT_OK:
        result = SURVIVED
    elif code == EXIT_MISMATCH and line.partition(":")[0] in PHASES:  # and not a traceback
        result = CAUGHT
    return Outcome(result, line, time.monotonic() - start)


def _report(faults: Sequence[Fault], outcomes: dict[str, Outcome], seed: int) -> None:
    """Table on stdout, JSON in a file."""
    caught = sum(outcome.result == CAUGHT for outcome in outcomes.values())
    width = max(len(fault.name) for fault in faults)
    for fault in faults:
        outcome = outcomes[fault.name]
        by = outcome.by.partition(":")[0] if outcome.result == CAUGHT else ""
        print(f"{fault.name:{width}}  {outcome.result:9}  {by:10}  {fault.breaks}")
    print(f"caught {caught} of {len(faults)} planted faults; seed {seed}")
    answer: dict[str, Any] = {
        "planted": len(faults),
        "caught": caught,
        "seed": seed,
        "faults": [
            {
                "name": fault.name,
                "breaks": fault.breaks,
                "build": fault.build,
                "result": outcomes[fault.name].result,
                "by": outcomes[fault.name].by,
            }
            for fault in faults
        ],
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(answer, indent=2) + "\n")
    print(shown(REPORT))
