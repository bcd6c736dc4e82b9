"""Suricata on a Linux VXLAN device, live, while frames run through a virtual board whose copies come over a cable."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import closing, contextmanager
from itertools import groupby

import pytest

from halfsilver.harness.records import Flags
from halfsilver.sim.board.engine import start_engine
from tests.judges.namespace_kit import namespace, needs_root
from tests.judges.suricata_kit import (
    CONFIGURATION,
    SURICATA,
    WHOLE,
    inspect_capture,
    needs_suricata,
    read_log,
    traffic,
    write_rules,
)
from tests.judges.vxlan_kit import NEAR, lay_cable

pytestmark = [*needs_suricata, *needs_root]

VNI = 0x42
STARTED = "Engine started"
QUIET = 2.0
"""Seconds in which Suricata reads what has come."""


@contextmanager
def suricata(inside, folder):
    """One that reads the VXLAN device; it has begun when the block does, and written its log when that has ended."""
    log = folder / "live"
    log.mkdir()
    words = [SURICATA, "-c", CONFIGURATION, "-S", write_rules(folder), f"--af-packet=vx{VNI}", "--runmode", "single"]
    command = ["ip", "netns", "exec", inside.name, *words, "-l", log, "-k", "none"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if STARTED in line:
                break
        else:
            pytest.fail("".join(said))
        yield log
        time.sleep(QUIET)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()


def test_live_as_in_the_capture(tmp_path, judged):
    """The alerts and the transactions of the frames as they are, in a file.

    One side speaks at a time: what is offered at both ports at once leaves in the order in which it got through.
    """
    frames = traffic()
    plain, _ = inspect_capture([frame.data for frame in frames], tmp_path)
    with namespace() as inside, closing(start_engine("whole")) as board:
        board.configure(WHOLE, Flags())
        lay_cable(inside, {VNI: 4})
        inside.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/vx{VNI}/disable_ipv6")  # it says nothing itself
        with closing(*inside.open_devices(NEAR)) as cable, suricata(inside, tmp_path) as log:
            sent = 0
            for _, turn in groupby(frames, lambda frame: frame.direction):
                for output in board.process(list(turn)).outputs:
                    cable.send(output.data)
                    sent += 1
    live, decoder = read_log(log)
    assert live == plain
    assert (sent, decoder["pkts"], decoder["invalid"]) == (len(frames), len(frames), 0)
    assert {what for kind, what, *_ in plain if kind == "alert"} == {1, 2, 3, 4, 5}
    judged("Suricata live", f"{live.total()} alerts and transactions of {sent} frames behind a Linux vxlan device")
