"""The rooms of the control plane stand in one line: each imports from those before it alone, so there is no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTROL = ROOT / "harness" / "control"
NAME = "halfsilver.harness.control"
ORDER = (
    *("state", "operations", "http", "iam", "inventory", "metrics", "cloudwatch", "trail", "ec2", "ram", "elbv2"),
    *("sts", "service_quotas", "tagging"),
    *("catalogue", "plane", "control", "local", "upstream", "directory", "backup", "serving", "workers"),
)
"""As ``harness/control/__init__.py`` and ``docs/architecture.md`` have it."""
MODULES = sorted(path for path in CONTROL.rglob("*.py") if path.parent != CONTROL or path.name != "__init__.py")


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def room(path: Path) -> str:
    return path.relative_to(CONTROL).parts[0].removesuffix(".py")


def test_every_room_has_its_place_in_the_line() -> None:
    assert {room(path) for path in MODULES} == set(ORDER)
    said = (CONTROL / "__init__.py").read_text(encoding="utf-8")
    places = [said.index(f"``{each}``", said.index("Rooms,")) for each in ORDER]
    assert places == sorted(places), "the docstring of harness/control has the same line"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CONTROL)))
def test_a_module_imports_from_rooms_before_its_own(path: Path) -> None:
    own = ORDER.index(room(path))
    used = {name.removeprefix(f"{NAME}.").split(".")[0] for name in imported(path) if name.startswith(f"{NAME}.")}
    assert not [each for each in used if ORDER.index(each) > own]


def test_no_kit_is_imported_under_two_names() -> None:
    """pytest puts the folder of each test file into the path; a kit that is found there too is another module."""
    kits = {path.stem for path in Path(__file__).parent.glob("*/*.py") if not path.name.startswith("test_")}
    for path in Path(__file__).parent.rglob("*.py"):
        for name in imported(path):
            assert name.split(".")[0] not in kits, f"{path}: import {name} as tests.control.kits"
