"""The exported top: Nic behind flat AXI names, and its Verilog.

``python -m halfsilver.hdl.export -o DIRECTORY [--width BITS]...`` writes one Verilog file per width, and beside it
what Verilator's lint may be told to pass over. The simulation runs the same top.
"""

import argparse
import sys
import time
from pathlib import Path

try:
    from amaranth.hdl import Cat, Module
    from amaranth.lib import wiring
    from amaranth.lib.wiring import In, Out
except ModuleNotFoundError as missing:
    if __name__ != "__main__":
        raise
    print(f"error: the export needs {missing.name}, which the extra sim of the installation brings", file=sys.stderr)
    sys.exit(3)  # the environment, as for `halfsilver`, which the gateware does not know

from halfsilver.hdl.bus.axi_lite import AxiLiteBridge, AxiLiteSignature
from halfsilver.hdl.bus.axi_stream import AxiStreamSignature, FromAxiStream, ToAxiStream
from halfsilver.hdl.layout.parameters import COPIES_LEAVE, MEANINGS, NicParameters
from halfsilver.hdl.nic import Nic
from halfsilver.hdl.records import VerdictRecord
from halfsilver.hdl.verilog.convert import VerilogError, to_verilog

__all__ = ["WIDTHS", "AxiNic", "export", "main"]

WIDTHS = (8, 64, 512)
"""Data widths that are exported unless others are asked for."""

_RECORD_BYTES = VerdictRecord.size // 8

SETTINGS = (
    "enis",
    "sessions",
    "rules",
    "extension_headers",
    "queue_depth",
    "cut_copies",
    "copies",
    "lookup_clocks",
    "security_groups",
    "receivers",
    "verdict_ring",
)
"""Build parameters that the command line takes."""


class AxiNic(wiring.Component):
    """Nic with AXI ports in flat names; clock ``clk``, reset ``rst`` (active high, synchronous).

    Ports
    -----
    s_axis_net_*      frames from the network; tuser (with tlast) is a bad frame
    s_axis_net_drop   with tlast: a security group dropped the frame
    m_axis_host_*     the same frames, to the host; tuser as above
    m_axis_host_drop  with tlast: the mark that came with the frame
    s_axis_host_*     frames from the host
    m_axis_net_*      the same frames, to the network, and the VXLAN copies; tuser bit 0 (with tlast) is a bad frame,
                      bit 1 (in all beats of a frame) says that it is a copy
    m_axis_mirror_*   the copies, only in a build in which they have a stream of their own; tuser is always 0
    m_axis_verdict_*  one 128-bit verdict record per frame; there is no tready: it must be taken. With two matchers a
                      beat has room for two records, ingress lowest, and tkeep says which there are
    s_axil_*          the registers (AXI4-Lite, 12 address bits)
    """

    def __init__(self, parameters):
        self.parameters = parameters
        self._own = parameters.copies_leave == "own"
        stream = AxiStreamSignature(parameters.width)
        marked = AxiStreamSignature(parameters.width, marked=True)
        ports = {
            **_flat("s_axis_net", stream.flip()),
            "s_axis_net_drop": In(1),
            **_flat("m_axis_host", stream),
            "m_axis_host_drop": Out(1),
            **_flat("s_axis_host", stream.flip()),
            **_flat("m_axis_net", marked),
            **(_flat("m_axis_mirror", stream) if self._own else {}),
            "m_axis_verdict_tdata": Out(VerdictRecord.size * parameters.matchers),
            **({} if parameters.matchers == 1 else {"m_axis_verdict_tkeep": Out(_RECORD_BYTES * parameters.matchers)}),
            "m_axis_verdict_tvalid": Out(1),
            **_flat("s_axil", AxiLiteSignature().flip()),
        }
        super().__init__({**ports, **self._other_ports()})

    def elaborate(self, platform):
        m = Module()
        width = self.parameters.width
        m.submodules.nic = nic = Nic(self.parameters)
        m.submodules.from_net = from_net = FromAxiStream(width)
        m.submodules.to_host = to_host = ToAxiStream(width)
        m.submodules.from_host = from_host = FromAxiStream(width)
        m.submodules.to_net = to_net = ToAxiStream(width, marked=True)
        m.submodules.registers = registers = AxiLiteBridge()

        self._attach(m, "s_axis_net", from_net.axi)
        m.d.comb += from_net.drop.eq(self.s_axis_net_drop)
        wiring.connect(m, from_net.o, nic.i_net)
        wiring.connect(m, nic.o_host, to_host.i)
        self._attach(m, "m_axis_host", to_host.axi)
        m.d.comb += self.m_axis_host_drop.eq(to_host.drop)

        self._attach(m, "s_axis_host", from_host.axi)
        wiring.connect(m, from_host.o, nic.i_host)
        wiring.connect(m, nic.o_net, to_net.i)
        self._attach(m, "m_axis_net", to_net.axi)

        if self._own:
            m.submodules.to_mirror = to_mirror = ToAxiStream(width)
            wiring.connect(m, nic.o_mirror, to_mirror.i)
            self._attach(m, "m_axis_mirror", to_mirror.axi)
        else:
            m.d.comb += to_net.mark.eq(nic.o_copy)
        verdicts = nic.o_verdict
        m.d.comb += [
            self.m_axis_verdict_tdata.eq(Cat(verdict.payload.as_value() for verdict in verdicts)),
            self.m_axis_verdict_tvalid.eq(Cat(verdict.valid for verdict in verdicts).any()),
        ]
        if len(verdicts) > 1:
            kept = Cat(verdict.valid.replicate(_RECORD_BYTES) for verdict in verdicts)
            m.d.comb += self.m_axis_verdict_tkeep.eq(kept)

        self._attach(m, "s_axil", registers.axi)
        self._reach_registers(m, registers.bus, nic.bus)
        return m

    def _other_ports(self):
        """What a top has beside them."""
        return {}

    def _reach_registers(self, m, bridge, registers):
        """AXI4-Lite is the only way in, unless a top has another one (`halfsilver.hdl.bus.serial_top`)."""
        wiring.connect(m, bridge, registers)

    def _attach(self, m, prefix, interface):
        """Connect a component's interface to the ports whose names begin with ``prefix``."""
        for name, member in interface.signature.members.items():
            port, signal = getattr(self, f"{prefix}_{name}"), getattr(interface, name)
            if member.flow is Out:
                m.d.comb += port.eq(signal)
            else:
                m.d.comb += signal.eq(port)


def _flat(prefix, signature):
    return {f"{prefix}_{name}": member for name, member in signature.members.items()}


WAIVERS = {
    "DECLFILENAME": "one file holds the top, which it is named after, and the modules below it",
    "PROCASSINIT": "registers have the same value at power-up and after reset, as FPGAs offer",
    "UNUSEDSIGNAL": "a build that does not need a field of a record, or a port of a block, leaves it open",
}
"""What Verilator's -Wall says of the export although nobody must look at it: rule and reason."""


def waivers(name):
    """Verilator's configuration file for the export ``name``: what is waived, and why."""
    lines = [f"// Waivers for verilator -Wall of {name}.v; give this file before it.", "`verilator_config"]
    for rule, reason in WAIVERS.items():
        lines += ["", f"// {reason[0].upper()}{reason[1:]}.", f'lint_off -rule {rule} -file "*{name}.v"']
    return "\n".join(lines) + "\n"


def export(parameters, directory):
    """Write ``halfsilver_<width>.v`` (module of the same name) and its waivers, ``.vlt``; returns the former's path."""
    name = f"halfsilver_{parameters.width}"
    path = Path(directory) / f"{name}.v"
    text = to_verilog(AxiNic(parameters), name, strip_src=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.with_suffix(".vlt").write_text(waivers(name))
    return path


def main(arguments=None):
    """Command line; returns 0, 2 for a wrong parameter or directory, 1 if Yosys fails."""
    defaults = NicParameters()
    parser = argparse.ArgumentParser(
        prog="python -m halfsilver.hdl.export", description="Write the NIC as plain Verilog."
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIRECTORY")
    parser.add_argument(
        "--width",
        type=int,
        action="append",
        metavar="BITS",
        help=f"data width; may be given again (default: {', '.join(map(str, WIDTHS))})",
    )
    for name in SETTINGS:
        option = f"--{name.replace('_', '-')}"
        default = getattr(defaults, name)
        parser.add_argument(
            option, type=int, metavar="N", default=default, help=f"{MEANINGS[name]} (default: {default})"
        )
    parser.add_argument(
        "--copies-leave",
        choices=COPIES_LEAVE,
        default=defaults.copies_leave,
        help=f"by the network port, or by a stream of their own (default: {defaults.copies_leave})",
    )
    options = vars(parser.parse_args(arguments))
    directory, widths = options.pop("output"), options.pop("width") or WIDTHS
    try:
        builds = [NicParameters(width=width, **options) for width in widths]
        for parameters in builds:
            start = time.monotonic()
            path = export(parameters, directory)
            print(f"{path}  {path.stat().st_size:,} bytes  {time.monotonic() - start:.1f} s")
    except OSError as error:
        parser.error(f"{error.filename or directory}: cannot be written: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))
    except VerilogError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
