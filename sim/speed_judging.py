"""``make bench``: frames per second that the golden model judges, in one process and in several, beside other programs.

All work on the same frames: the project's example, repeated. ``tcprewrite`` copies the capture with another VLAN tag,
``tshark`` reads it and prints a line per frame; what is not installed is left out with the reason. Seconds of one
process are processor time; several processes are compared with one by the clock, both in the same run and the best of
``RUNS``, which says nothing on a machine that is busy with other things.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from halfsilver.harness.capture.writer import PcapWriter
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.engines.jobs import GoldenJobs, Lot
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.example import example_batch, make_example

__all__ = ["main"]

BATCH = 4096
BATCHES = 20
RUNS = 3
JOBS = 2
PROGRAM_SECONDS = 600

PROGRAMS = {
    "tcprewrite": ("tcpreplay", ["--enet-vlan=add", "--enet-vlan-tag=7", "--enet-vlan-cfi=0", "--enet-vlan-pri=0"]),
    "tshark": ("tshark", ["-n"]),
}
"""Programs to compare with: the package of Debian that has it, and what it is asked to do."""


def main() -> int:
    """Command line; prints a line per program. Exit code 0, or that of the error."""
    try:
        policy = Policy.load(str(make_example().with_name("mirror.json")))
        _, example = example_batch(NicParameters(enis=4))
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    frames = [example[at % len(example)] for at in range(BATCH * BATCHES)]
    print(f"{len(frames):,} frames of the example, {sum(len(frame.data) for frame in frames) / 1e6:,.0f} MB")
    judged = min(_one_process(policy, frames) for _ in range(RUNS))
    _say("golden model, one process", len(frames), judged)
    alone, together = (min(_clock(policy, frames, jobs) for _ in range(RUNS)) for jobs in (1, JOBS))
    print(f"{JOBS} processes take {together / alone:.2f} times as long as one, on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        capture = Path(place) / "in.pcap"
        with capture.open("wb") as stream:
            writer = PcapWriter(stream)
            for frame in frames:
                writer.write(frame.data, 0)
        for name in PROGRAMS:
            _other(name, capture, len(frames))
    return 0


def _one_process(policy: Policy, frames: list[Frame]) -> float:
    engine = GoldenEngine()
    engine.configure(policy)
    start = time.process_time()
    for at in range(0, len(frames), BATCH):
        engine.process(frames[at : at + BATCH])
    return time.process_time() - start


def _clock(policy: Policy, frames: list[Frame], jobs: int) -> float:
    start = time.monotonic()
    with GoldenJobs(policy, DEFAULT_FLAGS, jobs, alone=0) as judges:
        for _ in judges.judge(Lot(at, frames[at : at + BATCH], False) for at in range(0, len(frames), BATCH)):
            pass
    return time.monotonic() - start


def _other(name: str, capture: Path, count: int) -> None:
    package, options = PROGRAMS[name]
    program = shutil.which(name)
    if program is None:
        print(f"{name}: not here (apt install {package})")
        return
    files = ["-r", str(capture)] if name == "tshark" else ["-i", str(capture), "-o", str(capture.with_suffix(".out"))]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, *options, *files], check=True, capture_output=True, timeout=PROGRAM_SECONDS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _say(name, count, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _say(name: str, count: int, seconds: float) -> None:
    print(f"{name:28}  {count / seconds:12,.0f} frames/s")


if __name__ == "__main__":
    sys.exit(main())
