"""Proofs about the whole flat circuit: whatever a mutant changes washes out before anybody can see it."""
