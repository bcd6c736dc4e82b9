"""A typo on a command line, in a file or in a variable is refused, never obeyed differently."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.environment import VARIABLES
from tests.harness.commands.cli_kit import DOCUMENTS, output_of, run, write_policy

ROOT = Path(__file__).resolve().parents[3]


# On the command line.


def test_check_refuses_what_mirror_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads(json.dumps(DOCUMENTS))
    rule = config["TrafficMirrorFilters"][0]["IngressFilterRules"][0]
    rule["Protocl"] = rule.pop("Protocol")
    text = output_of(capsys, "check", write_policy(tmp_path, config), code=1)
    assert "TrafficMirrorFilters[0] tmf-1 IngressFilterRules[0].Protocl" in text and "did you mean Protocol?" in text


@pytest.mark.parametrize("command", ["check", "mirror"])
def test_a_key_that_is_there_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    path = tmp_path / "mirror.json"
    path.write_text(json.dumps(DOCUMENTS).replace('"Protocol": 6', '"Protocol": 6, "Protocol": 17'))
    arguments = [str(path)] if command == "check" else ["-r", str(path), "-c", str(path)]
    assert run(command, *arguments) == 2
    assert 'the key "Protocol" is there twice' in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("--terminal",), ("--dir", "egress"), ("--tap=yes",), ("--en", "eni-10"), ("--verdict", "v")],
    ids=lambda arguments: arguments[0],
)
def test_options_are_taken_by_their_whole_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run("mirror", "-r", "x", "-c", write_policy(tmp_path), *arguments) == 2
    assert arguments[0].partition("=")[0] in capsys.readouterr().err


# Variables.


def test_a_misspelt_variable_of_the_environment(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("HALFSILVER_CAPTURE", "/tmp")
    assert run("list") == 2
    assert "HALFSILVER_CAPTURE is not known; did you mean HALFSILVER_CAPTURES?" in capsys.readouterr().err
    monkeypatch.delenv("HALFSILVER_CAPTURE")
    assert run("list") == 0


def test_every_variable_that_is_read_is_known() -> None:
    rooms = [path for room in ("harness", "hdl", "sim", "boards", "tests") for path in (ROOT / room).rglob("*.py")]
    wrong = {"HALFSILVER_CAPTURE"}  # of the test above
    read = {name for path in rooms for name in re.findall(r'"(HALFSILVER_[A-Z_]+)"', path.read_text(encoding="utf-8"))}
    assert "HALFSILVER_WAVES" in read and read - wrong <= VARIABLES.keys()


@pytest.mark.parametrize("variable", ["PCPA=my.pcap", "pcap=my.pcap", "CONFG=x.json"])
def test_a_misspelt_variable_of_make(variable: str) -> None:
    done = subprocess.run(["make", "-n", variable, "sim"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and variable.partition("=")[0] in done.stderr and "PCAP" in done.stderr


@pytest.mark.parametrize(("variable", "target"), [("FULL_RATE=0", "sim"), ("TAP=yes", "sim"), ("WAVES=no", "cocotb")])
def test_a_switch_of_make_is_on_or_left_out(variable: str, target: str) -> None:
    done = subprocess.run(["make", "-n", variable, target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"{variable} is neither on nor off" in done.stderr
    on = variable.partition("=")[0] + "=1"
    subprocess.run(["make", "-n", on, target], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.parametrize(
    ("command", "variable", "targets"),
    [
        ("sim WIDTH=8", "WIDTH", "sim-with-TEST cocotb coverage"),
        ("sim TEST=parser PCAP=my.pcap", "PCAP", "sim"),
        ("test SEED=3", "SEED", "sim sim-with-TEST cocotb coverage sim-all mutants soak load virtual"),
        ("bench PCAP=my.pcap", "PCAP", "sim"),
        ("sim TEST=parser TAP=1", "TAP", "sim"),
        ("LIST=hand", "LIST", "mutants"),
    ],
)
def test_a_variable_that_the_target_of_make_would_ignore(command: str, variable: str, targets: str) -> None:
    make = ["make", "--no-print-directory", "-n", *command.split()]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert re.search(rf"{variable} is not for \S+; it is for {targets}\.", done.stderr)


@pytest.mark.parametrize(
    ("command", "reached"),
    [
        ("sim FULL_RATE=1 SEED=7", "--seed '7' --full-rate"),
        ("sim TAP=1 ENI=eni-1 DIRECTION=egress", "--tap --eni 'eni-1' --direction 'egress'"),
        ("sim TEST=parser WIDTH=8 SEED=7 WAVES=1", "--test 'parser' --width '8' --seed '7' --waves"),
        ("coverage TEST=parser WIDTH=8 SEED=7", "--test 'parser' --width '8' --seed '7'"),
        ("mutants LIST=hand SAMPLE=3 SEED=7", "--list 'hand' --sample '3' --seed '7'"),
        ("sim-all SEED=7", "--seed '7'"),
        ("sim-all SCHEDULER=tcp://head:8786 SEED=7", "sim.jobs --scheduler 'tcp://head:8786' --seed '7'"),
        ("mutants SCHEDULER=local SAMPLE=3", "--of 'machine' --sample '3' || failed=$?; test 0$failed -gt 1 || "),
        ("mutants SCHEDULER=local LIST=hnd", "--of 'hnd'"),
        ("suite ENGINE=virtual", "--hil-engine 'virtual'"),
        ("suite SCHEDULER=local ENGINE=board:a", "--suite 'board:a'"),
        ("test TEST=parser PYTHON=python3", "-k 'parser'"),
    ],
)
def test_what_a_target_of_make_takes_reaches_its_command(command: str, reached: str) -> None:
    make = ["make", "-n", *command.split()]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert reached in " ".join(done.stdout.replace("\\\n", " ").split())


def test_every_variable_that_make_uses_is_in_its_help() -> None:
    """And so can be given: what the help does not name is refused."""
    used = set(re.findall(r"\$\(([A-Z_]+)\)", (ROOT / "Makefile").read_text(encoding="utf-8")))
    own = {"CURDIR", "MAKECMDGOALS", "MAKEFILE_LIST", "PATH"}  # make's, and the shell's
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert {"PCAP", "SEED"} <= used - own <= set(re.findall(r"\b([A-Z_]+)=", shown.stdout))


def test_make_passes_paths_as_they_are() -> None:
    given = {"PCAP": "my file's $HOME.pcap", "CONFIG": "a b.json"}
    command = ["make", "-n", "sim", *(f"{name}={value.replace('$', '$$')}" for name, value in given.items())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    (line,) = [line for line in done.stdout.splitlines() if "sim.run" in line]
    words = shlex.split(line)
    assert [words[words.index(f"--{name.lower()}") + 1] for name in given] == list(given.values())
