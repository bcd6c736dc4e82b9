"""``make bench``: what ``halfsilver mirror`` needs for a large capture, in one process and in several, beside others.

All work on the same frames: the project's example, repeated. ``tcprewrite`` copies the capture with another VLAN tag,
``tshark`` reads it and prints a line per frame; what is not installed is left out with the reason. Seconds are those of
processors, which other work on the machine blurs little; of several processes the busiest one counts, which is what the
run takes where each has a processor of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.capture.writer import PcapWriter
from halfsilver.harness.cli import main as halfsilver
from halfsilver.harness.errors import EXIT_OK, HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.example import example_batch, make_example

__all__ = ["main"]

FRAMES = 200_000
JOBS = (1, 2)
PROGRAM_SECONDS = 600

PROGRAMS = {
    "tcprewrite": ("tcpreplay", ["--enet-vlan=add", "--enet-vlan-tag=7", "--enet-vlan-cfi=0", "--enet-vlan-pri=0"]),
    "tshark": ("tshark", ["-n"]),
}
"""Programs to compare with: the package of Debian that has it, and what it is asked to do."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; prints a line per program. Exit code 0, or that of the error."""
    parser = Parser(prog="python -m halfsilver.sim.speed_judging", description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=FRAMES, help="default: %(default)s")
    options = parser.parse_args(arguments)
    if options.frames < 1:
        parser.error("--frames must be at least 1")
    try:
        return _compare(options.frames)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _compare(count: int) -> int:
    policy = make_example().with_name("mirror.json")
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        capture = Path(place) / "in.pcap"
        print(f"{count:,} frames of the example, {_write(capture, count) / 1e6:,.0f} MB")
        for jobs in JOBS:
            _mirror(capture, policy, jobs, count)
        for name in PROGRAMS:
            _other(name, capture, count)
    return EXIT_OK


def _write(capture: Path, count: int) -> int:
    """The example over and over; how many bytes its frames are."""
    _, example = example_batch(NicParameters(enis=4))
    octets = 0
    with capture.open("wb") as stream:
        writer = PcapWriter(stream)
        for at in range(count):
            frame = example[at % len(example)].data
            writer.write(frame, at * 1000)
            octets += len(frame)
    return octets


def _mirror(capture: Path, policy: Path, jobs: int, count: int) -> None:
    """The whole command, in this process, and those that it starts: what each of them took."""
    copies = str(capture.with_name("out.pcapng"))
    command = ["mirror", "-r", str(capture), "-c", str(policy), "-w", copies, "--jobs", str(jobs)]
    mine, theirs = _seconds(resource.RUSAGE_SELF), _seconds(resource.RUSAGE_CHILDREN)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        halfsilver(command)
    mine, theirs = _seconds(resource.RUSAGE_SELF) - mine, _seconds(resource.RUSAGE_CHILDREN) - theirs
    busiest = max(mine, theirs / jobs)
    share = f", {mine / (mine + theirs):.0%} of the work in the one that reads and writes" if jobs > 1 else ""
    _say(f"halfsilver mirror, --jobs {jobs}", count, busiest, f"{mine + theirs:.1f} s in all{share}")


def _other(name: str, capture: Path, count: int) -> None:
    package, options = PROGRAMS[name]
    program = shutil.which(name)
    if program is None:
        print(f"{name}: not here (apt install {package})")
        return
    files = ["-r", str(capture)] if name == "tshark" else ["-i", str(capture), "-o", str(capture.with_suffix(".out"))]
    before = _seconds(resource.RUSAGE_CHILDREN)
    subprocess.run([program, *options, *files], check=True, capture_output=True, timeout=PROGRAM_SECONDS)
    _say(name, count, _seconds(resource.RUSAGE_CHILDREN) - before)


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _say(name: str, count: int, seconds: float, more: str = "") -> None:
    print(f"{name:28}  {count / seconds:12,.0f} frames/s  {more}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
