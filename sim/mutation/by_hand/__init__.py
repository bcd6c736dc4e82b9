"""The list of faults that were made up by hand, one changed expression of gateware each, and what plants them."""
