"""Several models of the gateware beside each other: what comes out is as of one."""

import json

import pytest

from halfsilver.harness.commands import judging
from tests.harness.commands.cli_kit import FRAMES, output_of, write_capture, write_policy


def test_several_models_say_what_one_does(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(judging, "BATCH_FRAMES", 16)
    monkeypatch.setattr(judging, "ALONE", 1)
    capture, policy = write_capture(tmp_path, FRAMES * 12), write_policy(tmp_path)
    told = []
    for jobs in ("1", "2"):
        files = [tmp_path / f"{jobs}.pcapng", tmp_path / f"{jobs}.jsonl"]
        options = ["-w", str(files[0]), "--verdicts", str(files[1]), "--jobs", jobs, "--json"]
        said = output_of(capsys, "mirror", "-r", capture, "-c", policy, "--engine", "verilator", *options)
        told.append((said, [path.read_bytes() for path in files]))
    assert told[0] == told[1]
    summary = json.loads(said)
    assert summary["conserved"] and summary["agreement"] and summary["offered"] == len(FRAMES) * 12
    assert sum(each["frames"] for each in summary["counters"]["verdicts"]) == summary["offered"]


@pytest.mark.long
def test_another_width_says_the_same_in_other_time(tmp_path, capsys):
    capture, policy = write_capture(tmp_path, FRAMES * 12), write_policy(tmp_path)
    told, cycles = [], []
    for options in (["golden"], ["verilator", "--width", "8"], ["verilator", "--width", "512", "--jobs", "2"]):
        file = tmp_path / "verdicts.jsonl"
        command = ["mirror", "-r", capture, "-c", policy, "--verdicts", str(file), "--json", "--engine", *options]
        cycles.append(json.loads(output_of(capsys, *command))["cycles"])
        told.append(file.read_bytes())
    assert told[0] == told[1] == told[2]
    assert cycles[1] > 2 * cycles[2] > 0
