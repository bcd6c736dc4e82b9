"""The arrows between rooms point down only (docs/architecture.md), by the import statements of every file."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
TOPS = ("hdl", "harness", "sim", "boards")
PACKAGE = "halfsilver."
MODULES_AT_MOST = 16
"""A folder with more is two rooms."""

PLAIN = {"harness.law", "harness.errors", "harness.verdict", "harness.records"}
"""What every room of the host may know, besides the policy."""

ALLOWED = {
    "hdl.layout": set(),
    "hdl": {"hdl.layout"},
    "boards": {"harness.errors", "harness.installation", "hdl", "hdl.layout"},
    "harness.law": set(),
    "harness.errors": set(),
    "harness.spelling": set(),
    "harness.installation": {"harness.errors"},
    "harness.arguments": {"harness.errors", "harness.spelling"},
    "harness.verdict": set(),
    "harness.versions": set(),
    "harness.records": {"harness.verdict"},
    "harness.output": {"harness.errors"},
    "harness.policy": {"harness.law", "harness.errors", "harness.spelling"},
    "harness.environment": {"harness.errors", "harness.spelling"},
    "harness.golden": PLAIN | {"harness.policy"},
    "harness.live": PLAIN | {"harness.spelling", "harness.policy", "harness.bench", "harness.capture"},
    "harness.propose": PLAIN | {"harness.policy", "harness.capture", "harness.golden", "harness.report"},
    "harness.nic": PLAIN | {"harness.policy", "hdl.layout"},
    "harness.bench": PLAIN | {"harness.spelling", "harness.policy", "harness.nic", "hdl.layout"},
    "harness.engine": PLAIN | {"harness.policy"},
    "harness.engines": PLAIN
    | {
        "harness.installation",
        "harness.spelling",
        "harness.policy",
        "harness.engine",
        "harness.golden",
        "harness.nic",
        "harness.bench",
    },
    "harness.capture": PLAIN | {"harness.installation"},
    "harness.report": PLAIN | {"harness.policy", "harness.capture", "harness.engine", "harness.engines"},
    "harness.control": PLAIN
    | {"harness.spelling", "harness.policy", "harness.capture", "harness.engine", "harness.output", "harness.report"},
    "harness.console": PLAIN
    | {
        "harness.spelling",
        "harness.policy",
        "harness.engine",
        "harness.engines",
        "harness.golden",
        "harness.capture",
        "harness.report",
        "harness.control",
    },
    "harness.speed": {
        "harness.arguments",
        "harness.errors",
        "harness.installation",
        "harness.bench",
        "harness.control",
    },
}
"""Rooms that are bound. Those not here (commands, cli, api, sim ...) are at the top and may know whatever is below."""

TOP = {"harness.commands", "harness.cli", "harness.api", "harness.pytest_plugin", "harness.speed", "harness.suite"}


def modules(top: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / top).rglob("*.py")) if "__pycache__" not in path.parts)


def room(name: tuple[str, ...]) -> str:
    """The room of a module: a folder or a module of harness; hdl but for its layout is one, so are sim and boards."""
    if name[0] == "hdl":
        return "hdl.layout" if name[1:2] == ("layout",) else "hdl"
    return ".".join(name[:2]) if name[0] == "harness" else name[0]


def name_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Modules of ours that a file imports, wherever in it, without the package's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [node.module or ""]
            if node.module is not None and (node.module + ".").count(".") == 1:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (tuple(name.removeprefix(PACKAGE).split(".")) for name in names if name.startswith(PACKAGE))


@cache
def arrows() -> dict[str, dict[str, str]]:
    """{room: {room it knows: a file that shows it}}"""
    found: dict[str, dict[str, str]] = {}
    for path in (path for top in TOPS for path in modules(top)):
        here = room(name_of(path))
        known = found.setdefault(here, {})
        for there in map(room, imported(path)):
            if there != here:
                known.setdefault(there, str(path.relative_to(ROOT)))
    return found


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Some way from a room back to itself, if there is one."""
    done: set[str] = set()

    def walk(here: str, way: list[str]) -> list[str] | None:
        if here in way:
            return [*way[way.index(here) :], here]
        if here in done:
            return None
        for there in sorted(graph.get(here, ())):
            found = walk(there, [*way, here])
            if found:
                return found
        done.add(here)
        return None

    return next((found for start in sorted(graph) if (found := walk(start, []))), None)


def drawn() -> dict[str, set[str]]:
    """The list of docs/architecture.md: {room: rooms it may know}, the words left out."""
    block = re.search(r"```\n(words +->.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block, "docs/architecture.md has a list of arrows"
    lines = [line.partition("->")[::2] for line in block[1].splitlines()]
    return {here.strip(): {each.strip() for each in known.split(",")} - {"", "words"} for here, known in lines}


def test_the_page_draws_the_same_arrows():
    """Those at the top, which are not bound, must be drawn as they are."""
    words = {each for each in ALLOWED if each.count(".") == 1 and (ROOT / f"{each.replace('.', '/')}.py").exists()}
    words -= {"harness.engine", "harness.environment"}
    bound = {here: known - words for here, known in ALLOWED.items() if here not in words}
    free = {here: set(known) - words for here, known in arrows().items() if here not in bound and here not in words}
    page = drawn()
    assert page.pop("words") == set()
    assert {here: page.get(here) for here in bound} == bound
    assert {here for here in page} - bound.keys() == free.keys() - {"harness"}
    assert not {here: known - page[here] for here, known in free.items() if here in page and known - page[here]}


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


@pytest.mark.parametrize("here", sorted(ALLOWED))
def test_a_room_knows_only_what_is_below(here):
    known = arrows()[here]
    wrong = {there: path for there, path in known.items() if there not in ALLOWED[here]}
    assert not wrong, f"{here} must not import these: {wrong}"


@pytest.mark.parametrize("below", sorted(set(ALLOWED) | {"sim"}))
def test_nothing_below_knows_the_top(below):
    known = arrows()[below]
    forbidden = {"sim", *TOP} if below != "sim" else {"boards", "harness.control", "harness.speed", "harness.api"}
    assert not forbidden & known.keys() - {below}


def test_golden_model_and_gateware_never_see_each_other():
    assert not {each for each in arrows()["harness.golden"] if each.startswith("hdl")}
    assert not {each for each in arrows()["hdl"] | arrows()["hdl.layout"] if each.startswith(("harness", "sim"))}


def test_the_layout_is_plain_data():
    """The core install has no Amaranth, and reads the layout all the same."""
    for path in modules("hdl/layout"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.partition(".")[0] == "amaranth"], path


def test_no_circle_between_rooms():
    graph = {here: set(known) for here, known in arrows().items()}
    assert circle(graph) is None


FOLDERS = sorted({path.parent for top in TOPS for path in modules(top)})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_says_who_lives_there(folder):
    """In one sentence; and it is one room, not two."""
    door = folder / "__init__.py"
    assert door.exists()
    said = ast.get_docstring(ast.parse(door.read_text(encoding="utf-8")))
    assert said and said.split("\n\n")[0].endswith(".")
    assert len([path for path in folder.glob("*.py") if path != door]) <= MODULES_AT_MOST


NAMED_BY = {"harness/engines/registry.py"}
TOOL = {"harness/commands/card/doctor.py", "harness/versions.py"}
"""These say ``verilator`` and mean the tool."""


@pytest.mark.parametrize("top", ["harness", "sim/engine.py", "sim/lots.py", "sim/farm.py", "sim/run.py", "sim/traffic"])
def test_engines_are_named_in_one_place(top):
    from halfsilver.harness.engines.registry import ENGINES

    paths = [ROOT / top] if top.endswith(".py") else modules(top)
    for path in paths:
        if str(path.relative_to(ROOT)) in NAMED_BY | TOOL:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in ENGINES, f"{path}:{node.lineno} names the engine {node.value}"


def test_no_two_modules_of_tests_have_one_name():
    """pytest imports them by their bare names, so that of two only one would run."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
