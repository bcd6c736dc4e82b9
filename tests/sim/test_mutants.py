"""The planted faults: each still has its place in the gateware, and the machinery catches a few of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halfsilver.sim.mutation import mutants
from halfsilver.sim.mutation.faults import FAULTS, Fault
from halfsilver.sim.mutation.regression import BUILDS, PHASES

ROOT = Path(__file__).parents[2]
QUICK = ("second-vlan-tag", "session-priority")
"""A few, in one build: each takes as long as the gateware takes to compile."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place(fault: Fault) -> None:
    text = (ROOT / "hdl" / fault.file).read_text()
    assert text.count(fault.old) == 1, f"{fault.name}: hdl/{fault.file} has changed; look for: {fault.old}"
    assert "\n" not in fault.old + fault.new and fault.old != fault.new
    assert fault.build in BUILDS


def test_names_are_unique_and_enough() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 24


def test_a_fault_without_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "parser.py").write_text("twice twice\n")
    for old, times in (("never", 0), ("twice", 2)):
        with pytest.raises(ValueError, match=f"{times} times in hdl/parser.py"):
            Fault("rotten", "parser.py", old, "new", "nothing").apply(tmp_path)


def test_the_control_run_passes_and_faults_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "mutants.json"
    monkeypatch.setattr(mutants, "REPORT", report)
    code = mutants.main([argument for name in QUICK for argument in ("--only", name)])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert "control, narrow build: passed" in shown.err
    answer = json.loads(report.read_text())
    assert (answer["caught"], answer["planted"]) == (len(QUICK), len(QUICK))
    assert [fault["name"] for fault in answer["faults"]] == list(QUICK)
    assert all(fault["by"].partition(":")[0] in PHASES for fault in answer["faults"])
    assert f"caught {len(QUICK)} of {len(QUICK)}" in shown.out


@pytest.mark.parametrize("arguments", [["--only", "nonsense"], ["--jobs", "0"], ["--publish", "--only", QUICK[0]]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(arguments) == 2
    assert "error:" in capsys.readouterr().err
