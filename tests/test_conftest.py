"""What tests/conftest.py promises: tiers by room, loud skips, and skips that fail where a tool is required."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 120
pytestmark = pytest.mark.slow

SKIPPING = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="tshark is missing (apt install tshark)")
def test_needs_tshark():
    pass

def test_needs_something_else():
    pytest.skip("this kernel refuses it")
"""

COLLECTING = 'import pytest\npytest.importorskip("no_such_module", reason="PostgreSQL is not here")\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own that has our conftest, pytest settings and two modules of tests that skip."""
    (tmp_path / "tests" / "sim").mkdir(parents=True)
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests" / "test_skipping.py").write_text(SKIPPING)
    (tmp_path / "tests" / "sim" / "test_simulated.py").write_text("def test_it():\n    pass\n")
    return tmp_path


def run(project: Path, *arguments: str, require: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=environment | {"HALFSILVER_REQUIRE": require},
        timeout=TIMEOUT,
        capture_output=True,
        text=True,
    )


def test_what_did_not_run_is_said_by_reason_before_the_closing_line(project):
    done = run(project)
    assert done.returncode == 0, done.stdout
    assert "NOT RUN here: 2" in done.stdout
    assert re.search(r"^ +1  tshark is missing \(apt install tshark\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^ +1  this kernel refuses it$", done.stdout, re.MULTILINE)
    assert re.fullmatch(r"=+ 2 passed, 2 skipped in .* =+", done.stdout.splitlines()[-1])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_skip_for_want_of_a_required_tool_fails(project, workers):
    done = run(project, *workers, require="tshark,postgresql")
    assert done.returncode == 1, done.stdout
    assert "HALFSILVER_REQUIRE has tshark, and this was to be skipped: tshark is missing" in done.stdout
    assert "2 passed, 1 skipped, 1 error" in done.stdout.splitlines()[-1]


def test_a_module_that_skips_itself_fails_as_well(project):
    (project / "tests" / "test_collecting.py").write_text(COLLECTING)
    assert run(project).returncode == 0
    done = run(project, require="postgresql")
    assert done.returncode != 0 and "HALFSILVER_REQUIRE has postgresql" in done.stdout


def test_a_requirement_that_nobody_knows_is_refused(project):
    done = run(project, require="wireshark")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "HALFSILVER_REQUIRE: 'wireshark' is not one of tshark, postgresql, iverilog, captures," in done.stderr


JUDGING = """
def test_judges(record_property):
    record_property("judged", "somebody: 7 frames")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_what_others_judged_is_shown(project, workers):
    (project / "tests" / "test_judging.py").write_text(JUDGING)
    shown = run(project, *workers).stdout
    assert re.search(r"=+ JUDGED BY OTHERS =+\n+  somebody: 7 frames\n", shown)


def test_a_room_has_its_tier(project):
    done = run(project, "-m", "simulation")
    assert re.search(r" 1 passed, 3 deselected in ", done.stdout.splitlines()[-1])


def test_the_quick_tier_does_not_import_modules_of_others(project):
    (project / "tests" / "sim" / "test_simulated.py").write_text("raise AssertionError('imported')\n")
    assert run(project, "-m", "not simulation").returncode == pytest.ExitCode.INTERRUPTED
    done = run(project, "-m", "not simulation", "--quick")
    assert re.search(r" 1 passed, 2 skipped in ", done.stdout.splitlines()[-1])


def test_modules_with_a_tier_of_their_own_exist(request):
    (conftest,) = [plugin for plugin in request.config.pluginmanager.get_plugins() if hasattr(plugin, "tiers_of")]
    there = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(conftest.MODULES) <= there
    declared = {line.partition(":")[0] for line in request.config.getini("markers")}
    assert {tier for tiers in conftest.MODULES.values() for tier in tiers} | set(conftest.ROOMS.values()) <= declared
