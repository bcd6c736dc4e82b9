"""A design that is placed and routed in seconds: counters in three clock domains on the Colorlight."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from halfsilver.boards.ecp5 import ClockTree, FixedWord, Output, clock_net
from halfsilver.boards.flow import Design, build
from halfsilver.boards.overlay import with_ports
from halfsilver.harness.commands.card.build import conclude
from halfsilver.harness.commands.common import say
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.installation import revision
from halfsilver.hdl.layout.card_registers import Origin


class Platform(Colorlight_5A75B_R70Platform):
    resources = with_ports(Colorlight_5A75B_R70Platform.resources)


class Counters(Elaboratable):
    """One counter per domain, each fed by the last; ``long`` has a sum too wide for a fast clock."""

    def __init__(self, sync_hertz: float, long: bool, origin: Origin) -> None:
        self._sync_hertz, self._long, self._origin = sync_hertz, long, origin

    def elaborate(self, platform):
        m = Module()
        outputs = [Output("mac", 125e6), Output("sync", self._sync_hertz)]
        m.submodules.tree = tree = ClockTree(25e6, outputs)
        m.domains += tree.domains
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.rx_clock = rx_clock = io.Buffer("i", platform.request("rgmii", 0, dir="-").rx_clk)
        m.domains.net_rx = ClockDomain(reset_less=True)
        net_rx = clock_net("net_rx")
        m.d.comb += [tree.clock.eq(clock.i), net_rx.eq(rx_clock.i), ClockSignal("net_rx").eq(net_rx)]
        first, second, third = Signal(96 if self._long else 16), Signal(16), Signal(16)
        m.d.sync += first.eq(first + (first << 1) + 1)
        m.d.mac += second.eq(second + first[-1])
        m.d.net_rx += third.eq(third + second[-1])
        m.submodules.git = git = FixedWord(self._origin.git, 32)
        m.submodules.build = made = FixedWord(self._origin.build, 32)
        m.submodules.led = led = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += led.o.eq(third[-1] ^ (git.o ^ made.o).any())
        return m


def design_of(sync: float, long: bool = False) -> Design:
    """``sync``: MHz of its first domain."""
    clocks = {"sync": sync, "mac": 125.0, "net_rx": 125.0}
    return Design("small", "LFE5U-25F-6", Platform, partial(Counters, sync * 1e6, long), clocks, {})


def main(arguments: list[str]) -> int:
    """Exit code and text are those of `halfsilver build`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--sync", type=float, default=62.5)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--forget", default="")
    options = parser.parse_args(arguments)
    design = design_of(options.sync, options.long)
    design.clocks.pop(options.forget, None)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    try:
        return conclude(build(design, seeds, options.folder, say, revision=revision()), as_json=False)
    except HalfsilverError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
