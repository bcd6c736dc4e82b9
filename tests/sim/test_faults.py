"""The faults planted by hand: each still has its place in the gateware, and the machinery catches a few of them."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest

from halfsilver.sim.mutation import mutants
from halfsilver.sim.mutation.by_hand import planting
from halfsilver.sim.mutation.by_hand.faults import FAULTS, Fault
from halfsilver.sim.mutation.by_hand.outcomes import CAUGHT, UNKNOWN, Kept, Outcome
from halfsilver.sim.mutation.by_hand.words import find_words
from halfsilver.sim.mutation.regression import BUILDS, PHASES

ROOT = Path(__file__).parents[2]
QUICK = ("second-vlan-tag", "session-priority")
"""A few, in one build: each takes as long as the gateware takes to compile."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place(fault: Fault, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "hdl", tmp_path / "hdl", ignore=shutil.ignore_patterns("__pycache__"))
    changed = fault.apply(tmp_path)  # raises with the words to look for
    text = changed.read_text()
    assert text != (ROOT / changed.relative_to(tmp_path)).read_text()
    ast.parse(text)
    assert fault.build in BUILDS


def test_names_are_unique_and_enough() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 79


def test_a_fault_without_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hdl").mkdir()
    (tmp_path / "hdl" / "parser.py").write_text("twice(twice)\n")
    for old, times in (("never", 0), ("twice", 2)):
        with pytest.raises(ValueError, match=f"{times} times in hdl/, not once: {old}"):
            Fault("rotten", old, "new", "nothing").apply(tmp_path)


def test_a_place_survives_a_new_layout() -> None:
    text = "def first():\n    go(a, b)\n\ndef second():\n    go(  # why\n        a,\n        b,\n    )\n"
    assert [text[place] for place in find_words(text, "go(a, b)", "first")] == ["go(a, b)"]
    assert [text[place] for place in find_words(text, "go(a, b)", "second")] == [
        "go(  # why\n        a,\n        b,\n    )"
    ]
    assert len(list(find_words(text, "go(a, b"))) == 2
    assert not list(find_words(text, "go(a, c)"))


def test_outcomes_are_kept_for_the_same_tree_and_seed(tmp_path: Path) -> None:
    tree, path = tmp_path / "tree", tmp_path / "hand.json"
    (tree / "hdl").mkdir(parents=True)
    (tree / "hdl" / "nic.py").write_text("one\n")
    kept = Kept(path, tree, 1)
    kept.add("first", Outcome(CAUGHT, "rules: frame 3", 12.5))
    kept.add("second", Outcome(UNKNOWN, "not done within 600 seconds", 600.0))
    assert Kept(path, tree, 1).outcomes == {"first": Outcome(CAUGHT, "rules: frame 3", 12.5)}
    assert not Kept(path, tree, 2).outcomes
    (tree / "hdl" / "nic.py").write_text("two\n")
    assert not Kept(path, tree, 1).outcomes


@pytest.mark.long
def test_the_control_run_passes_and_faults_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "mutants.json"
    monkeypatch.setattr(planting, "REPORT", report)
    code = mutants.main(["--list", "hand", *(argument for name in QUICK for argument in ("--only", name))])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert "control, narrow build: passed" in shown.err
    answer = json.loads(report.read_text())
    assert (answer["caught"], answer["planted"]) == (len(QUICK), len(QUICK))
    assert [fault["name"] for fault in answer["faults"]] == list(QUICK)
    assert all(fault["by"].partition(":")[0] in PHASES for fault in answer["faults"])
    assert f"caught {len(QUICK)} of {len(QUICK)}" in shown.out
