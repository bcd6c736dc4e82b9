"""Whether this is a checkout or installed, and how its owner gets an extra of the distribution (``pyproject.toml``)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from halfsilver.harness.errors import EXIT_ENVIRONMENT, EnvironmentMissing

__all__ = ["ROOT", "checkout", "how_to_get", "missing_package", "refuse_without", "revision"]

_GIT_SECONDS = 20

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the rooms: of a checkout, or the installed package."""


def checkout() -> Path | None:
    """The folder of the checkout that this runs from; None where it is installed."""
    return ROOT if (ROOT / "pyproject.toml").is_file() else None


def revision() -> str:
    """The commit of the checkout that this runs from, with ``-dirty`` if it was changed; nothing without one."""
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


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
