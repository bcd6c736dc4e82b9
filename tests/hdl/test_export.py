# amaranth: UnusedElaboratable=no
"""The exported top: its port list, its handshakes around a stand-in core, its Verilog, its command line."""

import random
import re
import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from halfsilver.hdl import export
from halfsilver.hdl.bus.axi_stream import FromAxiStream
from halfsilver.hdl.bus.register_file import RegisterBus, RegisterFile
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.verdict import records_in_beat
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.records import VerdictRecord
from halfsilver.hdl.verilog.convert import VerilogError, rtlil_to_verilog, to_rtlil, to_verilog


def axi_ports(width, own=False):
    """What users connect to: name -> (direction, bits), written out."""

    def packets(prefix, forward, backward, user=1):
        return {
            f"{prefix}_tdata": (forward, width),
            f"{prefix}_tkeep": (forward, width // 8),
            f"{prefix}_tvalid": (forward, 1),
            f"{prefix}_tready": (backward, 1),
            f"{prefix}_tlast": (forward, 1),
            f"{prefix}_tuser": (forward, user),
        }

    return {
        "clk": ("input", 1),
        "rst": ("input", 1),
        **packets("s_axis_net", "input", "output"),
        "s_axis_net_drop": ("input", 1),
        **packets("m_axis_host", "output", "input"),
        "m_axis_host_drop": ("output", 1),
        **packets("s_axis_host", "input", "output"),
        **packets("m_axis_net", "output", "input", user=2),
        **(packets("m_axis_mirror", "output", "input") if own else {}),
        "m_axis_verdict_tdata": ("output", 256 if width == 512 else 128),
        **({"m_axis_verdict_tkeep": ("output", 32)} if width == 512 else {}),
        "m_axis_verdict_tvalid": ("output", 1),
        "s_axil_awaddr": ("input", 12),
        "s_axil_awprot": ("input", 3),
        "s_axil_awvalid": ("input", 1),
        "s_axil_awready": ("output", 1),
        "s_axil_wdata": ("input", 32),
        "s_axil_wstrb": ("input", 4),
        "s_axil_wvalid": ("input", 1),
        "s_axil_wready": ("output", 1),
        "s_axil_bresp": ("output", 2),
        "s_axil_bvalid": ("output", 1),
        "s_axil_bready": ("input", 1),
        "s_axil_araddr": ("input", 12),
        "s_axil_arprot": ("input", 3),
        "s_axil_arvalid": ("input", 1),
        "s_axil_arready": ("output", 1),
        "s_axil_rdata": ("output", 32),
        "s_axil_rresp": ("output", 2),
        "s_axil_rvalid": ("output", 1),
        "s_axil_rready": ("input", 1),
    }


def verilog_ports(text, module):
    """Ports of a module: names of its header, widths and directions of its declarations."""
    body = re.search(rf"^module {module}\((.*?)\);(.*?)^endmodule", text, re.M | re.S)
    names = [name.strip() for name in body[1].split(",")]
    found = {}
    for direction, msb, name in re.findall(r"^\s*(input|output)\s+(?:\[(\d+):0\]\s+)?(\w+)\s*;", body[2], re.M):
        found[name] = (direction, int(msb or 0) + 1)
    assert sorted(names) == sorted(found)
    return found


class StandIn(wiring.Component):
    """A core that passes the network's frames, marks every frame to the network, and reports each of the host's beats.

    The last verdict's sequence is the beat's data, its length the count, its eni the marks {drop, bad, last}.
    """

    def __init__(self, parameters):
        packets = packet_signature(parameters.width)
        self._own = parameters.copies_leave == "own"
        super().__init__(
            {
                "i_net": In(packets),
                "o_host": Out(packets),
                "i_host": In(packets),
                "o_net": Out(packets),
                **({"o_mirror": Out(packets)} if self._own else {"o_copy": Out(1)}),
                "o_verdict": Out(stream.Signature(VerdictRecord, always_ready=True)).array(parameters.matchers),
                "bus": In(RegisterBus()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = RegisterFile()
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        wiring.connect(m, wiring.flipped(self.i_net), wiring.flipped(self.o_host))
        beat = self.i_host.payload
        verdict = self.o_verdict[-1]
        if not self._own:
            m.d.comb += self.o_copy.eq(1)
        m.d.comb += [
            self.i_host.ready.eq(self.o_net.ready),
            self.o_net.valid.eq(self.i_host.valid),
            self.o_net.payload.eq(beat),
            verdict.valid.eq(self.i_host.valid),
            verdict.p.sequence.eq(beat.data),
            verdict.p.length.eq(beat.count),
            verdict.p.eni[0].eq(beat.last),
            verdict.p.eni[1].eq(beat.bad),
            verdict.p.eni[2].eq(beat.drop),
        ]
        return m


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(export, "Nic", StandIn)


@pytest.mark.parametrize("width", [8, 64, 512])
def test_port_names_are_those_of_axi(stand_in, width):
    text = to_verilog(export.AxiNic(NicParameters(width=width)), "top", strip_src=True)
    assert verilog_ports(text, "top") == axi_ports(width)


@pytest.mark.parametrize("leave", ["net", "own"])
def test_the_real_core_has_the_same_ports(leave):
    parameters = NicParameters(width=8, enis=1, rules=2, sessions=1, copies_leave=leave)
    text = to_verilog(export.AxiNic(parameters), "top", strip_src=True)
    assert verilog_ports(text, "top") == axi_ports(8, own=leave == "own")


def beats(frame, octets):
    """(data, keep, last) of a frame, first byte in the lowest bits."""
    for start in range(0, len(frame), octets):
        piece = frame[start : start + octets]
        yield int.from_bytes(piece, "little"), (1 << len(piece)) - 1, start + octets >= len(frame)


@pytest.mark.parametrize("width", [8, 16, 64, 512])
def test_frames_pass_with_every_length_and_pause(stand_in, width):
    """In by tdata and tkeep, through the packet stream, out again: the same bytes and marks, with any pauses."""
    source, octets = random.Random(width), width // 8
    frames = [bytes(source.randrange(256) for _ in range(length)) for length in [*range(1, 2 * octets + 3), 60, 200]]
    dut = export.AxiNic(NicParameters(width=width))
    received, frame = [], bytearray()

    async def send(ctx):
        for number, one in enumerate(frames):
            for data, keep, last in beats(one, octets):
                while source.random() < 0.3:
                    await ctx.tick()
                ctx.set(dut.s_axis_net_tdata, data)
                ctx.set(dut.s_axis_net_tkeep, keep if last else source.choice([keep, 0, 1]))
                ctx.set(dut.s_axis_net_tlast, last)
                ctx.set(dut.s_axis_net_tuser, number % 2 if last else 1)
                ctx.set(dut.s_axis_net_drop, number % 3 == 0 if last else 1)
                ctx.set(dut.s_axis_net_tvalid, 1)
                await ctx.tick().until(dut.s_axis_net_tready)
                ctx.set(dut.s_axis_net_tvalid, 0)

    async def receive(ctx):
        while len(received) < len(frames):
            ctx.set(dut.m_axis_host_tready, source.random() < 0.7)
            _, _, taken, data, keep, last, user, drop = await ctx.tick().sample(
                dut.m_axis_host_tvalid & dut.m_axis_host_tready,
                dut.m_axis_host_tdata,
                dut.m_axis_host_tkeep,
                dut.m_axis_host_tlast,
                dut.m_axis_host_tuser,
                dut.m_axis_host_drop,
            )
            if not taken:
                continue
            count = keep.bit_length()
            assert keep == (1 << count) - 1 and (last or count == octets)
            assert user == (last and len(received) % 2)
            assert drop == (last and len(received) % 3 == 0)
            frame.extend(data.to_bytes(octets, "little")[:count])
            if last:
                received.append(bytes(frame))
                frame.clear()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(receive)
    simulator.run()
    assert received == frames


@pytest.mark.parametrize("lookup_clocks", [1, 8])
def test_host_frames_verdicts_and_registers_are_connected(stand_in, lookup_clocks):
    """With 8 clocks per lookup there are two matchers, of which the stand-in uses the second."""
    parameters = NicParameters(width=64, lookup_clocks=lookup_clocks)
    dut = export.AxiNic(parameters)
    last_record = 16 * (parameters.matchers - 1)

    async def bench(ctx):
        for data, keep, last, user, want in (
            (0x11223344, 0xFF, 0, 1, (8, 0b000)),
            (5, 0x07, 1, 0, (3, 0b001)),
            (6, 0x01, 1, 1, (1, 0b011)),
        ):
            for name, value in (("tdata", data), ("tkeep", keep), ("tlast", last), ("tuser", user), ("tvalid", 1)):
                ctx.set(getattr(dut, f"s_axis_host_{name}"), value)
            ctx.set(dut.s_axis_net_drop, 1)  # the other direction's
            ctx.set(dut.m_axis_net_tready, 1)
            await ctx.delay(1e-9)
            assert ctx.get(dut.s_axis_host_tready) and ctx.get(dut.m_axis_verdict_tvalid)
            assert ctx.get(dut.m_axis_net_tdata) == data and ctx.get(dut.m_axis_net_tlast) == last
            assert ctx.get(dut.m_axis_net_tuser) == (user & last) | 0b10
            beat = ctx.get(dut.m_axis_verdict_tdata)
            (wire,) = records_in_beat(beat, ctx.get(dut.m_axis_verdict_tkeep) if last_record else None)
            assert beat == int.from_bytes(wire, "little") << 8 * last_record
            assert int.from_bytes(wire[0:4], "little") == data
            assert (int.from_bytes(wire[4:6], "little"), wire[11]) == want
        ctx.set(dut.s_axis_host_tvalid, 0)
        ctx.set(dut.s_axil_arvalid, 1)
        ctx.set(dut.s_axil_rready, 1)
        word, response = await ctx.tick().sample(dut.s_axil_rdata, dut.s_axil_rresp).until(dut.s_axil_rvalid)
        assert (word, response) == (0x48534D31, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_marks_and_odd_keeps_at_the_input():
    dut = FromAxiStream(64)

    async def bench(ctx):
        for keep, count in ((0x00, 1), (0x01, 1), (0x7F, 7), (0xFF, 8), (0x05, 1), (0xF7, 3), (0xFE, 8)):
            for last in (0, 1):
                for name, value in (("tkeep", keep), ("tlast", last), ("tuser", 1)):
                    ctx.set(getattr(dut.axi, name), value)
                ctx.set(dut.drop, 1)
                await ctx.delay(1e-9)
                beat = dut.o.payload
                assert ctx.get(beat.count) == (count if last else 8), hex(keep)
                assert (ctx.get(beat.last), ctx.get(beat.bad), ctx.get(beat.drop)) == (last, last, last)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


class Toggle(wiring.Component):
    q: Out(1)

    def elaborate(self, platform):
        m = Module()
        state = Signal()
        m.d.sync += state.eq(~state)
        m.d.comb += self.q.eq(state)
        return m


def test_verilog_without_places_of_this_machine():
    plain, marked = to_verilog(Toggle(), "toggle", strip_src=True), to_verilog(Toggle(), "toggle")
    assert verilog_ports(plain, "toggle") == {"clk": ("input", 1), "rst": ("input", 1), "q": ("output", 1)}
    assert "(*" not in plain
    assert 'src = "tests/hdl/test_export.py:' in marked
    assert plain == to_verilog(Toggle(), "toggle", strip_src=True)


def test_constant_ports_are_left_out():
    component = StandIn(NicParameters(width=8))
    ports = verilog_ports(rtlil_to_verilog(to_rtlil(component, "core")), "core")
    assert "o_verdict__0__valid" in ports and "o_verdict__0__ready" not in ports


def test_yosys_errors_are_one_line():
    with pytest.raises(VerilogError, match=r"Yosys failed with code 1: [^\n]*ERROR[^\n]*$"):
        rtlil_to_verilog("this is not RTLIL\n")


def test_command_line_writes_a_file_per_width(stand_in, tmp_path, capsys):
    assert export.main(["-o", str(tmp_path / "new"), "--width", "8", "--width", "16", "--enis", "2"]) == 0
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["halfsilver_16.v", "halfsilver_16.vlt", "halfsilver_8.v", "halfsilver_8.vlt"]
    assert verilog_ports((tmp_path / "new" / "halfsilver_16.v").read_text(), "halfsilver_16") == axi_ports(16)
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--width", "12"], "data width must be a power of two"),
        (["--width", "64", "--enis", "17"], "enis must be 1 to 16"),
        (["--width", "wide"], "invalid int value"),
    ],
)
def test_command_line_refuses(stand_in, arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        export.main(["-o", str(tmp_path), *arguments])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(stand_in, capsys):
    """Nothing can be made in /proc."""
    with pytest.raises(SystemExit) as stopped:
        export.main(["-o", "/proc/halfsilver", "--width", "8"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith("error: /proc/halfsilver: cannot be written: No such file or directory")


def test_the_options_say_what_they_are(capsys):
    with pytest.raises(SystemExit):
        export.main(["--help"])
    assert "--rules N rules per filter and direction, 1 to 40" in " ".join(capsys.readouterr().out.split())


def test_gateware_knows_nothing_of_the_host():
    code = (
        "import sys, halfsilver.hdl.export; rooms = ('halfsilver.harness', 'halfsilver.sim', 'scapy'); "
        "print(sorted(name for name in sys.modules if name.startswith(rooms)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
