"""What MkDocs does not do by itself, for ``make site`` (mkdocs.yml).

- README, CONTRIBUTING and CHANGELOG are pages too, though they stand above docs/.
- A link is written as it is right in the repository. What it leads to has another place on the site, or none: a link to
  a file that is no page becomes the file's path.
- The parts between ``<!-- site: WHAT -->`` and ``<!-- end -->`` are made when the site is. What the repository has
  there says which command prints it.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))  # MkDocs loads this file from nowhere

from site_parts import PARTS  # noqa: E402

ABOVE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that are not in docs/, and what they are called on the site."""

LINK = re.compile(
    r"^```.*?^```$|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)|`[^`\n]+`"
    r'|(?P<html>(?:src|srcset)=")(?P<picture>[^"]+)(?=")',
    re.DOTALL | re.MULTILINE,
)
"""A link or a picture, in Markdown, or a picture in HTML; or code, in which there is none."""
PART = re.compile(r"<!-- site: (?P<what>[^\n]+) -->\n.*?<!-- end -->\n", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """MkDocs' event: the pages from above docs/ go in."""
    for name, place in ABOVE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """MkDocs' event: the text of a page, before it is HTML."""
    place: str = page.file.src_uri
    here = next((name for name, there in ABOVE.items() if there == place), f"docs/{place}")
    on_site = {file.src_uri for file in files}
    markdown = relink(markdown, here, place, on_site)
    return PART.sub(lambda part: PARTS[part["what"]](), markdown)


def relink(markdown: str, here: str, place: str, on_site: set[str]) -> str:
    """The text with its links as they are on the site.

    here     the page's path in the repository; place: on the site
    on_site  what there is on the site
    """

    def path_of(name: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(here), name))

    def place_of(name: str) -> str:
        return ABOVE.get(path_of(name), path_of(name).removeprefix("docs/"))

    def link(found: re.Match[str]) -> str:
        if found["html"]:
            return found["html"] + posixpath.relpath(place_of(found["picture"]), posixpath.dirname(place) or ".")
        if found["target"] is None:
            return found[0]
        name, hash_, anchor = found["target"].partition("#")
        if not name or ":" in name:
            return found[0]
        path = path_of(name)
        there = place_of(name)
        if there in on_site:
            target = posixpath.relpath(there, posixpath.dirname(place) or ".")
            return f"{found['image']}[{found['text']}]({target}{hash_}{anchor})"
        if not (ROOT / path).exists():
            return found[0]  # for MkDocs to complain of
        return found["text"] if path in found["text"] else f"{found['text']} (`{path}`)"

    return LINK.sub(link, markdown)
