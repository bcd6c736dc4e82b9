"""Proofs about single blocks of the gateware, for all inputs: ``make formal`` and docs/formal.md."""
