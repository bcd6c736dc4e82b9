"""Drivers of the benches live here: clock and reset, packet streams, AXI4-Stream, AXI4-Lite.

One rule of time for all of them, so that nothing depends on the order in which a simulator does things: inputs
change at the falling edge, everything is looked at when it has settled, and the rising edge belongs to the design.
A driver is a plain object with ``drive`` (falling edge) and ``sample`` (settled); `Testbench` calls them in turn, so
a bench is one coroutine and a clock costs two triggers however many ports there are.
"""
