"""``make bench``: what ``halfsilver mirror`` needs for a large capture, in one process and in several, beside others.

All work on the same frames: those of the project's example that a wire can carry, repeated. ``tcprewrite`` copies the
capture with another VLAN tag, ``tshark`` reads it and prints a line per frame. As root, ``tcpreplay`` sends it into a
namespace of our own, once as it is and once with a rule of nftables that duplicates all IP to a ``vxlan`` device: what
Linux itself needs for copies of all frames. What is not installed is left out with the reason. Seconds are those of
processors, which other work on the machine blurs little; of several processes the busiest one counts, which is what the
run takes where each has a processor of its own.
"""

from __future__ import annotations

import contextlib
import json
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
from halfsilver.harness.errors import EXIT_OK, EnvironmentMissing, HalfsilverError
from halfsilver.hdl.layout.frames import SHORTEST_ON_WIRE
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.board.namespaces import ip, namespaces, within
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

SENT, RECEIVED, COPIES = "sent", "received", "copies"
"""Devices of the namespace: the two ends of a wire, and the VXLAN device behind which the copies leave."""
LINKS = (
    f"link add {SENT} mtu 9216 type veth peer name {RECEIVED} mtu 9216",
    "link add out mtu 9286 type veth peer name away mtu 9286",
    "address add 192.0.2.1/24 dev out",
    "neighbor add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out",
    *(f"link set {name} up" for name in (SENT, RECEIVED, "out", "away")),
    f"link add {COPIES} mtu 9216 type vxlan id 1 local 192.0.2.1 remote 192.0.2.2 dstport 4789 dev out",
    f"link set {COPIES} up",
)
DUPLICATE = f"""table netdev copy {{ chain ingress {{
    type filter hook ingress device "{RECEIVED}" priority 0; policy accept;
    meta protocol {{ ip, ip6 }} dup to "{COPIES}"
}}
}}"""


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
        try:
            _kernel(capture, count)
        except EnvironmentMissing as error:
            print(f"nftables dup: {error}")
    return EXIT_OK


def _write(capture: Path, count: int) -> int:
    """The example over and over, but for what is too short for Ethernet, at which tcprewrite stops; its bytes."""
    _, batch = example_batch(NicParameters(enis=4))
    example = [frame for frame in batch if len(frame.data) >= SHORTEST_ON_WIRE]
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


def _kernel(capture: Path, count: int) -> None:
    """Frames sent into a wire, and those that nftables duplicates to a VXLAN device. EnvironmentMissing."""
    for name, package in (("tcpreplay", "tcpreplay"), ("nft", "nftables")):
        if shutil.which(name) is None:
            raise EnvironmentMissing(f"{name} is missing (apt install {package})")
    with namespaces("copies") as (space,):
        for words in LINKS:
            ip(space, words)
        alone = _replay(space, capture)
        _say("tcpreplay", count, alone)
        made = subprocess.run(
            [*within(space), "nft", "-f", "-"], input=DUPLICATE, text=True, capture_output=True, timeout=PROGRAM_SECONDS
        )
        if made.returncode:
            raise EnvironmentMissing(f"this kernel has no dup: {made.stderr.strip()}")
        with_copies = _replay(space, capture)
        listed = subprocess.run(
            [*within(space), "ip", "-json", "-s", "link", "show", COPIES], check=True, capture_output=True, timeout=60
        )
        copies = json.loads(listed.stdout)[0]["stats64"]["tx"]["packets"]
        _say("the same, nftables dup", count, with_copies, f"{copies:,} copies")


def _replay(space: str, capture: Path) -> float:
    """Seconds; the kernel takes a frame through the wire within the sender's time."""
    before = _seconds(resource.RUSAGE_CHILDREN)
    command = ["tcpreplay", "--quiet", "--topspeed", "-i", SENT, str(capture)]
    subprocess.run([*within(space), *command], check=True, capture_output=True, timeout=PROGRAM_SECONDS)
    return _seconds(resource.RUSAGE_CHILDREN) - before


def _seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _say(name: str, count: int, seconds: float, more: str = "") -> None:
    print(f"{name:28}  {count / seconds:12,.0f} frames/s  {more}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
