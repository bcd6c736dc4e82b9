"""A job: one command in a process and a folder of its own, with a time limit; and what became of it."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import UsageError
from halfsilver.sim.places import version_of

__all__ = ["DONE", "FAILED", "LATE", "LOST", "SOURCES", "Answer", "Job", "run_job"]

DONE, FAILED, LATE, LOST = "done", "failed", "late", "lost"
"""What became of a job: exit status 0, another one, out of time, or its worker went again and again."""

SOURCES = ("hdl/**/*.py", "harness/**/*.py", "sim/**/*.py", "sim/**/*.cpp", "sim/**/*.h")
"""What an answer depends on, besides its command: after a change of these it no longer counts."""

PYTHON = "python"
"""As the first word of a command: the interpreter that the worker itself runs on."""

REPORT = Path("build", "farm.json")
"""What some commands leave in their folder; the answer has it whole."""

TAIL = 4000
"""Characters of a job's output that its answer keeps."""

_PR_SET_PDEATHSIG = 1
"""Linux: prctl.h."""


@dataclass(frozen=True, slots=True)
class Job:
    """``name`` is for people; ``seconds`` is the limit by the clock; ``resources`` as a Dask worker offers them."""

    name: str
    words: tuple[str, ...]
    seconds: float
    resources: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, line: str) -> Job:
        """UsageError for what is no job, with what would be right."""
        known = {each.name for each in fields(cls)}
        try:
            told = json.loads(line)
            strange = sorted(told.keys() - known)
            if strange:
                raise UsageError(f"a job has no {strange[0]}; it has {', '.join(sorted(known))}")
            return cls(**(told | {"words": tuple(map(str, told["words"]))}))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"not a job: {line.strip()[:80]!r} ({error}); it has {', '.join(sorted(known))}") from None

    def key(self, version: str) -> str:
        """The same for the same command on the same sources."""
        return hashlib.sha256(repr((version, self.words)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a job. ``report`` is what its command left as ``build/farm.json``, where it does."""

    key: str
    name: str
    result: str
    status: int | None
    seconds: float
    where: str
    output: str
    report: dict[str, Any] | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def run_job(job: Job, version: str, folder: str) -> Answer:
    """Run a job in a new folder below ``folder``. At its limit it ends, with all that it started.

    On Linux its first process ends with this one, too. Where the sources are not of this ``version``, it fails at once.
    """
    key, here = job.key(version), socket.gethostname()
    mine = version_of(SOURCES)
    if mine != version:
        return Answer(key, job.name, FAILED, None, 0.0, here, f"this worker has other sources: {mine}, not {version}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=folder))
    words = [sys.executable if word == PYTHON and at == 0 else word for at, word in enumerate(job.words)]
    start = time.monotonic()
    with (place / "output.txt").open("w+") as output:
        process = _start(words, place, output.fileno())
        try:
            status: int | None = process.wait(job.seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
        output.seek(0)
        text = output.read()[-TAIL:]
    result = LATE if status is None else FAILED if status else DONE
    taken = round(time.monotonic() - start, 1)
    return Answer(key, job.name, result, status, taken, f"{here}:{place}", text, _report(place))


def _start(words: list[str], place: Path, output: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that it can be ended whole; on Linux it ends with the thread that waits for it."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_us() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return subprocess.Popen(
        words,
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=end_with_us,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _report(place: Path) -> dict[str, Any] | None:
    try:
        told = json.loads((place / REPORT).read_text())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
