"""Parts of pages that are made with the site: the command line from its parser, registers from their declarations."""

from __future__ import annotations

import argparse
import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from halfsilver.harness.cli import build_parser
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS
from halfsilver.hdl.layout.register_formats import render
from halfsilver.hdl.layout.register_map import RegisterMap
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["PARTS", "commands", "is_shown"]

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"
COLUMNS = 110
"""How wide a usage line may be."""


def command_line() -> str:
    """All commands, as the parser declares them: for each its usage and a table of its arguments."""
    found = list(commands(build_parser()))
    lines = ["| command | |", "|---|---|"]
    for parser, summary in found:
        lines.append(f"| [`{parser.prog}`](#{parser.prog.replace(' ', '-')}) | {_text(summary)} |")
    for parser, _ in found:
        lines += ["", *_command(parser)]
    return "\n".join([*lines, ""])


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Every command below a parser with what it does in a few words, in the parser's order."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            for name, below in action.choices.items():
                yield below, helps.get(name, "")
                yield from commands(below)


def _command(parser: argparse.ArgumentParser) -> list[str]:
    formatter = parser._get_formatter()
    formatter._width = COLUMNS
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
    usage = formatter.format_help().strip()
    lines = [f"## {parser.prog}", "", _text(parser.description or ""), "", "```text", usage, "```"]
    rows = [_row(parser, action) for action in parser._actions if is_shown(action)]
    if rows:
        lines += ["", "| | |", "|---|---|", *rows]
    if parser.epilog:
        lines += ["", _text(parser.epilog)]
    return lines


def is_shown(action: argparse.Action) -> bool:
    hidden = argparse.SUPPRESS in (action.help, action.dest)
    return not hidden and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    name = formatter._format_action_invocation(action)
    needed = "needed: " if action.required and action.option_strings else ""
    return f"| `{name.replace('|', chr(92) + '|')}` | {needed}{_text(formatter._expand_help(action))} |"


def _text(text: str) -> str:
    """A help text as Markdown: what looks like HTML or a column is shown as it is; words in ` stay code."""
    parts = re.split(r"(`[^`]*`)", text)
    shown = [part if index % 2 else html.escape(part, quote=False) for index, part in enumerate(parts)]
    return re.sub(r"([|*_\[\]])", r"\\\1", "".join(shown)) if "`" not in text else "".join(shown).replace("|", r"\|")


def registers(which: RegisterMap) -> Callable[[], str]:
    """A register map as `halfsilver regs` prints it, without its title, as the page has one."""
    return lambda: render("md", which).partition("\n")[2].lstrip("\n")


def make_targets() -> str:
    """The targets of `make`, as `make help` lists them."""
    found = re.findall(r"^([a-z-]+):.*?## (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join(["| target | |", "|---|---|", *(f"| `make {name}` | {_text(what)} |" for name, what in found), ""])


def make_variables() -> str:
    """The variables of `make`, in the words of `make help`."""
    lines = re.findall(r"^#: (?! *Variables)(.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join(["```text", *lines, "```", ""])


PARTS: dict[str, Callable[[], str]] = {
    "command line": command_line,
    "registers nic": registers(REGISTERS),
    "registers card": registers(CARD_REGISTERS),
    "make targets": make_targets,
    "make variables": make_variables,
}
