"""Boards without hardware: the Verilated NIC behind a serial line, and behind a pseudo-terminal for other programs."""
