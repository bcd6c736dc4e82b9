"""``make soak``: a server under bad days, for an hour or ``SECONDS=``; a table, and exit code 1 if something was wrong.

Clients write, read, wait and dawdle (``crowd``) while the server is killed each minute and started again, and in each
of its lives has a bad day: its disk takes nothing more for some seconds, or, in the second half of the time and where
PostgreSQL is installed, its database is restarted. In the end all that was answered is there and nothing that was
deleted, no client waits for an answer, memory has not grown in any life, and the descriptors of the clients are closed.

The disk is full by RLIMIT_FSIZE, which the kernel applies to every file of the process: it needs no root and no mount.
Jumps of the clock are left out: the kernel has no namespace for the time of day, and libfaketime is not here.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from halfsilver.harness.speed.client import Memory
from tests.control.kits.postgresql_kit import INSTALLED, postgresql, restart
from tests.control.kits.serve_kit import Server
from tests.control.soak.crowd import Crowd

HOUR, MINUTE = 3600.0, 60.0
FULL_SECONDS = 3.0
MORE_MEMORY = 32_000_000
"""Bytes by which a server may grow in a life: what its caches and threads need once."""
MORE_DESCRIPTORS = 60
"""Above those of a server that nobody has asked yet: what its store keeps, twenty connections of up to three files."""


@dataclass
class Life:
    """One life of the server: memory in bytes and descriptors at its beginning and before its end."""

    kind: str
    seconds: float = 0.0
    written: int = 0
    memory: tuple[int, int] = (0, 0)
    descriptors: tuple[int, int] = (0, 0)
    wrong: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.control.soak.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=HOUR, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build", prefix="soak.") as folder:
        found = [_soak(Path(folder) / kind, kind, options.seconds / len(_kinds()), options.seed) for kind in _kinds()]
    wrong = [each for lives, sentences in found for each in sentences + [w for life in lives for w in life.wrong]]
    print(_table([life for lives, _ in found for life in lives]))
    print(*(f"WRONG: {each}" for each in wrong[:20]), sep="\n", end="\n" if wrong else "")
    print(
        "nothing that was answered is missing, memory and descriptors are flat" if not wrong else f"{len(wrong)} wrong"
    )
    return bool(wrong)


def _kinds() -> list[str]:
    return ["SQLite", *(["PostgreSQL"] if INSTALLED else [])]


def _soak(folder: Path, kind: str, seconds: float, seed: int) -> tuple[list[Life], list[str]]:
    """All lives with one database; and what was wrong over all of them."""
    folder.mkdir()
    port = _free_port()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgresql()) if kind == "PostgreSQL" else None
        options = [] if url is None else ["--database", url]
        crowd: Crowd | None = None
        lives: list[Life] = []
        quiet = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with _server(folder / "state", options, port) as server:
                quiet = _descriptors(server) if crowd is None else quiet
                crowd = crowd or Crowd(server.served.client, server.ready["url"], seed)
                lives.append(_live(server, crowd, kind, min(MINUTE, seconds / 3), url))
                if time.monotonic() >= end:
                    crowd.close()
                    lives[-1].wrong += _left_open(server, quiet)
        assert crowd is not None
        with _server(folder / "state", options, port) as server:
            crowd.check(server.served.client(), dict(crowd.world.there), set(crowd.world.gone))
        print(f"{kind}: {dict(crowd.world.counts)}", flush=True)
        return lives, crowd.world.wrong


@contextlib.contextmanager
def _server(state: Path, options: list[str], port: int) -> Iterator[Server]:
    """Killed at the end."""
    server = Server(state, *options, port=port)
    try:
        yield server
    finally:
        server.end(signal.SIGKILL)


def _live(server: Server, crowd: Crowd, kind: str, seconds: float, url: str | None) -> Life:
    """A third of a life in peace, a full disk or a restarted database, and the rest in peace again."""
    began, before = time.monotonic(), crowd.world.counts["written"]
    time.sleep(seconds / 3)
    memory, descriptors = Memory(server.process.pid), _descriptors(server)
    start = memory.now()
    if url is None:
        _fill_disk(server, crowd, min(FULL_SECONDS, seconds / 6))
    else:
        restart(url)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    written = crowd.world.counts["written"] - before
    life = Life(kind, time.monotonic() - began, written, (start, memory.now()), (descriptors, _descriptors(server)))
    if life.memory[1] - life.memory[0] > MORE_MEMORY:
        life.wrong.append(f"the server grew from {life.memory[0]:,} to {life.memory[1]:,} bytes")
    if not written:
        life.wrong.append("nothing was written in a whole life")
    return life


def _fill_disk(server: Server, crowd: Crowd, seconds: float) -> None:
    """No file of the server may be written behind its first page. Nothing is to be answered as done meanwhile."""
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        time.sleep(0.5)  # what was under way
        before = crowd.world.counts["written"]
        time.sleep(seconds)
        done = crowd.world.counts["written"] - before
        if done:
            crowd.world.wrong.append(f"{done} changes were answered as done on a full disk")
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)


def _left_open(server: Server, quiet: int) -> list[str]:
    """Too many descriptors of a server whose clients have gone; it gets some seconds to notice."""
    for _ in range(50):
        left = _descriptors(server) - quiet
        if left <= MORE_DESCRIPTORS:
            return []
        time.sleep(0.2)
    return [f"{left} descriptors are left open"]


def _descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _table(lives: list[Life]) -> str:
    lines = [f"{'life':>4}  {'database':10}  {'seconds':>7}  {'written':>7}  {'memory, MB':>13}  {'descriptors':>11}"]
    lines += [
        f"{number:4}  {each.kind:10}  {each.seconds:7.0f}  {each.written:7,}  "
        f"{each.memory[0] / 1e6:5.0f} to {each.memory[1] / 1e6:4.0f}  "
        f"{each.descriptors[0]:4} to {each.descriptors[1]:3}"
        for number, each in enumerate(lives, 1)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
