"""``halfsilver completion``: what makes a shell complete commands, options and file names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from halfsilver.harness.errors import EXIT_OK

__all__ = ["add", "run"]

SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE", "CAPTURE", "MIRROR.JSON", "BENCH.TOML", "PEM", "A", "B", "DIR|MIRROR.JSON")
FOLDERS = ("DIR",)
"""Metavars of arguments that are completed with names of files, and of folders."""


def add(subparsers: argparse._SubParsersAction[Any], whole: argparse.ArgumentParser) -> None:
    """``whole`` is the parser that is completed, the other commands being in it already."""
    parser = subparsers.add_parser(
        "completion",
        help="print what makes a shell complete commands and options",
        description="Print the completion of a shell for commands, options, their choices and file names.",
        epilog='examples: eval "$(halfsilver completion bash)" in ~/.bashrc; halfsilver completion zsh > a file '
        "_halfsilver in a folder of $fpath; halfsilver completion fish > ~/.config/fish/completions/halfsilver.fish",
    )
    parser.add_argument("shell", choices=SHELLS, help="whose")
    parser.set_defaults(run=run, whole=whole)


def run(arguments: argparse.Namespace) -> int:
    import shtab  # only here, as every command starts faster without it

    for action in _actions(arguments.whole):
        if action.metavar in FILES + FOLDERS:  # where shtab looks:
            action.complete = shtab.FILE if action.metavar in FILES else shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(arguments.whole, arguments.shell))
    return EXIT_OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of all below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
