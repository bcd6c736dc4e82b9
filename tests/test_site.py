"""The site (`make site`) builds without a warning, its links lead somewhere, and it loads nothing from elsewhere."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from halfsilver.harness.cli import build_parser
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS
from halfsilver.hdl.layout.registers import REGISTERS

ROOT = Path(__file__).resolve().parent.parent
BUILD_SECONDS = 120
LOADED = {
    *((tag, "src") for tag in ("script", "img", "iframe", "source", "video")),
    ("source", "srcset"),
    ("link", "href"),
    ("object", "data"),
}
"""Attributes whose file a browser fetches by itself."""
ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//")
COUNTED = ("li", "td", "pre", "h1", "h2", "h3", "h4", "blockquote", "img")
"""What a page has as many of, whoever turns it into HTML."""


class Page(HTMLParser):
    """What of a page can be checked: its ids, where it leads, what it loads, and what its text is made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.elements: Counter[str] = Counter()
        self.words: list[str] = []
        self._in_article = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.loads += [value for name, value in given.items() if (tag, name) in LOADED]
        self._in_article += tag == "article"
        if self._in_article and "headerlink" not in given.get("class", ""):
            self.elements[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        self._in_article -= tag == "article"

    def handle_data(self, data: str) -> None:
        if self._in_article:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", site],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        cwd=ROOT,
        timeout=BUILD_SECONDS,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def hooks():
    """The scripts of docs/, which is not a package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module("site_hooks")


def broken(pages: dict[Path, Page]) -> list[str]:
    """Links to a file or an anchor that is not there; links to other sites are not followed."""
    found = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in pages and unquote(anchor) not in pages[target].ids):
                found.append(f"{path.name}: {link}")
    return found


def test_every_link_leads_somewhere(pages):
    assert sum(len(page.links) for page in pages.values()) > 500
    pages = {path: page for path, page in pages.items() if path.name != "404.html"}  # its links begin with /
    assert broken(pages) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x">1</a> <a href="b.html#y">2</a> <a href="c.html">3</a>')
    (tmp_path / "b.html").write_text('<h2 id="x">x</h2><img src="none.svg">')
    found = broken({path: Page(path) for path in tmp_path.glob("*.html")})
    assert sorted(found) == ["a.html: b.html#y", "a.html: c.html", "b.html: none.svg"]


def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert [load for page in pages.values() for load in page.loads if ELSEWHERE.match(load)] == []
    for style in site.rglob("*.css"):
        fetched = re.findall(r"(?:url\(|@import )[\"']?([^)\"']+)", style.read_text(encoding="utf-8"))
        assert [each for each in fetched if ELSEWHERE.match(each)] == []
    assert "search/search_index.js" in {str(path.relative_to(site)) for path in site.rglob("*.js")}, "no server needed"


@pytest.mark.tools
def test_search_finds_without_a_server(site):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    page = f"file://{site}/reference/command_line.html"
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]

    def hits(word: str) -> int:
        found = subprocess.run(
            [browser, *switches, f"{page}?q={word}"], timeout=BUILD_SECONDS, capture_output=True, text=True, check=True
        )
        return found.stdout.count("md-search-result__item")

    assert hits("terminal-reject") > 0
    assert hits("qqqzzz") == 0


def source_of(place: str) -> Path:
    above = {"index.html": "README.md", "contributing.html": "CONTRIBUTING.md", "changelog.html": "CHANGELOG.md"}
    return ROOT / above.get(place, f"docs/{place.removesuffix('.html')}.md")


def test_a_page_reads_as_in_the_repository(site, pages):
    """As many headings, list items, cells and blocks as CommonMark sees, which GitHub shows."""
    reader = MarkdownIt("commonmark").enable("table")
    compared = 0
    for path, page in pages.items():
        source = source_of(str(path.relative_to(site)))
        text = source.read_text(encoding="utf-8") if source.exists() else ""
        if not text or "<!-- site: " in text or "\n::: " in text:
            continue
        expected = Counter(re.findall(r"<(\w+)", reader.render(text)))
        assert {tag: page.elements[tag] for tag in COUNTED} == {tag: expected[tag] for tag in COUNTED}, path.name
        compared += 1
    assert compared >= 10


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """All commands and options that the parser takes."""
    found = {parser.prog}
    for action in parser._actions:
        found |= set(action.option_strings) if action.help != argparse.SUPPRESS else set()
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*(options_of(below) for below in action.choices.values()))
    return found


def test_the_command_line_is_that_of_the_parser(site, pages):
    text = pages[site / "reference" / "command_line.html"].text
    assert {each for each in options_of(build_parser()) if each not in text} <= {"--help", "--version"}
    assert "In the repository" not in text


@pytest.mark.parametrize(("name", "which"), [("registers", REGISTERS), ("card_registers", CARD_REGISTERS)])
def test_every_register_and_field_is_on_its_page(site, pages, name, which):
    page = pages[site / "reference" / f"{name}.html"]
    assert {register.name.lower() for register in which} <= page.ids
    assert all(field.name in page.text for register in which for field in register.fields)


def test_the_api_of_python_is_on_its_page(site, pages):
    api = importlib.import_module("halfsilver.harness.api")
    text = pages[site / "reference" / "python.html"].text
    assert all(name in text for name in api.__all__ if getattr(api, name).__module__ == api.__name__)


def test_links_are_moved_to_where_the_pages_are(hooks):
    there = {"index.md", "contributing.md", "api.md", "reference/python.md", "load.svg"}

    def moved(text: str, here: str, place: str) -> str:
        return hooks.relink(text, here, place, there)

    assert moved("[a](docs/api.md#x) ![b](docs/load.svg)", "README.md", "index.md") == "[a](api.md#x) ![b](load.svg)"
    assert moved("[a](../../README.md)", "docs/reference/python.md", "reference/python.md") == "[a](../index.md)"
    assert moved("[a](https://x.org) [b](#c)", "README.md", "index.md") == "[a](https://x.org) [b](#c)"
    assert moved("`[a](docs/api.md)`", "README.md", "index.md") == "`[a](docs/api.md)`"
    assert moved('<img src="docs/load.svg">', "README.md", "index.md") == '<img src="load.svg">'
    assert moved('<img srcset="../load.svg">', "docs/how_to/x", "how_to/x") == '<img srcset="../load.svg">'


def test_a_link_to_a_file_that_is_no_page_becomes_its_path(hooks):
    def moved(text: str) -> str:
        return hooks.relink(text, "docs/api.md", "api.md", {"api.md"})

    assert moved("[the API](../harness/api.py)") == "the API (`harness/api.py`)"
    assert moved("[`harness/api.py`](../harness/api.py)") == "`harness/api.py`"
    assert moved("[a](../harness/none.py)") == "[a](../harness/none.py)", "MkDocs refuses it"


def test_wrong_links_end_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    wrong = ["none.md", "index.md#none", "/index.md"]
    (tmp_path / "docs" / "index.md").write_text("# One\n\n" + " ".join(f"[x]({link})" for link in wrong))
    validation = re.search(r"^validation:\n(?: .*\n)+", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert validation is not None
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nplugins: []\n{validation[0]}")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert (
        all(f"'{link}'" in done.stderr for link in wrong) and "3 warnings in strict mode" in done.stdout + done.stderr
    )
