"""Imports go along the arrows that docs/architecture.md draws, and the arrows make no circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FOLDERS = ("hdl", "harness", "sim", "boards")
WORDS = {f"harness.{name}" for name in ("errors", "law", "output", "records", "verdict", "versions")}
OWN_ROOMS = ("hdl.layout",)
"""Rooms inside `hdl`, `sim` or `boards`; in `harness` every folder is one."""


def room_of(module: str) -> str:
    """``halfsilver.harness.policy.types`` -> ``harness.policy``."""
    parts = module.split(".")[1:]
    two = ".".join(parts[:2])
    if two in WORDS:
        return "words"
    return two if parts[0] == "harness" or two in OWN_ROOMS else parts[0]


def imports() -> Iterator[tuple[str, str]]:
    """(importing module, what it imports), by full names, wherever in the file."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(("halfsilver", *path.relative_to(ROOT).with_suffix("").parts))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((name, each.name) for each in node.names if each.name.startswith("halfsilver."))
                elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("halfsilver"):
                    yield from ((name, f"{node.module}.{each.name}") for each in node.names)
                elif isinstance(node, ast.ImportFrom):
                    assert not node.level, f"{path}: imports are absolute"


def arrows() -> dict[str, set[str]]:
    """The list of the page, in its order."""
    block = re.search(r"```\n(words +->.*?)```", PAGE, re.DOTALL)
    assert block, "docs/architecture.md has its list of arrows"
    drawn = {}
    for line in block[1].splitlines():
        room, _, targets = line.partition("->")
        drawn[room.strip()] = {target.strip() for target in targets.split(",") if target.strip()}
    return drawn


def test_imports_go_along_the_arrows():
    drawn = arrows()
    astray = sorted(
        f"{module} imports {target}"
        for module, target in imports()
        if (room := room_of(module)) != room_of(target) and room_of(target) not in drawn.get(room, ())
    )
    assert not astray


def test_arrows_point_up_the_list():
    above: set[str] = set()
    for room, targets in arrows().items():
        assert targets <= above, f"{room} -> {', '.join(sorted(targets - above))}"
        above.add(room)


def test_every_room_is_in_the_list():
    rooms = {room_of(module) for pair in imports() for module in pair}
    assert rooms - {"harness"} <= set(arrows())


@pytest.mark.parametrize(("room", "never"), [("harness.golden", "hdl"), ("hdl", "harness"), ("harness.nic", "sim")])
def test_rooms_that_never_see_each_other(room, never):
    drawn, seen, todo = arrows(), set(), [room]
    while todo:
        here = todo.pop()
        seen.add(here)
        todo += drawn[here] - seen
    assert not {each for each in seen if each == never or each.startswith(f"{never}.")}


@pytest.mark.parametrize("folder", sorted({path.parent for name in FOLDERS for path in (ROOT / name).rglob("*.py")}))
def test_a_folder_is_a_room_with_a_sentence(folder):
    """Its `__init__` says who lives there; more than about fifteen files are two rooms."""
    sentence = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert sentence, f"{folder.relative_to(ROOT)}/__init__.py says who lives there"
