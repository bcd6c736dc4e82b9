"""Somebody else's bench drives the exported Verilog: cocotbext-axi, and a driver written from the pages alone."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from halfsilver.hdl.export import export
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.cocotb_model import TOP, build_model, simulate

BENCH = "tests.hdl.outside.bench"

OWN_TIMING = {"COCOTB_TRUST_INERTIAL_WRITES": "0"}
"""What cocotb does unless our own benches ask for something else."""


@pytest.mark.parametrize(("width", "lookup_clocks"), [(32, 8), pytest.param(64, 1, marks=pytest.mark.long)])
def test_the_exported_core_obeys_a_driver_written_from_its_pages(width, lookup_clocks, tmp_path):
    parameters = NicParameters(width=width, enis=1, sessions=1, rules=2, lookup_clocks=lookup_clocks)
    verilog = export(parameters, tmp_path).read_text()
    module = f"module halfsilver_{width}("
    assert verilog.count(module) == 1
    model = build_model(f"{width} bit", verilog.replace(module, f"module {TOP}("))
    results, log = tmp_path / "results.xml", tmp_path / "simulation.log"
    code = simulate(model, BENCH, tmp_path, seed=1, results=results, log=log, timeout=300, environment=OWN_TIMING)
    cases = list(ET.parse(results).iter("testcase")) if results.exists() else []
    failures = [problem.get("message") for case in cases for problem in case if problem.tag in ("failure", "error")]
    assert code == 0 and len(cases) == 1 and not failures, f"{failures}\n{log.read_text()[-3000:]}"


@pytest.mark.parametrize("name", ["driver.py", "bench.py"])
def test_the_outside_engineer_imports_nothing_of_halfsilver(name):
    lines = (Path(__file__).parent / "outside" / name).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "import" in line.split() and "halfsilver" in line]
