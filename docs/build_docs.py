"""Refresh what is generated in the documentation: the diagrams, and the marked parts of README.md and the pages.

``docs/tables.md``, ``docs/mirror_json.md`` and ``harness/policy/aws_members.json`` are made here as well.

    python docs/build_docs.py            diagrams, tables, the output of every marked command, and the session
    python docs/build_docs.py --quick    diagrams and tables only

What is made only with the site (`<!-- site: WHAT -->`) is in docs/site_hooks.py.

A marked part stands between `<!-- KIND: WHAT -->` and `<!-- end -->`. Kinds are
  output   a command
  tutorial a command of docs/tutorial.md, in build/tutorial; each goes on where the one before ended
  session  a part of docs/session.py: a server and its clients
  table    a file of figures: docs/synth.json, by `python -m halfsilver.boards.synth --publish`;
           docs/latency.json, by `python -m halfsilver.sim.latency --publish`; docs/boards.json, by `make bitstreams`
  api      a table of docs/api_tables.py, from the code of the server

Exit status: 0 done, 1 a command failed (its part is left as it was), 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from api_tables import TABLES
from aws_members import aws_members
from diagrams import DIAGRAMS
from load_figure import load_figure
from policy_reference import policy_reference
from session import SessionError, ToolMissing, transcripts

from halfsilver.boards.publish import board_table
from halfsilver.hdl.layout.table_formats import render_tables

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
AWS_MEMBERS = ROOT / "harness" / "policy" / "aws_members.json"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
COMMAND_SECONDS = 1800
OPTIONAL = ("suricata",)
"""Programs that not every machine has. What they print is left as it was where they are not."""
MARKED = re.compile(
    r"(?P<mark><!-- (?P<kind>output|tutorial|session|table|api): (?P<what>[^\n]+) -->\n).*?(?=<!-- end -->)", re.DOTALL
)


class DocsError(Exception):
    """A part that could not be made, in one line."""


def draw() -> None:
    """Write the diagrams, the page of the card's tables, and what the policy reader knows of AWS's objects."""
    AWS_MEMBERS.write_text(aws_members(), encoding="utf-8")
    (DOCS / "mirror_json.md").write_text(policy_reference(), encoding="utf-8")
    (DOCS / "tables.md").write_text(render_tables(), encoding="utf-8")
    for name, diagram in {**DIAGRAMS, "load.svg": load_figure}.items():
        (DOCS / name).write_text(diagram(), encoding="utf-8")


def output(command: str, folder: Path = ROOT) -> str:
    """The command as typed in the folder, and what it prints on stdout, as a console block."""
    tool = command.partition(" ")[0]
    if tool in OPTIONAL and shutil.which(tool) is None:
        raise ToolMissing(f"{tool} is not installed")
    print(f"running: {command}", file=sys.stderr, flush=True)
    # Not a part of the make that may have started this; no colours, a fixed width, the project's own tools.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {
        "NO_COLOR": "1",
        "COLUMNS": "110",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    try:
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise DocsError(f"'{command}' did not end within {COMMAND_SECONDS} seconds") from None
    if done.returncode != 0:
        raise DocsError(f"'{command}' ended with status {done.returncode}")
    lines = [line.rstrip() for line in done.stdout.replace(f"{ROOT}/", "").strip("\n").splitlines()]
    return "\n".join(["```console", f"$ {command}", *lines, "```", ""])


@cache
def tutorial_folder(above: Path = ROOT) -> Path:
    """An empty folder in which the tutorial begins."""
    folder = above / "build" / "tutorial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def tutorial(command: str) -> str:
    """A step of the tutorial."""
    return output(command, tutorial_folder())


@cache
def run_session() -> dict[str, str | ToolMissing]:
    """All parts of the session; they are made together."""
    print("running: the session with `halfsilver serve`", file=sys.stderr, flush=True)
    return transcripts()


def session(what: str) -> str:
    """One part of the session."""
    try:
        part = run_session()[what]
    except SessionError as error:
        raise DocsError(f"the session: {error}") from None
    if isinstance(part, ToolMissing):
        raise part
    return part


def api(what: str) -> str:
    """A table about the API."""
    return TABLES[what]()


def table(what: str) -> str:
    """A table of figures; a file that is not there yet gives a line that says so."""
    name, _, section = what.partition(" ")
    path = DOCS / name
    if not path.exists():
        return f"Not measured yet: docs/{name} is not there.\n"
    results = json.loads(path.read_text(encoding="utf-8"))
    return TABLES_OF[what](results[section] if section else results)


def synthesis_table(results: dict[str, Any]) -> str:
    """One line per core and block: size, and Fmax as the median over the seeds, beside the clock wanted."""
    lines = ["| core | part | block | LUT4 | FF | EBR | Fmax, MHz | wanted |", "|---|---|---|--:|--:|--:|--:|--:|"]
    for core in results.values():
        if isinstance(core, list):  # the classifier's, below
            continue
        for block, row in core["blocks"].items():
            seeds = row["fmax_seeds"]
            fmax = f"{row['fmax']:.1f}"
            if len(seeds) > 1:
                fmax += f" ({', '.join(f'{seed:.1f}' for seed in seeds)})"
            lines.append(
                f"| {core['name']} | {core['part']} | {block} | {row['lut']:,} | {row['ff']:,} | "
                f"{row['ebr']} | {fmax} | {core['clock']:g} |"
            )
    return "\n".join([*lines, ""])


def classifier_table(builds: list[dict[str, Any]]) -> str:
    """A line per classifier: what it takes, altogether and per rule, and the smallest ECP5 with room for it."""
    lines = [
        "| rules per context | ENIs | clocks per lookup | rules in all | LUT4 | FF | EBR | LUT4 per rule "
        "| EBR per rule | smallest ECP5 | Fmax, MHz |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|",
    ]
    for each in builds:
        rules = each["all_rules"]
        fmax = "" if each["fmax"] is None else f"{each['fmax']:.1f}"
        lines.append(
            f"| {each['rules']} | {each['enis']} | {each['clocks']} | {rules:,} | {each['lut']:,} | {each['ff']:,} "
            f"| {each['ebr']} | {each['lut'] / rules:.1f} | {each['ebr'] / rules:.2f} | {each['part'] or 'none'} "
            f"| {fmax} |"
        )
    return "\n".join([*lines, ""])


def latency_table(rows: list[dict[str, Any]]) -> str:
    """One line per width, in clocks; a range where it depends on the frame."""
    lines = [
        "| width | to the host | to the network | to the network, copies by a stream of their own | verdict | copy |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        spans = [f"{low}" if low == high else f"{low} to {high}" for low, high in (row["verdict"], row["copy"])]
        cells = [f"{row['width']} bits", row["to_host"], row["to_net"], row["own"], *spans]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])


TABLES_OF: dict[str, Callable[[Any], str]] = {
    "latency.json": latency_table,
    "synth.json": synthesis_table,
    "synth.json classifier": classifier_table,
    "boards.json": board_table,
}
MAKERS: dict[str, Callable[[str], str]] = {
    "output": output,
    "tutorial": tutorial,
    "session": session,
    "table": table,
    "api": api,
}
SLOW = ("output", "tutorial", "session")


def refresh(text: str, quick: bool, only: str = "") -> tuple[str, list[str]]:
    """``text`` with its marked parts made again, and a line for each that could not be.

    quick  not the commands and the session
    only   of these, the parts whose mark contains this text; the tutorial's by its name, all of them
    """
    failures = []

    def replace(part: re.Match[str]) -> str:
        name = part["kind"] if part["kind"] == "tutorial" else f"{part['kind']}: {part['what']}"
        if part["kind"] in SLOW and (quick or only not in name):
            return part[0]
        try:
            return part["mark"] + MAKERS[part["kind"]](part["what"])
        except ToolMissing as reason:
            print(f"note: {reason}; the part '{part['what']}' is left as it was", file=sys.stderr)
            return part[0]
        except DocsError as error:
            failures.append(str(error))
            return part[0]

    return MARKED.sub(replace, text), failures


def main() -> int:
    parser = argparse.ArgumentParser(description="Refresh the generated parts of the documentation.")
    parser.add_argument("--quick", action="store_true", help="diagrams and tables only; run no commands")
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="of commands and the session, the parts whose mark contains TEXT, e.g. session",
    )
    arguments = parser.parse_args()
    draw()
    failed = False
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        text, failures = refresh(before, arguments.quick, arguments.only)
        if text != before:
            page.write_text(text, encoding="utf-8")
        for failure in failures:
            print(f"docs: {failure}; that part of {page.relative_to(ROOT)} is left as it was", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
