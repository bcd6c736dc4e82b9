"""Verilog: a component becomes text that every tool reads."""
