"""Where things are: the rooms of the package, and where a run leaves what it writes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUILD", "ROOT", "shown"]

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the rooms ``hdl``, ``sim``, ...: a checkout, or the installed package. Only read."""

BUILD = Path.cwd() / "build"
"""What a run leaves (waves, copies, results, reports): below the current directory, never beside the package."""


def shown(path: Path) -> str:
    """A path as the user would type it: relative if it is below the current directory."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
