"""What code and pages say about the pages and files of this repository is so: sections, links, paths, sources."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAW = ROOT / "docs" / "mirroring.md"
TEXT = {".py", ".md", ".cpp", ".sh", ".toml", ".yml", ".yaml", ""}

CITATION = re.compile(r"(docs/[a-z_/]+\.md)`*[\s#]+sections?\s+((?:\d+(?:\.\d+)*(?:,\s*|\s+and\s+|\s+to\s+)?)+)")
CODE = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
ROOMS = ("boards", "docs", "examples", "harness", "hdl", "sim", "tests", "tools", r"\.ci", r"\.github")
PATH = re.compile(rf"(?:{'|'.join(ROOMS)})/[\w./-]*\w/?")

SOURCES = (
    "guide",
    "CLI",
    "Terraform",
    "Datadog",
    "EC2",
    "VPC",
    "GWLB",
    "NLB guide",
    "RFC",
    "IANA",
    "IEEE",
    "RSS",
    "capture",
    "decided",
)
"""What a statement of the law may come from; the page explains them at its top."""


def tracked() -> list[Path]:
    """The files of the repository that are text of ours."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if Path(name).suffix in TEXT and (ROOT / name).is_file()]


FILES = tracked()
PAGES = [path for path in FILES if path.suffix == ".md"]


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, punctuation gone, spaces as hyphens."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings(page)}


def citations() -> list[tuple[Path, Path, str]]:
    """(file, page, section) for every section of a page that is cited."""
    found = []
    for path in FILES:
        for cited in CITATION.finditer(path.read_text(encoding="utf-8")):
            found += [(path, ROOT / cited[1], number) for number in re.findall(r"\d+(?:\.\d+)*", cited[2])]
    return found


def test_sections_of_pages_that_are_cited_exist():
    cited = citations()
    assert len({number for _, page, number in cited if page == LAW}) >= 9, "the law is cited all over the code"
    missing = []
    for path, page, number in cited:
        sections = {title.split(".")[0] for title in headings(page)} if page.exists() else set()
        statements = set(re.findall(r"^\| (\d+\.\d+) \|", page.read_text(encoding="utf-8"), re.MULTILINE))
        if number not in sections | statements:
            missing.append(f"{path.relative_to(ROOT)}: {page.relative_to(ROOT)} section {number}")
    assert not missing


def test_every_page_that_is_named_exists():
    named = {
        (path.relative_to(ROOT), name)
        for path in FILES
        for name in re.findall(r"\bdocs/[a-z_/]+\.md", path.read_text(encoding="utf-8"))
    }
    assert not [f"{path}: {name}" for path, name in sorted(named) if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    missing = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        if "://" in link or name.startswith("mailto:"):
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page):
    """Paths as `code` that begin with a room of the repository; `<name>` and the like are not paths."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    named = {name for name in QUOTED.findall(text) if PATH.fullmatch(name)}
    assert not sorted(name for name in named if not (ROOT / name).exists())


def docstrings(path: Path) -> str:
    """All of a file's; the strings below constants too."""
    return "\n".join(
        node.value.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def test_paths_that_docstrings_name_exist():
    named = {
        (path.relative_to(ROOT), name)
        for path in FILES
        if path.suffix == ".py"
        for name in QUOTED.findall(docstrings(path))
        if PATH.fullmatch(name)
    }
    assert len(named) > 10
    assert not [f"{path}: {name}" for path, name in sorted(named) if not (ROOT / name).exists()]


def statements() -> list[tuple[str, str]]:
    """(first cell, last cell) of every row of the law's tables that have a column of sources."""
    rows, sourced = [], False
    for line in LAW.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            sourced = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[-1] == "source":
            sourced = True
        elif sourced and not set(line) <= set("|-"):
            rows.append((line, cells[-1]))
    return rows


def test_every_statement_of_the_law_has_its_source():
    rows = statements()
    assert len(rows) > 100
    without = [line for line, source in rows if not source.startswith(SOURCES)]
    assert not without


def test_statements_of_the_law_are_numbered_in_order():
    numbers = re.findall(r"^\| (\d+)\.(\d+) \|", LAW.read_text(encoding="utf-8"), re.MULTILINE)
    counted: dict[str, int] = {}
    for section, number in numbers:
        counted[section] = counted.get(section, 0) + 1
        assert int(number) == counted[section], f"{section}.{number}"
    sections = [title.split(".")[0] for title in headings(LAW) if title[0].isdigit()]
    assert sections == [str(number) for number in range(1, len(sections) + 1)]


def test_nobody_cites_what_is_not_in_the_repository():
    """The law has one name, and it is a page of this repository."""
    stale = re.compile(r"[Mm]irroring rules|docs/decisions|\.\./shared/(?!captures)|\.\./(?:seeds|notes|spec)\b")
    here = Path(__file__).resolve()
    cited = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in FILES
        if path != here
        for found in stale.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not cited
