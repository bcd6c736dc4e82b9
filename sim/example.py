"""The project's example: the capture that its script makes, and what the pump needs to run it."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.commands.common import DirectionChooser
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.nic.image import build_image
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.places import BUILD, ROOT

__all__ = ["EXAMPLE", "example_batch", "make_example"]

EXAMPLE = BUILD / "example"
EXAMPLE_TIMEOUT = 300
"""Seconds the example's script may take."""


def make_example() -> Path:
    """The example capture; its script says where it comes from and makes the same file each time."""
    script = ROOT / "examples" / "make_example.py"
    if not script.exists():
        raise UsageError("the example is made in a checkout only; --pcap and --config name a capture and a policy")
    capture = EXAMPLE / "example.pcap"
    newest = max(path.stat().st_mtime_ns for path in (script, script.with_name("mirror.json")))
    if capture.exists() and capture.stat().st_mtime_ns > newest:
        return capture
    done = subprocess.run(
        [sys.executable, str(script), str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=EXAMPLE_TIMEOUT,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise HalfsilverError(f"{script} failed: {lines[-1]}")
    return capture


def example_batch(parameters: NicParameters, count: int | None = None) -> tuple[list[tuple[int, int]], list[Frame]]:
    """Register writes that put the example's policy into force, and its first ``count`` frames, or all."""
    capture = make_example()
    policy = Policy.load(capture.with_name("mirror.json"))
    choose = DirectionChooser("auto", policy)
    with open_capture(capture) as reader:
        frames = [choose.frame(captured) for captured in islice(reader, count)]
    commit = (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))
    return [*build_image(policy, Flags(), parameters), commit], frames
