"""From gateware to a compiled model: Verilog, the tools, and the cache of everything that takes long to make."""
