"""The native pump: C++ around a Verilated model, and the structures that Python exchanges with it."""
