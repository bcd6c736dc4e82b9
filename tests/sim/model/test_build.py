"""The builder: cached, safe against concurrent builders, clear when a tool is missing or fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim import build as builder
from halfsilver.sim.model import tools
from halfsilver.sim.model.cache import VARIABLE
from halfsilver.sim.model.compilation import Compilation
from halfsilver.sim.model.verilog import Port, ports_of, to_verilog
from halfsilver.sim.pump import Pacing, Pump
from tests.sim.model.standin import StandIn

ROOT = Path(__file__).parents[3]
DESIGN = StandIn(32)


@pytest.fixture(scope="module")
def ports():
    return ports_of(DESIGN)


@pytest.fixture(scope="module")
def verilog():
    return to_verilog(DESIGN, "standin")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path / "halfsilver"


def test_ports_have_the_names_and_widths_of_the_verilog(verilog, ports):
    assert Port("clk", 1, True) in ports
    assert Port("m_axis_verdict_tdata", 128, False) in ports
    for port in ports:
        size = f"[{port.width - 1}:0] " if port.width > 1 else ""
        assert f"{'input' if port.is_input else 'output'} {size}{port.name};" in verilog


def test_a_second_build_runs_no_tool(monkeypatch):
    first = builder.build(StandIn(32), "standin")
    written = first.stat().st_mtime_ns

    def refuse(*arguments, **keywords):
        raise AssertionError("a tool was started")

    monkeypatch.setattr(Compilation, "run", refuse)
    assert builder.build(StandIn(32), "standin") == first
    assert first.stat().st_mtime_ns == written


def test_changed_verilog_is_another_library(verilog, ports):
    changed = verilog.replace("endmodule", "\nendmodule", 1)
    libraries = {builder.build_library(text, "standin", ports) for text in (verilog, changed)}
    assert len(libraries) == 2


def test_concurrent_builders_agree(empty_cache, tmp_path, verilog):
    design = tmp_path / "design.v"
    design.write_text(verilog)
    script = (
        "import sys, pathlib; from halfsilver.sim import build as b; from tests.sim.model import test_build as t; "
        "print(b.build_library(pathlib.Path(sys.argv[1]).read_text(), 'standin', t.ports_of(t.DESIGN)))"
    )
    command = [sys.executable, "-c", script, str(design)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {process.communicate(timeout=300)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert len(list(empty_cache.glob("model-*"))) == 1
    assert not list(empty_cache.glob(".*"))


def test_missing_compiler_is_one_line(empty_cache, monkeypatch, verilog, ports):
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentMissing, match=r"^no C\+\+ compiler found .*apt install g\+\+$"):
        builder.build_library(verilog, "standin", ports)


def test_broken_verilog_names_error_and_log(empty_cache, ports):
    with pytest.raises(HalfsilverError, match=r"Verilator failed .*%Error.*\(log: .*\.log\)") as caught:
        builder.build_library("module standin(; endmodule", "standin", ports)
    log = Path(str(caught.value).rsplit("(log: ", 1)[1].rstrip(")"))
    assert "standin(;" in log.read_text()
    assert not list(empty_cache.glob("model-*/"))


def test_ports_of_another_module_are_refused(verilog):
    with pytest.raises(ValueError, match="no port m_axis_net_tdata"):
        builder.build_library(verilog, "standin", [Port("clk", 1, True)])


def test_waves_are_written(tmp_path):
    path = tmp_path / "waves" / "run.vcd"
    pump = Pump(builder.build(StandIn(32), "standin", trace=True), waves=path)
    pump.run([Frame(bytes(60), Direction.INGRESS)], Pacing())
    pump.close()
    text = path.read_text()
    assert "$enddefinitions" in text
    assert "s_axis_net_tdata" in text
    assert text.count("\n#") > 30  # two time steps per clock, fifteen beats
