"""The exported Verilog in other people's tools: lint without a word, and registers that read well from the start."""

import shutil
import subprocess
from functools import cache

import pytest

from halfsilver.hdl.export import export
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.model.tools import tool, verilator_environment

TIMEOUT = 300

BENCH = """
module bench;
  reg clk = 0;
  reg rst = {reset};
  reg [11:0] address = 0;
  reg asked = 0;
  wire ready, valid;
  wire [31:0] word;
  halfsilver_8 dut(
    .clk(clk), .rst(rst),
    .s_axis_net_tdata(8'd0), .s_axis_net_tkeep(1'b1), .s_axis_net_tvalid(1'b0), .s_axis_net_tlast(1'b0),
    .s_axis_net_tuser(1'b0), .s_axis_net_drop(1'b0),
    .s_axis_host_tdata(8'd0), .s_axis_host_tkeep(1'b1), .s_axis_host_tvalid(1'b0), .s_axis_host_tlast(1'b0),
    .s_axis_host_tuser(1'b0), .m_axis_host_tready(1'b1), .m_axis_net_tready(1'b1),
    .s_axil_awaddr(12'd0), .s_axil_awprot(3'd0), .s_axil_awvalid(1'b0), .s_axil_wdata(32'd0), .s_axil_wstrb(4'hf),
    .s_axil_wvalid(1'b0), .s_axil_bready(1'b1),
    .s_axil_araddr(address), .s_axil_arprot(3'd0), .s_axil_arvalid(asked), .s_axil_arready(ready),
    .s_axil_rdata(word), .s_axil_rvalid(valid), .s_axil_rready(1'b1));
  always #5 clk = ~clk;
  integer place;
  initial begin
    repeat ({clocks}) @(posedge clk);
    rst <= 0;
    for (place = 0; place < 3; place = place + 1) begin
      address <= 4 * place;
      asked <= 1;
      @(posedge clk);
      while (!ready) @(posedge clk);
      asked <= 0;
      while (!valid) @(posedge clk);
      $display("%h", word);
      @(posedge clk);
    end
    $finish;
  end
  initial #10000 begin $display("no answer"); $finish; end
endmodule
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The export of a width, made once."""
    return cache(lambda width: export(NicParameters(width=width, enis=1), tmp_path_factory.mktemp("export")))


@pytest.fixture(scope="module", params=[8, 64])
def exported(request, made):
    return made(request.param)


@pytest.fixture(scope="module")
def exported_8(made):
    return made(8)


def test_lint_has_nothing_to_say(exported):
    environment = verilator_environment()
    script = shutil.which("verilator", path=environment["PATH"])
    waivers = exported.with_suffix(".vlt")
    command = [
        tool("perl"),
        script,
        "--lint-only",
        "--quiet",
        "-Wall",
        "--top-module",
        exported.stem,
        waivers.name,
        exported.name,
    ]
    done = subprocess.run(
        command, cwd=exported.parent, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_waiver_has_its_reason(exported):
    lines = exported.with_suffix(".vlt").read_text().splitlines()
    waived = [number for number, line in enumerate(lines) if line.startswith("lint_off")]
    assert waived and all(lines[number - 1].startswith("// ") for number in waived)


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed (apt install iverilog)")
@pytest.mark.parametrize("language", ["-g2005", "-g2012"])
@pytest.mark.parametrize(("reset", "clocks"), [(1, 4), (1, 1), (0, 1)], ids=["reset", "short reset", "power-up"])
def test_the_first_read_under_icarus_is_the_id(exported_8, tmp_path, language, reset, clocks):
    (tmp_path / "bench.v").write_text(BENCH.format(reset=reset, clocks=clocks))
    compiled = subprocess.run(
        ["iverilog", language, "-o", "bench.vvp", "-s", "bench", "bench.v", str(exported_8)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (compiled.returncode, compiled.stderr) == (0, "")
    ran = subprocess.run(
        ["vvp", "-n", "bench.vvp"], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    words = ran.stdout.split()
    assert bytes.fromhex(words[0]) == b"HSM1"
    assert not set("xz") & set("".join(words)) and len(words) == 3
    assert int(words[2], 16) & 0x7FF == 8  # SHAPE: data width
