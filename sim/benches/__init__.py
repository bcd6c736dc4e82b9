"""The cocotb benches: which test modules there are, what each runs on, and in which builds.

Nothing here imports cocotb or Amaranth; a bench learns its build from the variable ``HALFSILVER_BUILD``.
"""

from __future__ import annotations

import ast
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BENCHES", "BUILD_VARIABLE", "Bench", "Build", "parameters_of_build"]

BUILD_VARIABLE = "HALFSILVER_BUILD"


@dataclass(frozen=True, slots=True)
class Build:
    """A block (``hdl`` module and class) with the NicParameters that differ from the defaults."""

    block: str
    parameters: tuple[tuple[str, Any], ...]
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """Short name: class and width, as in ``AxiNic-64``."""
        return f"{self.block.rpartition('.')[2]}-{self.width}"

    @property
    def width(self) -> int:
        """Data width in bits."""
        return int(dict(self.parameters)["width"])


@dataclass(frozen=True, slots=True)
class Bench:
    """A test module of this package and the builds it runs on. ``timeout`` in seconds, for each."""

    name: str
    builds: tuple[Build, ...]
    timeout: float = 300

    @property
    def module(self) -> str:
        """Python module with the tests."""
        return f"halfsilver.sim.benches.{self.name}"

    @property
    def tests(self) -> list[str]:
        """Names of its tests, read from the source: importing it would need the simulator."""
        tree = ast.parse(Path(__file__).with_name(f"{self.name}.py").read_text())
        return [
            node.name
            for node in tree.body
            if isinstance(node, ast.AsyncFunctionDef)
            and any(ast.unparse(decorator).startswith("cocotb.test") for decorator in node.decorator_list)
        ]


_SIZES = {
    8: {"enis": 1, "lookup_clocks": 8},
    32: {"enis": 1, "sessions": 1, "rules": 2, "lookup_clocks": 4},
    64: {"enis": 4},
    128: {"enis": 1, "extension_headers": 15},
    512: {"enis": 1},
}


def _build(block: str, width: int, **options: Any) -> Build:
    """A build of one block. Few interfaces and slow lookups keep a model small where neither matters."""
    size = _SIZES[width]
    return Build(block, (("width", width), *size.items()), tuple(options.items()))


_CORE_8, _CORE_32, _CORE_64, _CORE_512 = (_build("export.AxiNic", width) for width in (8, 32, 64, 512))

_OWN_STREAM = Build("export.AxiNic", (("width", 32), ("enis", 1), ("lookup_clocks", 4), ("copies_leave", "own")))
"""The one in which copies have a stream of their own."""

BENCHES = (
    Bench(
        "parser",
        (
            _build("parser.bank.ParserBank", 8, egress=False),
            _build("parser.bank.ParserBank", 64, egress=True),
            _build("parser.bank.ParserBank", 128, egress=True),
            _build("parser.bank.ParserBank", 512, egress=False),
        ),
    ),
    Bench("mirror_queue", tuple(_build("mirror_queue.MirrorQueue", width) for width in (8, 64, 512))),
    Bench("encapsulator", (_build("encapsulator.encapsulator.Encapsulator", 64),)),
    Bench("registers", (_CORE_8,)),
    Bench("core", (_CORE_8, _CORE_64, _CORE_512)),
    Bench("production", (_CORE_8, _OWN_STREAM, _CORE_64, _CORE_512)),
    Bench("overload", (_CORE_8, _OWN_STREAM, _CORE_64, _CORE_512)),
    Bench("rule_sets", (_CORE_8, _CORE_64, _CORE_512)),
    Bench("snapshots", (_CORE_8, _CORE_64, _CORE_512)),
    Bench("throughput", (_CORE_8, _CORE_32, _CORE_64, _CORE_512)),
)
"""In the order of the pipeline, blocks before the core."""


def parameters_of_build() -> Any:
    """NicParameters of the build that is being simulated (inside the simulator)."""
    from halfsilver.hdl.layout.parameters import NicParameters

    return NicParameters(**json.loads(os.environ[BUILD_VARIABLE]))
