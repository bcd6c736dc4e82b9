"""What the tests of pages share: a run with a page, and the page's tables as a parser of HTML reads them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from tests.harness.commands.cli_kit import run


class Page(HTMLParser):
    """The tables by the heading before them, each a list of rows of texts; links; the text as a whole."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self._heading = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._inside = tag if tag in ("h2", "th", "td") else "" if tag in ("table", "tr") else self._inside
        if tag == "h2":
            self._heading = ""
        elif tag == "table":
            self.rows = self.tables.setdefault(self._heading, [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag == "a":
            self.links.append(dict(attributes)["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("h2", "table"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside == "h2":
            self._heading += data
        elif self._inside in ("th", "td"):
            self.rows[-1][-1] += data.strip()

    def column(self, heading: str, name: str) -> dict[str, str]:
        """A column of the first table below a heading, by the first one."""
        head, *rows = self.tables[heading]
        return {row[0]: row[head.index(name)] for row in rows if len(row) == len(head)}


def page_of(folder: Path, capture: str, policy: str, *more: str, code: int = 0) -> Page:
    """The page of a run, which leaves its copies and verdicts in ``folder`` as well."""
    files = ("-w", str(folder / "copies.pcapng"), "--verdicts", str(folder / "verdicts.jsonl"))
    assert run("mirror", "-r", capture, "-c", policy, *files, "--report", str(folder / "report"), *more) == code
    return Page((folder / "report" / "index.html").read_text(encoding="utf-8"))
