"""Bus bridges in front of the register file."""
