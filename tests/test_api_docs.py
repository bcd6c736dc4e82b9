"""docs/api.md says of the served API what the code says."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from halfsilver.harness.control.catalogue import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ALWAYS_READ = {"DryRun", "ClientToken", "clientToken"}
"""By the server, whatever the operation."""


@pytest.fixture(scope="module")
def docs():
    """The scripts of docs/, which is not a package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield {name: importlib.import_module(name) for name in ("build_docs", "api_tables", "api_errors")}


def words(value: Any, seen: set[int]) -> set[str]:
    """All strings that a function, class or constant of the server's code works with, and what it refers to."""
    if isinstance(value, str):
        return {value}
    if id(value) in seen:
        return set()
    seen.add(id(value))
    if isinstance(value, dict):
        return set().union(*(words(each, seen) for pair in value.items() for each in pair))
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*(words(each, seen) for each in value))
    if isinstance(value, FunctionType) or inspect.isclass(value):
        if not value.__module__.startswith("halfsilver.harness."):
            return set()
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
        for node in ast.walk(tree):  # what is read, not what types are called
            for name in ("annotation", "returns", "decorator_list"):
                if hasattr(node, name):
                    setattr(node, name, [] if name == "decorator_list" else None)
        return words_of_code(tree, vars(sys.modules[value.__module__]), seen)
    if is_dataclass(value):
        return set().union(*(words(getattr(value, each.name), seen) for each in fields(value)))
    return set()


def words_of_code(tree: ast.AST, names: dict[str, Any], seen: set[int]) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Name) and node.id in names:
            found |= words(names[node.id], seen)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id)
            if isinstance(module, ModuleType) and module.__name__.startswith("halfsilver.harness."):
                found |= words(getattr(module, node.attr, None), seen)
    return found


@pytest.mark.parametrize(("service", "name"), sorted(OPERATIONS))
def test_a_parameter_is_read_or_the_page_says_that_it_is_not(docs, service, name):
    shape = docs["api_tables"].model(service, name).input_shape
    members = set() if shape is None else set(shape.members)
    unread = members - words(OPERATIONS[service, name].handler, set()) - ALWAYS_READ
    said = docs["api_tables"].WITHOUT_EFFECT.get((service, name), {})
    assert unread <= set(said), "say so in WITHOUT_EFFECT of docs/api_tables.py, or do something with them"
    assert set(said) <= members


def test_every_error_has_its_line_and_every_line_its_error(docs):
    described = {code for family in docs["api_errors"].ERRORS.values() for code in family}
    assert described == set(docs["api_tables"].collect_errors()), "docs/api_errors.py"


def test_an_error_whose_code_comes_from_somewhere_new_is_noticed(docs, tmp_path, monkeypatch):
    (tmp_path / "new.py").write_text('raise ApiError(somewhere(), "message")\n')
    monkeypatch.setattr(docs["api_tables"], "SOURCES", tmp_path)
    with pytest.raises(ValueError, match=r"new\.py:1.*somewhere\(\)"):
        docs["api_tables"].collect_errors()


def test_statuses_come_from_the_code(docs):
    """Those that the EC2 API reference and the IAM user guide name."""
    found = docs["api_tables"].collect_errors()
    assert found["DryRunOperation"] == {412}
    assert found["UnauthorizedOperation"] == {403}
    assert found["InvalidTrafficMirrorSessionId.NotFound"] == {400}
    assert found["SignatureDoesNotMatch"] == {403}
    assert {401} <= found["AuthFailure"] <= {401, 403}


def test_every_table_is_on_the_page_and_up_to_date(docs):
    parts = {part["what"]: part for part in docs["build_docs"].MARKED.finditer(PAGE) if part["kind"] == "api"}
    assert set(parts) == set(docs["api_tables"].TABLES)
    for what, part in parts.items():
        assert part[0] == part["mark"] + docs["api_tables"].TABLES[what](), "run `python docs/build_docs.py --quick`"


def test_every_operation_is_on_the_page():
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {name for _, name in OPERATIONS} <= listed
    assert len([name for name in listed if "TrafficMirror" in name and name[0].isupper()]) >= 15


def test_the_pages_own_references_lead_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def test_options_on_the_page_exist():
    from halfsilver.harness.cli import build_parser

    serve = build_parser()._subparsers._group_actions[0].choices["serve"]
    known = {option for action in serve._actions for option in action.option_strings}
    assert set(re.findall(r"`(?:halfsilver serve )?(--[a-z-]+)", PAGE)) <= known
