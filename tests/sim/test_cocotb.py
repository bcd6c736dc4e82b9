"""The cocotb regression under pytest: every bench on every build, and the runner's own promises."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from halfsilver.sim.benches import BENCHES, Bench, Build
from halfsilver.sim.cocotb_runner import SEED_LIMIT, main, run_bench

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big") % SEED_LIMIT)

RUNS = [pytest.param(bench, build, id=f"{bench.name}-{build.width}") for bench in BENCHES for build in bench.builds]


@pytest.mark.parametrize(("bench", "build"), RUNS)
def test_bench(bench: Bench, build: Build) -> None:
    """All tests of the bench pass; otherwise the message says how to repeat the first failure."""
    outcome = run_bench(bench, build, seed=SEED)
    report = "\n".join(outcome.lines())
    print(report)
    assert not outcome.failed, report
    assert outcome.passed, f"no test ran: {outcome.log}"
    cases = ET.parse(outcome.results).findall(".//testcase")
    assert {case.get("name") for case in cases} >= set(outcome.passed)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "halfsilver.sim.cocotb_runner", *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=900,
        check=False,
    )


def test_one_test_with_seed_and_waves() -> None:
    """``bench::test`` runs that test alone, with the seed it was given; the wave file is where it says."""
    done = run("--test", "encapsulator::copies", "--seed", "1234", "--waves")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 1234" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "waves:" in line]
    waves = Path(line.partition("waves:")[2].strip())
    with waves.open() as file:
        assert any("$enddefinitions" in text for text in file), "not a VCD file"
    properties = ET.parse(waves.with_name("results.xml")).findall(".//testcase/properties/property")
    assert ("random_seed", "1234") in {(item.get("name"), item.get("value")) for item in properties}
    waves.unlink()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--test", "nothing"], 2, "there is no bench 'nothing'"),
        (["--test", "throughput", "--width", "512"], 2, "has no build of 512 bits"),
    ],
)
def test_wrong_names(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    assert message in capsys.readouterr().err


def test_list_names_every_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{bench.name}: " in listed for bench in BENCHES)
    assert "core::sizes_and_pauses" in listed
