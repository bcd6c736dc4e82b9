"""``make soak``: a server under bad days, for an hour or ``SECONDS=``; a table, and exit code 1 if something was wrong.

Clients write, read, wait and dawdle (``crowd``) while the server is killed each minute and started again, and in each
of its lives has a bad day: its disk takes nothing more for some seconds, or, with PostgreSQL, its database is
restarted; and then its clock jumps (``jumps``), to come back some seconds later or to stay until the next life. In the
end all that was answered is there and nothing that was deleted, no client waits for an answer, nothing that the server
keeps has grown with the requests (``flat``), and the descriptors of the clients are closed. Where PostgreSQL is
installed, it has the second half of the time.

The disk is full by RLIMIT_FSIZE, which the kernel applies to every file of the process: it needs no root and no mount.
The clock is the server's own (``skewed_server``): the kernel has no namespace for the time of day.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.control.kits.postgresql_kit import INSTALLED, postgresql, restart
from tests.control.kits.serve_kit import ROOT, Server
from tests.control.soak.crowd import Crowd, Hands
from tests.control.soak.flat import FIGURES, SAMPLES_OF_LIFE, Sample, Watch, count, growth
from tests.control.soak.jumps import Jumper, draw
from tests.control.soak.skew import PROGRAM, Skew

HOUR, MINUTE = 3600.0, 60.0
FULL_SECONDS = 3.0
KINDS = ("SQLite", *(("PostgreSQL",) if INSTALLED else ()))
MORE_DESCRIPTORS = 60
"""Above those of a server that nobody has asked yet: what its store keeps, twenty connections of up to three files."""


@dataclass
class Life:
    """One life of the server: how far its clock was ahead, and samples of what it kept."""

    kind: str
    ahead: float
    seconds: float = 0.0
    written: int = 0
    samples: list[Sample] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.control.soak.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=HOUR, help="default: %(default)g")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--database", choices=KINDS, help="default: each of them for an equal part of the time")
    parser.add_argument(
        "--leak", type=int, default=0, help="bytes that each request is to leave behind: a fault to find"
    )
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    kinds = [options.database] if options.database else KINDS
    build = Path("build").absolute()
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="soak.") as folder:
        found = [
            _soak(Path(folder) / kind, kind, options.seconds / len(kinds), options.seed, options.leak) for kind in kinds
        ]
    lives = [life for lives, _ in found for life in lives]
    samples = build / f"soak-{options.seed}.json"
    samples.write_text(json.dumps([asdict(life) for life in lives]))
    wrong = [each for lives, sentences in found for each in sentences + [w for life in lives for w in life.wrong]]
    print(_table(lives))
    print(*(f"WRONG: {each}" for each in wrong[:20]), sep="\n", end="\n" if wrong else "")
    print(f"{len(wrong)} wrong" if wrong else "nothing that was answered is missing, and what the server keeps is flat")
    print(f"{samples.relative_to(build.parent)} has what was seen of it")
    return bool(wrong)


def _soak(folder: Path, kind: str, seconds: float, seed: int, leak: int) -> tuple[list[Life], list[str]]:
    """All lives with one database; and what was wrong over all of them."""
    (folder / "tmp").mkdir(parents=True)
    chance, skew = random.Random(f"{seed} {kind}"), Skew(folder / "ahead")
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgresql()) if kind == "PostgreSQL" else None
        options = ["--ahead", str(skew.path), *(["--leak", str(leak)] if leak else [])]
        options += [] if url is None else ["--database", url]
        port = _free_port()
        crowd: Crowd | None = None
        jumper: Jumper | None = None
        lives: list[Life] = []
        quiet = 0
        end, last = time.monotonic() + seconds, False
        while not last:
            recorded = len(lives) % 3 == 1
            audit = ["--audit", str(folder / "audit.jsonl")] if recorded else []
            with _server(folder / "state", [*options, *audit], port) as server:
                quiet = _descriptors(server) if crowd is None else quiet
                crowd = crowd or Crowd(Hands(server.served, skew), seed)
                jumper = jumper or Jumper(crowd)
                crowd.unsure = recorded or url is not None
                life = min(MINUTE, seconds / 3)
                watch = Watch(server.process.pid, [folder], crowd.world.answered, life / SAMPLES_OF_LIFE)
                lives.append(_live(server, crowd, kind, life, url, jumper, chance, recorded))
                lives[-1].samples = watch.close()
                left = max(0.0, end - time.monotonic())
                print(
                    f"{kind}: life {len(lives)}, {lives[-1].written:,} changes written, {len(crowd.world.wrong)} wrong "
                    f"so far, {left:.0f} s to go",
                    file=sys.stderr,
                    flush=True,
                )
                last = not left
                if last:
                    crowd.close()
                    lives[-1].wrong += _left_open(server, quiet)
        assert crowd is not None and jumper is not None
        with _server(folder / "state", options, port):
            crowd.check(crowd.hands.skewed(), dict(crowd.world.there), set(crowd.world.gone))
        print(f"{kind}: {jumper.jumps} jumps of the clock, {dict(crowd.world.counts)}", flush=True)
        return lives, crowd.world.wrong + _grown(kind, lives)


def _grown(kind: str, lives: list[Life]) -> list[str]:
    """What the server kept more and more of."""
    found = []
    for name in FIGURES:
        seen = growth([each.samples for each in lives], name)
        what = (
            f"{name} {seen.each:+.5f} for each of {seen.requests:,} requests; {seen.figure.bound:g} would be too much"
        )
        print(f"{kind}: {what}", flush=True)
        if seen.is_leak:
            found.append(f"{kind}: {what}")
    return found


@contextlib.contextmanager
def _server(state: Path, options: list[str], port: int) -> Iterator[Server]:
    """Killed at the end. Its temporary files are beside the state."""
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(state.with_name("tmp"))}
    server = Server(state, *options, port=port, program=PROGRAM, environment=environment)
    try:
        yield server
    finally:
        server.end(signal.SIGKILL)


def _live(
    server: Server,
    crowd: Crowd,
    kind: str,
    seconds: float,
    url: str | None,
    jumper: Jumper,
    chance: random.Random,
    recorded: bool,
) -> Life:
    """A third of a life in peace, a full disk or a restarted database, a jump of the clock, peace again."""
    skew = crowd.hands.skew
    began, before = time.monotonic(), crowd.world.counts["written"]
    time.sleep(seconds / 3)
    if url is None:
        _fill_disk(server, crowd, min(FULL_SECONDS, seconds / 6))
    else:
        restart(url)
    time.sleep(max(0.0, began + seconds / 2 - time.monotonic()))
    jumper.jump(draw(chance), recorded=recorded)
    life = Life(kind, skew.ahead)
    if chance.random() < 0.5:
        time.sleep(seconds / 6)
        jumper.jump(0, recorded=recorded)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    life.seconds, life.written = time.monotonic() - began, crowd.world.counts["written"] - before
    if not life.written:
        life.wrong.append("nothing was written in a whole life")
    return life


def _fill_disk(server: Server, crowd: Crowd, seconds: float) -> None:
    """No file of the server may be written behind its first page. Nothing is to be answered as done meanwhile."""
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    crowd.world.full = True
    try:
        time.sleep(seconds)
    finally:
        crowd.world.full = False
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
    return count(Path(f"/proc/{server.process.pid}/fd"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _table(lives: list[Life]) -> str:
    lines = [
        f"{'life':>4}  {'database':10}  {'seconds':>7}  {'written':>7}  {'clock, min':>10}  {'memory, MB':>10}  "
        f"{'descriptors':>11}  {'threads':>9}  {'log, MB':>9}  {'files':>8}"
    ]
    for number, each in enumerate(lives, 1):
        if not each.samples:
            continue
        ends = each.samples[len(each.samples) // 3], each.samples[-1]
        seen = {name: tuple(sample.figures[name] for sample in ends) for name in FIGURES}
        spans = {name: [value / (1e6 if name in ("memory", "log") else 1) for value in seen[name]] for name in seen}
        lines.append(
            f"{number:4}  {each.kind:10}  {each.seconds:7.0f}  {each.written:7,}  {each.ahead / 60:+10,.0f}  "
            + "  ".join(
                f"{f'{low:.{digits}f} to {high:.{digits}f}':>{width}}"
                for (low, high), digits, width in zip(spans.values(), (0, 0, 0, 1, 0), (10, 11, 9, 9, 8), strict=True)
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
