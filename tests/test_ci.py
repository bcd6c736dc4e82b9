"""What continuous integration and the hooks of a checkout run is what the repository has."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / ".ci" / "run"
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
TIMEOUT = 60

MAKE = "#!/bin/sh\necho make $1 requires $HALFSILVER_REQUIRE\n"
ROOT_USER, SOMEBODY = "#!/bin/sh\necho 0\n", "#!/bin/sh\necho 1000\n"


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with little on it: what .ci/run itself calls, and a `make` that says what it was to do."""
    for name in ("bash", "dirname", "timeout", "tail"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    program(tmp_path, "make", MAKE)
    program(tmp_path, "id", SOMEBODY)
    return tmp_path


def run(machine: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine), "HOME": str(machine), "HALFSILVER_CAPTURES": str(machine / "none")}
    return subprocess.run(
        [str(machine / "bash"), str(SCRIPT)], env=environment, timeout=TIMEOUT, capture_output=True, text=True
    )


def test_workflow_runs_the_script_and_pins_what_it_uses():
    assert re.search(r"^ +run: \.ci/run$", WORKFLOW, re.MULTILINE) and os.access(SCRIPT, os.X_OK)
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
    assert re.search(r"container: debian:\d+\.\d+-slim$", WORKFLOW, re.MULTILINE)


def test_somebody_without_root_is_told_what_will_be_skipped(machine):
    done = run(machine)
    assert done.returncode == 0, done.stderr
    for tool in ("tshark", "iverilog", "suricata", "captures", "terraform"):
        assert f"ci: NOTE: no {tool} here: what needs it is skipped" in done.stdout
    made = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("make")]
    assert made[0] == ".venv/.stamp" and sorted(made[1:-1]) == ["lint", "yosys"] and made[-1] == "test"


def test_what_is_there_is_required(machine):
    program(machine, "tshark", "")
    done = run(machine)
    required = re.search(r"make test requires (\S*)", done.stdout)
    assert required and "tshark" in required[1].split(",") and "iverilog" not in required[1].split(",")


def test_root_that_cannot_install_fails(machine):
    program(machine, "id", ROOT_USER)
    program(machine, "apt-get", "#!/bin/sh\necho no such package >&2\nexit 100\n")
    done = run(machine)
    assert done.returncode == 1 and "make" not in done.stdout
    assert "no such package" in done.stdout and "ci: FAILED: apt could not install tshark" in done.stdout


def test_what_only_some_distributions_have_may_be_missing(machine):
    program(machine, "id", ROOT_USER)
    program(machine, "apt-get", "#!/bin/sh\nexit 100\n")
    shown = run(machine).stdout
    assert "ci: NOTE: apt could not install suricata" in shown and "FAILED: apt could not install suricata" not in shown


def test_root_whose_install_brings_nothing_fails(machine):
    program(machine, "id", ROOT_USER)
    program(machine, "apt-get", "#!/bin/sh\nexit 0\n")
    done = run(machine)
    assert done.returncode == 1 and "ci: FAILED: apt installed tshark, but it is not there" in done.stdout


def test_hooks_take_the_tools_of_the_checkout():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"entry: (.+)", hooks)
    assert entries and all(entry.startswith(".venv/bin/python -m ruff ") for entry in entries)
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
