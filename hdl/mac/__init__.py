"""Ethernet MAC for 10, 100 and 1000 Mb/s behind an RGMII PHY; one file of I/O cells per FPGA family."""
