"""Operators on operands of every width, also of none, mean in the exported Verilog what they mean in Amaranth."""

import random
import shutil
import subprocess

import pytest
from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from halfsilver.hdl.verilog.convert import to_verilog

WIDTHS = (0, 1, 3, 7)
VECTORS = 60
TIMEOUT = 120


def results(a, b):
    """Every operator that the gateware uses, on every pair of widths."""
    for first in (a[:width] for width in WIDTHS):
        yield from (first.any(), first.all(), first.xor(), ~first)
        for second in (b[:width] for width in WIDTHS):
            yield from (first == second, first != second, first < second, first <= second, first > second)
            yield from (first + second, first - second, first * second, first & second, first | second)
            yield from (first ^ second, first >> second[:3], (first << second[:3])[:9], Mux(first, second, ~second))
            yield from ((first + second)[:2], (first + second - b)[:5], (first >= second))


class Operators(wiring.Component):
    """All of them side by side."""

    def __init__(self):
        a, b = (wiring.Signature({"value": In(7)}).create().value for _ in range(2))
        self.bits = sum(len(result) for result in results(a, b))
        super().__init__({"a": In(7), "b": In(7), "o": Out(self.bits)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(Cat(results(self.a, self.b)))
        return m


def simulated(vectors):
    """What Amaranth's simulator says."""
    dut, answers = Operators(), []

    async def bench(ctx):
        for a, b in vectors:
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            await ctx.delay(1e-9)
            answers.append(ctx.get(dut.o))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    return answers


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed (apt install iverilog)")
def test_verilog_and_simulator_agree(tmp_path):
    source = random.Random(1)
    vectors = [(0, 0), (127, 127), *((source.randrange(128), source.randrange(128)) for _ in range(VECTORS))]
    dut = Operators()
    steps = "".join(f'    a = {a}; b = {b}; #1 $display("%b", o);\n' for a, b in vectors)
    (tmp_path / "bench.v").write_text(
        f"module bench;\n  reg [6:0] a, b;\n  wire [{dut.bits - 1}:0] o;\n  operators dut(.a(a), .b(b), .o(o));\n"
        f"  initial begin\n{steps}  end\nendmodule\n"
    )
    (tmp_path / "operators.v").write_text(to_verilog(dut, "operators", strip_src=True))
    for command in (["iverilog", "-o", "bench.vvp", "bench.v", "operators.v"], ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    assert [int(line, 2) for line in done.stdout.split()] == simulated(vectors)
