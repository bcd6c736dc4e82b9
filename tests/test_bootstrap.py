"""`tools/bootstrap --check`: what the machine must bring, each missing thing one line and exit code 3."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("c++", "make", "perl")
SHELL = ("sh", "dirname", "uname")


@pytest.fixture
def machine(tmp_path):
    """A PATH with just what is needed, and a function that runs the check on it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (*NEEDED, *SHELL):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    (programs / "python3").symlink_to(sys.executable)

    def check(**environment: str) -> tuple[int, list[str]]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            [ROOT / "tools" / "bootstrap", "--check"],
            capture_output=True,
            text=True,
            timeout=60,
            env=inherited | {"PATH": str(programs)} | environment,
        )
        return done.returncode, done.stderr.splitlines()

    return programs, check


def test_a_complete_machine_passes(machine):
    _, check = machine
    assert check() == (0, [])


@pytest.mark.parametrize("tool", [*NEEDED, "python3"])
def test_a_missing_tool_is_one_line_that_names_it(machine, tool):
    programs, check = machine
    (programs / tool).unlink()
    status, lines = check()
    assert status == 3
    assert len(lines) == 1
    assert tool in lines[0] and "Debian" in lines[0]


@pytest.mark.parametrize("version", ["3.10.14", "3.15.0"])
def test_an_unsupported_python_is_one_line_that_names_the_versions(machine, tmp_path, version):
    _, check = machine
    numbers = version.replace(".", ", ")
    other = tmp_path / "python"
    other.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && {{ echo "Python {version}"; exit 0; }}\n'
        f'exec "{sys.executable}" -c "import sys; sys.version_info = ({numbers}); $2"\n'
    )
    other.chmod(0o755)
    status, lines = check(PYTHON=str(other))
    assert status == 3
    assert len(lines) == 1
    assert version in lines[0] and "3.11 to 3.14" in lines[0]


def test_a_compiler_that_cannot_compile_is_one_line(machine):
    programs, check = machine
    (programs / "c++").unlink()
    (programs / "c++").write_text("#!/bin/sh\nexit 1\n")
    (programs / "c++").chmod(0o755)
    status, lines = check()
    assert status == 3
    assert len(lines) == 1
    assert "cannot compile" in lines[0]


def test_links_that_an_archive_has_not_are_made(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    setup = importlib.import_module("setup_venv")
    rooms = ROOT / "tools" / "rooms" / "halfsilver"
    assert {path.name for path in rooms.iterdir()} == set(setup.ROOMS)
    for room in setup.ROOMS:
        (tmp_path / room).mkdir()
    made = tmp_path / "tools" / "rooms" / "halfsilver"
    made.mkdir(parents=True)
    (made / "sim").write_text("../../../sim")  # what git makes of a link where it may not make one
    setup.link_rooms(tmp_path)
    assert {path.name: os.readlink(path) for path in made.iterdir()} == {
        path.name: os.readlink(path) for path in rooms.iterdir()
    }
    assert all(path.resolve() == tmp_path / path.name for path in made.iterdir())


def test_everything_installed_is_pinned_and_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    requirements = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    requirements = [each for each in requirements if not each.startswith("halfsilver[")]
    for requirement in requirements:
        assert "==" in requirement
        places = text.split(f'"{requirement}"')
        assert len(places) > 1
        for before, after in zip(places, places[1:], strict=False):
            line_before = before.rstrip().splitlines()[-1].strip()
            assert after.lstrip(", ").startswith("#") or line_before.startswith("#")
    for line in (ROOT / "tools" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or ("==" in line and "# " in line)
