"""The gateware: Amaranth only. Knows nothing of files, sockets or scapy."""
