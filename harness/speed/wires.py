"""``make bench``, wires: frames per second through a network interface, beside scapy's ``sendp`` on the same one.

A pair of interfaces with a cable between them (veth), in a network of this process's own. Our wire sends and receives
all frames; scapy only sends them. Both take turns, and of each the fastest round counts, so that the ratio is of one
machine at one time. Without root there is nothing to measure, which is said. The result goes to
``build/bench_wires.json``.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from halfsilver.harness.arguments import Parser
from halfsilver.harness.bench.wires import Wire, open_wire
from halfsilver.harness.errors import EXIT_OK, HalfsilverError
from halfsilver.harness.installation import missing_package

__all__ = ["main"]

RESULT = Path("build") / "bench_wires.json"
NEAR, FAR = "near0", "far0"
PORTION = 1000
"""Frames that are sent before those that came are taken."""
PATIENCE = 2.0
_CLONE_NEWNET = 0x40000000
"""sched.h"""
_HEAD = bytes.fromhex("020000000001 020000000002 88b5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints both speeds and their ratio. Exit code 0, or that of the error."""
    parser = Parser(prog="python -m halfsilver.harness.speed.wires", description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=10_000, metavar="N", help="of each round (default: %(default)s)")
    parser.add_argument("--size", type=int, default=64, metavar="BYTES", help="of a frame (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    options = parser.parse_args(arguments)
    trouble = _make_network()
    if trouble is not None:
        print(f"wires: not measured: {trouble}")
        return EXIT_OK
    frames = [(_HEAD + number.to_bytes(4, "big")).ljust(options.size, b"\0") for number in range(options.frames)]
    try:
        result = _measure(frames, options.rounds)
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"frames": options.frames, "bytes": options.size, **result}, indent=2) + "\n")
    print(f"frames of {options.size} bytes over one pair of interfaces, per second:")
    print(f"  our wire, sent and received  {result['ours']:>9,.0f}")
    print(f"  scapy's sendp, sent          {result['scapy']:>9,.0f}   ours is {result['ratio']:.1f} times as fast")
    print(RESULT)
    return EXIT_OK


def _make_network() -> str | None:
    """Two interfaces in a network that ends with this process; what is in the way of that, if something is."""
    if os.geteuid():
        return "it needs root"
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        return "this machine does not allow network namespaces"
    pair = f"ip link add {NEAR} type veth peer name {FAR}"
    for command in (pair, f"ip link set {NEAR} up", f"ip link set {FAR} up"):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"`{command}`: {done.stderr.strip()}"
    return None


def _measure(frames: list[bytes], rounds: int) -> dict[str, float]:
    """Frames per second of both, the fastest round of each, and their ratio."""
    logging.getLogger("scapy").setLevel(logging.ERROR)
    try:
        from scapy.layers.l2 import Ether
        from scapy.sendrecv import sendp
    except ModuleNotFoundError as error:
        raise missing_package("the comparison with scapy", error, "sim") from None
    packets = [Ether(frame) for frame in frames]
    ours, theirs = [], []
    for _ in range(rounds):
        with ExitStack() as stack:
            near, far = (stack.enter_context(closing(open_wire(f"packet:{name}"))) for name in (NEAR, FAR))
            start = time.perf_counter()
            _through(near, far, frames)
            ours.append(len(frames) / (time.perf_counter() - start))
        start = time.perf_counter()
        sendp(packets, iface=NEAR, verbose=False)
        theirs.append(len(frames) / (time.perf_counter() - start))
    return {"ours": max(ours), "scapy": max(theirs), "ratio": max(ours) / max(theirs)}


def _through(near: Wire, far: Wire, frames: list[bytes]) -> None:
    """Send all frames, and see that all of them come, unchanged and in order."""
    came: list[bytes] = []
    for at in range(0, len(frames), PORTION):
        near.send(frames[at : at + PORTION])
        came += [each.data for each in far.receive(0)]
    while len(came) < len(frames) and (more := far.receive(PATIENCE)):
        came += [each.data for each in more]
    if came != frames:
        raise HalfsilverError(f"of {len(frames):,} frames {len(came):,} came, or not as they were sent")


if __name__ == "__main__":
    sys.exit(main())
