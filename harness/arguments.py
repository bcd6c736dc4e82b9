"""The parser of every command line of ours: a mistake is one line, which names what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from halfsilver.harness.errors import EXIT_USAGE
from halfsilver.harness.spelling import nearest

__all__ = ["Parser"]

GIVEN = "options given"
"""Where a namespace that is being filled has the names of its values; no option can have this name."""


class Once(argparse.Action):
    """Argparse's way to store a value, for an option that is given once: of two, the first would be lost unsaid."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        given = namespace.__dict__.setdefault(GIVEN, set())
        if option is not None and self.dest in given:
            raise argparse.ArgumentError(self, "is given twice, and takes one value")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Takes options by their whole names: an abbreviation means another option as soon as there is one more.

    An option that is no list may be given once. Its subcommands have parsers of this class, and each answers for the
    options after its name.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)
        for name in (None, "store"):
            self.register("action", name, Once)

    def error(self, message: str) -> NoReturn:
        what = "options" if self._subparsers is None else "commands"
        self.exit(EXIT_USAGE, f"error: {message}; {self.prog} --help lists the {what}\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, but nothing is left over: its own message for that comes too late to name the subcommand."""
        parsed, rest = super().parse_known_args(args, namespace)
        parsed.__dict__.pop(GIVEN, None)
        if rest:
            unknown = next((word for word in rest if word.startswith("-")), None)
            if unknown is None:
                self.error(f"{rest[0]!r} is one argument too many")
            option = unknown.partition("=")[0]
            self.error(f"there is no option {option}{_hint(option, self._option_string_actions)}")
        return parsed, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Argparse's place for a check of choices; ArgumentError names the nearest."""
        if action.choices is not None and value not in action.choices:
            known = [str(each) for each in action.choices]
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r}{_hint(str(value), known)}; there are {', '.join(known)}"
            )


def _hint(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    return f" (did you mean {meant}?)" if meant else ""
