"""The coverage page: one HTML file; a table of source files, then each with what is not covered, and its lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from html import escape
from pathlib import Path

from halfsilver.sim.coverage.points import BRANCH, TOGGLE, Place
from halfsilver.sim.coverage.tally import Share, Tally, per_file

__all__ = ["page", "percent"]

_STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse }
td, th { padding: .15em .8em; text-align: right } th { border-bottom: 1px solid #999 }
td:first-child, th:first-child { text-align: left } pre { margin: 0; font: 13px/1.35 monospace }
.full { background: #e2f3e2 } .part { background: #fdf3cf } .none { background: #fbdcdc }
.line { display: block; white-space: pre-wrap } .number { color: #888; display: inline-block; width: 4em }
.missing { color: #a33 } summary { cursor: pointer; font-weight: bold; margin-top: 1em } li { margin: .1em 0 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } .full { background: #1d351d } .part { background: #40381a }
  .none { background: #4a2222 } .missing { color: #f99 } a { color: #8bf }
}
"""

SHOWN_BITS = 8
"""Names of points that a list shows before it says how many more there are."""


def page(tally: Tally, sources: Path, about: str) -> str:
    """The page's text. ``sources``: the folder that the places' files are relative to; ``about``: what ran."""
    files: dict[str, dict[int, list[tuple[Place, Share]]]] = defaultdict(lambda: defaultdict(list))
    for place, share in sorted(tally.items()):
        files[place.file][place.line].append((place, share))
    sums = per_file(tally)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Halfsilver: coverage of the gateware</title>",
        f"<style>{_STYLE}</style><h1>Coverage of the gateware</h1><p>{escape(about)}</p>",
        "<p>Branches: each way through every decision. Toggles: each bit of each signal, rising and falling. Of several"
        " builds the one that covers more of a place counts.</p>",
        "<table><tr><th>file<th>branches<th><th>toggles<th></tr>",
    ]
    for name, kinds in {**sums, "all": _total(sums)}.items():
        cells = "".join(f"<td>{share.covered:,} of {share.total:,}<td>{percent(share)}" for share in kinds.values())
        label = f'<a href="#{escape(name)}">{escape(name)}</a>' if name in files else f"<b>{name}</b>"
        parts.append(f"<tr><td>{label}{cells}</tr>")
    parts.append("</table>")
    for name, lines in sorted(files.items()):
        parts.append(f'<details id="{escape(name)}"><summary>{escape(name)}</summary>')
        parts += _not_covered(lines)
        parts += _listing(sources / name, lines)
        parts.append("</details>")
    parts.append(
        "<script>onhashchange=()=>{let d=document.getElementById(decodeURIComponent(location.hash.slice(1)));"
        "if(d){d.open=true;d.scrollIntoView()}};onhashchange()</script></html>"
    )
    return "\n".join(parts) + "\n"


def percent(share: Share) -> str:
    """Rounded down: 100 % is only said of all."""
    return f"{100 * share.covered // share.total} %" if share.total else "-"


def _total(sums: Mapping[str, Mapping[str, Share]]) -> dict[str, Share]:
    return {
        kind: Share(sum(each[kind].covered for each in sums.values()), sum(each[kind].total for each in sums.values()))
        for kind in (BRANCH, TOGGLE)
    }


def _not_covered(lines: Mapping[int, list[tuple[Place, Share]]]) -> list[str]:
    missing = [(place, share) for line in lines.values() for place, share in line if not share.complete]
    if not missing:
        return ["<p>Everything is covered.</p>"]
    items = [f"<li>line {place.line}: {escape(_told(place, share))}" for place, share in missing]
    return [f"<p>Not covered, {len(missing)} places:</p><ul class=missing>", *items, "</ul>"]


def _told(place: Place, share: Share) -> str:
    names = ", ".join(share.missing[:SHOWN_BITS])
    more = f" and {len(share.missing) - SHOWN_BITS} more" if len(share.missing) > SHOWN_BITS else ""
    what = f"signal {place.name}" if place.kind == TOGGLE else "decision"
    if place.kind == BRANCH and not place.name.startswith("$"):
        what = f"decision of {place.name}"
    return f"{what}: {share.covered} of {share.total}, not {names}{more}"


def _listing(path: Path, lines: Mapping[int, list[tuple[Place, Share]]]) -> list[str]:
    if not path.is_file():
        return ["<p>The source is not here.</p>"]
    rows = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        shares = [share for _, share in lines.get(number, [])]
        covered, total = sum(share.covered for share in shares), sum(share.total for share in shares)
        kind = "" if not total else " full" if covered == total else " part" if covered else " none"
        count = f" title='{covered} of {total}'" if total else ""
        rows.append(f"<span class='line{kind}'{count}><span class=number>{number}</span>{escape(text)}</span>")
    return ["<pre>" + "".join(rows) + "</pre>"]
