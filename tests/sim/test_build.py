"""The builder: cached, safe against concurrent builders, clear when a tool is missing or fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from halfsilver.harness.engine import Frame
from halfsilver.harness.errors import EnvironmentMissing, HalfsilverError
from halfsilver.harness.verdict import Direction
from halfsilver.sim import build as builder
from halfsilver.sim.pump import Pacing, Pump
from tests.sim.standin import StandIn

DESIGN = StandIn(32)


@pytest.fixture(scope="module")
def ports():
    return builder.ports_of(DESIGN)


@pytest.fixture(scope="module")
def verilog():
    return builder.to_verilog(DESIGN, "standin")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "CACHE", tmp_path)
    return tmp_path


def test_ports_have_the_names_and_widths_of_the_verilog(verilog, ports):
    assert builder.Port("clk", 1, True) in ports
    assert builder.Port("m_axis_verdict_tdata", 128, False) in ports
    for port in ports:
        size = f"[{port.width - 1}:0] " if port.width > 1 else ""
        assert f"{'input' if port.is_input else 'output'} {size}{port.name};" in verilog


def test_a_second_build_runs_no_tool(monkeypatch):
    first = builder.build(StandIn(32), "standin")
    written = first.stat().st_mtime_ns

    def refuse(*arguments, **keywords):
        raise AssertionError("a tool was started")

    monkeypatch.setattr(builder, "_run", refuse)
    assert builder.build(StandIn(32), "standin") == first
    assert first.stat().st_mtime_ns == written


def test_changed_verilog_is_another_library(verilog, ports):
    changed = verilog.replace("endmodule", "\nendmodule", 1)
    libraries = {builder.build_library(text, "standin", ports) for text in (verilog, changed)}
    assert len(libraries) == 2


def test_concurrent_builders_agree(empty_cache, verilog):
    (empty_cache / "design.v").write_text(verilog)
    script = (
        "import sys, pathlib; from sim import build as b; from tests.sim.test_build import DESIGN; "
        "b.CACHE = pathlib.Path(sys.argv[1]); "
        "print(b.build_library((b.CACHE / 'design.v').read_text(), 'standin', b.ports_of(DESIGN)))"
    )
    command = [sys.executable, "-c", script, str(empty_cache)]
    both = [subprocess.Popen(command, cwd=builder.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {process.communicate(timeout=300)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert len(list(empty_cache.glob("model-*"))) == 1
    assert not [path for path in empty_cache.glob(".*") if path.is_dir()]


def test_missing_compiler_is_one_line(empty_cache, monkeypatch, verilog, ports):
    monkeypatch.setattr(builder.shutil, "which", lambda name: None)
    builder._tool_versions.cache_clear()
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
        builder.build_library(verilog, "standin", [builder.Port("clk", 1, True)])


def test_waves_are_written(tmp_path):
    path = tmp_path / "waves" / "run.vcd"
    pump = Pump(builder.build(StandIn(32), "standin", trace=True), waves=path)
    pump.run([Frame(bytes(60), Direction.INGRESS)], Pacing())
    pump.close()
    text = path.read_text()
    assert "$enddefinitions" in text
    assert "s_axis_net_tdata" in text
    assert text.count("\n#") > 30  # two time steps per clock, fifteen beats
