"""Whether this is a checkout or installed, and how its owner gets an extra of the distribution (``pyproject.toml``)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from halfsilver.harness.errors import EXIT_ENVIRONMENT, EnvironmentMissing

__all__ = ["ROOT", "checkout", "how_to_get", "missing_package", "refuse_without"]

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the rooms: of a checkout, or the installed package."""


def checkout() -> Path | None:
    """The folder of the checkout that this runs from; None where it is installed."""
    return ROOT if (ROOT / "pyproject.toml").is_file() else None


def how_to_get(*extras: str) -> str:
    """What brings the packages of these extras. No package index has this project: its name there is a stranger's."""
    names = ",".join(extras)
    if (here := checkout()) is not None:
        return f"pip install '.[{names}]' in {here} brings it"
    return (
        f"install halfsilver again from its wheel, with the extra{'s' if len(extras) > 1 else ''} {names}: "
        f"pip install 'halfsilver-...whl[{names}]'"
    )


def missing_package(what: str, error: ModuleNotFoundError, extra: str) -> EnvironmentMissing:
    """The error to raise when ``what`` lacks a package of ``extra``; a module of our own that is missing is a bug."""
    if error.name is None or error.name.partition(".")[0] == "halfsilver":
        raise error
    return EnvironmentMissing(f"{what} needs {error.name}, which is not installed; {how_to_get(extra)}")


def refuse_without(extra: str, *packages: str) -> None:
    """For programs whose own imports would end in a traceback: one line and exit code 3 if a package is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        print(f"error: this needs {', '.join(missing)}, not installed here; {how_to_get(extra)}", file=sys.stderr)
        sys.exit(EXIT_ENVIRONMENT)
