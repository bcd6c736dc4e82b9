"""The encapsulator: puts the outer headers in front of a copy."""
