"""The MAC under cocotbext-eth's RGMII PHY and cocotbext-axi's streams, in Verilator."""

import random
import xml.etree.ElementTree as ET

import pytest

from halfsilver.sim.cocotb_model import TOP, build_model, simulate
from halfsilver.sim.model.verilog import to_verilog
from tests.hdl.mac.top import MacTop

BENCH = "tests.hdl.mac.bench,tests.hdl.mac.standing_clocks"

OWN_TIMING = {"COCOTB_TRUST_INERTIAL_WRITES": "0"}
"""What cocotb does unless our own benches ask for something else."""

STALL_CLOCKS = 1024
"""More than 16 clocks of 2.5 MHz, whatever the core's clock."""

LONGEST = 1600
"""Short, because a giant takes long."""


def run(width, tmp_path, test_filter=None, seed=1, timeout=300):
    top = MacTop(width, longest=LONGEST, stall_clocks=STALL_CLOCKS)
    model = build_model(f"MAC, {width} bit", to_verilog(top, TOP))
    results, log = tmp_path / "results.xml", tmp_path / "simulation.log"
    environment = {
        **OWN_TIMING,
        "MAC_WIDTH": str(width),
        "MAC_LONGEST": str(LONGEST),
        "MAC_STALL_CLOCKS": str(STALL_CLOCKS),
        "COCOTB_LOG_LEVEL": "WARNING",
    }
    code = simulate(
        model,
        BENCH,
        tmp_path,
        seed=seed,
        results=results,
        log=log,
        timeout=timeout,
        environment=environment,
        test_filter=test_filter,
    )
    cases = list(ET.parse(results).iter("testcase")) if results.exists() else []
    failures = [problem.get("message") for case in cases for problem in case if problem.tag in ("failure", "error")]
    assert code == 0 and cases and not failures, f"seed {seed}: {failures}\n{log.read_text()[-3000:]}"


def test_the_phy_and_the_core_agree(tmp_path):
    run(32, tmp_path, seed=random.randrange(1 << 31))


@pytest.mark.long
@pytest.mark.parametrize("width", [8, 64])
def test_other_widths(width, tmp_path):
    run(width, tmp_path, seed=random.randrange(1 << 31))
