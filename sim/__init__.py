"""cocotb benches, the Verilator build, the native pump."""
