"""Where things are: the rooms of the package, and where a run leaves what it writes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["BUILD", "CAPTURES", "ROOT", "captures_folder", "shown", "version_of", "write_results"]

ROOT = Path(__file__).resolve().parent.parent
"""The folder with the rooms ``hdl``, ``sim``, ...: a checkout, or the installed package. Only read."""

BUILD = Path.cwd() / "build"
"""What a run leaves (waves, copies, results, reports): below the current directory, never beside the package."""


def captures_folder(root: Path) -> Path | None:
    """The captures for tests and farm: where HALFSILVER_CAPTURES says, else beside the checkout ``root``.

    An installed package has nothing beside it: None.
    """
    named = os.environ.get("HALFSILVER_CAPTURES")
    if named:
        return Path(named)
    return root.parent / "shared" / "captures" if (root / "pyproject.toml").exists() else None


CAPTURES = captures_folder(ROOT)


def shown(path: Path) -> str:
    """A path as the user would type it: relative if it is below the current directory."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def version_of(patterns: Sequence[str]) -> str:
    """Names the version of the files that match below ROOT: what was found with others of them no longer counts."""
    files = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return hashlib.sha256(repr([(path.name, path.read_bytes()) for path in files]).encode()).hexdigest()[:12]


def write_results(name: str, results: object, *, publish: bool) -> None:
    """Measured results as JSON into BUILD and, to ``publish``, into docs/, from which tables of the pages are made."""
    text = json.dumps(results, indent=1) + "\n"
    for folder in (BUILD, *([ROOT / "docs"] if publish else [])):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        print(f"written: {shown(folder / name)}")
