"""The cocotb regression under pytest: every bench on every build, and the runner's own promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from halfsilver.sim.benches import BENCHES, Bench, Build
from halfsilver.sim.cocotb_runner import SEED_LIMIT, Outcome, main, run_bench

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big") % SEED_LIMIT)

LONG = {
    *("core-512", "parser-512", "mirror_queue-512", "overload-512", "rule_sets-512", "snapshots-512"),
    *("production-512", "mirror_queue-8"),
}
"""The widest core is in `throughput` in each run; `make cocotb` has all."""

RUNS = [
    pytest.param(bench, build, id=name, marks=[pytest.mark.long] if name in LONG else [])
    for bench in BENCHES
    for build in bench.builds
    for name in [f"{bench.name}-{build.width}"]
]


@pytest.mark.parametrize(("bench", "build"), RUNS)
def test_bench(bench: Bench, build: Build) -> None:
    """All tests of the bench pass; otherwise the message says how to repeat the first failure."""
    outcome = run_bench(bench, build, seed=SEED)
    report = "\n".join(outcome.lines())
    print(report)
    assert not outcome.failed, report
    assert outcome.passed, f"no test ran: {outcome.log}"
    assert set(outcome.passed) <= set(bench.tests), "the list of the bench's tests lacks one"


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own and a folder where no other test's run puts its results."""
    return subprocess.run(
        [sys.executable, "-m", "halfsilver.sim.cocotb_runner", *arguments],
        cwd=place,
        text=True,
        capture_output=True,
        timeout=900,
        check=False,
    )


def test_one_test_with_seed_and_waves(tmp_path: Path) -> None:
    """``bench::test`` runs that test alone, with the seed it was given; the wave file is where it says."""
    done = run(tmp_path, "--test", "encapsulator::copies", "--seed", "1234", "--waves")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 1234" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "waves:" in line]
    waves = Path(line.partition("waves:")[2].strip())
    with waves.open() as file:
        assert any("$enddefinitions" in text for text in file), "not a VCD file"
    properties = ET.parse(waves.with_name("results.xml")).findall(".//testcase/properties/property")
    assert ("random_seed", "1234") in {(item.get("name"), item.get("value")) for item in properties}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--test", "nothing"], 2, "there is no bench 'nothing'"),
        (["--test", "throughput", "--width", "128"], 2, "has no build of 128 bits; there are 8, 32, 64, 512"),
        (["--test", "encapsulator::copy"], 2, "has no test 'copy'; there are copies"),
    ],
)
def test_wrong_names(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    assert message in capsys.readouterr().err


def paste(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A line of the report as a user pastes it: elsewhere, no environment activated, no program called python."""
    programs = directory / "bin"
    programs.mkdir()
    for path in Path("/usr/bin").iterdir():
        if path.name != "python":
            (programs / path.name).symlink_to(path)
    return subprocess.run(
        ["sh", "-c", line],
        cwd=directory,
        env={"PATH": str(programs), "HOME": str(Path.home())},
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )


def test_the_repeat_line_of_a_failed_test_pastes(tmp_path: Path) -> None:
    outcome = Outcome("encapsulator", 64, 1234, failed={"copies": "wrong"})
    (line,) = [line for line in outcome.lines() if "repeat:" in line]
    done = paste(line.partition("repeat:")[2].strip(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "encapsulator, 64 bits: 1 of 1 passed" in done.stdout and "seed 1234" in done.stdout
    assert "waves:" in done.stdout


def test_a_bench_that_never_ends_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails then is no test of the bench: the line must not name one."""
    (bench,) = [bench for bench in BENCHES if bench.name == "encapsulator"]
    outcome = run_bench(replace(bench, timeout=0.05), bench.builds[0], seed=7, waves=True)
    (line,) = [line for line in outcome.lines() if "repeat:" in line]
    assert "TEST=encapsulator WIDTH=64 SEED=7" in line
    assert "did not finish within" in outcome.lines()[1]


@pytest.mark.parametrize("target", ["cocotb", "sim"])
def test_make_runs_one_bench_or_says_which_there_are(target: str) -> None:
    done = subprocess.run(
        ["make", target, "TEST=core::nonsense"], cwd=ROOT, text=True, capture_output=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "bench core has no test 'nonsense'; there are sizes_and_pauses, " in done.stderr


def test_one_version_of_verilator(tmp_path: Path) -> None:
    """Doctor, the runner and the model itself, which cocotb asks, say the same."""
    done = run(tmp_path, "--test", "encapsulator::copies", "--seed", "1")
    log = (tmp_path / "build" / "cocotb" / "encapsulator-64" / "simulation.log").read_text()
    told = subprocess.run(
        [Path(sys.executable).with_name("halfsilver"), "doctor", "--json"], capture_output=True, text=True, check=False
    )
    (version,) = [tool["version"] for tool in json.loads(told.stdout)["tools"] if tool["name"] == "verilator"]
    assert re.search(rf"Running on Verilator version {re.escape(version)}\b", log)
    assert f"Verilator {version}\n" in done.stdout


def test_list_names_every_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{bench.name}: " in listed for bench in BENCHES)
    assert "core::sizes_and_pauses" in listed
