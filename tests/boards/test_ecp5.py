"""PLL settings, judged by ecppll of Project Trellis; what nextpnr derives from them is judged in test_flow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module

from halfsilver.boards.ecp5 import VCO_HZ, ClockTree, Output, settle_pll

PARAMETERS = (
    *("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOS_DIV", "CLKOS2_DIV"),
    *("CLKOP_CPHASE", "CLKOS_CPHASE", "CLKOS2_CPHASE", "CLKOP_FPHASE", "CLKOS_FPHASE", "CLKOS2_FPHASE"),
)


def ours(hertz_in: float, outputs: list[Output]) -> dict[str, int]:
    """The PLL's parameters in the RTLIL of a ClockTree."""
    m = Module()
    m.submodules.tree = tree = ClockTree(hertz_in, outputs)
    m.domains += tree.domains
    text = rtlil.convert(m, ports=[tree.clock])
    found = re.findall(r"parameter (?:signed )?\\(\w+) (?:\d+'([01]+)|(\d+))\b", text)
    return {name: int(bits, 2) if bits else int(number) for name, bits, number in found if name in PARAMETERS}


def theirs(folder: Path, hertz_in: float, outputs: list[Output]) -> dict[str, int]:
    """The same of ecppll's Verilog."""
    options = ["-i", f"{hertz_in / 1e6:g}", "-o", f"{outputs[0].hertz / 1e6:g}", "-f", "pll.v"]
    for number, output in enumerate(outputs[1:], 1):
        options += [f"--clkout{number}", f"{output.hertz / 1e6:g}", f"--phase{number}", str(output.phase)]
    tool = Path(sys.executable).parent / "yowasp-ecppll"
    subprocess.run([tool, *options], cwd=folder, check=True, capture_output=True)
    found = re.findall(r"\.(\w+)\((\d+)\)", (folder / "pll.v").read_text())
    return {name: int(number) for name, number in found if name in PARAMETERS}


@pytest.mark.slow
@pytest.mark.parametrize("hertz_in", [25e6, 100e6])
def test_the_boards_clocks_are_those_of_ecppll(tmp_path, hertz_in):
    outputs = [Output("mac", 125e6), Output("sync", 62.5e6), Output("mac_late", 125e6, 90)]
    assert ours(hertz_in, outputs) == theirs(tmp_path, hertz_in, outputs)


@pytest.mark.parametrize("hertz_in", [12e6, 25e6, 30e6, 50e6, 100e6])
@pytest.mark.parametrize("hertz", [40e6, 62.5e6, 75e6, 125e6, 156.25e6, 200e6])
def test_what_is_settled_is_exact_and_within_limits(hertz_in, hertz):
    try:
        settings = settle_pll(hertz_in, [Output("one", hertz)])
    except ValueError:
        assert (hertz / hertz_in * 10) % 1 != 0 or hertz_in / 10 < 10e6
        return
    assert hertz_in / settings.reference * settings.feedback == hertz
    assert VCO_HZ[0] <= settings.vco <= VCO_HZ[1] and settings.vco == hertz * settings.dividers[0]
    assert hertz_in / settings.reference >= 10e6


@pytest.mark.parametrize(
    ("hertz_in", "outputs", "says"),
    [
        (25e6, [], "1 to 4 outputs, not 0"),
        (25e6, [Output(f"d{number}", 125e6) for number in range(5)], "1 to 4 outputs, not 5"),
        (25e6, [Output("d", 123.456e6)], "no setting of the PLL makes 123.456 MHz of 25 MHz"),
        (25e6, [Output("d", 125e6), Output("e", 333e6)], "no setting of the PLL makes 125 MHz, 333 MHz"),
        (25e6, [Output("d", 125e6), Output("e", 125e6, 7)], "no setting"),
        (8e6, [Output("d", 125e6)], "no setting of the PLL makes 125 MHz of 8 MHz"),
    ],
)
def test_what_cannot_be(hertz_in, outputs, says):
    with pytest.raises(ValueError, match=says):
        settle_pll(hertz_in, outputs)
