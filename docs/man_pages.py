"""``make man``: a manual page for `halfsilver` and for each of its commands, from the parser that has --help.

    python docs/man_pages.py FOLDER

Writes FOLDER/man1/*.1 (man macros, groff_man(7)).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from site_parts import commands, is_shown

from halfsilver.harness.cli import build_parser
from halfsilver.hdl.layout.version import VERSION

__all__ = ["man_pages"]

WIDE = 1000
"""Columns of a usage line, which man breaks itself."""


def man_pages() -> dict[str, str]:
    """The pages by file name."""
    whole = build_parser()
    below = list(commands(whole))
    also = [_reference(parser) for parser, _ in [(whole, ""), *below]]
    pages = {_file(whole): _page(whole, whole.description or "", also)}
    pages |= {_file(parser): _page(parser, summary, also) for parser, summary in below}
    return pages


def _file(parser: argparse.ArgumentParser) -> str:
    return f"{parser.prog.replace(' ', '-')}.1"


def _reference(parser: argparse.ArgumentParser) -> str:
    return f".BR {_text(parser.prog.replace(' ', '-'))} (1)"


def _page(parser: argparse.ArgumentParser, summary: str, also: list[str]) -> str:
    formatter = parser._get_formatter()
    formatter._width = WIDE
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    name = parser.prog.replace(" ", "-")
    lines = [f'.TH "{name.upper()}" "1" "" "halfsilver {VERSION}" "Halfsilver"']
    lines += [".SH NAME", f"{_text(name)} \\- {_text(summary)}"]
    lines += [".SH SYNOPSIS", ".nh", _text(" ".join(formatter.format_help().split())), ".hy"]
    lines += [".SH DESCRIPTION", _text(parser.description or summary)]
    entries = [line for action in parser._actions for line in _argument(parser, action)]
    lines += [".SH OPTIONS", *entries] if entries else []
    lines += [".PP", _text(parser.epilog)] if parser.epilog else []
    others = [line for line in also if line != _reference(parser)]
    lines += [".SH SEE ALSO", *(f"{line} ," for line in others[:-1]), *others[-1:]]
    return "\n".join(lines) + "\n"


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
    """A tagged paragraph; for subcommands one each."""
    if isinstance(action, argparse._SubParsersAction):
        for each in action._choices_actions:
            yield from (".TP", f".B {_text(each.dest)}", _text(each.help or ""))
    elif is_shown(action):
        formatter = parser._get_formatter()
        yield from (".TP", f".B {_text(formatter._format_action_invocation(action))}")
        yield _text(formatter._expand_help(action))


def _text(text: str) -> str:
    """Text as roff takes it: nothing at the start of a line is a request, and hyphens are those that one types."""
    escaped = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(arguments: list[str]) -> int:
    """Exit status 0 done, 2 usage."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python docs/man_pages.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0]) / "man1"
    folder.mkdir(parents=True, exist_ok=True)
    pages = man_pages()
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
    print(f"{folder}: {len(pages)} pages; man -M {folder.parent} halfsilver-mirror")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
