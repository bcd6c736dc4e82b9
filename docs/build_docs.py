"""Refresh what is generated in the documentation: the diagrams, and the marked parts of README.md.

    python docs/build_docs.py            diagrams, tables and the output of every marked command
    python docs/build_docs.py --quick    diagrams and tables only

A marked part stands between `<!-- output: COMMAND -->` or `<!-- table: FILE -->` and `<!-- end -->`. An
output may end in `, last N lines`. The synthesis table is made from docs/synth.json, which
`python -m boards.synth --publish` writes.

Exit status: 0 done, 1 a command failed (its part is left as it was), 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagrams import DIAGRAMS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
COMMAND_SECONDS = 1800
MARKED = re.compile(r"(?P<mark><!-- (?P<kind>output|table): (?P<what>[^\n]+) -->\n).*?(?=<!-- end -->)",
                    re.DOTALL)
TAIL = re.compile(r", last (\d+) lines?$")


class DocsError(Exception):
    """A part that could not be made, in one line."""


def draw() -> None:
    """Write the diagrams."""
    for name, diagram in DIAGRAMS.items():
        (DOCS / name).write_text(diagram(), encoding="utf-8")


def output(what: str) -> str:
    """The command as typed and what it prints on stdout, as a console block."""
    tail = TAIL.search(what)
    command = TAIL.sub("", what)
    print(f"running: {command}", file=sys.stderr, flush=True)
    # Not a part of the make that may have started this; no colours, a fixed width, the project's own tools.
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {"NO_COLOR": "1", "COLUMNS": "110", "LC_ALL": "C.UTF-8",
                    "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    try:
        done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise DocsError(f"'{command}' did not end within {COMMAND_SECONDS} seconds") from None
    if done.returncode != 0:
        raise DocsError(f"'{command}' ended with status {done.returncode}")
    lines = [line.rstrip() for line in done.stdout.replace(f"{ROOT}/", "").strip("\n").splitlines()]
    if tail:
        lines = lines[-int(tail[1]):]
    return "\n".join(["```console", f"$ {command}", *lines, "```", ""])


def table(what: str) -> str:
    """The synthesis table; a file that is not there yet gives a line that says how to make it."""
    path = DOCS / what
    if not path.exists():
        return "Not measured yet: `make synth` makes these figures.\n"
    return synthesis_table(json.loads(path.read_text(encoding="utf-8")))


def synthesis_table(results: dict[str, Any]) -> str:
    """One line per core and block: size, and Fmax as the median over the seeds, beside the clock wanted."""
    lines = ["| core | part | block | LUT4 | FF | EBR | Fmax, MHz | wanted |",
             "|---|---|---|--:|--:|--:|--:|--:|"]
    for core in results.values():
        for block, row in core["blocks"].items():
            seeds = row["fmax_seeds"]
            fmax = f"{row['fmax']:.1f}"
            if len(seeds) > 1:
                fmax += f" ({', '.join(f'{seed:.1f}' for seed in seeds)})"
            lines.append(f"| {core['name']} | {core['part']} | {block} | {row['lut']:,} | {row['ff']:,} | "
                         f"{row['ebr']} | {fmax} | {core['clock']:g} |")
    return "\n".join([*lines, ""])


MAKERS: dict[str, Callable[[str], str]] = {"output": output, "table": table}


def refresh(text: str, quick: bool, only: str = "") -> tuple[str, list[str]]:
    """``text`` with its marked parts made again (``only``: commands that contain this), and a line for each that
    could not be.
    """
    failures = []

    def replace(part: re.Match[str]) -> str:
        if part["kind"] == "output" and (quick or only not in part["what"]):
            return part[0]
        try:
            return part["mark"] + MAKERS[part["kind"]](part["what"])
        except DocsError as error:
            failures.append(str(error))
            return part[0]

    return MARKED.sub(replace, text), failures


def main() -> int:
    parser = argparse.ArgumentParser(description="Refresh the generated parts of the documentation.")
    parser.add_argument("--quick", action="store_true", help="diagrams and tables only; run no commands")
    parser.add_argument("--only", default="", metavar="TEXT", help="of the commands, those that contain TEXT")
    arguments = parser.parse_args()
    draw()
    text, failures = refresh(README.read_text(encoding="utf-8"), arguments.quick, arguments.only)
    README.write_text(text, encoding="utf-8")
    for failure in failures:
        print(f"docs: {failure}; that part of README.md is left as it was", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
