"""Faults planted in the gateware, and the regression that must catch them."""
