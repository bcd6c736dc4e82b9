"""The documented Python interface and the pytest plugin: as a user's own script and tests have them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.api import HalfsilverError, open_mirror
from tests.harness.commands.cli_kit import ANSWERS, DOCUMENTS, FRAMES, output_of, write_capture, write_policy

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]


# Mirrors.


def test_verdicts_copies_and_sums(tmp_path: Path, capsys: Any) -> None:
    with open_mirror(write_policy(tmp_path)) as mirror:
        judged = mirror.send(FRAMES)
        summary = mirror.summary()
    found = [
        (
            each.verdict,
            each.direction,
            each.service,
            each.session,
            each.rule,
            each.rule_number,
            each.length,
            each.copied,
        )
        for each in judged
    ]
    assert found == ANSWERS
    for frame, each in zip(FRAMES, judged, strict=True):
        assert each.frame == frame
        assert (each.copy is not None) == (each.verdict == "mirrored")
        assert each.copy is None or each.copy.endswith(frame[: each.copied])
    printed = output_of(capsys, "mirror", "-r", write_capture(tmp_path), "-c", write_policy(tmp_path), "--json")
    assert summary == json.loads(printed)


def test_a_policy_may_be_documents_and_settings_are_those_of_the_command() -> None:
    stranger = FRAMES[5]  # to an interface of nobody
    with open_mirror(DOCUMENTS, tap=True) as mirror:
        assert mirror.send([stranger])[0].eni == "eni-10"
    with open_mirror(DOCUMENTS, direction="egress") as mirror:
        assert [each.direction for each in mirror.send([bytearray(FRAMES[0]), memoryview(FRAMES[0])])] == ["egress"] * 2
    with open_mirror(DOCUMENTS, eni="eni-40") as mirror:
        assert [interface.eni_id for interface in mirror.policy.interfaces] == ["eni-40", "eni-10"]


def test_why_and_it_is_not_counted() -> None:
    with open_mirror(DOCUMENTS) as mirror:
        text = mirror.explain(FRAMES[2])
        assert "rule 10 (tmfr-1) reject: matches" in text and "verdict: rejected" in text
        assert mirror.summary()["offered"] == 0


@pytest.mark.parametrize(
    ("settings", "frames", "message"),
    [
        ({"engine": "goldn"}, [], "no engine 'goldn'; did you mean golden?"),
        ({"engine": "abacus"}, [], "no engine 'abacus'; there are golden"),
        ({"direction": "in"}, [], "no direction 'in'"),
        ({"eni": "eni-99"}, [], "eni-99 is not in NetworkInterfaces"),
        ({}, [b"x", 64], "frame 2 is of type int; give its bytes"),
        ({}, ["0a00"], "frame 1 is of type str; give its bytes"),
        ({}, [b""], "frame 1 has no bytes"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], frames: list[Any], message: str) -> None:
    with pytest.raises(HalfsilverError, match=re.escape(message)), open_mirror(DOCUMENTS, **settings) as mirror:
        mirror.send(frames)


# The plugin, in a run of pytest of its own.


def test_pytest_finds_the_plugin_where_the_package_is_installed() -> None:
    (found,) = [each for each in entry_points(group="pytest11") if each.name == "halfsilver"]
    assert found.value == "halfsilver.harness.pytest_plugin"


@pytest.mark.slow
def test_the_example_of_the_page(pytester: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "how_to" / "pytest.md").read_text(encoding="utf-8")
    (example,) = [part for part in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "halfsilver_engine" in part]
    assert sum(bool(line.strip()) for line in example.splitlines()) <= 10
    pytester.makepyfile(example)
    (pytester.path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "mirror.json", pytester.path / "examples")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    broken = example.replace('"no-match", ', '"mirrored", ')
    assert broken != example
    pytester.makepyfile(broken)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no rule matches*"])


@pytest.mark.slow
def test_mirrors_are_closed_when_the_test_ends(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        from halfsilver.harness.engines.golden import GoldenEngine

        closed = []
        GoldenEngine.close = lambda self: closed.append(self)

        def test_two(halfsilver_engine):
            halfsilver_engine({DOCUMENTS!r})
            halfsilver_engine({DOCUMENTS!r}, tap=True)
            assert not closed

        def test_after():
            assert len(closed) == 2
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.slow
def test_an_unknown_engine_ends_the_run_before_any_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_subprocess("--halfsilver-engine", "verilater")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--hil-engine: there is no engine 'verilater'; did you mean verilator?*"])
    pytester.runpytest_subprocess("--halfsilver-engine", "golden").assert_outcomes(passed=1)


@pytest.mark.slow
def test_an_unused_plugin_imports_nothing_of_the_package(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            found = {name for name in sys.modules if name.startswith("halfsilver")}
            assert found == {"halfsilver", "halfsilver.harness", "halfsilver.harness.pytest_plugin"}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_interface_needs_no_extra() -> None:
    """Importing it loads nothing that only an extra brings."""
    code = (
        "import sys, halfsilver.harness.api; "
        "print([name for name in ('amaranth', 'botocore', 'scapy', 'sqlalchemy', 'cocotb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
