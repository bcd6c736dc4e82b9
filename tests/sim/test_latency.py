"""Clocks through the NIC: what `make load` measures comes out again in the default build, and its checks can fail."""

import json
from pathlib import Path

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import latency
from halfsilver.sim.pump import Passed, PumpRun

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "latency.json"
MIRRORED, MALFORMED = bytes(16), bytes(8) + b"\x01" + bytes(7)


def test_the_default_build_takes_the_published_clocks():
    """One interface there, four here: nothing depends on how many there are."""
    (row,) = (row for row in json.loads(PUBLISHED.read_text()) if row["width"] == 64)
    seen = latency.clocks(NicParameters(), seed=2)
    assert (seen["to_host"], seen["to_net"]) == ({row["to_host"]}, {row["to_net"]})
    for name in ("verdict", "copy"):
        assert [min(seen[name]), max(seen[name])] == row[name]


def test_every_width_takes_what_the_readme_says():
    rows = json.loads(PUBLISHED.read_text())
    assert [row["width"] for row in rows] == list(latency.WIDTHS)
    assert {(row["to_host"], row["to_net"], row["own"]) for row in rows} == {(1, 3, 1)}


def test_clocks_that_vary_are_refused():
    assert latency.constant("to the host", {1}) == 1
    with pytest.raises(HalfsilverError, match=r"to the host: not always the same, but \[1, 2\] clocks"):
        latency.constant("to the host", {2, 1})


def run_of(verdicts, copy_cycles):
    passed = [Passed(number, 100 * number, 100 * number + 1, 100 * number + 9) for number in range(2)]
    return PumpRun([b"copy"] * len(copy_cycles), copy_cycles, verdicts, [20, 120], passed, 200)


def test_frames_that_cannot_be_told_apart_are_refused():
    latency.check_alone(run_of([MIRRORED, MIRRORED], [60, 160]), 2)
    with pytest.raises(HalfsilverError, match="not all were mirrored"):
        latency.check_alone(run_of([MIRRORED, MALFORMED], [60]), 2)
    with pytest.raises(HalfsilverError, match="before the copy of the one before it had left"):
        latency.check_alone(run_of([MIRRORED, MIRRORED], [100, 160]), 2)
