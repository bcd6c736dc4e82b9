"""The gateware in Amaranth, and its plain data in ``hdl/layout``. Knows nothing of files, sockets or scapy."""
