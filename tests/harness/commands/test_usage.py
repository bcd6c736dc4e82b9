"""A mistake on a command line is one line: what is wrong, what was probably meant, and where the options are listed."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from halfsilver.harness import installation
from halfsilver.harness.cli import main
from halfsilver.hdl.layout.parameters import MEANINGS
from tests.harness.commands.cli_kit import DOCUMENTS, output_of, run, write_capture, write_policy


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("miror -r x", "'miror' (did you mean mirror?)"),
        ("fly", "invalid choice: 'fly'; there are init, mirror, "),
        ("", "the following arguments are required: COMMAND; halfsilver --help"),
        ("--frobnicate check x", "there is no option --frobnicate; halfsilver --help lists the commands"),
        (
            "mirror -r x -c y --verdict z",
            "no option --verdict (did you mean --verdicts?); halfsilver mirror --help lists",
        ),
        ("mirror -r x -c y --engine=verlator", "'verlator' (did you mean verilator?); there are golden, verilator"),
        ("explain -r x -c y --direction igress", "(did you mean ingress?)"),
        ("mirror -r x", "required: -c; halfsilver mirror --help lists the options"),
        ("mirror -r x -c y --seed one", "--seed: invalid int value: 'one'; halfsilver mirror --help"),
        ("regs a", "'a' is one argument too many; halfsilver regs --help"),
        ("check a -x", "there is no option -x; halfsilver check --help"),
        ("serve --quotas sessions=3", "no option --quotas (did you mean --quota?); halfsilver serve --help"),
        ("mirror -r x -c y -c z", "argument -c: is given twice, and takes one value; halfsilver mirror --help"),
        ("init x -o y --like web -o y", "argument -o: is given twice, and takes one value; halfsilver init --help"),
        ("live -i lo -c x -o udb", "-o udb: is neither udp nor - nor the name of a capture"),
        ("live -i lo -c x -o udp --seconds -1", "--seconds: -1 is not above 0; halfsilver live --help"),
        ("live -i lo -c x -o udp --frames many", "--frames: invalid int value: 'many'; halfsilver live --help"),
        ("regs --format mdd", "(did you mean md?); there are md, c, json, rdl; halfsilver regs --help"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], line: str, says: str) -> None:
    assert run(*line.split()) == 2
    out, said = capsys.readouterr()
    assert out == "" and said.count("\n") == 1
    assert said.startswith("error: ") and says in said


@pytest.mark.parametrize("module", ["farm", "speed", "run", "cocotb_runner", "coverage.__main__", "traffic.farm"])
def test_programs_of_the_simulation_too(capsys: pytest.CaptureFixture[str], module: str) -> None:
    program = importlib.import_module(f"halfsilver.sim.{module}")
    with pytest.raises(SystemExit) as stop:
        program.main(["--sed", "1", *{"farm": ["--all"], "cocotb_runner": ["--all"]}.get(module, [])])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert said.startswith("error: there is no option --sed") and "python -m halfsilver.sim." in said


@pytest.mark.parametrize("command", ["mirror -r NONE -c POLICY", "explain -r NONE -c POLICY"])
def test_a_missing_capture_comes_before_what_the_policy_hardly_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    documents = json.loads(json.dumps(DOCUMENTS))
    documents["NextToken"] = "more"
    policy = write_policy(tmp_path, documents)
    assert "warning" in output_of(capsys, "check", policy)
    absent = str(tmp_path / "none.pcap")
    assert run(*[{"NONE": absent, "POLICY": policy}.get(word, word) for word in command.split()]) == 2
    assert capsys.readouterr().err == f"error: {absent}: No such file or directory\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("mirror -r IN -c POLICY -w /none/x.pcapng", 2),
        ("mirror -r IN -c POLICY --engine replay:none", 2),
        ("mirror -r POLICY -c POLICY", 2),
        ("mirror -r IN -c POLICY --both-sides --direction egress", 2),
        ("mirror -r EMPTY -c POLICY", 5),
        ("explain -r IN -c POLICY -n 99", 2),
        ("explain -r IN -c POLICY --engine replay:none", 2),
        ("counters -r EMPTY -c POLICY", 5),
        ("coverage -r EMPTY -c POLICY", 5),
        ("what-if -r EMPTY -c POLICY -c POLICY", 5),
        ("what-if -r IN -c POLICY -c none", 2),
        ("image -c POLICY --rules 1", 2),
    ],
)
def test_an_error_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, code: int) -> None:
    """Without what the policy may say but hardly means, which is said of a run that went well."""
    documents = json.loads(json.dumps(DOCUMENTS))
    documents["NextToken"] = "more"
    names = {"POLICY": write_policy(tmp_path, documents), "IN": write_capture(tmp_path)}
    names["EMPTY"] = write_capture(tmp_path, [], "empty.pcap")
    assert run(*[names.get(word, word) for word in command.split()]) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize("command", ["mirror", "explain", "counters", "coverage"])
def test_warnings_of_a_run_that_went_well(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    policy = write_policy(tmp_path, {**DOCUMENTS, "NextToken": "more"})
    assert run(command, "-r", write_capture(tmp_path), "-c", policy) == 0
    assert capsys.readouterr().err.count("warning: NextToken") == 1


@pytest.mark.parametrize(
    "command", ["check FILE", "mirror -r POLICY -c FILE", "image -c FILE", "serve --inventory FILE"]
)
def test_a_missing_policy_or_inventory_has_one_wording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path)
    words = {"FILE": "none.json", "POLICY": "mirror.json"}
    assert run(*[words.get(word, word) for word in command.split()]) == 2
    assert capsys.readouterr().err == "error: none.json: cannot be read: No such file or directory\n"


def test_check_reads_what_mirror_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mirror.json"
    path.write_bytes(json.dumps(DOCUMENTS).encode("utf-16"))
    assert "0 errors" in output_of(capsys, "check", str(path))


def test_image_says_what_each_option_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["image", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--width N data width in bits: 8, 16, ... 1024; as the core was exported (default: 64)" in said
    for name in set(MEANINGS) - {"copies", "verdict_ring"}:  # which the tables do not depend on
        assert f"--{name.replace('_', '-')} N {MEANINGS[name]};" in said


def test_how_to_get_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never by the bare name, which is nobody's on the package index."""
    here = Path(__file__).resolve().parents[3]
    assert installation.how_to_get("sim") == f"pip install '.[sim]' in {here} brings it"
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    assert "with the extra sim: pip install 'halfsilver-...whl[sim]'" in installation.how_to_get("sim")
    assert "the extras sim,serve: pip install 'halfsilver-...whl[sim,serve]'" in installation.how_to_get("sim", "serve")
